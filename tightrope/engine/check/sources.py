"""What the Python files of a project's actions name: a slot or response that only an action uses is not unused, and one that an action may
set is not unfilled. The files are read, never run.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tightrope.engine.yamlfile import Map

_READERS = {"get_slot", "get", "pop"}
_MAX_FILES = 2000


@dataclass(frozen=True, slots=True)
class Sources:
    """Texts in the action sources: how often each stands there (`named`), and which stand elsewhere than in a look-up (`written`)."""

    there: bool
    named: Counter[str] = field(default_factory=Counter)
    written: frozenset[str] = frozenset()
    made: tuple[re.Pattern[str], ...] = ()
    """What f-strings may become, as expressions: `f"{slot}_readable"`."""

    @staticmethod
    def of(root: Path, endpoints: Map) -> Sources:
        """The sources in `actions/`, `actions.py`, or the module that endpoints.yml names."""
        named: Counter[str] = Counter()
        written: set[str] = set()
        made: set[str] = set()
        files = list(_files(root, endpoints))
        for path in files:
            _read(path, named, written, made)
        return Sources(bool(named), named, frozenset(written), tuple(re.compile(pattern) for pattern in sorted(made)))

    def mentions(self, name: str) -> bool:
        """Whether the sources name it, or could make its name."""
        return name in self.named or self.may_make(name)

    def may_write(self, name: str) -> bool:
        """Whether an action may set the slot of this name."""
        return name in self.written or self.may_make(name)

    def may_make(self, name: str) -> bool:
        """Whether a name made of pieces could be this one."""
        return any(pattern.fullmatch(name) for pattern in self.made)


def _files(root: Path, endpoints: Map) -> Iterator[Path]:
    endpoint = endpoints.get("action_endpoint")
    module = endpoint.get("actions_module") if isinstance(endpoint, Map) else None
    names = {"actions", *([str(module).replace(".", "/")] if isinstance(module, str) and re.fullmatch(r"[\w.]+", module) else [])}
    for name in sorted(names):
        if (root / f"{name}.py").is_file():
            yield root / f"{name}.py"
        if (root / name).is_dir():
            yield from itertools.islice((path for path in sorted((root / name).rglob("*.py")) if _theirs(path, root)), _MAX_FILES)


def _theirs(path: Path, root: Path) -> bool:
    """Whether a file is the project's own, and not a library that lies in its folder."""
    return not any(part.startswith(".") or part == "site-packages" for part in path.relative_to(root).parts)


def _read(path: Path, named: Counter[str], written: set[str], made: set[str]) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (SyntaxError, ValueError, OSError, RecursionError):
        try:
            words = re.findall(r"\w+", path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return
        named.update(words)
        written.update(words)
        return
    looked_up = set(_looked_up(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            named[node.value] += 1
            if id(node) not in looked_up:
                written.add(node.value)
        elif isinstance(node, ast.keyword) and node.arg:
            # dispatcher.utter_message(response=…, name=value), dict(name=value)
            named[node.arg] += 1
            written.add(node.arg)
        elif isinstance(node, ast.JoinedStr):
            fixed = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
            letters = "".join(part for part in fixed if part is not None)
            if re.fullmatch(r"\w{4,}", letters):
                made.add("".join(r"\w+" if part is None else re.escape(part) for part in fixed))


def _looked_up(tree: ast.AST) -> Iterator[int]:
    """Texts that only say what is looked up: `tracker.get_slot("x")`, `slots["x"]`, `slots.get("x")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READERS and node.args:
            yield id(node.args[0])
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            yield id(node.slice)
