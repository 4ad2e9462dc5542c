"""What Python's library lacks or makes slow: sendmmsg, recvmmsg, timerfd, another process' CPU clock.

Datagrams live in buffers that libsrtp works on in place, so that a packet costs no Python object of its own.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path
from typing import Any

import cffi
from pylibsrtp import _binding

BUFFER_BYTES = 2048
BATCH = 32
"datagrams a system call"
_CONTROL_BYTES = 64
_MSG_DONTWAIT = 0x40
_SO_TIMESTAMPNS = 35
_SO_MEMINFO = 55
_MEMINFO_DROPS = 8
_PR_SET_TIMERSLACK = 29
_TFD_NONBLOCK = 0o4000
_TFD_TIMER_ABSTIME = 1

_ffi = cffi.FFI()
_ffi.cdef(
    """
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr {
        void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
        void *msg_control; size_t msg_controllen; int msg_flags;
    };
    struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
    struct timespec { long tv_sec; long tv_nsec; };
    struct itimerspec { struct timespec it_interval; struct timespec it_value; };
    int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
    int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, void *timeout);
    int timerfd_create(int clock, int flags);
    int timerfd_settime(int fd, int flags, const struct itimerspec *value, void *old);
    int prctl(int option, unsigned long value, unsigned long b, unsigned long c, unsigned long d);
    """
)
_libc: Any = _ffi.dlopen(None)


class _Batch:
    def __init__(self, control_bytes: int) -> None:
        ffi = _binding.ffi
        self.pointers: list[Any] = [ffi.new("char[]", BUFFER_BYTES) for _ in range(BATCH)]
        "for libsrtp"
        self.views = [memoryview(ffi.buffer(pointer)) for pointer in self.pointers]
        self._vectors: Any = _ffi.new("struct iovec[]", BATCH)
        self._messages: Any = _ffi.new("struct mmsghdr[]", BATCH)
        self._control: Any = _ffi.new("char[]", BATCH * max(control_bytes, 1))
        for index in range(BATCH):
            address = int(ffi.cast("uintptr_t", self.pointers[index]))
            self._vectors[index].iov_base = _ffi.cast("void *", address)
            self._vectors[index].iov_len = BUFFER_BYTES
            header = self._messages[index].msg_hdr
            header.msg_iov = self._vectors + index
            header.msg_iovlen = 1
            if control_bytes:
                header.msg_control = self._control + index * control_bytes
                header.msg_controllen = control_bytes
        self._headers = [self._messages[index].msg_hdr for index in range(BATCH)]
        self._entries = [self._messages[index] for index in range(BATCH)]
        self._parts = [self._vectors[index] for index in range(BATCH)]


class Outbox(_Batch):
    """Datagrams to one connected socket: fill ``views[i]``, set its length, then ``send``."""

    def __init__(self) -> None:
        super().__init__(0)

    def set_length(self, index: int, length: int) -> None:
        self._parts[index].iov_len = length

    def send(self, descriptor: int, count: int) -> int:
        """Number of datagrams that the kernel took; never blocks."""
        sent: int = _libc.sendmmsg(descriptor, self._messages, count, _MSG_DONTWAIT)
        return max(sent, 0)


class Inbox(_Batch):
    """Datagrams from one connected socket with the kernel's time of arrival."""

    def __init__(self) -> None:
        super().__init__(_CONTROL_BYTES)
        self._control_view = memoryview(_ffi.buffer(self._control))

    def receive(self, descriptor: int) -> int:
        """Number of datagrams now in ``views``; 0 when there was none."""
        for header in self._headers:
            if header.msg_controllen == _CONTROL_BYTES:
                break
            header.msg_controllen = _CONTROL_BYTES
        count: int = _libc.recvmmsg(descriptor, self._messages, BATCH, _MSG_DONTWAIT, _ffi.NULL)
        return max(count, 0)

    def length(self, index: int) -> int:
        return self._entries[index].msg_len  # type: ignore[no-any-return]

    def arrived_ns(self, index: int) -> int:
        """CLOCK_REALTIME at which the kernel received the datagram (SO_TIMESTAMPNS)."""
        seconds, nanoseconds = struct.unpack_from("qq", self._control_view, index * _CONTROL_BYTES + 16)
        return int(seconds) * 1_000_000_000 + int(nanoseconds)


class Timer:
    """A timerfd on CLOCK_MONOTONIC: epoll's own time-out is rounded up to whole milliseconds."""

    def __init__(self) -> None:
        self.descriptor: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_NONBLOCK)
        if self.descriptor < 0:
            raise OSError("timerfd_create failed")
        self._value: Any = _ffi.new("struct itimerspec *")
        self._armed_s = 0.0

    def arm(self, at_s: float) -> None:
        """Readable from this time of CLOCK_MONOTONIC on, until armed for another."""
        if at_s == self._armed_s:
            return
        self._armed_s = at_s
        seconds = int(at_s)
        self._value.it_value.tv_sec = seconds
        self._value.it_value.tv_nsec = int((at_s - seconds) * 1e9) or 1
        _libc.timerfd_settime(self.descriptor, _TFD_TIMER_ABSTIME, self._value, _ffi.NULL)

    def close(self) -> None:
        os.close(self.descriptor)


def sharpen_timers() -> None:
    """Wake within 1 µs of the time asked for instead of the usual 50 µs."""
    _libc.prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0)


def stamp_arrivals(udp: socket.socket) -> None:
    udp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def receive_drops(udp: socket.socket) -> int:
    """Datagrams that this socket lost to a full receive buffer."""
    values = udp.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    return int(struct.unpack_from("I", values, 4 * _MEMINFO_DROPS)[0])


def port_drops(port: int) -> int:
    """The same for every UDP socket bound to a port of this host, whoever owns it."""
    total = 0
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port:
                total += int(fields[-1])
    return total


def cpu_s(pid: int) -> float:
    """CPU time of all threads of a process, user and system, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def core_busy_s(core: int) -> float:
    """Time that a core has spent on anything, to 10 ms: shows who else was running."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            busy = sum(int(value) for index, value in enumerate(ticks[:8]) if index not in (3, 4))
            return busy / os.sysconf("SC_CLK_TCK")
    raise ValueError(f"no core {core}")
