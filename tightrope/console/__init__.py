"""The auditors' pages: status of the log, search, one conversation with its decision trail, proofs checked in the browser."""
