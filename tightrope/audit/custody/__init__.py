"""Who may open, hold and destroy what the audit log keeps: key states, legal holds, acts of two people (docs/custody.md)."""
