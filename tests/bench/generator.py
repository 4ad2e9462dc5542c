"""The generator process: one scenario as JSON on stdin, its result as JSON on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench import kernel
from tests.bench.client import Client, ClientOptions
from tests.bench.control import ControlSocket, Signaling, WhipWhep
from tests.bench.engine import Engine
from tests.bench.figures import delay_summary_ms
from tests.bench.srtp import Identity
from tests.bench.timetable import Pacing

DRAIN_S = 1.5
"after the last packet: longer than all NACK attempts"
WARM_PEERS = 20
"connected before a peer's cost is measured, so that what is made once does not count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What to play, and against which server."""

    server_pid: int
    server_port: int = 0
    "0: unknown; otherwise the kernel's drops at this port are counted"
    server_core: int = 0
    control_path: str = ""
    url: str = ""
    token: str = ""
    calls: int = 1
    seconds: float = 10.0
    warmup_s: float = 8.0
    "until the SFU's packet histories are full"
    pacing: Pacing = Pacing.FRAME
    bare: bool = False
    loss: float = 0.005
    "share of received video packets treated as lost"
    eager: bool = False
    "let each arriving packet wake the generator"
    peers: int = 0
    "above 0: no media; measure so many new and then idle peers"

    def options(self) -> ClientOptions:
        lossless = self.bare or not self.loss
        return ClientOptions(bare=self.bare, drop_every=0 if lossless else round(1 / self.loss))


@dataclass(frozen=True, slots=True)
class Edge:
    """Everything that is counted, at one end of the measured time."""

    at: float
    server_cpu_s: float
    own_cpu_s: float
    core_busy_s: float
    sent: int
    received: int
    retransmitted: int

    @classmethod
    def now(cls, scenario: Scenario, clients: Sequence[Client]) -> Edge:
        streams = [stream for client in clients for stream in client.incoming.values()]
        return cls(
            at=time.monotonic(),
            server_cpu_s=kernel.cpu_s(scenario.server_pid),
            own_cpu_s=time.process_time(),
            core_busy_s=kernel.core_busy_s(scenario.server_core),
            sent=sum(stream.number for client in clients for stream in client.outgoing.values()),
            # Dropped on purpose or not, the SFU received and sent it.
            received=sum(stream.received + stream.simulated for stream in streams),
            retransmitted=sum(stream.repaired for stream in streams),
        )


def play_calls(scenario: Scenario, signaling: Signaling, engine: Engine) -> dict[str, Any]:
    identity = Identity()
    for call in range(scenario.calls):
        signaling.place_call(f"bench-{call}", identity, scenario.options(), engine.add)
        engine.run(0)
    clients = list(engine.clients.values())
    engine.start_media(scenario.pacing)
    engine.run(scenario.warmup_s)
    engine.is_measuring = True
    port_drops = kernel.port_drops(scenario.server_port)
    rss_before = kernel.resident_bytes(scenario.server_pid)
    before = Edge.now(scenario, clients)
    engine.run(scenario.seconds)
    after = Edge.now(scenario, clients)
    engine.is_measuring = False
    rss = kernel.resident_bytes(scenario.server_pid)
    engine.stop_media()
    engine.run(DRAIN_S)
    result = _cost(before, after)
    result |= {
        "rss_bytes": rss,
        "rss_growth_bytes": rss - rss_before,
        "delay_ms": delay_summary_ms(value for client in clients for value in client.delays_ns),
        "delay_samples": sum(len(client.delays_ns) for client in clients),
        "loss": _loss(clients) | {"server_socket": kernel.port_drops(scenario.server_port) - port_drops},
        "rtcp_received": dict(sum((Counter(client.received.rtcp) for client in clients), Counter())),
        "lowest_remb_bps": min((client.received.lowest_remb_bps for client in clients), default=0),
        "lateness_ms": delay_summary_ms(engine.lateness_ns),
        "srtp_profile": clients[0].dtls.profile,
    }
    return result


def _cost(before: Edge, after: Edge) -> dict[str, Any]:
    seconds = after.at - before.at
    cpu_s = after.server_cpu_s - before.server_cpu_s
    received = after.received - before.received
    foreign = (after.core_busy_s - before.core_busy_s) - cpu_s
    return {
        "seconds": round(seconds, 3),
        "sent_per_s": round((after.sent - before.sent) / seconds, 1),
        "forwarded_per_s": round(received / seconds, 1),
        "retransmitted": after.retransmitted - before.retransmitted,
        "cpu_us_per_packet": round(cpu_s * 1e6 / received, 2) if received else 0.0,
        "server_share": round(cpu_s / seconds, 4),
        "generator_share": round((after.own_cpu_s - before.own_cpu_s) / seconds, 4),
        "foreign_share": round(max(foreign, 0.0) / seconds, 4),
    }


