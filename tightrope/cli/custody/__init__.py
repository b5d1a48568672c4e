"""`tightrope audit keys` and `tightrope audit hold`: custody of what the audit log keeps (docs/custody.md)."""
