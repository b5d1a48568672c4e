"""Plays test files in Rasa's own formats (end-to-end and dialogue understanding) against the engine, and reports on them."""
