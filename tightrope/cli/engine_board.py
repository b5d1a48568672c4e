"""What `tightrope engine run` says when it starts: what is served, who its neighbours are, and what does not work without them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

import tightrope
from tightrope.cli.engine_problems import summary
from tightrope.engine.check import Checked
from tightrope.engine.inprocess import InProcessActions, MissingActions
from tightrope.engine.models import Project
from tightrope.engine.serving import Serving
from tightrope.infra.settings import Settings
from tightrope.suites.sources import answers

EXTERNAL_DATABASE = "TIGHTROPE_DATABASE_HOST"
"""When the environment names it, conversations are kept there and no database is started."""
_LOCAL = {"127.0.0.1", "localhost", "::1"}
_NO_UNDERSTANDING = "typed messages are answered with an internal error; buttons and intents work"
_NO_ACTIONS = "a flow that needs an action ends in an internal error"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line; None stands for what the project or the settings say."""

    project: Path | None
    config: Path | None
    port: int
    host: str
    understanding_url: str | None
    actions_url: str | None
    strict_payloads: bool | None
    state: Path | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A server that the engine asks: where it is, who says so, and what does not work without it."""

    url: str | None
    source: str
    without: str

    async def told(self, settings: Settings) -> str:
        """In one line, with whether it answers now."""
        if not self.url:
            return f"nobody: {self.source} names none; {self.without}"
        failure = await answers(settings, self.url, "start")
        return f"{self.url} ({self.source})" + (f": does not answer ({failure}); {self.without}" if failure else "")


def understanding(settings: Settings, wanted: Wanted, project: Project, *, own: bool) -> Neighbour:
    """Who understands messages."""
    if wanted.understanding_url:
        return Neighbour(wanted.understanding_url, "--understanding-url", _NO_UNDERSTANDING)
    if own:
        return Neighbour(settings.understanding_url, "settings", _NO_UNDERSTANDING)
    return Neighbour(project.understanding_base, "endpoints.yml", _NO_UNDERSTANDING)


def actions(settings: Settings, wanted: Wanted, project: Project, *, own: bool) -> Neighbour:
    """The server that runs the custom actions."""
    if wanted.actions_url:
        return Neighbour(wanted.actions_url, "--actions-url", _NO_ACTIONS)
    if own:
        return Neighbour(settings.actions_url, "settings", _NO_ACTIONS)
    return Neighbour(project.actions_url, "endpoints.yml", _NO_ACTIONS)


def _module(acts: InProcessActions, project: Project) -> str:
    """Actions in this process: how many, what could not be imported, and what the domain names besides."""
    told = [f"{len(acts.names)} of the module {acts.module}, in this process"]
    told += [f"not imported: {name} ({why})" for name, why in sorted(acts.failures.items())]
    missing = sorted(project.actions - acts.names)
    if missing:
        told.append(f"missing: {', '.join(missing)}; {_NO_ACTIONS}")
    return "\n".join(told)


def first_words(project: Project) -> str:
    """Something to say that begins a journey without anybody who understands."""
    journeys = [flow for flow in project.flows.values() if not flow.is_pattern and flow.guard is not False]
    triggers = [trigger.intent for flow in journeys for trigger in flow.triggers]
    return f"/{triggers[0]}" if triggers else f"/StartFlow({journeys[0].id})" if journeys else "hello"


def board(settings: Settings, wanted: Wanted, found: Checked, serving: Serving, *, own: bool) -> Table:
    """The start-up lines."""
    project = serving.project
    flows = [flow for flow in project.flows.values() if not flow.builtin]
    patterns = sum(flow.is_pattern for flow in flows)
    who = understanding(settings, wanted, project, own=own)
    match serving.actions:
        case InProcessActions() as module:
            runs = _module(module, project)
        case MissingActions(why=why):
            runs = f"none: {why}; {_NO_ACTIONS}. Install what they import into this environment"
        case _:
            runs = asyncio.run(actions(settings, wanted, project, own=own).told(settings))
    rows = [
        ("engine", f"Tightrope {tightrope.__version__}"),
        ("project", project.root + (f" with {wanted.config}" if wanted.config else "")),
        ("languages", ", ".join(project.languages)),
        ("flows", f"{len(flows) - patterns}, and {patterns} patterns of its own"),
        ("checked", summary(found) + ("; `tightrope engine check` lists them" if found.problems else "")),
        ("understanding", asyncio.run(who.told(settings))),
        ("actions", runs),
        ("payloads", _payloads(settings)),
        ("conversations", _kept(settings)),
    ]
    if wanted.host not in _LOCAL:
        open_to = f"everybody who reaches {wanted.host}; AUTH_TOKEN or JWT_SECRET protects all but the REST channel"
        rows.append(("open to", open_to))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def _payloads(settings: Settings) -> str:
    if settings.strict_payloads:
        return "a text with / counts only as a press of a button that was shown"
    return "a typed /SetSlots(…) or /intent counts as a press"


def _kept(settings: Settings) -> str:
    if EXTERNAL_DATABASE in os.environ:
        return f"Postgres at {settings.database_host}:{settings.database_port}"
    return f"an embedded Postgres in {settings.state_dir}"
