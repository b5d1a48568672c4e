"""A C2SP tlog-witness: cosigns only what continues what it saw before. It stands alone: its own machine, key and SQLite file; no database of the
firm's, nothing of Tightrope but the log's formats. Guide: docs/anchors.md.
"""
