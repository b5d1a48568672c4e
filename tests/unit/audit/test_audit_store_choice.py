"""What the settings choose, what they refuse, and how a self-test's verdict is kept."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from s3_fake import FakeS3
from typer.testing import CliRunner

from tightrope.audit.errors import StoreError
from tightrope.audit.stores import checking, choice
from tightrope.audit.stores.choice import lock_of, store_from
from tightrope.audit.stores.folder import LocalFolderStore
from tightrope.audit.stores.s3 import S3Store
from tightrope.audit.stores.selftest import run_selftest
from tightrope.audit.stores.verdict import KeptVerdict, VerdictFile
from tightrope.cli.store import store_app
from tightrope.infra import network_log
from tightrope.infra.s3 import S3Refused, s3_client
from tightrope.infra.settings import Settings

PRODUCTION = {
    "mode": "production",
    "brokerage_url": "https://b",
    "identity_issuer": "https://i",
    "portal_public_url": "https://p",
    "secrets_dir": "/secrets",
}


@pytest.fixture
def bucket(settings) -> Settings:
    for name in ("audit_s3_access_key", "audit_s3_secret_key"):
        (settings.secrets_path / name).write_text("AKIDEXAMPLE")
    return settings.model_copy(update={"audit_s3_url": "http://127.0.0.1:9/", "audit_s3_bucket": "audit"})


@pytest.fixture
def fake(bucket, clock, monkeypatch) -> FakeS3:
    """The server behind `bucket`; the self-test's waiting takes no time."""
    made = FakeS3(clock)
    monkeypatch.setattr(choice, "s3_client", lambda *_, **__: made)
    monkeypatch.setattr(checking, "clock_from", lambda _: clock)
    monkeypatch.setattr(choice, "clock_from", lambda _: clock)
    monkeypatch.setattr(checking, "run_selftest", lambda *args, **kwargs: run_selftest(*args, **kwargs, sleep=made.sleep))
    return made


def test_an_s3_address_chooses_the_bucket_and_none_the_folder(settings, bucket):
    assert isinstance(store_from(settings), LocalFolderStore)
    store = store_from(bucket)
    assert isinstance(store, S3Store)
    assert (
        store.describe().text
        == "S3 bucket audit at http://127.0.0.1:9, NOT WORM: no self-test has been run; run `tightrope audit store check`"
    )


def test_the_lock_comes_from_the_longest_class_of_retention_or_from_the_setting(settings):
    assert lock_of(settings) == timedelta(days=7305)
    assert lock_of(settings.model_copy(update={"audit_retention_days": 3})) == timedelta(days=3)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"audit_s3_url": "https://s3"}, "wants a bucket"),
        ({"audit_s3_url": "s3.firm", "audit_s3_bucket": "b"}, "begins with https"),
        ({"audit_retention_days": 0}, "greater than or equal to 1"),
        ({**PRODUCTION, "audit_retention_days": 1826}, "at least 5 years"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given, says):
    with pytest.raises(ValidationError, match=says):
        Settings(**given)


def test_production_takes_five_years_and_a_demo_takes_a_day():
    Settings(**PRODUCTION, audit_retention_days=1827)
    Settings(audit_retention_days=1)


def test_a_host_that_is_not_allowed_is_refused_before_any_connection_and_written_down(bucket, monkeypatch):
    noted = []
    monkeypatch.setattr(network_log, "note", lambda *target: noted.append(target))
    elsewhere = bucket.model_copy(update={"audit_s3_url": "https://s3.elsewhere.example"})
    with pytest.raises(StoreError, match=r"s3\.elsewhere\.example is not on the allow-list"):
        store_from(elsewhere).get("a")
    assert noted == [("refused", "s3.elsewhere.example", 443)]
    with pytest.raises(StoreError, match="not on the allow-list"):
        checking.check_bucket(elsewhere)


def test_a_redirect_to_another_host_is_refused_as_it_leaves(bucket):
    client = s3_client(bucket, access_key="a", secret_key="b", purpose="the test")
    client.meta.events.emit("before-send.s3.PutObject", request=SimpleNamespace(url="http://127.0.0.1:9/audit/a"))
    with pytest.raises(S3Refused, match=r"evil\.example is not on the allow-list .*the test was not sent"):
        client.meta.events.emit("before-send.s3.PutObject", request=SimpleNamespace(url="https://evil.example/audit/a"))


def test_the_environment_and_the_home_folder_are_not_read(bucket, monkeypatch, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nendpoint_url = http://evil.example\nregion = mars\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in {
        "AWS_PROFILE": "missing",
        "AWS_ENDPOINT_URL": "http://evil.example",
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_CA_BUNDLE": "/missing",
        "AWS_MAX_ATTEMPTS": "99",
        "HTTP_PROXY": "http://evil.example",
    }.items():
        monkeypatch.setenv(name, value)
    client = s3_client(bucket, access_key="a", secret_key="b", purpose="the test")
    assert client.meta.endpoint_url == "http://127.0.0.1:9/"
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.proxies == {}
    assert client.meta.config.retries["total_max_attempts"] == 3
    assert client._request_signer._credentials.access_key == "a"


def test_a_missing_secret_names_its_file(bucket):
    (bucket.secrets_path / "audit_s3_secret_key").unlink()
    with pytest.raises(SystemExit, match="audit_s3_secret_key"):
        store_from(bucket).get("a")


