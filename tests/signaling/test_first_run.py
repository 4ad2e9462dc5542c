from __future__ import annotations

import stat
from pathlib import Path

import pytest

from signaling.first_run import demo_api_token, open_secrets, renew_desk_code, write_private


def modes(var: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in var.iterdir()}


def test_first_start_makes_what_the_next_start_reads(tmp_path: Path) -> None:
    var = tmp_path / "state" / "var"
    first, token = open_secrets(var), demo_api_token(var)
    assert (open_secrets(var), demo_api_token(var)) == (first, token)
    assert len(first.session_key) == 32
    assert stat.S_IMODE(var.stat().st_mode) == 0o700
    assert modes(var) == {0o600}


def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    one, other = open_secrets(tmp_path / "one"), open_secrets(tmp_path / "other")
    assert one.session_key != other.session_key
    assert one.desk_code != other.desk_code
    assert demo_api_token(tmp_path / "one") != demo_api_token(tmp_path / "other")


def test_renewing_the_desk_code_keeps_sessions(tmp_path: Path) -> None:
    before = open_secrets(tmp_path)
    renew_desk_code(tmp_path)
    after = open_secrets(tmp_path)
    assert after.desk_code != before.desk_code
    assert after.session_key == before.session_key


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    made = open_secrets(tmp_path)
    assert made.desk_code not in repr(made)
    assert repr(made.session_key) not in repr(made)


@pytest.mark.parametrize("content", ["", "abc\n"])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "session-key").write_text(content)
    with pytest.raises(OSError, match=r"session-key is damaged"):
        open_secrets(tmp_path)


def test_a_file_left_by_a_crash_is_no_obstacle(tmp_path: Path) -> None:
    target = tmp_path / "key"
    write_private(target, b"old")
    target.chmod(0o644)
    write_private(target, b"new")
    assert target.read_bytes() == b"new"
    assert modes(tmp_path) == {0o600}
