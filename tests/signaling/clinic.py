"""The real application with a media port of its own, and pages that are played by tests."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient

from sfu import SfuConfig
from signaling import messages
from signaling.app import create_app
from signaling.config import ApiConfig, ClinicConfig, Config, HttpConfig, PathsConfig, Secret
from signaling.first_run import Secrets
from signaling.service.timers import Timers

DESK_CODE = "one-time-code"
API_TOKEN = "the operator's token"
PHONE = "23 00 00 00"
SDP = Path(__file__).parents[1] / "data" / "sdp"
FIRST_OFFER = (SDP / "chromium_page_first.sdp").read_text(encoding="ascii")

Message = TypeVar("Message", bound=messages.ToPage)
Client = TestClient[web.Request, web.Application]


def make_app(
    var: Path, *, timers: Timers | None = None, token: str = API_TOKEN, public_url: str = ""
) -> web.Application:
    config = Config(
        http=HttpConfig(public_url=public_url),
        media=SfuConfig(media_port=0, announced_addresses={"127.0.0.1": "127.0.0.1"}),
        api=ApiConfig(token=Secret(token)),
        clinic=ClinicConfig(phone=PHONE),
        paths=PathsConfig(var=var),
    )
    return create_app(config, secrets=Secrets(session_key=b"k" * 32, desk_code=DESK_CODE), timers=timers)


class Page:
    """A window of a participant, as its module would talk to the server."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()

    async def send(self, message: messages.FromPage) -> None:
        await self.socket.send_str(messages.dump(message))

    async def expect(self, kind: type[Message], **fields: object) -> Message:
        """The next message of this type whose fields are these; others are passed over."""
        async with asyncio.timeout(5):
            while True:
                received = await self.socket.receive()
                assert received.type is WSMsgType.TEXT, f"closed with {self.socket.close_code}, {kind.__name__} awaited"
                message = messages.parse_to_page(received.data)
                if isinstance(message, kind) and all(getattr(message, key) == value for key, value in fields.items()):
                    return message

    async def close_code(self) -> int | None:
        """Why the server closed this window; waits for it."""
        async with asyncio.timeout(5):
            while (received := await self.socket.receive()).type is WSMsgType.TEXT:
                pass
        # The socket's own close_code says 1006 when both sides closed at once.
        return int(received.data) if received.type is WSMsgType.CLOSE else self.socket.close_code


async def enter(client: Client, name: str = "Kari") -> None:
    response = await client.post("/demo", data={"name": name}, headers={"Accept": "application/json"})
    assert response.status == 201, await response.text()


async def sign_in(client: Client) -> None:
    response = await client.post("/demo/desk", data={"code": DESK_CODE}, headers={"Accept": "application/json"})
    assert response.status == 201, await response.text()


async def open_page(client: Client, path: str = "/demo", *, epoch: int | None = None) -> Page:
    page = Page(await client.ws_connect(f"{path}/ws"))
    await page.send(messages.Hello(version=messages.VERSION, epoch=epoch))
    return page


def raw(**fields: Any) -> str:
    return json.dumps(fields)
