"""A histogram as SVG text: bars with their names and counts, readable in light and dark, no script and nothing from a network."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from tightrope.suites.text import visible

_ROW = 28
_LEFT = 180
_BAR = 400
_TOP = 56
_STYLE = (
    "text{font:14px system-ui,-apple-system,'Segoe UI','PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;fill:#1c2430}"
    "rect{fill:#0b5cad}.none{fill:#5b6675}.ground{fill:#fff}"
    "@media (prefers-color-scheme:dark){text{fill:#e8ecf1}rect{fill:#7db7f5}.none{fill:#a2adba}.ground{fill:#1a2028}}"
)


def histogram(title: str, counts: Sequence[tuple[str, int]]) -> str:
    """One horizontal bar per (name, count), in the order given; the longest bar is the largest count."""
    height = _TOP + _ROW * len(counts) + 12
    width = _LEFT + _BAR + 80
    most = max((count for _, count in counts), default=0) or 1
    shown = escape(visible(title))
    rows = [
        f'<text x="{_LEFT - 12}" y="{_TOP + _ROW * row + 15}" text-anchor="end">{escape(visible(name))}</text>'
        f'<rect x="{_LEFT}" y="{_TOP + _ROW * row}" width="{round(_BAR * count / most, 1)}" height="20" rx="2"/>'
        f'<text x="{_LEFT + round(_BAR * count / most, 1) + 8}" y="{_TOP + _ROW * row + 15}"{_class(count)}>'
        f"{count}</text>"
        for row, (name, count) in enumerate(counts)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>{shown}</title><style>{_STYLE}</style>"
        f'<rect class="ground" width="{width}" height="{height}"/>'
        f'<text x="12" y="30" font-weight="600">{shown}</text>{"".join(rows)}</svg>\n'
    )


def _class(count: int) -> str:
    return "" if count else ' class="none"'
