"""Paraphrase: other words beside whole quoted sentences of the cited passage. Pure.

A sentence in other words may say no more than its quote, and no less where a word turns the meaning: it must carry the quote's figures, negations, bounds,
duties, exceptions, conditions and names, in an order that swaps none of them, and no content word that is not in the quote, in its document's title or
heading, or in the approved plain vocabulary. What is stricter than truth needs costs a fallback to the source's own words; what is laxer would cost a customer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

from tightrope.knowledge.gate.figures import Figure, figures, scan
from tightrope.knowledge.gate.markers import folded, markers, of
from tightrope.knowledge.gate.verdict import Reason
from tightrope.knowledge.models import MICRO, Language, Passage, Sentence, Wording
from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.server.tokens import stem

Fault = tuple[Reason, str]
Marked = Sequence[tuple[str, int, int]]
Runs = Sequence[Sequence[str]]
MAX_QUOTED = 3
"""Whole sentences that one sentence in other words may rest on."""
MIN_PAIRS: dict[Language, int] = {"zh": 6000, "en": 3000}
"""Share, in 1e-4, of neighbouring content terms of the text that are neighbours in its quote too: the right words in no order say something else."""
MIN_PART = 5000
"""Share, in 1e-4, of each part of the quote that the text must take up: a condition left out is a lie."""
_MARKUP = re.compile(r"[<>{}\[\]|\\`*_#^~@]|https?:|www\.|://")
_END = re.compile(r"[。！？.!?；;][”’」』）)\"']*\s*$")
"""How a sentence ends; what ends otherwise was cut off, and nobody knows what its rest would have said."""
_PARTS = {
    "zh": re.compile(r"[,;:!?()、。]|以及|并且|并(?!非)|且"),
    "en": re.compile(
        r"[,;:.!?()]| (?=(?:and|but|if|when|with|after|before|unless|except|once|until|because|since|for|without|under|to|by|over) )"
    ),
}
"""Where a quote falls into parts, each of which a paraphrase must take up; in folded text, whose full-width commas are plain ones."""
_PIECES = {
    "zh": re.compile(r"[,;:!?()、。]|在|经|按照?|根据|应当|须|需要|可以|时|后|内|前|的(?=,)|只|不得|不能"),
    "en": re.compile(_PARTS["en"].pattern + r"| (?=(?:is|are|can|may|must|will|in|of|at) )"),
}
MIN_CONDITION = 3
"""Content terms of a condition that may be said without its "if"."""
MIN_PIECE = 3400
"""Share, in 1e-4, of each smaller piece of two terms and more."""
_NUMERALS = re.compile(r"[\d零〇一二两三四五六七八九十百千万亿半]")
_IRREGULAR = dict(
    pair.split(">")
    for pair in [
        "bought>buy",
        "sold>sell",
        "paid>pay",
        "kept>keep",
        "held>hold",
        "lent>lend",
        "sent>send",
        "left>leave",
        "lost>loss",
        "lose>loss",
        "given>give",
        "taken>take",
        "chosen>choose",
        "frozen>freeze",
        "written>write",
        "known>know",
        "shown>show",
        "withdrawn>withdraw",
        "begun>begin",
        "fell>fall",
        "fallen>fall",
    ]
)
_ENDING = re.compile(r"(?<=[a-z]{2})i$|(?<=[a-z]{4})ll$")
_LATIN = re.compile(r"[a-z]+(?:'[a-z]+)?")
_CJK = re.compile(r"[\u3400-\u9fff]+")


def paraphrase_fault(sentence: Sentence, source: Passage, wording: Wording) -> Fault | None:
    """Why the sentence may not stand for its quote; None if it may."""
    language = source.language
    quoted = split_sentences(sentence.quote)
    if not quoted or len(quoted) > MAX_QUOTED or not _whole(sentence.quote, quoted, source):
        return "not verbatim", "the quote is not made of whole sentences of the cited passage"
    if found := [mark for mark in _MARKUP.findall(sentence.text) if mark not in sentence.quote]:
        return "not supported", f"markup: {found[0]}"
    if not _END.search(sentence.text):
        return "not supported", "the sentence is cut off"
    around = f"{source.title}\n{source.section}"
    return (
        figure_fault(sentence.text, sentence.quote)
        or turn_fault(sentence.text, sentence.quote, language, wording)
        or class_fault(sentence.text, sentence.quote, around, wording)
        or support_fault(sentence.text, sentence.quote, around, language, wording)
    )


def _whole(quote: str, quoted: Sequence[str], source: Passage) -> bool:
    """Whole sentences, standing together in the source in this order, and nothing between them that is not there."""
    whole = split_sentences(source.text)
    if quoted[0] not in whole:
        return False
    at = whole.index(quoted[0])
    return whole[at : at + len(quoted)] == list(quoted) and re.sub(r"\s", "", quote) == re.sub(r"\s", "", "".join(quoted))


def figure_fault(text: str, quote: str) -> Fault | None:
    """The text has the quote's figures, all of them and no other, and none has changed places with another of its unit."""
    said, given = _by_unit(figures(text)), _by_unit(figures(quote))
    for unit, values in said.items():
        if not set(values) <= set(given.get(unit, ())):
            return "a figure is not in the source", ", ".join(f"{value} {unit}".strip() for value in values)
    for unit, values in given.items():
        if _collapsed(said.get(unit, ())) != _collapsed(values):
            return "a figure is not in the source", f"{', '.join(values)} {unit}: left out or in another order"
    return None


