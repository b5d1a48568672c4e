"""The verifier that an examiner runs: nothing but Python; it shares no code with the writer and imports nothing of this package."""

FILES = ("verify.py", "verify_notes.py", "verify_anchors.py", "verify_custody.py", "verify_log.py")
"""What an export carries, side by side: they find each other by lying in one folder."""
