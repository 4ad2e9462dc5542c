"""Offers, and the answers to them."""

from __future__ import annotations

from tests.fuzz.targets import MAX_INPUT_BYTES, register
from tests.sfu.sdp.recorded import NAMES, read_and_answer, recorded

SEEDS = [recorded(name).encode() for name in NAMES]

register("sdp", read_and_answer, [seed for seed in SEEDS if len(seed) <= MAX_INPUT_BYTES])
