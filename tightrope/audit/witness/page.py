"""The witness's page: in words, what it saw last, when, and whether the log told two stories."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from tightrope.audit.tlog.encoding import to_base64
from tightrope.audit.witness.state import Witness, WitnessUnready

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2.5rem auto; padding: 0 1rem; color: #1c2430; background: #fff }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem } .quiet { color: #5a6675 }
.state { padding: .7rem 1rem; border-left: .35rem solid #1a7f4b; background: #eef8f2; margin: 1.2rem 0 }
.bad { border-color: #b3261e; background: #fdf0ef } .wait { border-color: #9a6b00; background: #fdf7e7 }
code, pre { font: 13px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
pre { background: #f4f6f8; padding: .7rem; margin: .4rem 0 }
"""


def page(witness: Witness, now: datetime) -> str:
    """The whole page. Never fails for what is wrong with the witness: it says so."""
    parts = [
        f"<h1>Witness {escape(witness.name)}</h1>",
        '<p class="quiet">It cosigns a log only while the log keeps what it showed before.</p>',
    ]
    try:
        logs = witness.logs()
    except WitnessUnready as error:
        logs = {}
        parts.append(f'<p class="state bad"><b>The list of logs cannot be read.</b> {escape(str(error))}</p>')
    seen, forks = {one.origin: one for one in witness.seen()}, witness.forks()
    if forks:
        count = "a fork" if len(forks) == 1 else f"{len(forks)} forks"
        parts.append(
            f'<p class="state bad"><b>Forks seen: {len(forks)}.</b> This witness has evidence of {count}: the log signed two different '
            "records of one length. Both signed checkpoints are below. Do not delete this folder; start an incident.</p>"
        )
    elif not seen:
        text = "Waiting for the first checkpoint." if logs else "No log is known yet: add its <code>log</code> line to logs.txt."
        parts.append(f'<p class="state wait">{text} No fork seen.</p>')
    else:
        parts.append('<p class="state"><b>No fork seen.</b> Every checkpoint that was cosigned continues the one before.</p>')
    for origin in sorted({*logs, *seen}):
        parts.append(f"<h2>Log {escape(origin)}</h2>")
        one = seen.get(origin)
        if one is None:
            parts.append("<p>No checkpoint yet.</p>")
            continue
        parts.append(
            f"<p>Latest checkpoint: <b>{one.size:,}</b> records, cosigned {_when(one.at, now)}.<br>"
            f'<span class="quiet">Root <code>{escape(to_base64(one.root))}</code></span></p>'
        )
        if origin not in logs:
            parts.append('<p class="quiet">No longer watched: its line is not in logs.txt.</p>')
    for wrong in witness.proofs_refused():
        parts.append(
            f'<p class="state wait">Consistency proofs refused for {escape(wrong.origin)}: {wrong.times}, last {_when(wrong.at, now)}. '
            "One alone proves nothing against the log (anybody can send a wrong proof); ask its keepers when there are several.</p>"
        )
    for fork in forks:
        parts.append(
            f"<h2>Fork of {escape(fork.origin)} at {fork.size:,} records</h2><p>Seen {_when(fork.at, now)}. The one that was cosigned:</p>"
            f"<pre>{_text(fork.known_note)}</pre><p>The other, refused:</p><pre>{_text(fork.note)}</pre>"
        )
    parts.append(f'<h2>Key</h2><p class="quiet">For the policies of those who verify:</p><pre>{escape(witness.vkey)}</pre>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="refresh" content="10"><title>Witness {escape(witness.name)}</title><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>"
    )


def _text(note: bytes) -> str:
    return escape(note.decode("utf-8", "replace"))


def _when(at: int, now: datetime) -> str:
    then = datetime.fromtimestamp(at, UTC)
    seconds = int((now - then).total_seconds())
    if seconds < 0:
        ago = "in the future by this machine's clock"
    elif seconds < 120:
        ago = f"{seconds} s ago"
    elif seconds < 7200:
        ago = f"{seconds // 60} min ago"
    elif seconds < 172_800:
        ago = f"{seconds // 3600} h ago"
    else:
        ago = f"{seconds // 86_400} days ago"
    return f"{then:%Y-%m-%d %H:%M:%S} UTC ({ago})"
