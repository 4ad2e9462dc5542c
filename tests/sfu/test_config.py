from __future__ import annotations

from typing import Any

import pytest

from sfu.config import SfuConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"media_port": 65_536},
        {"announced_addresses": {"10.0.0.5": "example.org"}},
        {"video_codecs": ()},
        {"video_codecs": ("VP8", "H265")},
        {"dtls_handshake_timeout_s": 0.0},
        {"max_peers_per_room": 0},
        {"max_rooms": 0},
    ],
    ids=str,
)
def test_a_value_out_of_range_is_refused_by_its_field(wrong: dict[str, Any]) -> None:
    (field,) = wrong
    with pytest.raises(ValueError, match=f"^{field} must"):
        SfuConfig(**wrong)
