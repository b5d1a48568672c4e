"""Where the lines of this release lie."""

from tightrope.infra.settings import REPOSITORY

DATA = REPOSITORY / "data" / "understanding"
