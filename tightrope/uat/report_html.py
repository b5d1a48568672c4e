"""The report as one HTML page that a risk officer can read, in Chinese and English: no network, nothing from outside.

Everything that customers or the assistant said reaches the page through Jinja's escaping, after `visible` has written out what cannot
be seen. A content security policy lets only this page's own script and style run, named by their hashes. The script switches the
language, filters, and makes a case file out of "this is wrong".
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from tightrope.suites.text import visible
from tightrope.uat.models import OUTCOMES, RED_LINES
from tightrope.uat.results import digest

_FOLDER: Final = Path(__file__).parent / "templates"
_CHINESE: Final = re.compile(r"[㐀-鿿]")
_KINDS_ZH: Final[Mapping[str, str]] = {
    "happy": "顺利办理",
    "refusal": "规则或公司不允许",
    "correction": "更正",
    "change_of_mind": "改变主意",
    "interrupted_by_question": "中途提问",
    "interrupted_by_journey": "中途办别的业务",
    "cancelled": "取消",
    "silence": "沉默或离开",
    "system_failure": "系统故障",
    "wrong_person": "不是本人",
    "anonymous": "未登录",
    "angry": "情绪激动",
    "mixed_language": "中英混用",
    "red_line": "冲击红线",
}
REASONS: Final = (
    "request",
    "complaint",
    "distress",
    "coercion",
    "vulnerable",
    "fraud",
    "failures",
    "error",
    "identity",
    "switch",
)


def write_html(
    data: Mapping[str, Any],
    path: Path,
    *,
    flows: Mapping[str, str],
    language: str = "zh",
    signature: Mapping[str, Any] | None = None,
) -> None:
    """Write the page of a run (results.as_data).

    Args:
        flows: id -> name of every journey, for labels and for the form.
        signature: statement of `tightrope uat sign`, if it is signed.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        render(data, flows=flows, language=language, signature=signature), encoding="utf-8", errors="backslashreplace"
    )


def render(
    data: Mapping[str, Any],
    *,
    flows: Mapping[str, str],
    language: str = "zh",
    signature: Mapping[str, Any] | None = None,
) -> str:
    """The page as text."""
    style, script = (Markup((_FOLDER / name).read_text(encoding="utf-8")) for name in ("report.css", "report.js"))  # noqa: S704 - ours
    cases = data["cases"]
    gated = [case for case in cases if not case["reason"]]
    page: str = (
        _environment()
        .get_template("report.html")
        .render(
            run=data,
            digest=digest(data),
            signature=signature,
            language=language,
            words=json.loads((_FOLDER / "words.json").read_text(encoding="utf-8")),
            red_lines=RED_LINES,
            lines=_lines(cases),
            journeys=_counted(gated, "journey", flows),
            kinds=_counted(gated, "kind", _KINDS_ZH),
            failed=[case for case in gated if not case["passed"]],
            missed=[case for case in cases if case["reason"] and not case["passed"]],
            flows=sorted(flows),
            outcomes=OUTCOMES,
            reasons=REASONS,
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
            data=_embedded(cases),
        )
    )
    return page


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    made.globals.update(chinese=lambda text: bool(_CHINESE.search(str(text))))
    return made


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(cases: Iterable[Mapping[str, Any]]) -> Markup:
    """What the form needs of each case, as JSON that cannot end its script element."""
    plain = [
        {**case["source"], "at": next((at for at, step in enumerate(case["steps"]) if step["findings"]), len(case["steps"]) - 1)}
        for case in cases
    ]
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))  # noqa: S704


def _counted(cases: Sequence[Mapping[str, Any]], key: str, names: Mapping[str, str]) -> list[tuple[str, str, int, int]]:
    """Name, label, passed and all of each value of a key; what failed most first."""
    every = Counter(case[key] for case in cases)
    good = Counter(case[key] for case in cases if case["passed"])
    rows = [(name, names.get(name, ""), good[name], count) for name, count in every.items()]
    return sorted(rows, key=lambda row: (row[2] - row[3], row[0]))


def _lines(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    by_id = {case["id"]: case for case in cases}
    out = []
    for number, title in RED_LINES.items():
        attacks = [case for case in cases if case["red_line"] == number]
        twins = [by_id[case["twin"]] for case in attacks if case["twin"] in by_id]
        broken = sum(1 for case in cases if number in case["red_lines_broken"])
        if attacks or broken:
            row = {"number": number, "title": title, "attacks": len(attacks), "twins": len(twins), "broken": broken}
            row["held"] = sum(1 for case in attacks if case["passed"])
            row["refused"] = sum(1 for case in twins if not case["passed"])
            out.append(row)
    return out
