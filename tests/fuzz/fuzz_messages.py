"""Messages of the WebSocket, as a page sends them."""

from __future__ import annotations

from signaling import messages
from signaling.errors import ProtocolError
from tests.fuzz.targets import register


def fuzz_messages(data: bytes) -> None:
    try:
        message = messages.parse(data.decode("utf-8", "replace"))
    except ProtocolError as error:
        assert error.code
        return
    assert messages.parse(messages.dump(message)) == message


SEEDS = (
    b'{"type":"hello","version":1,"epoch":null}',
    b'{"type":"offer","epoch":1,"id":2,"revision":3,"sdp":"v=0\\r\\n"}',
    b'{"type":"source","epoch":1,"kind":"video","live":false}',
    b'{"type":"ring","visit":"0123456789abcdef01"}',
    b'{"type":"leave"}',
)

register("messages", fuzz_messages, SEEDS)
