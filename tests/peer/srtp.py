"""SRTP of a test's peer, by libsrtp; packets of any size, and statuses by number."""

from __future__ import annotations

from typing import Any

from pylibsrtp import Policy
from pylibsrtp import _binding as binding

from sfu.plane.seam import SrtpProfile

AUTH_FAILED, REPLAYED, TOO_OLD = 7, 9, 10
_ROOM_BYTES = 148
_ffi: Any = binding.ffi
_lib: Any = binding.lib
_PROFILES = {
    SrtpProfile.AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    SrtpProfile.AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    SrtpProfile.AES128_CM_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}


class SrtpError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Srtp:
    """One direction. A late joiner is a new one with the same key."""

    def __init__(self, profile: SrtpProfile, key: bytes, *, inbound: bool) -> None:
        policy = Policy(
            key=key,
            ssrc_type=Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=_PROFILES[profile],
        )
        policy.window_size = 1024
        policy.allow_repeat_tx = False
        self._policy = policy
        holder = _ffi.new("srtp_t *")
        assert _lib.srtp_create(holder, policy._policy) == 0
        self._holder = _ffi.gc(holder, lambda each: _lib.srtp_dealloc(each[0]))

    def protect(self, packet: bytes) -> bytes:
        return self._run(_lib.srtp_protect, packet)

    def unprotect(self, packet: bytes) -> bytes:
        return self._run(_lib.srtp_unprotect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        return self._run(_lib.srtp_protect_rtcp, packet)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        return self._run(_lib.srtp_unprotect_rtcp, packet)

    def _run(self, function: Any, packet: bytes) -> bytes:
        data = bytearray(packet) + bytes(_ROOM_BYTES)
        length = _ffi.new("int *", len(packet))
        with _ffi.from_buffer("char[]", data) as pointer:
            status = function(self._holder[0], pointer, length)
        if status:
            raise SrtpError(status)
        return bytes(data[: length[0]])
