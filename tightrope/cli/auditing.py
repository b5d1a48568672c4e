"""`tightrope audit find | export | index`: the auditor's questions and exports, with the auditor's database role."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tightrope.audit.index.models import Found, Hit, Position, Question
from tightrope.infra.database import Pool
from tightrope.infra.settings import Settings, get_settings

index_app = typer.Typer(no_args_is_help=True, help="The auditor's index: derived from the log, made again at any time.")
console = Console()

Journey = Annotated[str | None, typer.Option(help="Journey (flow id): check_margin_eligibility")]
Verdict = Annotated[str | None, typer.Option(help="A rule's verdict, or refused or granted for every verdict of that meaning")]
Rule = Annotated[str | None, typer.Option(help="Rule, also with its version: margin_eligibility@2023.1")]
EventName = Annotated[str | None, typer.Option("--event", help="Event, or its beginning: gateway:turn:made, operator:")]
Cited = Annotated[str | None, typer.Option(help="Document that an answer cites, also with its version: trading-fees@3")]
Agent = Annotated[str | None, typer.Option(help="Agent's number in the inbox, or an operator's or auditor's login name")]
Customer = Annotated[str | None, typer.Option(help="Customer id; written down as a keyed hash only")]
Conversation = Annotated[str | None, typer.Option(help="Conversation: 1-12, or its name in leaves")]
Release = Annotated[str | None, typer.Option(help="Release id")]
Model = Annotated[str | None, typer.Option(help="Model as served, or its fingerprint")]
Response = Annotated[str | None, typer.Option(help="Response that was said: utter_margin_not_eligible")]
Handoff = Annotated[str | None, typer.Option(help="Why it was handed over: complaint, fraud, …")]
Code = Annotated[str | None, typer.Option(help="Reason code: why not answered, what failed")]
Outcome = Annotated[str | None, typer.Option(help="An action's outcome: action_search=nothing")]
LanguageOf = Annotated[str | None, typer.Option("--language", help="Language of the turn: zh or en")]
From = Annotated[str | None, typer.Option("--from", help="First day (Asia/Shanghai) or time: 2026-05-01")]
To = Annotated[str | None, typer.Option("--to", help="First day or time that no longer belongs to it: 2026-06-01")]
Input = Annotated[list[str] | None, typer.Option("--input", help="What a rule decided by: 'risk_assessment_age>365d', level=C3")]
UpTo = Annotated[str | None, typer.Option(help="Look no further than this place, to ask an old question again: 2026/17")]
Reason = Annotated[str, typer.Option(help="Why; goes on the record")]


def register(audit_app: typer.Typer) -> None:
    """Add the commands to `tightrope audit`."""
    audit_app.command("find")(find)
    audit_app.command("export")(export)
    audit_app.add_typer(index_app, name="index")


def login() -> str:
    """Who runs this process, by the operating system's word and not by an environment variable."""
    return pwd.getpwuid(os.getuid()).pw_name


def find(
    journey: Journey = None,
    verdict: Verdict = None,
    rule: Rule = None,
    event: EventName = None,
    cited: Cited = None,
    agent: Agent = None,
    customer: Customer = None,
    conversation: Conversation = None,
    release: Release = None,
    model: Model = None,
    response: Response = None,
    handoff: Handoff = None,
    code: Code = None,
    outcome: Outcome = None,
    language: LanguageOf = None,
    start: From = None,
    end: To = None,
    inputs: Input = None,
    up_to: UpTo = None,
    reason: Reason = "",
    limit: Annotated[int, typer.Option(help="Records shown; all are counted", min=1, max=100_000)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON")] = False,
    count: Annotated[bool, typer.Option("--count", help="Only how many")] = False,
    sample: Annotated[int | None, typer.Option(help="Draw this many at random and write working papers", min=1)] = None,
    seed: Annotated[str, typer.Option(help="Seed of the sample, chosen by the auditor")] = "",
    out: Annotated[Path, typer.Option(help="Folder for the working papers")] = Path(),
) -> None:
    """Find records by what was decided. Asking is itself recorded, before anything is shown."""
    asked = _question(locals())
    with _told():
        raise typer.Exit(
            asyncio.run(_find(asked, reason, limit, as_json=as_json, count=count, sample=sample, seed=seed, out=out))
        )


def export(
    target: Annotated[Path, typer.Argument(help="Folder to make, or a file ending in .zip")],
    journey: Journey = None,
    verdict: Verdict = None,
    rule: Rule = None,
    event: EventName = None,
    cited: Cited = None,
    agent: Agent = None,
    customer: Customer = None,
    conversation: Conversation = None,
    release: Release = None,
    start: From = None,
    end: To = None,
    inputs: Input = None,
    up_to: UpTo = None,
    reason: Reason = "",
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="With names, numbers and amounts; needs a right and a reason")
    ] = False,
    records_only: Annotated[
        bool, typer.Option("--records-only", help="The found records, without the rest of their conversations")
    ] = False,
    everything: Annotated[bool, typer.Option("--everything", help="The whole log; needed where nothing is selected")] = False,
    profile: Annotated[list[str] | None, typer.Option(help="Also in other tools' field names: otel-genai, ocsf")] = None,
    pages: Annotated[str, typer.Option(help="Language of the pages: zh or en")] = "zh",
    no_pages: Annotated[bool, typer.Option("--no-pages", help="Evidence and JSON lines alone")] = False,
    no_pdf: Annotated[bool, typer.Option("--no-pdf", help="Pages without PDF")] = False,
) -> None:
    """Write a selection with its proofs, pages and verifier. Masked unless --unmasked; on the record before the first byte."""
    asked = _question(locals())
    if asked == Question() and not everything:
        console.print(
            "[red]Nothing is selected.[/red] Say what to export, such as --conversation 1-12, or --everything.", highlight=False
        )
        raise typer.Exit(2)
    unknown = set(profile or ()) - {"otel-genai", "ocsf"}
    if unknown or pages not in {"zh", "en"}:
        console.print("[red]--profile is otel-genai or ocsf, --pages is zh or en.[/red]", highlight=False)
        raise typer.Exit(2)
    wanted = {
        "reason": reason,
        "unmasked": unmasked,
        "whole": not records_only,
        "language": pages,
        "pages": not no_pages,
        "pdf": not no_pdf,
    }
    with _told():
        raise typer.Exit(
            asyncio.run(_export(asked, target.absolute(), wanted | {"profiles": tuple(dict.fromkeys(profile or ()))}))
        )


