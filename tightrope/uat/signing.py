"""Signed runs: who vouches for which run of which cases on which release (Ed25519, RFC 8032).

What is signed is a statement: the release, the hash of the flows, the hash of every case with its verdict, the counts, and the hash of the
whole run. `verify` recomputes all of it from the run; with the case files it also says which of them have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tightrope.release.signing import SignatureInvalid, open_statement, sign_statement
from tightrope.uat import results
from tightrope.uat.models import Case

KIND: Final = "tightrope-acceptance-run/1"


def statement(run: Mapping[str, Any], signer: str, at: str) -> dict[str, Any]:
    """What a signature vouches for.

    Args:
        signer: who signs, in words.
        at: when, ISO 8601 with zone.
    """
    return {
        "kind": KIND,
        "release": run["release"],
        "model": run["model"],
        "started": run["started"],
        "passed": run["passed"],
        "failed": run["failed"],
        "cases": {case["id"]: [case["digest"], "passed" if case["passed"] else "failed"] for case in run["cases"]},
        "run": results.digest(run),
        "signer": signer,
        "signed": at,
    }


def sign(run: Mapping[str, Any], key: Ed25519PrivateKey, signer: str, at: str) -> dict[str, Any]:
    """The signed statement, as JSON data."""
    return sign_statement(statement(run, signer, at), key)


def verify(run: Mapping[str, Any], signed: Mapping[str, Any], trusted: Iterable[str] = ()) -> dict[str, Any]:
    """The statement, if the signature is good and the run is the one that was signed.

    Args:
        trusted: key ids that may sign; empty: any key, and the caller says which it was.

    Raises:
        SignatureInvalid: it is not.
    """
    said, signed_by = open_statement(signed, "an acceptance run")
    names = set(trusted)
    if names and signed_by not in names:
        raise SignatureInvalid(f"the key {signed_by} is none that was named: {', '.join(sorted(names))}")
    if said != statement(run, said.get("signer", ""), said.get("signed", "")):
        raise SignatureInvalid("the run is not the one that was signed")
    return said


def changed(said: Mapping[str, Any], cases: Iterable[Case]) -> list[str]:
    """Ids of cases that are new, gone or different since the statement was signed."""
    then = {name: digest for name, (digest, _) in said["cases"].items()}
    now = {case.id: case.digest for case in cases}
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
