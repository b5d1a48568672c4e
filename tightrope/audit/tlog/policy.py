"""Trust policies: which logs are believed, and which witnesses must have cosigned (C2SP tlog-policy). Pure.

log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> all|any|<k> <member>…
quorum <name>|none
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tightrope.audit.errors import NoteInvalid, PolicyInvalid
from tightrope.audit.tlog.checkpoint import SignedCheckpoint, open_checkpoint
from tightrope.audit.tlog.keys import COSIGNATURE, ED25519, SM2_SM3, VerifierKey

NONE = "none"
"""The quorum that asks for no witness."""

LINE_LIMIT = 1_000
"""Logs, witnesses and groups, together, that a policy may name."""

_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_BLANK = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Log:
    """A log that is believed.

    Attributes:
        key: its name is the log's origin.
    """

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness.

    Attributes:
        name: within the policy; the key has its own.
    """

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Members of which at least `threshold` must have cosigned.

    Attributes:
        members: names of witnesses and of groups defined before.
    """

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Which logs are believed, and whose cosignatures a checkpoint needs.

    Attributes:
        groups: each after those it names.
        quorum: a witness's or group's name, or `none`.
    """

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str = NONE

    def __post_init__(self) -> None:
        """Refuse policies that no file can hold.

        Raises:
            PolicyInvalid: names the log, witness or group.
        """
        reader = _Reader()
        for log in self.logs:
            reader.log(log)
        for witness in self.witnesses:
            reader.witness(witness)
        for group in self.groups:
            reader.group(group)
        reader.set_quorum(self.quorum)

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """Keys of the logs."""
        return tuple(log.key for log in self.logs)

    @property
    def witness_keys(self) -> tuple[VerifierKey, ...]:
        """Keys of the witnesses."""
        return tuple(witness.key for witness in self.witnesses)

    def satisfied(self, keys: Iterable[VerifierKey]) -> bool:
        """Whether cosignatures by these keys, all of them verified, reach the quorum."""
        signed = set(keys)
        reached = {witness.name for witness in self.witnesses if witness.key in signed}
        for group in self.groups:
            if len(reached.intersection(group.members)) >= group.threshold:
                reached.add(group.name)
        return self.quorum == NONE or self.quorum in reached

    def open(self, data: bytes) -> SignedCheckpoint:
        """Read a checkpoint that one of the policy's logs signed, without asking for the quorum.

        Raises:
            NoteInvalid: malformed, not signed by such a log, or a known key's signature does not hold.
        """
        return open_checkpoint(data, self.log_keys, self.witness_keys)

    def check(self, data: bytes) -> SignedCheckpoint:
        """Read a checkpoint that one of the policy's logs signed and the quorum cosigned.

        Raises:
            NoteInvalid: as `open`, or the quorum is not reached; the message names who cosigned.
        """
        signed = self.open(data)
        cosigners = [item.key for item in signed.cosignatures]
        if not self.satisfied(cosigners):
            names = ", ".join(sorted(witness.name for witness in self.witnesses if witness.key in cosigners)) or "nobody"
            raise NoteInvalid(f"the checkpoint does not reach the quorum {self.quorum}: cosigned by {names}")
        return signed

    def text(self) -> str:
        """The policy as a file."""
        lines = [_line("log", log.key.vkey, log.url) for log in self.logs]
        lines += [_line("witness", witness.name, witness.key.vkey, witness.url) for witness in self.witnesses]
        lines += [_line("group", group.name, str(group.threshold), *group.members) for group in self.groups]
        return "".join(f"{line}\n" for line in [*lines, _line("quorum", self.quorum)])

    def encode(self) -> bytes:
        """The policy as the bytes of a file."""
        return self.text().encode("utf-8", "surrogateescape")

    @classmethod
    def parse(cls, data: bytes | str) -> Policy:
        """Read a policy file.

        Raises:
            PolicyInvalid: names the line.
        """
        try:
            raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        except UnicodeEncodeError:
            raise PolicyInvalid("the policy holds a lone surrogate; give its bytes as they are") from None
        if not raw.endswith(b"\n"):
            raise PolicyInvalid("the policy's last line does not end with a newline; was the file cut short?")
        reader = _Reader()
        for number, line in enumerate(raw[:-1].split(b"\n"), start=1):
            try:
                reader.line(line)
            except (PolicyInvalid, NoteInvalid) as error:
                raise PolicyInvalid(f"line {number} of the policy: {error}") from None
        if reader.quorum is None:
            raise PolicyInvalid("the policy has no quorum line; `quorum none` asks for no witness")
        return cls(tuple(reader.logs), tuple(reader.witnesses), tuple(reader.groups), reader.quorum)


