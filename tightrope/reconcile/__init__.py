"""Is anything missing? Compares Chatwoot, the gateway's tables, the assistant's tracker and the log for a period (docs/completeness.md)."""
