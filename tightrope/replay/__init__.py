"""Runs recorded conversations again (docs/replay.md)."""