def _loss(clients: Sequence[Client]) -> dict[str, int]:
    """Over the whole time of media, warm-up and drain included."""
    streams = [stream for client in clients for stream in client.incoming.values()]
    silent = [stream for stream in streams if stream.first < 0]
    publishers = {client.name: client for client in clients}
    return {
        "simulated": sum(stream.simulated for stream in streams),
        "repaired": sum(stream.repaired for stream in streams),
        "lost": sum(stream.lost + stream.waiting for stream in streams),
        "unasked_gaps": sum(stream.gaps for stream in streams),
        "swallowed": sum(stream.swallowed for stream in streams),
        "tail": sum(_tail(client, publishers) for client in clients),
        "duplicates": sum(stream.duplicates for stream in streams),
        "spurious_retransmissions": sum(stream.spurious for stream in streams),
        "silent_streams": len(silent),
        "undecryptable": sum(client.received.undecryptable for client in clients),
        "foreign": sum(client.received.foreign for client in clients),
        "client_sockets": sum(kernel.receive_drops(client.socket) for client in clients),
        "send_failures": sum(client.received.send_failures for client in clients),
        "unanswered_checks": sum(client.checks.sent - client.checks.answered for client in clients),
        "closed_by_server": sum(client.dtls.is_closed for client in clients),
    }


def _tail(client: Client, publishers: Mapping[str, Client]) -> int:
    """Packets that its publisher sent last and that never came; no later one opens their gap."""
    publisher = publishers.get(client.plays)
    if publisher is None:
        return 0
    last = {stream.kind: stream.number for stream in publisher.outgoing.values()}
    heard = [stream for stream in client.incoming.values() if stream.first >= 0]
    return sum(max(last[stream.kind] - stream.last_number, 0) for stream in heard)


def probe_peers(scenario: Scenario, control: ControlSocket, engine: Engine) -> dict[str, Any]:
    """What a new peer costs, and then an idle one: two in a room, connected, nothing published."""
    identity = Identity()
    _join(control, engine, identity, scenario, range(WARM_PEERS))
    control.request("settle")
    memory, cpu_s, start = _usage(scenario)
    _join(control, engine, identity, scenario, range(WARM_PEERS, WARM_PEERS + scenario.peers))
    connected_memory, connected_cpu_s, connected = _usage(scenario)
    engine.run(5)
    control.request("settle")
    settled_memory, idle_from_cpu_s, idle_from = _usage(scenario)
    engine.run(scenario.seconds)
    _memory, idle_to_cpu_s, idle_to = _usage(scenario)
    everybody = scenario.peers + WARM_PEERS
    checks = [client.checks for client in engine.clients.values()]
    return {
        "peers": scenario.peers,
        "cpu_ms_per_new_peer": round((connected_cpu_s - cpu_s) * 1e3 / scenario.peers, 3),
        "new_peers_per_s": round(scenario.peers / (connected - start), 1),
        "kb_per_peer_connected": round((connected_memory - memory) / scenario.peers / 1024, 1),
        "kb_per_idle_peer": round((settled_memory - memory) / scenario.peers / 1024, 1),
        "cpu_share_per_idle_peer": (idle_to_cpu_s - idle_from_cpu_s) / (idle_to - idle_from) / everybody,
        "unanswered_checks": sum(item.sent - item.answered for item in checks),
        "closed_by_server": sum(client.dtls.is_closed for client in engine.clients.values()),
    }


def _usage(scenario: Scenario) -> tuple[int, float, float]:
    pid = scenario.server_pid
    return kernel.resident_bytes(pid), kernel.cpu_s(pid), time.monotonic()


def _join(control: ControlSocket, engine: Engine, identity: Identity, scenario: Scenario, numbers: range) -> None:
    # No media flows, so that nothing is ever published under the offered m-lines.
    for number in numbers:
        room = f"idle-{number // 2}"
        control.join(room, f"{room}/{number % 2}", identity, scenario.options(), engine.add)
        engine.run(0)


def main() -> None:
    fields = json.loads(sys.stdin.readline())
    scenario = Scenario(**fields | {"pacing": Pacing(fields.get("pacing", Pacing.FRAME))})
    kernel.sharpen_timers()
    engine = Engine(eager=scenario.eager)
    signaling: Signaling
    if scenario.control_path:
        control = signaling = ControlSocket(scenario.control_path)
        if scenario.peers:
            result = probe_peers(scenario, control, engine)
        else:
            result = play_calls(scenario, signaling, engine)
    else:
        signaling = WhipWhep(scenario.url, scenario.token)
        result = play_calls(scenario, signaling, engine)
    engine.close()
    signaling.close()
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
