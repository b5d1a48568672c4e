"""When the self-test runs and what is kept of it: on command, and at each start of the process that writes segments."""

from __future__ import annotations

import threading

from tightrope.audit.errors import StoreError
from tightrope.audit.stores.choice import checker_client, has_checker, place_of
from tightrope.audit.stores.selftest import SelfTest, run_selftest
from tightrope.audit.stores.verdict import VerdictFile, why_not_worm
from tightrope.infra.clock import clock_from
from tightrope.infra.logging import get_logger
from tightrope.infra.s3 import S3Refused
from tightrope.infra.settings import Settings

log = get_logger()


def check_bucket(settings: Settings) -> SelfTest:
    """Run the self-test on the bucket that the settings name, and keep its verdict. Blocks for about half a minute.

    Raises:
        StoreError: there is no verdict; the one before stays.
    """
    place = place_of(settings)
    kept = VerdictFile(settings.state_dir)
    try:
        done = run_selftest(checker_client(settings), place, clock=clock_from(settings))
    except S3Refused as error:
        raise StoreError(str(error)) from error
    # A writer's credential may not try what it has no right to: that finds nothing, and takes nothing from a test that could.
    if not (done.verdict == "degraded" and not has_checker(settings) and _counts(settings, server=done.server)):
        kept.write(done.kept())
    return done


def start_check(settings: Settings) -> threading.Thread | None:
    """Run the self-test beside the work of the process that writes segments; it never delays or stops it.

    With the writer's credential alone it is run only while no verdict counts: it could prove nothing, and not remove what it made.

    Returns:
        The thread, a daemon; None where the store is no bucket, or an earlier verdict counts.
    """
    if not settings.audit_s3_url or (not has_checker(settings) and _counts(settings)):
        return None
    thread = threading.Thread(target=_check, args=(settings,), name="worm-selftest", daemon=True)
    thread.start()
    return thread


def _counts(settings: Settings, *, server: str | None = None) -> bool:
    place = place_of(settings)
    try:
        kept = VerdictFile(settings.state_dir).read(place.endpoint, place.bucket)
    except StoreError:
        return False
    return why_not_worm(kept, now=clock_from(settings).now(), days=settings.audit_worm_check_days, server=server) is None


def _check(settings: Settings) -> None:
    try:
        done = check_bucket(settings)
    except StoreError as error:
        log.error("the bucket's self-test did not run", action="worm_selftest_failed", reason=str(error))
        return
    tell = log.info if done.verdict == "worm" else log.error
    tell("the bucket's self-test has run", action="worm_selftest_done", verdict=done.verdict, reason=done.reason)