@index_app.command("rebuild")
def index_rebuild() -> None:
    """Empty the index and make it again from the log alone."""
    with _told():
        raise typer.Exit(asyncio.run(_index("rebuild")))


@index_app.command("status")
def index_status() -> None:
    """How far the index has read."""
    with _told():
        raise typer.Exit(asyncio.run(_index("status")))


@index_app.command("run")
def index_run() -> None:
    """Keep the index current until stopped."""
    with _told(), suppress(KeyboardInterrupt):
        raise typer.Exit(asyncio.run(_index("run")))


class _told:  # noqa: N801 - reads as a word
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from tightrope.audit.errors import AuditError, QuestionInvalid

        if isinstance(error, AuditError):
            console.print(Text.assemble((f"{type(error).__name__}: ", "red"), str(error)), soft_wrap=True)
            raise typer.Exit(2 if isinstance(error, QuestionInvalid) else 1) from error


@dataclass(frozen=True, slots=True)
class _Desk:
    settings: Settings
    pool: Pool
    keyring: Any
    recorder: Any
    clock: Any


@asynccontextmanager
async def _desk() -> AsyncIterator[_Desk]:
    from tightrope.audit.keyring import Keyring
    from tightrope.audit.recorder import Recorder
    from tightrope.infra.clock import clock_from
    from tightrope.infra.database import Role, open_pool
    from tightrope.release.manifest import release_id

    settings = get_settings()
    keyring, clock = Keyring.from_settings(settings), clock_from(settings)
    async with open_pool(settings, Role.AUDITOR, max_size=2, wait_seconds=5) as pool:
        yield _Desk(settings, pool, keyring, Recorder(settings, keyring, clock, release_id(settings)), clock)


def _question(said: dict[str, Any]) -> Question:
    from tightrope.audit.index.query import condition, moment, place

    with _told():
        plain = (
            "journey",
            "verdict",
            "rule",
            "event",
            "cited",
            "agent",
            "customer",
            "conversation",
            "release",
            "model",
            "response",
        )
        texts: dict[str, Any] = {name: said.get(name) for name in (*plain, "handoff", "outcome")}
        return Question(
            **texts,
            reason=said.get("code"),
            lang=said.get("language"),
            start=moment(said["start"]) if said["start"] else None,
            end=moment(said["end"]) if said["end"] else None,
            inputs=tuple(condition(text) for text in said["inputs"] or ()),
            up_to=place(said["up_to"]) if said["up_to"] else None,
        )
    raise AssertionError


async def _find(
    asked: Question, reason: str, limit: int, *, as_json: bool, count: bool, sample: int | None, seed: str, out: Path
) -> int:
    from tightrope.audit.index.finding import Finder
    from tightrope.audit.index.service import Indexer

    async with _desk() as desk:
        await Indexer(desk.pool, desk.keyring, desk.clock).catch_up()
        finder = Finder(desk.pool, desk.keyring, desk.recorder, desk.clock, who=login())
        if sample is not None:
            return await _sample(finder, asked, sample, seed, reason, out)
        found = await finder.find(asked, limit=0 if count else limit, reason=reason)
    if as_json:
        console.print_json(json.dumps(_plain(found), ensure_ascii=False))
    elif count:
        console.print(
            f"{found.records} records · {found.conversations} conversations · {found.customers} customers", highlight=False
        )
    else:
        show(found)
    return 0


