"""`tightrope flows draw`: one SVG a flow, and a page with all of them. No script, no font, nothing fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from tightrope.engine.models import Flow, Project
from tightrope.engine.picture import draw
from tightrope.engine.picture_text import Language, clean

PAGE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root{{color-scheme:light dark;--paper:#fff;--ground:#f2f5f7;--ink:#16232b;--soft:#5a6b75;--edge:#d4dde2;--link:#0b5c8a}}
@media (prefers-color-scheme:dark){{:root{{--paper:#11181d;--ground:#0b1014;--ink:#e8eef2;--soft:#a3b2bb;--edge:#2b3740;--link:#7cc4f0}}}}
body{{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}}
a{{color:var(--link)}} code{{font-family:ui-monospace,"DejaVu Sans Mono",Consolas,monospace;font-size:.92em;overflow-wrap:anywhere}}
main,header{{max-width:1280px;margin:0 auto;padding:0 20px}} header{{padding-top:24px}} h1{{font-size:24px;margin:0 0 4px}} h2{{font-size:18px;margin:0}}
nav ul{{columns:280px;column-gap:36px;padding-left:20px;margin:12px 0 4px}} .soft{{color:var(--soft);margin:2px 0}}
section{{background:var(--paper);border:1px solid var(--edge);border-radius:10px;padding:18px 20px;margin:18px 0;scroll-margin-top:12px}}
figure{{margin:12px 0 0;overflow:auto;max-width:100%}} figure img{{display:block;margin:0 auto}} figure:focus-visible{{outline:2px solid var(--link)}}
</style>
<header>
<h1>{title}</h1>
<p class="soft">{legend}</p>
<nav aria-label="{contents}"><ul>
{index}
</ul></nav>
</header>
<main>
{sections}
</main>
</html>
"""

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "Flows",
        "contents": "All flows",
        "legend": "Round corners: what the customer reads. Slanted: a question. Plain box: an action. Double sides: a call, which comes "
        "back. Arrow: goes on in another flow. Hexagon: a decision. Cut corner: sets slots. Numbers say in which order conditions are tried.",
        "calls": "Calls",
        "link": "Goes on with",
        "from": "Reached from",
        "alone": "Open the picture alone",
    },
    "zh": {
        "title": "流程图",
        "contents": "全部流程",
        "legend": "圆角：客户看到的答复。斜框：提问。直角框：执行动作。双边框：调用其他流程后返回。箭头框：转到其他流程。六边形：判断。缺角框：设置变量。"
        "条件前的数字是判断的先后次序。",
        "calls": "调用",
        "link": "转到",
        "from": "来自",
        "alone": "单独打开图片",
    },
}


def write_gallery(project: Project, flows: Sequence[Flow], folder: Path, language: Language) -> list[Path]:
    """Draw each flow into `folder` and write the page index.html; the files written, the page last.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = _file_names(flows)
    written: list[Path] = []
    for flow in flows:
        path = folder / names[flow.id]
        path.write_text(draw(flow, project=project, language=language), encoding="utf-8")
        written.append(path)
    words = WORDS[language]
    page = PAGE.format(
        language="zh-CN" if language == "zh" else "en",
        title=words["title"],
        contents=words["contents"],
        legend=words["legend"],
        index="\n".join(
            f'<li><a href="#{_anchor(names, flow.id)}">{_shown(project, flow.id, language)}</a> <code>{_safe(flow.id)}</code></li>'
            for flow in flows
        ),
        sections="\n".join(_section(project, flow, names, language) for flow in flows),
    )
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return [*written, path]


def _file_names(flows: Sequence[Flow]) -> dict[str, str]:
    """A file name for each flow; ids of foreign projects may hold anything."""
    names: dict[str, str] = {}
    for flow in flows:
        plain = re.sub(r"[^\w\-]", "_", flow.id, flags=re.ASCII).strip("_")[:80] or "flow"
        name, number = plain, 1
        while f"{name}.svg".lower() in {taken.lower() for taken in names.values()}:
            number += 1
            name = f"{plain}-{number}"
        names[flow.id] = f"{name}.svg"
    return names


def _safe(text: str) -> str:
    return escape(clean(text))


def _shown(project: Project, flow_id: str, language: Language) -> str:
    return _safe(project.flow_name(flow_id, None if project.language.startswith(language) else language))


def _anchor(names: dict[str, str], flow_id: str) -> str:
    return names[flow_id].removesuffix(".svg")


def _section(project: Project, flow: Flow, names: dict[str, str], language: Language) -> str:
    words = WORDS[language]
    lines = [
        f'<section id="{_anchor(names, flow.id)}">',
        f"<h2>{_shown(project, flow.id, language)}</h2>",
        f'<p class="soft"><code>{_safe(flow.id)}</code> · <code>{_safe(flow.place.file)}:{flow.place.line}</code> · '
        f'<a href="{names[flow.id]}">{words["alone"]}</a></p>',
        f"<p>{_safe(flow.description)}</p>",
    ]
    for word, others in _neighbours(project, flow):
        shown = ", ".join(
            f'<a href="#{_anchor(names, other)}">{_shown(project, other, language)}</a>'
            if other in names
            else f"<code>{_safe(other)}</code>"
            for other in others
        )
        lines.append(f'<p class="soft">{words[word]}: {shown}</p>')
    size = f'<img src="{names[flow.id]}" alt="{_shown(project, flow.id, language)}" loading="lazy">'
    return "\n".join([*lines, f'<figure tabindex="0">{size}</figure>', "</section>"])


def _neighbours(project: Project, flow: Flow) -> Iterator[tuple[str, list[str]]]:
    """Flows that this one calls or links to, and those that lead here."""
    for word, kind in (("calls", "call"), ("link", "link")):
        found = list(dict.fromkeys(step.target for step in flow.steps.values() if step.kind == kind))
        if found:
            yield word, found
    before = [
        other.id
        for other in project.flows.values()
        if any(step.kind in {"call", "link"} and step.target == flow.id for step in other.steps.values())
    ]
    if before:
        yield "from", before
