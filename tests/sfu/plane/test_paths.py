"""Which path a transport uses: only authenticated checks create or move it (DESIGN §5)."""

from __future__ import annotations

import pytest

from sfu.core.drop import DropReason
from sfu.core.media import Kind
from sfu.plane.paths import MAX_UNKNOWN_CHECKS_PER_S
from sfu.plane.seam import PathProtocol, PathState
from sfu.plane.state import MAX_CREDENTIALS, MAX_PATHS
from tests.peer import ice
from tests.peer.endpoint import Endpoint
from tests.peer.virtual import VirtualPeer, VirtualPlane

DTLS = bytes((22, 254, 253)) + bytes(10)


class Stranger(Endpoint):
    """Another socket of the same browser, or somebody else's."""

    def __init__(self, lab: VirtualPlane) -> None:
        super().__init__()
        self.connect(lab.address)
        self.lab = lab
        lab.peers.append(self)  # type: ignore[arg-type]

    def ask(self, datagram: bytes) -> None:
        self.send(datagram)
        self.lab.settle()


def use(peer: VirtualPeer, socket: Endpoint) -> None:
    """The peer sends from this socket from now on; what it receives there is read with its keys."""
    socket.srtp_in, socket.srtp_out = peer.srtp_in, peer.srtp_out


@pytest.fixture
def peer(lab: VirtualPlane) -> VirtualPeer:
    return lab.add_peer(connected=False)


@pytest.fixture
def other(lab: VirtualPlane) -> Stranger:
    return Stranger(lab)


def send_dtls(lab: VirtualPlane, peer: VirtualPeer) -> None:
    lab.plane.send_dtls(peer.transport, DTLS)
    lab.settle()


# Who may create a path


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"pwd": "not the password"}, DropReason.STUN_BAD_INTEGRITY),
        ({"with_integrity": False}, DropReason.STUN_BAD_INTEGRITY),
    ],
)
def test_a_check_without_valid_integrity_changes_nothing(
    lab: VirtualPlane, peer: VirtualPeer, wrong: dict[str, object], reason: DropReason
) -> None:
    peer.send(ice.check(peer.credentials, **wrong))  # type: ignore[arg-type]
    lab.settle()
    peer.send(DTLS)
    lab.settle()
    assert peer.stun == [] and lab.listener.paths == [] and lab.listener.dtls == []
    assert peer.drops == {reason: 1}
    assert lab.drops == {DropReason.UNKNOWN_ADDRESS: 1}


def test_a_check_for_nobody_is_not_answered(lab: VirtualPlane, other: Stranger) -> None:
    other.ask(ice.check(ice.new_credentials()))
    assert other.stun == []
    assert lab.drops == {DropReason.STUN_UNKNOWN_UFRAG: 1}


def test_data_from_an_address_that_was_not_validated_is_dropped(
    lab: VirtualPlane, peer: VirtualPeer, other: Stranger
) -> None:
    peer.check()
    for datagram in (DTLS, b"\x80\x60" + bytes(40), b"\x80\xc9" + bytes(40), b"\xff" * 40):
        other.ask(datagram)
    assert lab.drops == {DropReason.UNKNOWN_ADDRESS: 4}
    assert lab.listener.dtls == [] and peer.drops == {}


def test_a_flood_of_wrong_checks_is_limited_and_the_running_path_is_not(
    lab: VirtualPlane, peer: VirtualPeer, other: Stranger
) -> None:
    peer.check()
    for _ in range(MAX_UNKNOWN_CHECKS_PER_S + 50):
        other.ask(ice.check(peer.credentials, pwd="guess"))
    assert peer.drops == {
        DropReason.STUN_BAD_INTEGRITY: MAX_UNKNOWN_CHECKS_PER_S - 1,
        DropReason.STUN_RATE_LIMITED: 51,
    }
    assert peer.check()
    assert not lab.plane._transports[peer.transport].paths[1:]
    lab.advance(1.1)
    other.ask(asked := ice.check(peer.credentials))
    assert other.accepts(asked, peer.credentials), "in the next second there is a budget again"


def test_the_answer_leaves_from_the_socket_that_was_asked(lab: VirtualPlane, peer: VirtualPeer) -> None:
    port = lab.open_port()
    peer.check()
    peer.connect(port.socket.getsockname())
    asked = ice.check(peer.credentials)
    peer.socket.sendto(asked, peer.server)
    port._drain()
    answer, source = peer.socket.recvfrom(2048)
    assert source == port.socket.getsockname()
    assert ice.accepted(asked, answer, peer.credentials.pwd)
    lab.plane.send_dtls(peer.transport, DTLS)
    assert peer.socket.recvfrom(2048) == (DTLS, port.socket.getsockname())


# Which pair is used


def test_before_nomination_the_pair_that_last_carried_dtls_is_answered(
    lab: VirtualPlane, peer: VirtualPeer, other: Stranger
) -> None:
    peer.check(nominate=False)
    other.ask(ice.check(peer.credentials, nominate=False))
    send_dtls(lab, peer)
    assert (len(peer.dtls), len(other.dtls)) == (1, 0), "the first valid pair, until one has carried DTLS"
    other.ask(DTLS)
    send_dtls(lab, peer)
    assert (len(peer.dtls), len(other.dtls)) == (1, 1)
    peer.send(DTLS)
    lab.settle()
    send_dtls(lab, peer)
    assert (len(peer.dtls), len(other.dtls)) == (2, 1)
    assert {event.nominated for event in lab.listener.paths} == {False}


