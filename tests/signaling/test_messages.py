from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import messages
from signaling.errors import CloseCode, ProtocolError

PROTOCOL_JS = Path(__file__).parents[2] / "web" / "js" / "protocol.js"
PROTOCOL_MD = Path(__file__).parents[2] / "docs" / "protocol.md"

EXAMPLES: list[messages.FromPage] = [
    messages.Hello(version=1, epoch=None),
    messages.Ping(),
    messages.Offer(epoch=1, id=2, revision=3, sdp="v=0\r\n"),
    messages.Applied(epoch=1, id=2),
    messages.Source(epoch=1, kind=messages.MediaKind.VIDEO, live=False),
    messages.Candidate(epoch=1, candidate=""),
    messages.Rejoin(epoch=4),
    messages.Ring(visit="v"),
    messages.Cancel(call="c"),
    messages.Accept(call="c"),
    messages.Decline(call="c"),
    messages.HangUp(call="c"),
    messages.InviteGuest(call="c"),
    messages.Leave(),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_page_s_message_is_read_back(message: messages.FromPage) -> None:
    assert messages.parse(messages.dump(message)) == message


def test_there_is_an_example_of_each() -> None:
    assert {type(message) for message in EXAMPLES} == set(messages.FROM_PAGE.values())


def test_an_answer_is_read_back_by_clients_in_python() -> None:
    publication = messages.Publication(peer="p", kind=messages.MediaKind.AUDIO, id="7")
    answer = messages.Answer(epoch=1, id=1, sdp="v=0", publications={"0": publication})
    assert messages.parse_to_page(messages.dump(answer)) == answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not_json"),
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ('{"type":"ping","x":NaN}', "not_json"),
        ("1" * 10_000, "not_json"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ("{}", "unknown_type"),
        ('{"type":["ping"]}', "unknown_type"),
        ('{"type":"welcome","version":1,"role":"patient","participant":"x"}', "unknown_type"),
        ('{"type":"ping","extra":1}', "unknown_field"),
        ('{"type":"ring"}', "missing_field"),
        ('{"type":"ring","visit":""}', "too_short"),
        (json.dumps({"type": "ring", "visit": "x" * 65}), "too_long"),
        (json.dumps({"type": "offer", "epoch": 1, "id": 1, "revision": 1, "sdp": "x" * 64_001}), "too_long"),
    ],
)
def test_garbage_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        messages.parse(text)
    assert (caught.value.code, caught.value.close_code) == (code, CloseCode.BAD_MESSAGE)


def test_megabytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(ProtocolError) as caught:
        messages.parse('"' + "x" * messages.MAX_MESSAGE_BYTES + '"')
    assert caught.value.close_code is CloseCode.MESSAGE_TOO_BIG


def test_another_version_has_a_close_code_of_its_own() -> None:
    with pytest.raises(ProtocolError) as caught:
        messages.parse('{"type":"hello","version":2,"epoch":null}')
    assert caught.value.close_code is CloseCode.WRONG_VERSION


@given(st.text(max_size=200))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        messages.parse(text)


def test_the_largest_offer_fits_into_a_message() -> None:
    offer = messages.Offer(epoch=1, id=1, revision=1, sdp="a\n" * (messages.MAX_SDP_CHARS // 2))
    assert len(messages.dump(offer)) <= messages.MAX_MESSAGE_BYTES


def test_the_page_s_module_knows_each_message_and_no_other() -> None:
    """Field by field: what protocol.js declares for a message is what the dataclass has."""
    declared = dict(re.findall(r'\{type: "(\w+)"((?:, [^}]*|))\}', PROTOCOL_JS.read_text(encoding="utf-8")))
    for name, cls in messages.TO_PAGE.items():
        fields = set(re.findall(r"(\w+):", declared[name].split("Record<")[0]))
        fields |= {"publications"} if "Record<" in declared[name] else set()
        assert fields == {field.name for field in dataclasses.fields(cls)}, name


def test_the_document_names_each_message_and_each_close_code() -> None:
    text = PROTOCOL_MD.read_text(encoding="utf-8")
    assert [name for name in (*messages.FROM_PAGE, *messages.TO_PAGE) if f"`{name}`" not in text] == []
    assert [code.value for code in CloseCode if f"| {code.value} |" not in text] == []