def _by_unit(found: Iterable[Figure]) -> dict[str, list[str]]:
    units: dict[str, list[str]] = defaultdict(list)
    for figure in found:
        units[figure.unit].append(str(figure.value))
    return units


def _collapsed(values: Sequence[str]) -> list[str]:
    """Without repetitions in a row."""
    return [value for at, value in enumerate(values) if at == 0 or values[at - 1] != value]


def turn_fault(text: str, quote: str, language: Language, wording: Wording) -> Fault | None:
    """Negations, bounds, duties, exceptions, alternatives and conditions agree."""
    said, given = markers(text, language), markers(quote, language)
    bounds = ("GE", "LE", "GT", "LT")
    if of(said, *bounds) != of(given, *bounds):
        return "bound differs", f"{of(said, *bounds)} for {of(given, *bounds)}"
    if fault := _polarity(text, said, quote, given, language, wording):
        return fault
    if of(given, "NONEED") and not of(said, "NONEED"):
        return "condition differs", "what is not needed became something else"
    for kind in ("MUST", "SHOULD", "BAN", "NONEED"):
        if of(said, kind) and not of(given, kind):
            return "condition differs", f"{kind.lower()} is not in the quote"
    bound = of(given, "MUST", "SHOULD", *_DENIED)
    if bound and of(said, "MAY") and not of(given, "MAY") and not _MODAL.search(_spelled(quote, given, bounds)):
        return "condition differs", "may is not in the quote"
    if of(given, "SHOULD") and not of(said, "SHOULD"):
        return "condition differs", "advice became a statement"
    if len(of(said, "MUST")) < len(of(given, "MUST")) and len(of(said, "MAY")) > len(of(given, "MAY")):
        return "condition differs", "a duty is gone"
    return None


_DENIED = ("NEG", "BAN", "NONEED")
_MODAL = re.compile(r"may|can|得|能|可")


def _polarity(text: str, said: Marked, quote: str, given: Marked, language: Language, wording: Wording) -> Fault | None:
    """As many negations, of the same things; one that spans alternatives may be said of each (neither A nor B, 不A也不B)."""
    more = len(of(said, *_DENIED)) - len(of(given, *_DENIED))
    fewer = len(of(given, "OR")) - len(of(said, "OR"))
    if more != fewer or (more and not of(given, *_DENIED)):
        return "polarity differs", f"{len(of(said, *_DENIED))} negations for {len(of(given, *_DENIED))}, {-fewer:+} alternatives"
    if turned := _heads(text, said, language, wording) & _outside(quote, given, language):
        return "polarity differs", f"negates {', '.join(sorted(turned))}"
    for kind in ("EXCEPT", "ONLY"):
        if bool(of(said, kind)) != bool(of(given, kind)):
            return "polarity differs", kind.lower()
    if of(said, "THEN") and not of(given, "THEN", "MUST"):
        return "condition differs", "only then is not in the quote"
    if of(given, "THEN") and not of(said, "THEN", "MUST", "ONLY"):
        return "condition differs", "only then is gone"
    return None


def _spelled(text: str, found: Marked, kinds: Sequence[str]) -> str:
    return " ".join(folded(text)[start:end] for kind, start, end in found if kind in kinds)


def _terms(spelled: str, language: Language) -> list[str]:
    if language == "en":
        return stems(spelled)
    return [run[at : at + 2] for run in _CJK.findall(spelled) for at in range(max(1, len(run) - 1))]


def _heads(text: str, found: Marked, language: Language, wording: Wording) -> set[str]:
    """What each negation stands right before."""
    spelled = folded(text)
    after = (_terms(_SCOPE_END.split(spelled[end : end + 30])[0], language)[:1] for kind, _, end in found if kind in _DENIED)
    return {term for terms in after for term in terms if term not in wording.plain}


_SCOPE_END = re.compile(r"[，。；！？,.;!?]|但| but ")


def _outside(text: str, found: Marked, language: Language) -> set[str]:
    """Terms that stand in no negation's scope, which reaches to the end of its part of the sentence."""
    spelled = folded(text)
    scopes = [
        (start, stop.start() if (stop := _SCOPE_END.search(spelled, end)) else len(spelled))
        for kind, start, end in found
        if kind in _DENIED
    ]
    denied = {term for start, stop in scopes for term in _terms(spelled[start:stop], language)}
    free = "".join(" " if any(start <= at < stop for start, stop in scopes) else char for at, char in enumerate(spelled))
    if language == "zh":  # a head may be one character: 可用但不可取
        return (set(_terms(free, language)) | set(free)) - denied - {char for term in denied for char in term}
    return set(_terms(free, language)) - denied


