"""Custom actions in this process: `action_endpoint.actions_module` of endpoints.yml, with rasa-sdk's own executor.

The module is looked for in the project's folder first. What cannot be imported does not keep the rest from running: its actions are
missing, and asking for one says which import failed.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson

from tightrope.engine import rasa_names
from tightrope.engine.answers import read_action
from tightrope.engine.clients import PROTOCOL_VERSION, current_session, tracker
from tightrope.engine.errors import ActionFailed, ActionMissing, ProjectError
from tightrope.engine.models import Project
from tightrope.engine.state import Event, State

TIMEOUT = 30.0
"""Seconds that an action may wait for something; one that computes cannot be stopped."""


class InProcessActions:
    """Runs the actions of a Python package of the project.

    `names` are the actions found, `failures` the modules that could not be imported and why.

    Args:
        classes: the actions to run, where a project registers them itself; without it all that the package holds.

    Raises:
        ProjectError: there is no such module, or it holds no action at all.
    """

    def __init__(self, project: Project, module: str, classes: Iterable[type] | None = None) -> None:
        from rasa_sdk import Action
        from rasa_sdk.executor import ActionExecutor
        from rasa_sdk.utils import all_subclasses

        self._project = project
        self._executor = ActionExecutor()
        self.failures: dict[str, str] = {}
        self.module = module
        root = Path(project.root).resolve()
        _import_all(root, module, self.failures)
        for action in all_subclasses(Action) if classes is None else classes:
            if classes is not None or _ours(action, module, root):
                try:
                    self._executor.register_action(action)
                except Exception as error:
                    self.failures[f"{action.__module__}.{action.__name__}"] = _reason(error)
        self.names = frozenset(self._executor.actions)
        if not self.names:
            raise ProjectError(f"the module {module!r} holds no action that could be imported{self._told()}")

    def _told(self) -> str:
        if not self.failures:
            return ""
        return "; not imported: " + "; ".join(f"{name} ({why})" for name, why in sorted(self.failures.items()))

    async def run(self, name: str, state: State, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Events and responses of an action.

        Raises:
            ActionMissing: the module has no such action.
            ActionFailed: it raised, took too long, or returned something that is no plain data.
        """
        if name not in self.names:
            raise ActionMissing(name, f"the module {self.module!r} has no such action{self._told()}")
        call = {
            "next_action": name,
            "sender_id": state.sender_id,
            "version": PROTOCOL_VERSION,
            # A copy: an action may do with its tracker what it likes.
            "tracker": orjson.loads(orjson.dumps({**tracker(self._project, state), "events": current_session(events)})),
            "domain": self._project.domain,
            "domain_digest": self._project.domain_digest,
        }
        try:
            async with asyncio.timeout(TIMEOUT):
                result = await self._executor.run(call)
            return read_action(name, orjson.dumps({"events": result.events, "responses": result.responses}))
        except ActionFailed:
            raise
        except TimeoutError:
            raise ActionFailed(name, f"no answer within {TIMEOUT:g} s") from None
        except Exception as error:
            raise ActionFailed(name, _reason(error)) from error


class MissingActions:
    """Stands for a module whose actions cannot be run; each of them fails with the reason, as with a server that is down."""

    def __init__(self, module: str, why: str) -> None:
        self.module = module
        self.why = why

    async def run(self, name: str, _state: State, _events: list[Event]) -> tuple[list[Any], list[Any]]:
        """Refuses.

        Raises:
            ActionMissing: always.
        """
        raise ActionMissing(name, self.why)


def _reason(error: BaseException) -> str:
    """What went wrong, with the innermost line of it."""
    where = ""
    trace = error.__traceback__
    while trace is not None:
        where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}{': ' + first if first else ''}{where}"


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _ours(action: type, module: str, root: Path) -> bool:
    """Whether a class was defined by the project's package, and not by one of the same name that was loaded before."""
    place = sys.modules.get(action.__module__)
    return place is not None and _within(action.__module__, module) and _from(place, root) and not inspect.isabstract(action)


def _make_way(root: Path, top: str) -> None:
    """Forget what was loaded under this name from elsewhere, and let the project's own be found first."""
    for loaded in [found for found in sys.modules if _within(found, top)]:
        if not _from(sys.modules[loaded], root):
            del sys.modules[loaded]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    if top not in sys.modules and (root / top).is_dir() and not (root / top / "__init__.py").is_file():
        # A folder without __init__.py would lose against any installed package of its name.
        package = ModuleType(top)
        package.__path__ = [str(root / top)]
        sys.modules[top] = package


def _import_all(root: Path, name: str, failures: dict[str, str]) -> None:
    """Import the package and all its modules from the project's folder.

    Raises:
        ProjectError: there is no such module.
    """
    _make_way(root, name.partition(".")[0])
    rasa_names.offer()
    try:
        package = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and _within(name, error.name):
            raise ProjectError(
                f"there is no module {name!r} in {root}; name the package that holds the actions, as in --actions-module actions"
            ) from None
        failures[name] = _reason(error)
        return
    except Exception as error:
        failures[name] = _reason(error)
        return
    for found in _modules(package):
        try:
            importlib.import_module(found)
        except Exception as error:
            failures[found] = _reason(error)


def _modules(package: ModuleType) -> Iterator[str]:
    """Names of all modules below a package, folders without an `__init__.py` included: published projects have them."""
    for place in getattr(package, "__path__", ()):
        for file in sorted(Path(place).rglob("*.py")):
            parts = file.relative_to(place).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if parts and all(part.isidentifier() for part in parts):
                yield ".".join((package.__name__, *parts))


def _from(module: ModuleType, root: Path) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(place is not None and Path(place).resolve().is_relative_to(root) for place in places)
