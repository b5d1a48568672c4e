"""The auditor's index: finds records by what was decided; derived from the log alone and never evidence itself."""