def test_after_nomination_only_another_nomination_moves_the_path(
    lab: VirtualPlane, peer: VirtualPeer, other: Stranger
) -> None:
    peer.check()
    events = len(lab.listener.paths)
    other.ask(ice.check(peer.credentials, nominate=False))
    other.ask(DTLS)
    send_dtls(lab, peer)
    assert (len(peer.dtls), len(other.dtls)) == (1, 0)
    assert len(lab.listener.paths) == events
    other.ask(ice.check(peer.credentials))
    send_dtls(lab, peer)
    assert (len(peer.dtls), len(other.dtls)) == (1, 1)
    event = lab.listener.paths[-1]
    assert (event.state, event.protocol, event.nominated) == (PathState.CONNECTED, PathProtocol.UDP, True)


def test_repeated_nominations_are_told_once(lab: VirtualPlane, peer: VirtualPeer) -> None:
    for _ in range(5):
        peer.check()
    assert len(lab.listener.paths) == 1


def test_media_follows_the_nominated_path(lab: VirtualPlane, other: Stranger) -> None:
    publisher, subscriber = lab.add_peer(), lab.add_peer()
    lab.add_forward(lab.add_stream(publisher, Kind.AUDIO), subscriber)
    source = publisher.audio()
    use(subscriber, other)
    other.ask(ice.check(subscriber.credentials))
    publisher.say(source.packet(b"after"))
    assert (subscriber.rtp, [p.payload for p in other.rtp]) == ([], [b"after"])
    use(publisher, roaming := Stranger(lab))
    roaming.send_rtp(source.packet(b"too early"))
    lab.settle()
    assert lab.drops == {DropReason.UNKNOWN_ADDRESS: 1}
    roaming.ask(ice.check(publisher.credentials, nominate=False))
    roaming.send_rtp(source.packet(b"validated"))
    lab.settle()
    assert [p.payload for p in other.rtp] == [b"after", b"validated"]


def test_paths_are_bounded_and_the_selected_one_stays(lab: VirtualPlane, peer: VirtualPeer) -> None:
    peer.check()
    for _ in range(MAX_PATHS + 5):
        lab.now += 0.1
        Stranger(lab).ask(ice.check(peer.credentials, nominate=False))
    transport = lab.plane._transports[peer.transport]
    assert len(transport.paths) == MAX_PATHS == len(lab.port.paths)
    peer.send(DTLS)
    lab.settle()
    assert lab.listener.dtls == [(peer.transport, DTLS)]


def test_a_port_that_the_browser_uses_again_belongs_to_whom_it_authenticates_for(
    lab: VirtualPlane, peer: VirtualPeer
) -> None:
    peer.check()
    second = lab.add_peer(connected=False)
    peer.send(ice.check(second.credentials))
    lab.settle()
    peer.send(DTLS)
    lab.settle()
    assert lab.listener.dtls == [(second.transport, DTLS)]


def test_removed_transports_leave_no_path(lab: VirtualPlane, peer: VirtualPeer) -> None:
    peer.check()
    lab.plane.remove_transport(peer.transport)
    peer.send(DTLS)
    assert not peer.check()
    assert lab.port.paths == {}
    assert lab.drops == {DropReason.UNKNOWN_ADDRESS: 1, DropReason.STUN_UNKNOWN_UFRAG: 1}


# ICE restart


def test_both_ufrags_are_accepted_until_the_new_path_is_nominated(
    lab: VirtualPlane, peer: VirtualPeer, other: Stranger
) -> None:
    peer.check()
    renewed = ice.new_credentials()
    lab.plane.restart_ice(peer.transport, renewed)
    assert peer.check(), "the old path lives"
    other.ask(asked := ice.check(renewed, nominate=False))
    assert other.accepts(asked, renewed)
    send_dtls(lab, peer)
    assert (len(peer.dtls), len(other.dtls)) == (1, 0), "media stays where it is"
    other.ask(ice.check(renewed))
    send_dtls(lab, peer)
    assert (len(peer.dtls), len(other.dtls)) == (1, 1)
    peer.stun.clear()
    assert not peer.check(), "the old credentials are worthless"
    assert lab.drops[DropReason.STUN_UNKNOWN_UFRAG] == 1
    peer.send(DTLS)
    lab.settle()
    assert lab.drops[DropReason.UNKNOWN_ADDRESS] == 1, "and so is the old path"


def test_a_restart_on_the_same_socket_goes_on(lab: VirtualPlane, peer: VirtualPeer) -> None:
    peer.check()
    renewed = ice.new_credentials()
    lab.plane.restart_ice(peer.transport, renewed)
    assert peer.check(credentials=renewed, nominate=False)
    assert peer.check()
    assert peer.check(credentials=renewed)
    assert not peer.check()
    peer.send(DTLS)
    lab.settle()
    assert lab.listener.dtls == [(peer.transport, DTLS)]


def test_a_restart_that_another_overtook_is_forgotten(lab: VirtualPlane, peer: VirtualPeer) -> None:
    peer.check()
    renewed = [ice.new_credentials() for _ in range(5)]
    for credentials in renewed:
        lab.plane.restart_ice(peer.transport, credentials)
    answered = [peer.check(credentials=credentials, nominate=False) for credentials in renewed]
    assert answered == [False, False, False, True, True]
    assert len(lab.plane._transports[peer.transport].credentials) == MAX_CREDENTIALS
    assert peer.check(), "the running path stays"
    assert peer.check(credentials=renewed[-1])
    assert not peer.check(credentials=renewed[-2])
    assert len(lab.plane._paths._by_ufrag) == 1
