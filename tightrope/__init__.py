"""Tightrope: on-premises customer support for securities firms, with a record of every decision.

The map is docs/architecture.md; each folder here is one word of the domain.
"""

__version__ = "0.1.0"
