from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sfu.core.media import Direction, Kind
from tests.bench import figures, report, sdp, timetable
from tests.bench.ice import new_credentials
from tests.bench.pages import referenced
from tests.bench.timetable import Pacing


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_percentiles_are_by_nearest_rank(share: float, expected: int) -> None:
    assert figures.percentile(range(1, 101), share) == expected


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        figures.percentile([], 0.5)


def test_delays_are_in_milliseconds() -> None:
    assert figures.delay_summary_ms([3_000_000, 1_000_000]) == {
        "p50": 1.0,
        "p95": 3.0,
        "p99": 3.0,
        "max": 3.0,
    }
    assert figures.delay_summary_ms([]) == {}


def test_spread_is_a_share_of_the_median() -> None:
    assert figures.spread([9.0, 10.0, 12.0]) == pytest.approx(0.3)


@pytest.mark.parametrize("pacing", list(Pacing))
def test_the_timetable_keeps_the_pace(pacing: Pacing) -> None:
    slots = timetable.timetable(7, pacing)
    assert all(0 <= slot.offset_s < timetable.CYCLE_S for slot in slots)
    assert all(one.offset_s <= other.offset_s for one, other in pairwise(slots))
    frames = [slot for slot in slots if slot.kind is Kind.VIDEO and slot.part <= 0]
    audio = [slot for slot in slots if slot.kind is Kind.AUDIO]
    assert (len(frames), len(audio)) == (7 * 3, 7 * 5)


def test_thirty_frames_hold_155_packets() -> None:
    sizes = [timetable.packets_in_frame(frame) for frame in range(30)]
    assert (sum(sizes), set(sizes)) == (155, {5, 6})


def _offer(*, bare: bool = False) -> str:
    media = [
        sdp.OfferedMedia(mid="0", kind=Kind.AUDIO, direction=Direction.SENDONLY, ssrc=11),
        sdp.OfferedMedia(mid="1", kind=Kind.VIDEO, direction=Direction.SENDONLY, ssrc=12, rtx_ssrc=13),
        sdp.OfferedMedia(mid="2", kind=Kind.VIDEO, direction=Direction.RECVONLY),
    ]
    return sdp.write_offer(media, new_credentials("sha-256 AB:CD"), cname="c", version=1, bare=bare)


def test_an_offer_reads_back_as_an_answer() -> None:
    text = _offer().replace("actpass", "passive") + "a=candidate:1 1 UDP 5 192.0.2.1 7882 typ host\r\n"
    answer = sdp.read_answer(text)
    assert answer.is_dtls_server
    assert answer.candidate == ("192.0.2.1", 7882)
    assert answer.credentials.fingerprint == "sha-256 AB:CD"
    video = answer.media["1"]
    assert (video.ssrc, video.rtx_ssrc, video.direction) == (12, 13, Direction.SENDONLY)
    assert {96, 97} <= set(video.payload_types)
    assert {"nack", "nack pli", "goog-remb"} <= video.feedback
    assert answer.media["2"].direction is Direction.RECVONLY


def test_loopback_is_preferred_and_tcp_ignored() -> None:
    lines = [
        "a=candidate:1 1 tcp 9 127.0.0.1 9 typ host tcptype passive",
        "a=candidate:2 1 udp 5 192.0.2.1 7882 typ host",
        "a=candidate:3 1 udp 4 127.0.0.1 7882 typ host",
    ]
    assert sdp.read_answer(_offer() + "\r\n".join(lines)).candidate == ("127.0.0.1", 7882)


def test_an_answer_without_candidates_cannot_be_used() -> None:
    with pytest.raises(sdp.AnswerUnusable, match="candidate"):
        sdp.read_answer(_offer())


def test_bare_offers_ask_for_no_feedback_but_keyframes() -> None:
    text = _offer(bare=True)
    assert "transport-cc" not in text and "abs-send-time" not in text and "goog-remb" not in text
    assert "a=rtcp-fb:96 nack pli" in text and "a=rtcp-fb:96 nack\r\n" not in text


def test_a_page_names_what_it_loads() -> None:
    page = '<link href="/a.css?v=1"><script src="js/b.js#x"></script><a href="/next"></a><img src="//cdn/x.png">'
    assert referenced("http://h/p/", "text/html", page) == ["http://h/a.css?v=1", "http://h/p/js/b.js"]
    module = 'import {x} from "./c.js"; const y = await import("../d.js");'
    assert referenced("http://h/js/b.js", "text/javascript", module) == ["http://h/js/c.js", "http://h/d.js"]


def _run(cost: float) -> dict[str, Any]:
    return {
        "cpu_us_per_packet": cost,
        "server_share": 0.5,
        "generator_share": 0.25,
        "foreign_share": 0.0,
        "forwarded_per_s": 8200.0,
        "rss_bytes": 90_000_000,
        "rss_growth_bytes": 0,
        "delay_ms": {"p50": 0.1, "p95": 0.2, "p99": 0.3, "max": 1.0},
        "lateness_ms": {"p99": 0.2},
        "loss": {
            "simulated": 5, "repaired": 5, "lost": 1, "swallowed": 2, "tail": 3, "client_sockets": 0,
        },
    }  # fmt: skip


def test_the_report_sets_the_sfu_beside_the_lowest_floor(tmp_path: Path) -> None:
    targets = {"SFU": [_run(40.0), _run(44.0), _run(42.0)], "floor, woken": [_run(21.0)]}
    section = report.calls_section("20 calls", "python -m tests.bench", targets)
    assert "| SFU | 42.0 (± 5%) | 2.0 | 50% | 8200 | 0.10 / 0.20 / 0.30 | 6 |" in section
    path = tmp_path / "performance.md"
    report.write_section(path, section)
    report.write_section(path, "## Other\n\nkept\n")
    report.write_section(path, section.replace("42.0", "43.0"))
    text = path.read_text()
    assert text.startswith("# Performance")
    assert text.count("## 20 calls") == 1 and "| 43.0" in text and "| 42.0" not in text
    assert "## Other\n\nkept\n" in text
