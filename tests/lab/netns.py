"""Network namespaces that no run can leave behind.

A namespace here has no name under ``/run/netns``: it is a file descriptor, and it vanishes with the last
process that holds it, however that process ended. A look inside while a test runs: ``nsenter -n -t PID``
with any pid in it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
_COMMAND_TIMEOUT_S = 10.0

# os.setns and os.unshare came with Python 3.12.
_libc = ctypes.CDLL(None, use_errno=True)


class LabUnavailable(Exception):
    """This machine cannot run the laboratory; the text is one line that says what is missing."""


def require_privilege() -> None:
    """Make sure that this process may create network namespaces.

    Without root it enters a user namespace of its own, is root in there and leaves the machine's network
    for good. Only a process of one thread may do that.
    """
    if os.geteuid() == 0 and _may_unshare_network():
        return
    uid, gid = os.geteuid(), os.getegid()
    try:
        # Together: from a network namespace that is not ours there would be no way back into it.
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    except OSError as error:
        hint = (
            "other threads run already; start it as: unshare -Urn make test"
            if error.errno == errno.EINVAL
            else f"{error.strerror}; run as root or allow user namespaces"
        )
        raise LabUnavailable(f"network tests need a network namespace: {hint}") from None
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    subprocess.run(
        [require_command("ip", "iproute2"), "link", "set", "lo", "up"], timeout=_COMMAND_TIMEOUT_S, check=True
    )


def require_command(name: str, package: str) -> str:
    """The path of a program of the system, or one line that names the package that has it."""
    path = shutil.which(name, path=_SYSTEM_PATH)
    if path is None:
        raise LabUnavailable(f"{name} is missing: apt-get install {package}")
    return path


class Namespace:
    """A network namespace with ``lo`` up and nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name
        "for messages only"
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _unshare(_CLONE_NEWNET)
            self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _setns(here)
            os.close(here)
        self.ip("link set lo up")

    def close(self) -> None:
        """Let go of it; processes that still run inside keep it alive."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """In this block the calling thread is inside: sockets and processes that it makes belong there.

        A socket stays where it was made. Do not hold the block open across an ``await`` in which others may
        run.
        """
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self._fd)
            yield
        finally:
            _setns(here)
            os.close(here)

    def run(self, command: Sequence[str], *, stdin: str = "") -> str:
        """Run a short program inside and return its output."""
        with self.entered():
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
            )
        if done.returncode != 0:
            raise LabUnavailable(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def ip(self, *commands: str) -> None:
        """Run commands of iproute2, such as ``link set lo up``, in one batch."""
        self.run([require_command("ip", "iproute2"), "-batch", "-"], stdin="\n".join(commands) + "\n")

    def nft(self, ruleset: str) -> None:
        """Load an nftables ruleset."""
        self.run([require_command("nft", "nftables"), "-f", "-"], stdin=ruleset)

    def add_nic(self, *addresses: str, gateway: str = "") -> None:
        """An interface with these addresses whose cable ends nowhere.

        An empty bridge, because kernels without modules have it and lack ``dummy``. ``nodad``: without a
        carrier duplicate address detection never ends. The default route is what browsers gather candidates
        by.
        """
        commands = ["link add nic0 type bridge", "link set nic0 addrgenmode none"]
        commands += [f"addr add {a} dev nic0{' nodad' if ':' in a else ''}" for a in addresses]
        commands += ["link set nic0 up"]
        if gateway:
            commands += [f"route add default via {gateway} dev nic0"]
        self.ip(*commands)

    def open_tun(self, name: str, *, mtu: int) -> int:
        """A TUN device inside; its descriptor carries one IP packet a read or write, whoever holds it."""
        with self.entered():
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        self.ip(f"link set {name} addrgenmode none", f"link set {name} mtu {mtu} up")
        return fd


def _may_unshare_network() -> bool:
    try:
        Namespace("probe").close()
    except OSError:
        return False
    return True


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _setns(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
