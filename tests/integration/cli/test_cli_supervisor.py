"""The supervisor: taken ports, parts that end, parts that are started again; and one demo per state folder."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from rich.console import Console

from tightrope.cli.demo import Demo, as_environment, lock_state, running, temporary_settings
from tightrope.cli.operate import turn_switch
from tightrope.cli.parts import Part, parts_of
from tightrope.cli.run import Board, board_rows
from tightrope.cli.status import show_status
from tightrope.cli.supervisor import PartFailed, PortTaken, Supervisor, check_ports, free_ports

pytestmark = pytest.mark.integration


def test_taken_port_is_named_with_the_setting_that_moves_it() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(PortTaken, match=r"TIGHTROPE_INBOX_URL") as caught:
            check_ports({"inbox": holder.getsockname()[1]})
    assert "make demo CHECK=1" in str(caught.value)
    check_ports({"inbox": free_ports(1)[0]})


def test_second_demo_in_one_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    held = lock_state(tmp_path)
    demo = Demo(temporary_settings(tmp_path))
    with pytest.raises(PortTaken, match="already running"):
        demo.start()
    demo.stop()
    held.close()
    lock_state(tmp_path).close()


def test_part_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    settings = temporary_settings(tmp_path)
    supervisor = Supervisor(as_environment(settings) | {"TIGHTROPE_LOG_LEVEL": "NONSENSE"}, tmp_path / "logs")
    (part,) = [p for p in parts_of(settings) if p.name == "understanding"]
    supervisor.start("understanding")
    with pytest.raises(PartFailed, match="NONSENSE"):
        supervisor.wait_healthy(part, time.monotonic() + 30)
    supervisor.stop()


def test_part_that_is_killed_is_started_again(tmp_path: Path) -> None:
    settings = temporary_settings(tmp_path)
    supervisor = Supervisor(as_environment(settings), tmp_path / "logs")
    (part,) = [p for p in parts_of(settings) if p.name == "understanding"]
    ready: list[str] = []
    try:
        supervisor.start("understanding")
        supervisor.wait_healthy(part, time.monotonic() + 60, ready.append)
        supervisor.keep_running()
        first = supervisor.pids()["understanding"]
        os.kill(first, signal.SIGKILL)
        end = time.monotonic() + 20
        while supervisor.pids()["understanding"] == first and time.monotonic() < end:
            time.sleep(0.1)
        assert supervisor.pids()["understanding"] != first
        supervisor.wait_healthy(part, time.monotonic() + 60)
    finally:
        supervisor.stop()
    assert ready == ["understanding"]


def test_part_that_never_answers_is_given_up(tmp_path: Path) -> None:
    settings = temporary_settings(tmp_path)
    supervisor = Supervisor(as_environment(settings), tmp_path / "logs")
    supervisor.start("understanding")
    silent = Part("understanding", "", "", 1, f"http://127.0.0.1:{free_ports(1)[0]}/health")
    with pytest.raises(PartFailed, match="not healthy in time"):
        supervisor.wait_healthy(silent, time.monotonic() + 0.5)
    supervisor.stop()


def test_status_of_nothing_says_how_to_start(tmp_path: Path) -> None:
    settings = temporary_settings(tmp_path)
    console = Console(record=True, width=120)
    assert running(settings) is False
    assert show_status(settings, console) == 1
    assert "make demo" in console.export_text()


def test_switch_for_a_journey_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    console = Console(record=True, width=120)
    assert turn_switch(temporary_settings(tmp_path), console, off=True, journey="nonsense", reason="x", who="y") == 2
    assert "check_balance" in console.export_text()


@pytest.mark.parametrize("terminal", [True, False])
def test_board_shows_what_is_ready(tmp_path: Path, terminal: bool) -> None:
    console = Console(record=True, width=120, force_terminal=terminal)
    rows = board_rows(Demo(temporary_settings(tmp_path)))
    with Board(console, rows) as board:
        for name in rows:
            board.progress(name, "starting")
            board.progress(name, "ready")
    text = console.export_text()
    assert all(name in text for name in rows)
