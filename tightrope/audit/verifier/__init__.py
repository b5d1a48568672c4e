"""The verifier that an examiner runs: one file, nothing but Python; it shares no code with the writer and imports nothing of this package."""
