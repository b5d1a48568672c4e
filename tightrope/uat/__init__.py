"""Acceptance cases: conversations with customers and what must come of them, as data that a risk officer can write (docs/acceptance-cases.md)."""
