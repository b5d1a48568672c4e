"""`tightrope audit find` and `export`: what is refused before any database is asked."""

from __future__ import annotations

import os
import pwd

import pytest
from typer.testing import CliRunner

from tightrope.cli.auditing import login
from tightrope.cli.main import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "find", "--input", "bad"], "is no comparison"),
        (["audit", "find", "--from", "May"], "is no day or time"),
        (["audit", "find", "--up-to", "17"], "is no place"),
        (["audit", "export", "out"], "Nothing is selected"),
        (["audit", "export", "out", "--conversation", "1-2", "--profile", "cef"], "--profile is"),
        (["audit", "export", "out", "--conversation", "1-2", "--pages", "fr"], "--pages is"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_way_on(arguments, said):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_who_asks_is_not_what_the_environment_claims(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "chief")
    assert login() == pwd.getpwuid(os.getuid()).pw_name != "chief"
