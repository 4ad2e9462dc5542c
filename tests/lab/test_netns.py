"""Namespaces separate, hold what is made in them, and leave nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from tests.lab.netns import LabUnavailable, Namespace, require_command, require_privilege

pytestmark = pytest.mark.network


@pytest.fixture(scope="module", autouse=True)
def privilege() -> None:
    require_privilege()


def test_a_socket_belongs_to_the_namespace_it_was_made_in() -> None:
    namespace = Namespace("inner")
    namespace.add_nic("10.96.0.1/24", "fd96::1/64", gateway="10.96.0.254")
    with namespace.entered(), socket.create_server(("10.96.0.1", 0)) as inner:
        port = inner.getsockname()[1]
        with socket.create_connection(("10.96.0.1", port), timeout=2):
            pass
    with pytest.raises(OSError), socket.socket() as outer:
        outer.bind(("10.96.0.1", 0))
    namespace.close()


def test_the_thread_returns_to_where_it_was_even_after_an_error() -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    namespace = Namespace("inner")
    with pytest.raises(ZeroDivisionError), namespace.entered():
        assert os.readlink("/proc/thread-self/ns/net") != before
        1 / 0  # noqa: B018 - the error is the point
    assert os.readlink("/proc/thread-self/ns/net") == before
    namespace.close()


def test_ipv6_is_usable_at_once() -> None:
    namespace = Namespace("inner")
    namespace.add_nic("fd96::1/64")
    with namespace.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.bind(("fd96::1", 0))
    namespace.close()


def test_nothing_is_left_when_the_owner_is_killed() -> None:
    """The owner kills itself; the namespace's number is then held by no process."""
    script = (
        "import os, signal; from tests.lab.netns import *; require_privilege(); n = Namespace('x')\n"
        "with n.entered(): print(os.readlink('/proc/thread-self/ns/net'), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=10, check=False)
    inode = made.stdout.strip()
    assert inode.startswith("net:[")
    held = subprocess.run(["lsns", "-t", "net", "-n", "-o", "NS"], capture_output=True, text=True, check=True)
    assert inode[5:-1] not in held.stdout.split()


def test_a_command_that_fails_says_why_in_one_line() -> None:
    namespace = Namespace("inner")
    with pytest.raises(LabUnavailable, match="nosuch") as caught:
        namespace.ip("link set nosuch up")
    assert "Cannot find device" in str(caught.value)
    namespace.close()


def test_a_missing_program_names_its_package() -> None:
    with pytest.raises(LabUnavailable, match="apt-get install no-package"):
        require_command("no-such-program", "no-package")