async def _sample(finder: Any, asked: Question, size: int, seed: str, reason: str, out: Path) -> int:
    from tightrope.audit.index import sampling

    papers = {suffix: out / f"sample-{seed}.{suffix}" for suffix in ("json", "csv")}
    if not _free(out, papers):
        console.print(f"[red]{out} cannot be made, or holds papers of this seed: choose another --out.[/red]", highlight=False)
        return 1
    drawn = await finder.sample(asked, size, seed, reason=reason)
    papers["json"].write_bytes(sampling.papers_json(drawn))
    papers["csv"].write_bytes(sampling.papers_csv(drawn))
    console.print(
        f"{len(drawn.hits)} of {drawn.population} records drawn with seed {seed}, population {drawn.population_sha256[:16]}…\n"
        f"working papers: {papers['json']} and {papers['csv']}\nthe same again: {drawn.command}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _free(out: Path, papers: dict[str, Path]) -> bool:
    with suppress(OSError):
        out.mkdir(parents=True, exist_ok=True)
    return out.is_dir() and not any(path.exists() for path in papers.values())


async def _export(asked: Question, target: Path, wanted: dict[str, Any]) -> int:
    from tightrope.audit.export.bundle import verifier_files
    from tightrope.audit.export.models import Order
    from tightrope.audit.export.outside import Outside
    from tightrope.audit.export.proofs import TreeProofs
    from tightrope.audit.export.service import Exporter, Parts
    from tightrope.audit.stores.choice import store_from

    async with _desk() as desk:
        store = store_from(desk.settings).describe().text
        parts = Parts(
            desk.settings,
            desk.pool,
            desk.keyring,
            desk.recorder,
            desk.clock,
            hide,
            TreeProofs(desk.settings),
            Outside(desk.settings),
            verifier_files(),
            store,
        )
        made = await Exporter(parts).make(Order(asked, target, login(), font=desk.settings.audit_pdf_font, **wanted))
    counts = made.counts
    console.print(
        f"{counts.records} records of {counts.conversations} conversations in {made.target}"
        + (f", {counts.unreadable} of them not readable" if counts.unreadable else "")
        + f"\nmanifest {made.manifest_sha256}\ncheck it: python {'verify.py' if target.suffix == '.zip' else target / 'verify.py'} {target}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def hide(text: str) -> str:
    """The masker of exports: the one that stands before a language model. A text in which it finds nothing stays as it was written."""
    from tightrope.generation.masking import mask

    found = mask(text)
    return found.text if found.kinds or found.cut else text


async def _index(what: str) -> int:
    from tightrope.audit.index.service import Indexer

    async with _desk() as desk:
        indexer = Indexer(desk.pool, desk.keyring, desk.clock)
        if what == "run":
            await indexer.run(asyncio.Event())
        if what == "rebuild":
            console.print(f"{await indexer.rebuild()} records indexed again from the log", highlight=False)
        console.print(_standing(await indexer.position()), highlight=False)
    return 0


def _standing(position: Position) -> str:
    behind = f", {position.behind} records behind" if position.behind else ", nothing behind"
    return f"the index reads up to {position.last or 'nothing'}{behind}"


def show(found: Found) -> None:
    """A table of what was found."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", expand=False)
    styles = {"place": "dim", "time (UTC+8)": "", "conversation": "bold", "turn": "", "event": "", "what": ""}
    for name, style in styles.items():
        table.add_column(name, style=style, no_wrap=name not in {"event", "what"}, overflow="fold")
    for hit in found.hits:
        table.add_row(*_cells(hit))
    if found.hits:
        console.print(table)
    more = f" ({len(found.hits)} shown)" if len(found.hits) < found.records else ""
    console.print(f"{_counted(found)}{more}; {_standing(found.position)}", highlight=False)
    if found.unreadable:
        console.print(
            f"[yellow]{found.unreadable} records have restricted or destroyed keys; what their payloads say could not be asked.[/yellow]",
            highlight=False,
        )


def _counted(found: Found) -> str:
    counts = (("record", found.records), ("conversation", found.conversations), ("customer", found.customers))
    return " · ".join(f"{number} {name}{'' if number == 1 else 's'}" for name, number in counts)


def _cells(hit: Hit) -> list[Text]:
    from tightrope.audit.index.rows import SHANGHAI

    row = hit.row
    what = [*row.journeys, *(finding for finding in row.findings if "." not in finding), *row.cited, *row.people]
    what += row.reasons if row.event.startswith("operator:") else []  # what a switch covers
    what += [row.release] if row.event.startswith("release:") else []
    texts = (
        str(row.place),
        f"{row.ts.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
        hit.conversation_id or "—",
        "" if row.turn is None else str(row.turn),
        row.event,
        " ".join([*what, *([f"handoff:{row.handoff}"] if row.handoff else [])]),
    )
    return [Text(text) for text in texts]


def _plain(found: Found) -> dict[str, Any]:
    return {
        "records": found.records,
        "conversations": found.conversations,
        "customers": found.customers,
        "unreadable": found.unreadable,
        "index": {"last": str(found.position.last) if found.position.last else None, "behind": found.position.behind},
        "hits": [hit.to_json() for hit in found.hits],
    }