def class_fault(text: str, quote: str, around: str, wording: Wording) -> Fault | None:
    """Names and opposites are the quote's, in its order; where the quote has none of a kind, title and heading may lend theirs."""
    for name, reader, canonical in wording.classes:
        said, given = (_members(part, reader, canonical) for part in (text, quote))
        if said == given or (not given and set(said) <= set(_members(around, reader, canonical))):
            continue
        return "name not in the source", f"{name}: {', '.join(said) or 'none'} for {', '.join(given) or 'none'}"
    return None


def _members(text: str, reader: re.Pattern[str], canonical: dict[str, str]) -> list[str]:
    return _collapsed([canonical[found[0]] for found in reader.finditer(folded(text)) if canonical[found[0]]])


def support_fault(text: str, quote: str, around: str, language: Language, wording: Wording) -> Fault | None:
    """No foreign content word, the quote's words in the quote's neighbourhood, and no part of the quote left out."""
    said = content(text, language, wording)
    given = content(quote, language, wording)
    if foreign := _foreign(said, given, quote, around, language, wording):
        return "not supported", f"not in the quote: {', '.join(foreign)}"
    pairs, known = _pairs(said), _pairs(given) | _pairs(content(around, language, wording))
    if len(pairs) > 2 and MICRO * len(pairs & known) < MIN_PAIRS[language] * len(pairs):
        return "not supported", f"{len(pairs & known)} of {len(pairs)} neighbours are the quote's"
    have = set(folded(text)) | set(_LATIN.findall(folded(text))) if language == "zh" else set(stems(text))
    fewer = len(of(markers(text, language), "IF")) < len(of(markers(quote, language), "IF"))
    for part in _PARTS[language].split(folded(quote)):
        if fewer and of(markers(part + ",", language), "IF"):
            # A condition may lose its "if" when all of it is there, and enough to tell that it is there.
            whole = _taken_up(part, have, language, wording, least=1) == MICRO and _size(part, language, wording) >= MIN_CONDITION
        else:
            whole = _taken_up(part, have, language, wording) >= MIN_PART
        if not whole:
            return "condition differs", f"left out: {part.strip()}"
    for piece in _PIECES[language].split(folded(quote)):
        if _taken_up(piece, have, language, wording) < MIN_PIECE:
            return "condition differs", f"left out: {piece.strip()}"
    return None


def _size(part: str, language: Language, wording: Wording) -> int:
    return len({term for run in content(part, language, wording) for term in run})


def _taken_up(part: str, have: set[str], language: Language, wording: Wording, *, least: int = 2) -> int:
    """Share, in 1e-4, of a part's content that the text has; a part of fewer terms than `least` counts as taken up: it may be said otherwise."""
    wanted = {term for run in content(part, language, wording) for term in run}
    return MICRO if len(wanted) < least else MICRO * len(wanted & have) // len(wanted)


def _foreign(said: Runs, given: Runs, quote: str, around: str, language: Language, wording: Wording) -> list[str]:
    """Content that is not in the quote; title and heading lend words, in Chinese with the character beside."""
    allowed = {term for run in given for term in run}
    lent = content(around, language, wording)
    if language == "en":
        allowed |= {term for run in lent for term in run}
        return list(dict.fromkeys(term for run in said for term in run if term not in allowed))
    allowed |= set(folded(quote)) | set(_LATIN.findall(folded(around)))
    pairs = _pairs(lent)
    return list(
        dict.fromkeys(
            term
            for run in said
            for at, term in enumerate(run)
            if term not in allowed and not {(term, *run[at + 1 : at + 2]), (*run[max(0, at - 1) : at], term)} & pairs
        )
    )


def _pairs(runs: Sequence[Sequence[str]]) -> set[tuple[str, str]]:
    return {(run[at], run[at + 1]) for run in runs for at in range(len(run) - 1)}


@lru_cache(maxsize=8192)
def content(text: str, language: Language, wording: Wording) -> tuple[tuple[str, ...], ...]:
    """Runs of content terms: Chinese characters or English stems (and Latin words in Chinese), without figures and plain vocabulary."""
    unread = list(folded(text))
    for found in scan(text):
        unread[found.start : found.end] = " " * (found.end - found.start)
    spelled = wording.plain_reader.sub(" ", "".join(unread))
    if language == "zh":
        chinese = tuple(tuple(run) for run in _CJK.findall(_NUMERALS.sub("", spelled)))
        return (*chinese, tuple(_LATIN.findall(spelled)))
    return (tuple(word for word in stems(spelled) if word not in wording.plain),)


def stems(text: str) -> list[str]:
    """The stems of a text's Latin words."""
    words = (word.removesuffix("'s").removesuffix("'") for word in _LATIN.findall(folded(text)))
    return [_ENDING.sub(_ended, stem(_IRREGULAR.get(word, word))) for word in words]


def _ended(match: re.Match[str]) -> str:
    """applied and apply, cancelled and cancel have one stem."""
    return {"i": "y", "ll": "l"}[match[0]]
