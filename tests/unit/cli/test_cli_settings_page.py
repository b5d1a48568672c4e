"""docs/settings.md says what the settings say."""

from __future__ import annotations

import pytest

from tightrope.cli import settings_page
from tightrope.cli.settings_page import SECRETS_EXPLAINED
from tightrope.infra.database import Role
from tightrope.infra.secrets import DEMO_SECRETS
from tightrope.infra.settings import REPOSITORY, Settings


def test_page_in_docs_is_current(capsys: pytest.CaptureFixture[str]):
    settings_page.main()
    written = (REPOSITORY / "docs/settings.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == written, "docs/settings.md is behind the settings: run `make docs`"


def test_every_setting_stands_in_the_page_with_a_description():
    page = settings_page.settings_page()
    for name, field in Settings.model_fields.items():
        assert f"| `TIGHTROPE_{name.upper()}` |" in page
        assert field.description, f"{name} needs a description"
        assert field.description.replace("|", "\\|") in page


def test_every_secret_is_explained_and_none_that_is_gone():
    assert SECRETS_EXPLAINED.keys() == DEMO_SECRETS.keys()
    page = settings_page.settings_page()
    for name in [*DEMO_SECRETS, "bot_access_token", "bot_webhook_secret", *(f"db_{role.user}" for role in Role)]:
        assert f"| `{name}` |" in page


def test_page_names_no_folder_of_this_machine():
    assert str(REPOSITORY) not in settings_page.settings_page()
