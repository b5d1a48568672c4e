"""Anchors: what others say, at their own time, of this log's checkpoints. Guide: docs/anchors.md."""
