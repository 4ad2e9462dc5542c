"""Figures of all runs as text for people: ``docs/performance.md`` keeps one section a command."""

from __future__ import annotations

import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.bench.figures import spread

_PACKAGES = ("aiortc", "pylibsrtp", "cryptography", "aiohttp")
_INTRODUCTION = """# Performance

What a packet, a peer and a page load cost. Every section below is written by the command that it names; run it
again to replace it. The generator (`tests/bench/`) is a process of its own on the second core, with real ICE, DTLS
and SRTP. CPU time is all of the server process, user and system, divided by the packets that reached a subscriber.
Delay is from before the sender's encryption to the receiver's kernel. The generator does not sleep on its sockets, so
that the server does not pay for waking it, as it would not over a network; `--eager` shows what that would add.
"""
Run = Mapping[str, Any]


def machine() -> str:
    """One line of what it ran on."""
    processor = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    return (
        f"{processor[1] if processor else platform.machine()}, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, {versions}"
    )


def calls_section(title: str, command: str, targets: Mapping[str, Sequence[Run]]) -> str:
    """A table with one row a target; the medians of its runs, and the ratio to the lowest floor."""
    floors = [name for name in targets if name.startswith("floor")]
    lowest = min((_median(targets[name], "cpu_us_per_packet") for name in floors), default=0.0)
    lines = [
        f"## {title}",
        "",
        f"`{command}`  ",
        f"{machine()}. Medians of {max(map(len, targets.values()))} runs.",
        "",
        "| | CPU a packet µs (± between runs) | × floor | core | packets/s | delay p50 / p95 / p99 ms "
        "| lost | RSS MB (growth) | others on the core |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in targets.items():
        cost = _median(runs, "cpu_us_per_packet")
        variation = spread([run["cpu_us_per_packet"] for run in runs]) / 2
        delays = " / ".join(f"{_median_delay(runs, share):.2f}" for share in ("p50", "p95", "p99"))
        lines.append(
            f"| {name} | {cost:.1f} (± {variation:.0%}) | {f'{cost / lowest:.1f}' if lowest else '–'} "
            f"| {_median(runs, 'server_share'):.0%} | {_median(runs, 'forwarded_per_s'):.0f} | {delays} "
            f"| {max(lost_packets(run) for run in runs)} | {_median(runs, 'rss_bytes') / 1e6:.0f} "
            f"({_median(runs, 'rss_growth_bytes') / 1e6:+.1f}) "
            f"| {_median(runs, 'foreign_share'):.0%} |"
        )
    lines += ["", *_notes(targets)]
    return "\n".join(lines) + "\n"


def peers_section(title: str, command: str, runs: Sequence[Run]) -> str:
    rows = {
        "CPU ms a new peer": f"{_median(runs, 'cpu_ms_per_new_peer'):.2f}",
        "new peers a second, one after another": f"{_median(runs, 'new_peers_per_s'):.0f}",
        "memory KB a connected peer": f"{_median(runs, 'kb_per_peer_connected'):.0f}",
        "memory KB an idle peer": f"{_median(runs, 'kb_per_idle_peer'):.0f}",
        "share of a core an idle peer": f"{_median(runs, 'cpu_share_per_idle_peer'):.4%}",
        "checks without an answer": f"{max(run['unanswered_checks'] for run in runs)}",
    }
    lines = [
        f"## {title}",
        "",
        f"`{command}`  ",
        f"{machine()}. Medians of {len(runs)} runs with {runs[0]['peers']} peers, two in a room, "
        "each checking its path every 2.7 s.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    return "\n".join(lines) + "\n"


def lost_packets(run: Run) -> int:
    """Media that a publisher sent and no subscriber ever got; loss on purpose counts when not repaired."""
    loss = run["loss"]
    return int(loss["lost"] + loss["swallowed"] + loss["tail"])


def write_section(path: Path, section: str) -> None:
    """Replace the section with the same heading, or add it at the end."""
    text = path.read_text() if path.exists() else _INTRODUCTION
    heading = section.split("\n", 1)[0]
    parts = re.split(r"(?m)^(?=## )", text)
    kept = [part.strip("\n") for part in parts if part.split("\n", 1)[0] != heading and part.strip()]
    kept.append(section.strip("\n"))
    path.write_text("\n\n".join(kept) + "\n")


# Private


def _median(runs: Sequence[Run], name: str) -> float:
    return float(statistics.median(run[name] for run in runs))


def _median_delay(runs: Sequence[Run], share: str) -> float:
    return float(statistics.median(run["delay_ms"].get(share, 0.0) for run in runs))


def _notes(targets: Mapping[str, Sequence[Run]]) -> list[str]:
    """What a reader needs to trust the table, or not to."""
    notes = []
    for name, runs in targets.items():
        loss = [run["loss"] for run in runs]
        simulated = statistics.median(item["simulated"] for item in loss)
        if simulated:
            repaired = statistics.median(item["repaired"] for item in loss)
            notes.append(f"- {name}: {simulated:.0f} packets taken as lost, {repaired:.0f} repaired by NACK.")
        if blind := max(item["client_sockets"] for item in loss):
            notes.append(f"- {name}: up to {blind} packets lost in the generator's own sockets.")
        if pages := [run["pages"] for run in runs if "pages" in run]:
            loads = statistics.median(item["loads"] for item in pages)
            middle = statistics.median(item["load_ms"]["p50"] for item in pages)
            failures = max(item["failures"] for item in pages)
            notes.append(
                f"- {name}: {loads:.0f} page loads of {pages[0]['files']} files meanwhile, "
                f"p50 {middle:.0f} ms, {failures} failed; their cost is in the CPU figure."
            )
    shares = [run["generator_share"] for runs in targets.values() for run in runs]
    late = [run["lateness_ms"]["p99"] for runs in targets.values() for run in runs]
    notes.append(
        f"- generator: {max(shares):.0%} of its core at most, "
        f"99 % of packets leave within {statistics.median(late):.1f} ms of their time."
    )
    return notes
