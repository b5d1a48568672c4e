"""Who a turn acts for: bindings, grants, portal tokens, login links (docs/compliance/threat-model.md)."""
