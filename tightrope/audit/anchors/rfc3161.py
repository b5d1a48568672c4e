"""Time stamps (RFC 3161) over the bytes of a checkpoint, from any time-stamp authority that speaks HTTP (RFC 3161, section 3.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC

import httpx
from cryptography import x509
from cryptography.x509.oid import NameOID
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from tightrope.audit.anchors.errors import AnchorRefused, AnchorsUnfit, AnchorUnavailable, ReceiptInvalid
from tightrope.audit.anchors.models import Kind, Point, Receipt, Verdict
from tightrope.infra.clock import Clock

MAX_ANSWER = 65_536
"""Bytes of an answer that are read; a token with its certificate has about 2,000."""
_GRANTED = 0
_SOMEBODY = "a time-stamp authority"
"""Who, while the signature does not hold: the name in a certificate alone is anybody's."""


def certificates(bundles: Iterable[bytes]) -> list[x509.Certificate]:
    """The certificates in PEM files.

    Raises:
        AnchorsUnfit: a file holds none.
    """
    found: list[x509.Certificate] = []
    for bundle in bundles:
        try:
            found += [one for one in x509.load_pem_x509_certificates(bundle) if one not in found]
        except ValueError as error:
            raise AnchorsUnfit(f"TIGHTROPE_AUDIT_TSA_CERTIFICATES holds no readable PEM certificate: {error}") from error
    return found


class TimeStampAnchor:
    """Asks one authority for a time stamp, and keeps it only if it verifies against the firm's trusted certificates.

    Args:
        client: made by `tightrope.infra.http.outbound_client`.
        roots: PEM; the authority's certificate has to lead to one of these.
    """

    newest_only = False
    kind: Kind = "rfc3161"

    def __init__(
        self, client: httpx.AsyncClient, url: str, roots: tuple[bytes, ...], clock: Clock, *, name: str = "rfc3161"
    ) -> None:
        self.name = name
        self._client = client
        self._url = url
        self._roots = roots
        self._clock = clock

    async def submit(self, point: Point) -> Receipt:
        """A time stamp over SHA-256 of the note; the authority sees nothing but that digest."""
        request = TimestampRequestBuilder().data(point.note).hash_algorithm(HashAlgorithm.SHA256).cert_request(cert_request=True)
        asked = request.nonce(nonce=True).build()
        body = await self._post(asked)
        verdict = check(point.note, body, self._roots, nonce=asked.nonce)
        if not verdict.ok:
            raise ReceiptInvalid(f"the time stamp of {self._url} does not hold: {verdict.why}")
        return Receipt(self.name, self.kind, point.place.shard, point.place.size, self._clock.now(), verdict.asserted, body)

    async def _post(self, asked: TimeStampRequest) -> bytes:
        headers = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
        try:
            answer = await self._client.post(self._url, content=asked.as_bytes(), headers=headers)
        except httpx.HTTPError as error:
            raise AnchorUnavailable(f"the time-stamp authority {self._url} does not answer: {error!r}") from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise AnchorUnavailable(f"the time-stamp authority {self._url} answered {answer.status_code}")
        if answer.status_code != 200:
            raise AnchorRefused(
                f"the time-stamp authority {self._url} answered {answer.status_code}: check TIGHTROPE_AUDIT_TSA_URL"
            )
        if len(answer.content) > MAX_ANSWER:
            raise ReceiptInvalid(
                f"the time-stamp authority {self._url} answered {len(answer.content)} bytes; at most {MAX_ANSWER}"
            )
        return answer.content

    async def health(self) -> str | None:
        """Nothing to ask: RFC 3161 has no question but the one that costs a stamp."""
        return None

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


def check(note: bytes, body: bytes, roots: tuple[bytes, ...], *, nonce: int | None = None) -> Verdict:
    """Whether a DER TimeStampResp is a stamp over these bytes by a trusted authority; pure, offline.

    The certificates have to have been valid at the stamped time, not now.

    Args:
        nonce: compared where given, that is when the answer has just come.
    """
    if not roots:
        return Verdict(False, None, _SOMEBODY, "no trusted certificate is given (TIGHTROPE_AUDIT_TSA_CERTIFICATES)")
    try:
        stamp = decode_timestamp_response(body)
        status = stamp.status
    except ValueError as error:
        return Verdict(False, None, _SOMEBODY, f"the answer is no DER TimeStampResp: {error}")
    if status != _GRANTED:
        said = ", ".join(stamp.status_string) or "no reason"
        return Verdict(False, None, _SOMEBODY, f"the authority did not grant it (status {status}: {said})")
    who = _signer(stamp)
    builder = VerifierBuilder()
    for one in certificates(roots):
        builder = builder.add_root_certificate(one)
    if nonce is not None:
        builder = builder.nonce(nonce)
    try:
        builder.build().verify_message(stamp, note)
        asserted = stamp.tst_info.gen_time
    except (VerificationError, ValueError) as error:
        digest = hashlib.sha256(note).digest()
        if _imprint(stamp) not in {None, digest}:
            return Verdict(False, None, _SOMEBODY, "the stamp is over other bytes than this checkpoint")
        return Verdict(False, None, _SOMEBODY, f"the stamp does not verify: {error}")
    return Verdict(True, asserted.astimezone(UTC), who, f"RFC 3161 stamp number {stamp.tst_info.serial_number}")


def _imprint(stamp: TimeStampResponse) -> bytes | None:
    try:
        return stamp.tst_info.message_imprint.message
    except ValueError:
        return None


def _signer(stamp: TimeStampResponse) -> str:
    """The name in the certificate that signed, as the stamp carries it; a name alone proves nothing."""
    try:
        infos = list(stamp.signed_data.signer_infos)
        for raw in stamp.signed_data.certificates:
            one = x509.load_der_x509_certificate(raw)
            if infos and one.serial_number == infos[0].serial_number:
                names = one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
                return str(names[0].value) if names else one.subject.rfc4514_string()
    except ValueError:
        pass
    return _SOMEBODY
