"""``python -m tests.bench``: measure the SFU beside the machine's floor and write the report."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.app import AppServer, running_app
from tests.bench.processes import GENERATOR_CORE, bench_server, generate, spawn
from tests.bench.timetable import Pacing

_FLOORS = {"floor, woken": "woken", "floor, 1 ms tick": "ticking"}


def measure_calls(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Runs of each target by turns, so that a busy neighbour disturbs all alike."""
    name = "SFU, bare" if options.bare else "SFU"
    targets: dict[str, list[dict[str, Any]]] = {}
    for _ in range(options.runs):
        if options.page_loads or options.app:
            targets.setdefault("application", []).append(_measure_app(options))
        else:
            targets.setdefault(name, []).append(_measure_bench_server("tests.bench.server", options))
        for floor, waking in _FLOORS.items():
            if not options.no_floor:
                run = _measure_bench_server("tests.bench.floor", options, [waking])
                targets.setdefault(floor, []).append(run)
    return targets


def measure_peers(options: argparse.Namespace) -> list[dict[str, Any]]:
    runs = []
    for _ in range(options.runs):
        with bench_server("tests.bench.server", _loop(options), realtime=options.realtime) as server:
            scenario = {
                "server_pid": server.pid,
                "server_port": server.port,
                "control_path": server.control_path,
                "peers": options.peers,
                "seconds": options.seconds,
            }
            runs.append(generate(scenario, realtime=options.realtime))
    return runs


def main() -> None:
    options = _parse(sys.argv[1:])
    command = " ".join(["python -m tests.bench", *_without_files(sys.argv[1:])])
    results: object
    if options.peers:
        runs = measure_peers(options)
        results = runs
        section = report.peers_section("New and idle peers", command, runs)
    else:
        targets = measure_calls(options)
        results = targets
        section = report.calls_section(_title(options), command, targets)
    print(section)
    if options.json:
        options.json.write_text(json.dumps({"command": command, "results": results}, indent=1) + "\n")
    if options.write:
        report.write_section(options.write, section)


# Private


def _measure_bench_server(module: str, options: argparse.Namespace, extra: Sequence[str] = ()) -> dict[str, Any]:
    arguments = extra or _loop(options)
    with bench_server(module, arguments, realtime=options.realtime) as server:
        scenario = _scenario(options) | {
            "server_pid": server.pid,
            "server_port": server.port,
            "control_path": server.control_path,
        }
        return generate(scenario, realtime=options.realtime)


def _measure_app(options: argparse.Namespace) -> dict[str, Any]:
    with running_app(realtime=options.realtime) as app:
        scenario = _scenario(options) | {
            "server_pid": app.pid,
            "server_port": app.media_port,
            "url": app.url,
            "token": app.token,
        }
        if not options.page_loads:
            return generate(scenario, realtime=options.realtime)
        pages = _load_pages(app, options)
        try:
            run = generate(scenario, realtime=options.realtime)
            pages.terminate()
        finally:
            output, _ = pages.communicate()
        return run | {"pages": json.loads(output.splitlines()[-1])}


def _load_pages(app: AppServer, options: argparse.Namespace) -> subprocess.Popen[str]:
    """Visitors from before the first call until the generator is done."""
    arguments = ["-m", "tests.bench.pages", app.page, str(options.page_loads)]
    return spawn(arguments, GENERATOR_CORE, stdout=subprocess.PIPE)


def _scenario(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "calls": options.calls,
        "seconds": options.seconds,
        "pacing": options.pacing,
        "bare": options.bare,
        "loss": options.loss,
        "eager": options.eager,
    }


def _without_files(arguments: Sequence[str]) -> list[str]:
    """What a reader types to get the same figures: where ours went is not his business."""
    kept = list(arguments)
    for name in ("--json", "--write"):
        if name in kept:
            at = kept.index(name)
            del kept[at : at + 2]
    return kept


def _loop(options: argparse.Namespace) -> list[str]:
    return ["--loop", options.loop]


def _title(options: argparse.Namespace) -> str:
    title = f"{options.calls} calls"
    if options.bare:
        title += ", bare"
    if options.pacing is not Pacing.FRAME:
        title += f", {options.pacing} pacing"
    if options.eager:
        title += ", eager generator"
    if options.loop != "asyncio":
        title += f", {options.loop}"
    if options.page_loads:
        title += f", {options.page_loads:g} page loads a second"
    elif options.app:
        title += ", whole application"
    return title


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--calls", type=int, default=20, help="1:1 calls at once")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time of one run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bare", action="store_true", help="no feedback, stamping, reports or loss")
    parser.add_argument("--loss", type=float, default=0.005, help="share of video taken as lost by receivers")
    parser.add_argument("--pacing", type=Pacing, choices=list(Pacing), default=Pacing.FRAME)
    parser.add_argument("--eager", action="store_true", help="each packet sent wakes the generator")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="the server's")
    parser.add_argument("--app", action="store_true", help="the whole application, through WHIP and WHEP")
    parser.add_argument("--page-loads", type=float, default=0.0, help="a second, meanwhile (implies --app)")
    parser.add_argument("--peers", type=int, default=0, help="instead: cost of new and idle peers")
    parser.add_argument("--no-floor", action="store_true", help="measure only the server")
    parser.add_argument("--realtime", action="store_true", help="run before others on a shared machine")
    parser.add_argument("--json", type=Path, help="write every run's figures here")
    parser.add_argument("--write", type=Path, help="put the section into this file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
