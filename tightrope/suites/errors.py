"""Errors of the test suites."""

from __future__ import annotations


class SuiteError(Exception):
    """Nothing can be played: the command line, a path or a commands file is wrong. The message says what to mend."""


class CannotPlay(Exception):
    """This case cannot go on: something that it needs is not there. The message says what, and how to have it."""
