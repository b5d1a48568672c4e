"""Compares what a step showed with what its case expects. More than expected is no fault; what is expected in a list has to be there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tightrope.uat.models import NO_HANDOFF, Expect, Finding
from tightrope.uat.observed import Observed


def judge(expect: Expect, seen: Observed) -> tuple[Finding, ...]:
    """Everything expected that did not show, and everything forbidden that did."""
    return (*_flows(expect, seen), *_slots(expect, seen), *_words(expect, seen), *_rest(expect, seen))


def _flows(expect: Expect, seen: Observed) -> Iterator[Finding]:
    for what, wanted, got in (
        ("starts", expect.starts, seen.started),
        ("ends", expect.ends, seen.completed),
        ("cancels", expect.cancels, seen.cancelled),
    ):
        missing = [flow for flow in wanted if flow not in got]
        if missing:
            yield Finding(what, ", ".join(missing), ", ".join(got) or "none")
    wrong = [flow for flow in expect.not_starts if flow in seen.started]
    if wrong:
        yield Finding("not_starts", "not " + ", ".join(expect.not_starts), ", ".join(wrong))
    if expect.offers and set(expect.offers) - set(seen.offered):
        yield Finding("offers", ", ".join(expect.offers), ", ".join(seen.offered) or "nothing was offered")


def _slots(expect: Expect, seen: Observed) -> Iterator[Finding]:
    for name, value in expect.slots.items():
        given = [found for slot, found in seen.set_slots if slot == name]
        now = seen.slots.get(name)
        if value is None:
            if now is not None:
                yield Finding("slots", f"{name} is empty", f"{name} = {now!r}")
        elif not any(_same(value, found) for found in (*given, now)):
            yield Finding("slots", f"{name} = {value!r}", f"{name} = {given[-1] if given else now!r}")


def _same(left: object, right: object) -> bool:
    """Whether two values are equal; a truth value equals no number."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _words(expect: Expect, seen: Observed) -> Iterator[Finding]:
    names = [message.shown.response for message in seen.messages]
    missing = list(_counted(expect.replies, names))
    if missing:
        yield Finding("replies", ", ".join(missing), ", ".join(name or "free text" for name in names) or "nothing was said")
    wrong = [name for name in expect.not_replies if name in names]
    if wrong:
        yield Finding("not_replies", "not " + ", ".join(expect.not_replies), ", ".join(wrong))
    whole = "\n".join(message.shown.text for message in seen.messages)
    for pattern in expect.contains:
        if not re.search(pattern, whole, re.IGNORECASE):
            yield Finding("contains", pattern, _short(whole) or "nothing was said")
    yield from forbidden(expect.forbids, seen)
    titles = [title for message in seen.messages for title in message.shown.buttons]
    lacking = [title for title in expect.buttons if title not in titles]
    if lacking:
        yield Finding("buttons", ", ".join(lacking), ", ".join(titles) or "no buttons")


def forbidden(patterns: Sequence[str], seen: Observed) -> Iterator[Finding]:
    """Forbidden content that was said, buttons included."""
    for message in seen.messages:
        for text in (message.shown.text, *message.shown.buttons):
            for pattern in patterns:
                if (found := re.search(pattern, text, re.IGNORECASE)) is not None:
                    yield Finding("forbids", f"not {pattern}", f"“{found.group()}” in: {_short(text)}")


def _counted(wanted: Sequence[str], got: Sequence[str]) -> Iterator[str]:
    """What is wanted more often than it came."""
    left = list(got)
    for name in wanted:
        if name in left:
            left.remove(name)
        else:
            yield name


def _rest(expect: Expect, seen: Observed) -> Iterator[Finding]:
    missing = [name for name in expect.cites if name not in seen.cited]
    if missing:
        yield Finding("cites", ", ".join(missing), ", ".join(seen.cited) or "no source")
    if expect.login is not None and expect.login != seen.login:
        yield Finding("login", "the login is asked for" if expect.login else "no login is asked for", _yes(seen.login))
    if expect.handoff is not None:
        yield from _handoff(expect, seen)
    if expect.told is not None and expect.told != seen.told:
        yield Finding("told", expect.told, seen.told or "the assistant answered")
    if expect.silent is not None and expect.silent != bool(seen.silent):
        yield Finding("silent", "nothing is said" if expect.silent else "something is said", seen.silent or "something was said")


def _handoff(expect: Expect, seen: Observed) -> Iterator[Finding]:
    got = f"{seen.handoff[0]}, {seen.handoff[1]}" if seen.handoff else "not handed to a person"
    if expect.handoff == NO_HANDOFF:
        if seen.handoff is not None:
            yield Finding("handoff", "not handed to a person", got)
        return
    wanted = (expect.handoff.reason, expect.handoff.priority) if expect.handoff else (None, None)
    if seen.handoff is None or any(one not in {None, other} for one, other in zip(wanted, seen.handoff, strict=True)):
        yield Finding("handoff", ", ".join(part for part in wanted if part) or "handed to a person", got)


def _yes(asked: bool) -> str:
    return "it was asked for" if asked else "it was not asked for"


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + "…"
