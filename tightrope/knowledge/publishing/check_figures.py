"""Figures: the same in both languages, never without unit, never two for one statement. Pure.

Figures are read as the gate reads them (`gate/figures.py`), so that what passes here can be quoted there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations

from tightrope.knowledge.gate.figures import Figure, figures, plain, scan
from tightrope.knowledge.models import Document, Problem
from tightrope.knowledge.passages import split_sentences
from tightrope.knowledge.publishing.approvals import key_of
from tightrope.knowledge.publishing.check_wording import line_of, shown

_CLAUSE = re.compile(r"[,;:。！？；：、，()（）]|\. ")
_SMALL = {Decimal(number) for number in range(13)}
_MIN_TEMPLATE = 8
"""Characters beside the figure that two clauses must share; below it, "每笔5元" of a fee and "每笔5元" of a limit would meet."""


_COUNTED = re.compile(r"\s?[^\W\d_]")
"""A word follows: what is counted, or the rest of a name ("50指数")."""
_NAME_BEFORE = re.compile(
    r"(?:hotlines?|call|dial|text|numbers?|codes?|with|age of|aged|turning|under|over|police on|article|no\.?|divided by|times|除以"
    r"|版本|拨打|热线|电话|代码|开头|编号|第|为|和|或者?|or|and|、|,|multiples? of|lots of|unit of|合约单位|limit of"
    r"|上证|沪深|中证|深证|sse|csi|szse|aged \d+ to|--)\W{0,3}$"
)
"""What comes before a number that counts nothing: a telephone number, a code, an age, the name of an index, a plain factor."""
_SUBJECTS = re.compile(
    r"科创板|创业板|北交所|北京证券交易所|主板|新三板|股转|退市整理|风险警示|债券|可转债|港股通|场内基金|逆回购|ETF"
    r"|STAR|ChiNext|Beijing|main[- ]board|NEEQ|delisting|risk[- ]warning|bonds?|convertible|Stock Connect|listed funds|repo",
    re.IGNORECASE,
)
"""Boards and products that have figures of their own by rule: statements about two of them do not contradict each other."""


def figures_without_unit(document: Document) -> Iterator[Problem]:
    """Bare numbers: nobody knows of what. Telephone numbers, codes and ages have none by nature."""
    lines = document.raw.decode().replace("\r\n", "\n").split("\n")
    for section in document.sections:
        for sentence in split_sentences(section.body):
            text = plain(sentence)
            for item in scan(sentence):
                bare = not item.figure.unit and isinstance(item.figure.value, Decimal) and item.figure.value > 1
                if bare and not _COUNTED.match(text, item.end) and not _NAME_BEFORE.search(text[: item.start]):
                    what = f"{item.figure} has no unit: {shown(sentence)}"
                    line = line_of(lines, section, sentence)
                    yield Problem(document.file_name, line, what, "Say what it counts", "warning")


def figures_that_differ(documents: Iterable[Document]) -> Iterator[Problem]:
    """Sections whose languages do not hold the same figures."""
    pairs: dict[str, dict[str, Document]] = {}
    for document in documents:
        pairs.setdefault(key_of(document), {})[document.language] = document
    for pair in pairs.values():
        if set(pair) != {"zh", "en"} or len(pair["zh"].sections) != len(pair["en"].sections):
            continue
        for zh, en in zip(pair["zh"].sections, pair["en"].sections, strict=True):
            only_zh, only_en = _telling(zh.body) - _telling(en.body), _telling(en.body) - _telling(zh.body)
            if only_zh or only_en:
                what = f"figures differ between the languages: zh has {_list(only_zh)}, en has {_list(only_en)}"
                remedy = f"Compare with line {zh.line} of {pair['zh'].file_name}"
                # Each says a figure that the other has not: one of them is wrong. On one side alone it may be a matter of idiom.
                yield Problem(pair["en"].file_name, en.line, what, remedy, "error" if only_zh and only_en else "warning")


def _telling(body: str) -> set[str]:
    """Values that both languages must hold. Small counts are often words ("both", "一经") and units differ by idiom (张, contracts)."""
    found = {figure for sentence in split_sentences(body) for figure in figures(sentence)}
    return {
        f"{figure.value.normalize():f}" if isinstance(figure.value, Decimal) else figure.value
        for figure in found
        if not (isinstance(figure.value, Decimal) and figure.unit not in {"percent", "CNY"} and figure.value in _SMALL)
    }


def _list(found: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, found))) or "none"


@dataclass(frozen=True)
class _Statement:
    document: Document
    line: int
    sentence: str
    values: tuple[Figure, ...]


def contradictions(documents: Sequence[Document]) -> Iterator[Problem]:
    """Statements of two documents on one subject, in force on one day, that differ in nothing but a figure of the same unit.

    Whole sentences alike are wrong for sure; clauses alike are to be judged.
    """
    said: dict[tuple[str, str, frozenset[str]], list[_Statement]] = {}
    for document in documents:
        lines = document.raw.decode().replace("\r\n", "\n").split("\n")
        for section in document.sections:
            for sentence in split_sentences(section.body):
                named = _SUBJECTS.findall(f"{document.title} {section.heading} {sentence}")
                subjects = frozenset(word.lower().removesuffix("s") for word in named)
                for template, values in dict([_whole(sentence), *_clauses(sentence)]).items():
                    if values:
                        statement = _Statement(document, line_of(lines, section, sentence), sentence, values)
                        said.setdefault((document.language, template, subjects), []).append(statement)
    found: dict[tuple[str, int, str], Problem] = {}
    for (_, template, _), statements in said.items():
        for first, other in combinations(statements, 2):
            problem = _contradiction(first, other, whole=template == _whole(other.sentence)[0])
            if problem is not None:
                key = (problem.file, problem.line, other.sentence)
                found[key] = min(found.get(key, problem), problem, key=lambda one: one.grade != "error")
    yield from found.values()


def _contradiction(first: _Statement, other: _Statement, *, whole: bool) -> Problem | None:
    a, b = first.document, other.document
    together = a.effective_from <= b.effective_to and b.effective_from <= a.effective_to
    if other.values == first.values or a.document_id == b.document_id or not together:
        return None
    what = f"{_list(other.values)} here, {_list(first.values)} in {a.file_name}:{first.line}: {shown(other.sentence)}"
    remedy = "One of the two is wrong, or say what makes the difference"
    return Problem(b.file_name, other.line, what, remedy, "error" if whole else "warning")


def _whole(sentence: str) -> tuple[str, tuple[Figure, ...]]:
    """The sentence with a mark instead of each figure, and the figures."""
    text = plain(sentence)
    found = scan(sentence)
    for item in reversed(found):
        text = text[: item.start] + f"<{item.figure.unit}>" + text[item.end :]
    return text.strip(), tuple(item.figure for item in found)


def _clauses(sentence: str) -> Iterator[tuple[str, tuple[Figure, ...]]]:
    """Clauses that hold figures, with a mark instead of each figure."""
    text = plain(sentence)
    found = scan(sentence)
    start = 0
    for end in [match.start() for match in _CLAUSE.finditer(text)] + [len(text)]:
        inside = [item for item in found if start <= item.start and item.end <= end]
        template = text[start:end]
        for item in reversed(inside):
            template = template[: item.start - start] + f"<{item.figure.unit}>" + template[item.end - start :]
        bare = re.sub(r"<[^>]*>|\W", "", template)
        if inside and len(bare) >= _MIN_TEMPLATE:
            yield template.strip(), tuple(item.figure for item in inside)
        start = end
