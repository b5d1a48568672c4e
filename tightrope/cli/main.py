"""`tightrope`: run the demo, look at it, turn the switch, read and verify the record, play scripts."""

from __future__ import annotations

import getpass
import json
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.markup import escape

from tightrope.audit.witness.commands import witness_app
from tightrope.cli import auditing
from tightrope.cli.chat import chat
from tightrope.cli.custody.holds import hold_app
from tightrope.cli.custody.master import keys_app
from tightrope.cli.engine import engine_app
from tightrope.cli.flows import flows_app
from tightrope.cli.kb.commands import kb_app
from tightrope.cli.model import model_app
from tightrope.cli.store import store_app
from tightrope.cli.suites import test_app
from tightrope.cli.uat.commands import uat_app
from tightrope.cli.understand import understand
from tightrope.infra.settings import get_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Compliant customer support for securities firms. `tightrope demo` starts everything.",
)
switch_app = typer.Typer(no_args_is_help=True, help="The kill switch: off within a second, customers handed to people.")
audit_app = typer.Typer(no_args_is_help=True, help="Read and verify the record.")
app.add_typer(switch_app, name="switch")
app.add_typer(audit_app, name="audit")
auditing.register(audit_app)
audit_app.add_typer(witness_app, name="witness")
audit_app.add_typer(store_app, name="store")
audit_app.add_typer(keys_app, name="keys")
audit_app.add_typer(hold_app, name="hold")
app.add_typer(engine_app, name="engine")
app.add_typer(flows_app, name="flows")
app.add_typer(kb_app, name="kb")
app.add_typer(model_app, name="model")
app.command()(chat)
app.command()(understand)
app.add_typer(test_app, name="test")
app.add_typer(uat_app, name="uat")

console = Console()
errors = Console(stderr=True)


@app.command()
def demo(
    check: Annotated[bool, typer.Option("--check", help="Free ports, a scripted conversation, a verdict, exit 0 or 1")] = False,
) -> None:
    """Run everything on this machine: inbox, identity provider, brokerage, assistant, audit."""
    from tightrope.cli.check import run_check
    from tightrope.cli.run import run_demo

    raise typer.Exit(run_check(console) if check else run_demo(get_settings(), console))


@app.command()
def status() -> None:
    """Each part's health, version and release; what the switch has off; what the record is kept in."""
    from tightrope.cli.status import show_status

    raise typer.Exit(show_status(get_settings(), console))


@app.command()
def serve(
    part: Annotated[
        str,
        typer.Argument(help="inbox, sandbox, knowledge, understanding, actions, assistant, sealer, console, gateway or worker"),
    ],
) -> None:
    """Run one part in this process, as a container does."""
    from tightrope.cli.serve import serve as run_part

    run_part(part, get_settings())


@app.command()
def play(
    scripts: Annotated[Path, typer.Argument(help="JSON lines: {id, session, turns}; docs/play.md")],
    out: Annotated[Path, typer.Option(help="Where the transcript goes, JSON lines")],
    parallel: Annotated[int, typer.Option(help="Scripts at a time", min=1, max=32)] = 4,
) -> None:
    """Play scripted conversations against the running demo, or against a temporary one."""
    from tightrope.cli.play import play_scripts

    raise typer.Exit(play_scripts(scripts, out, parallel, console))


def _turn_switch(*, off: bool, journey: str | None, reason: str) -> None:
    from tightrope.cli.operate import turn_switch

    raise typer.Exit(turn_switch(get_settings(), console, off=off, journey=journey, reason=reason, who=getpass.getuser()))


JourneyOption = Annotated[str | None, typer.Option(help="Only this journey (flow id); without it, the whole bot")]
ReasonOption = Annotated[str, typer.Option(help="Why; goes on the record", prompt=True)]


@switch_app.command("off")
def switch_off(reason: ReasonOption, journey: JourneyOption = None) -> None:
    """Stop the bot, or one journey; its messages that have not left are held back for good."""
    _turn_switch(off=True, journey=journey, reason=reason)


