"""Exports: a selection of the record with its proofs, its reading form and its verifier, in one folder or zip."""
