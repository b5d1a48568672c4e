"""`python -m tightrope.audit.witness`: the witness alone."""

from tightrope.audit.witness.commands import witness_app

witness_app()