def test_a_passed_self_test_makes_the_bucket_worm_until_it_is_too_old(bucket, fake, clock):
    assert checking.check_bucket(bucket).verdict == "worm"
    assert store_from(bucket).describe().worm is True
    clock.advance(31 * 86400)
    assert "the last self-test is of 2026-11-20" in store_from(bucket).describe().text


def test_a_failed_self_test_takes_the_name_away(bucket, fake):
    checking.check_bucket(bucket)
    fake.faults = frozenset({"shortens"})
    assert checking.check_bucket(bucket).verdict == "not worm"
    assert "NOT WORM: shorten a lock: allowed" in store_from(bucket).describe().text


def test_a_writer_that_may_try_nothing_takes_nothing_from_a_passed_test_but_cannot_pass_one(bucket, fake, clock):
    least = frozenset({"DeleteObject", "DeleteObjects", "PutObjectRetention", "PutBucketVersioning"})
    fake.forbidden = least
    assert checking.check_bucket(bucket).verdict == "degraded"
    assert store_from(bucket).describe().worm is False
    fake.forbidden = frozenset()
    checking.check_bucket(bucket)
    fake.forbidden = least
    checking.check_bucket(bucket)
    assert store_from(bucket).describe().worm is True
    fake.faults = frozenset({"drops the lock"})
    checking.check_bucket(bucket)
    assert store_from(bucket).describe().worm is False


def test_the_checker_has_its_own_credential_where_there_is_one(bucket, clock, monkeypatch):
    used = []
    monkeypatch.setattr(choice, "s3_client", lambda *_, access_key, **__: used.append(access_key))
    choice.checker_client(bucket)
    for name in ("audit_s3_check_access_key", "audit_s3_check_secret_key"):
        (bucket.secrets_path / name).write_text("CHECKER")
    choice.checker_client(bucket)
    choice.writer_client(bucket)
    assert used == ["AKIDEXAMPLE", "CHECKER", "AKIDEXAMPLE"]


def test_the_writing_process_tests_its_bucket_at_the_start_and_goes_on_when_that_fails(settings, bucket, fake):
    assert checking.start_check(settings) is None
    thread = checking.start_check(bucket)
    assert thread is not None
    thread.join(10)
    assert store_from(bucket).describe().worm is True
    assert checking.start_check(bucket) is None  # the writer could prove nothing more
    for name in ("audit_s3_check_access_key", "audit_s3_check_secret_key"):
        (bucket.secrets_path / name).write_text("CHECKER")
    fake.faults = frozenset({"silent"})
    thread = checking.start_check(bucket)
    thread.join(10)
    assert not thread.is_alive()
    assert store_from(bucket).describe().worm is True  # no verdict: the one before stays


def test_an_unreadable_verdict_stops_nothing_and_is_no_verdict(bucket, fake):
    checking.check_bucket(bucket)
    (bucket.state_dir / "worm-selftests.json").write_text("{")
    assert "NOT WORM" in store_from(bucket).describe().text
    assert "worm-selftests.json cannot be read" in store_from(bucket).describe().text
    assert store_from(bucket).put("a", b"one").worm is False
    thread = checking.start_check(bucket)
    assert thread is not None
    thread.join(10)
    with pytest.raises(StoreError, match="remove it"):
        checking.check_bucket(bucket)


def test_verdicts_are_kept_for_each_bucket_and_an_unreadable_file_says_what_to_do(tmp_path):
    file = VerdictFile(tmp_path / "state")
    assert file.read("e", "b") is None
    one = KeptVerdict("e", "b", "s", "2026-11-20T02:31:00+00:00", "worm", "")
    two = KeptVerdict("e", "c", "s", "2026-11-20T02:31:00+00:00", "degraded", "x")
    newer = KeptVerdict("e", "b", "s", "2026-11-21T02:31:00+00:00", "not worm", "y")
    for verdict in (one, two, newer):
        file.write(verdict)
    assert (file.read("e", "b"), file.read("e", "c")) == (newer, two)
    (path,) = (tmp_path / "state").iterdir()
    path.write_text("{")
    with pytest.raises(StoreError, match="remove it and run `tightrope audit store check`"):
        file.read("e", "b")


@pytest.fixture
def command(bucket, monkeypatch):
    def run(*arguments: str, settings: Settings = bucket):
        monkeypatch.setattr("tightrope.infra.settings.get_settings", lambda: settings)
        return CliRunner().invoke(store_app, list(arguments), env={"COLUMNS": "160"})

    return run


def test_the_command_says_worm_or_not_and_its_exit_status_too(command, fake, settings):
    done = command("check")
    assert (done.exit_code, "WORM: every attempt" in done.stdout) == (0, True)
    assert "delete a locked version" in done.stdout
    fake.faults = frozenset({"deletes"})
    done = command("check")
    assert (done.exit_code, "NOT WORM: delete a locked version: allowed" in done.stdout) == (1, True)
    fake.faults = frozenset({"takes the past"})
    done = command("check", "--json")
    assert (done.exit_code, '"verdict": "degraded"' in done.stdout) == (1, True)
    fake.faults = frozenset({"silent"})
    assert command("check").exit_code == 2
    done = command("check", settings=settings)
    assert (done.exit_code, "NOT WORM: local folder, not WORM" in done.stdout) == (1, True)


def test_a_sample_is_for_a_bucket(command, settings):
    assert command("sample", settings=settings).exit_code == 2