@switch_app.command("on")
def switch_on(reason: ReasonOption, journey: JourneyOption = None) -> None:
    """Let the bot, or one journey, answer again. Conversations held by people stay with them until given back."""
    _turn_switch(off=False, journey=journey, reason=reason)


@audit_app.command("show")
def audit_show(
    conversation: Annotated[str, typer.Argument(help="Conversation id, e.g. 1-12 (account and Chatwoot's number)")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON")] = False,
    language: Annotated[str, typer.Option(help="zh or en")] = "zh",
) -> None:
    """One conversation beside its decision trail. Reading is itself recorded."""
    from tightrope.cli.operate import show_conversation

    raise typer.Exit(show_conversation(get_settings(), console, conversation, as_json=as_json, language=language))


@audit_app.command("verify")
def audit_verify(as_json: Annotated[bool, typer.Option("--json", help="The report as JSON")] = False) -> None:
    """Recompute the whole tree against records, checkpoints, tiles and segments; names what is altered or missing."""
    from tightrope.cli.operate import verify

    raise typer.Exit(verify(get_settings(), console, as_json=as_json))


@audit_app.command("anchors")
def audit_anchors(
    write: Annotated[Path | None, typer.Option(help="Write anchors.json and policy.txt into this folder, for a verifier")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The table as JSON")] = False,
) -> None:
    """What others vouch for: each anchor's latest receipt, checked here; is the policy met; which gaps there were. Exit 0 or 1."""
    from tightrope.cli.audit_anchors import show_anchors

    raise typer.Exit(show_anchors(get_settings(), console, folder=write, as_json=as_json))


@audit_app.command("reconcile")
def audit_reconcile(
    since: Annotated[
        str | None, typer.Option("--from", help="Day (Asia/Shanghai) or time: 2026-05-01; default: where the last one ended")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="First day or time not compared; default: now, less what is still on its way")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON")] = False,
) -> None:
    """Compare Chatwoot, gateway, assistant and log for a period; names what is missing (exit code 1). The outcome is recorded."""
    from tightrope.cli.reconcile import reconcile

    raise typer.Exit(reconcile(get_settings(), console, since=since, until=until, as_json=as_json))


@audit_app.command("replay")
def audit_replay(
    conversation: Annotated[str, typer.Argument(help="Conversation id, e.g. 1-12 (account and Chatwoot's number)")],
    reason: Annotated[str, typer.Option(help="Why; goes on the record")] = "replay",
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON")] = False,
) -> None:
    """Run a recorded conversation again with its own release. 0: the same; 1: something differs; 2: something is not in the record."""
    from tightrope.cli.replay import replay

    raise typer.Exit(replay(get_settings(), console, conversation, reason=reason, as_json=as_json))


def main() -> None:
    """Entry point that turns expected failures into one clear line."""
    import psycopg
    from psycopg_pool import PoolTimeout
    from pydantic import ValidationError

    from tightrope.audit.errors import AuditError
    from tightrope.cli.supervisor import PartFailed, PortTaken
    from tightrope.infra.postgres import PostgresFailed

    # What a command has to say it prints; log lines are for the processes.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except (PoolTimeout, psycopg.OperationalError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        errors.print(
            f"[red]The database does not answer[/red] ({first}). Is the demo running? `make demo` starts it.", highlight=False
        )
        sys.exit(1)
    except (PortTaken, PartFailed, PostgresFailed) as error:
        errors.print(f"[red]{type(error).__name__}[/red]: {error}", highlight=False)
        sys.exit(1)
    except AuditError as error:
        errors.print(f"[red]The audit log refuses[/red]: {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except ValidationError as error:
        problems = "; ".join(str(problem["msg"]) for problem in error.errors())
        errors.print(f"[red]The settings do not fit[/red]: {problems}", highlight=False)
        sys.exit(2)
    except json.JSONDecodeError as error:
        errors.print(f"[red]Not JSON[/red]: {error}")
        sys.exit(2)


if __name__ == "__main__":
    main()
