"""From the settings: which anchors there are, which count, and whom a reader trusts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import httpx

from tightrope.audit.anchors.chain import ChainAnchor, read_nodes
from tightrope.audit.anchors.errors import AnchorsUnfit
from tightrope.audit.anchors.models import Anchor, Consistency, Kind, Trust
from tightrope.audit.anchors.policy import AnchorPolicy
from tightrope.audit.anchors.rfc3161 import TimeStampAnchor, certificates
from tightrope.audit.anchors.witness import WitnessAnchor
from tightrope.audit.anchors.worm import SegmentStore, WormAnchor
from tightrope.audit.errors import PolicyInvalid
from tightrope.audit.tlog.keys import VerifierKey
from tightrope.audit.tlog.policy import Policy
from tightrope.infra.clock import Clock
from tightrope.infra.http import outbound_client
from tightrope.infra.settings import Settings

TIMEOUT = httpx.Timeout(connect=3.0, read=15.0, write=5.0, pool=3.0)
"""Seconds. A time-stamp authority outside the firm may take a while; nobody waits for it but its own task."""

WORM, TSA, CHAIN = "worm", "rfc3161", "chain"


def trust_from(settings: Settings) -> Trust:
    """Whom the installation trusts, from the files that the settings name.

    Raises:
        AnchorsUnfit: a file cannot be read; the message names setting and line.
    """
    log: Policy | None = None
    tsa: tuple[bytes, ...] = ()
    nodes: tuple[VerifierKey, ...] = ()
    try:
        if settings.audit_policy_file is not None:
            log = Policy.parse(_read(settings.audit_policy_file, "AUDIT_POLICY_FILE"))
        if settings.audit_tsa_certificates is not None:
            tsa = (_read(settings.audit_tsa_certificates, "AUDIT_TSA_CERTIFICATES"),)
            certificates(tsa)
        if settings.audit_chain_nodes is not None:
            nodes = read_nodes(_read(settings.audit_chain_nodes, "AUDIT_CHAIN_NODES").decode("utf-8", "replace"))
    except PolicyInvalid as error:
        raise AnchorsUnfit(f"TIGHTROPE_AUDIT_POLICY_FILE ({settings.audit_policy_file}): {error}") from error
    except AnchorsUnfit:
        raise
    except ValueError as error:
        raise AnchorsUnfit(f"TIGHTROPE_AUDIT_CHAIN_NODES ({settings.audit_chain_nodes}): {error}") from error
    return Trust(log, tsa, nodes)


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnchorsUnfit(f"TIGHTROPE_{name} names {path}, which cannot be read: {error.strerror}") from error


def names_from(settings: Settings, trust: Trust) -> list[str]:
    """Names of the anchors that the settings ask for; the store is always one."""
    witnesses = [one.key.name for one in trust.log.witnesses if one.url] if trust.log else []
    return [WORM, *witnesses, *([TSA] if settings.audit_tsa_url else []), *([CHAIN] if settings.audit_chain_url else [])]


def policy_from(settings: Settings, trust: Trust, kinds: Mapping[str, Kind]) -> AnchorPolicy:
    """How many of which anchors have to keep up.

    A folder that is not WORM is the log's own disk: beside any other anchor it is kept and shown, and does not count.

    Args:
        kinds: kinds of the anchors as far as known.

    Raises:
        AnchorsUnfit: more are needed than there are.
    """
    names = names_from(settings, trust)
    if len(names) > 1 and kinds.get(WORM, "worm-folder") == "worm-folder":
        names.remove(WORM)
    return AnchorPolicy(tuple(names), settings.audit_anchor_need, timedelta(minutes=settings.audit_anchor_minutes))


def anchors_from(
    settings: Settings,
    trust: Trust,
    *,
    store: SegmentStore,
    clock: Clock,
    consistency: Consistency,
    transport: httpx.AsyncBaseTransport | None = None,
) -> list[Anchor]:
    """The anchors at work.

    Args:
        transport: what carries their requests; tests pass their own.
    """

    def client(purpose: str, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        return outbound_client(
            settings, purpose=purpose, timeout=TIMEOUT, headers=headers, transport=transport, max_connections=4
        )

    anchors: list[Anchor] = [WormAnchor(store, clock, name=WORM)]
    for one in trust.log.witnesses if trust.log else ():
        if one.url:
            anchors.append(WitnessAnchor(client("audit witness"), one.url, one.key, consistency, clock))
    if settings.audit_tsa_url:
        anchors.append(TimeStampAnchor(client("time stamp"), settings.audit_tsa_url, trust.tsa, clock, name=TSA))
    if settings.audit_chain_url:
        token = settings.optional_secret("audit_chain_token")
        headers = {"authorization": f"Bearer {token.get_secret_value()}"} if token else None
        anchors.append(ChainAnchor(client("audit chain", headers), settings.audit_chain_url, trust.chain, clock, name=CHAIN))
    return anchors