class _Reader:
    """Takes a policy line by line and refuses what contradicts the lines before."""

    def __init__(self) -> None:
        self.logs: list[Log] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()

    def line(self, raw: bytes) -> None:
        if _FORBIDDEN.search(raw):
            raise PolicyInvalid("no control characters but tab are allowed; lines end with a newline alone")
        # Names are opaque octets: surrogate escapes keep two different ones different, whatever their encoding.
        words = [word for word in _BLANK.split(raw.decode("utf-8", "surrogateescape")) if word]
        if not words or words[0].startswith("#"):
            return
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self.log(Log(VerifierKey.parse(vkey), *url))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self.witness(Witness(name, VerifierKey.parse(vkey), *url))
            case ["group", name, threshold, *members]:
                self.group(Group(name, _threshold(threshold, members), tuple(members)))
            case ["quorum", name]:
                self.set_quorum(name)
            case _:
                raise PolicyInvalid(
                    "a line reads `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K MEMBER…` or `quorum NAME`"
                )

    def log(self, log: Log) -> None:
        if log.key.kind not in {ED25519, SM2_SM3}:
            raise PolicyInvalid(f"{log.key.name}: a log's key is of type 0x01 (Ed25519) or tightrope/sm2-sm3")
        if any(log.key.public == other.key.public for other in self.logs):
            raise PolicyInvalid(f"{log.key.name}: another log has the same public key; each shard needs its own")
        _check_word(log.url)
        self.logs.append(log)
        self._check_limit()

    def witness(self, witness: Witness) -> None:
        if witness.key.kind != COSIGNATURE:
            raise PolicyInvalid(f"{witness.name}: a witness's key is of type 0x04 (cosignature)")
        if any(witness.key.public == other.key.public for other in self.witnesses):
            raise PolicyInvalid(f"{witness.name}: another witness has the same public key, one voice would count twice")
        _check_word(witness.url)
        self._define(witness.name)
        self.witnesses.append(witness)

    def group(self, group: Group) -> None:
        if not 1 <= group.threshold <= len(group.members):
            raise PolicyInvalid(f"{group.name}: of {len(group.members)} members {group.threshold} cannot be asked for")
        for member in group.members:
            if member not in self._names:
                raise PolicyInvalid(f"{group.name}: no line before defines {member!r}")
            if member in self._members:
                raise PolicyInvalid(f"{group.name}: {member!r} is a member already; each name counts in one place only")
            self._members.add(member)
        self._define(group.name)
        self.groups.append(group)

    def set_quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise PolicyInvalid("a second quorum line; a policy has one")
        if name != NONE and name not in self._names:
            raise PolicyInvalid(f"no line before defines {name!r}")
        self.quorum = name

    def _define(self, name: str) -> None:
        _check_word(name)
        if name == NONE or name in self._names:
            raise PolicyInvalid(f"the name {name!r} is taken")
        self._names.add(name)
        self._check_limit()

    def _check_limit(self) -> None:
        if len(self.logs) + len(self._names) > LINE_LIMIT:
            raise PolicyInvalid(f"more than {LINE_LIMIT} logs, witnesses and groups")


def _threshold(text: str, members: Sequence[str]) -> int:
    if text == "any":
        return 1
    if text == "all":
        return len(members)
    if not _NUMBER.fullmatch(text):
        raise PolicyInvalid(f"a group's threshold is `all`, `any` or a number, not {text!r}")
    return int(text)


def _check_word(word: str | None) -> None:
    if word is not None and (
        not word or _BLANK.search(word) or _FORBIDDEN.search(word.encode("utf-8", "surrogateescape")) or "\n" in word
    ):
        raise PolicyInvalid(f"{word[:80]!r} is no name or URL: it is empty or holds blanks or control characters")


def _line(*words: str | None) -> str:
    return " ".join(word for word in words if word is not None)
