"""No file speaks of the machine that it was written on: neither its paths nor its registries."""

from __future__ import annotations

import re

from tests.architecture.tree import ROOT, tracked_files

# Pieced together, so that this file passes its own test.
DIRECTORIES = ("home/", "root/", "work/", "tmp/", "mnt/", "Users/")
HOSTS = (
    "registry." + "npmjs",
    "pypi." + "org",
    "files." + "pythonhosted",
    "crates." + "io",
    "deb." + "debian",
)
MACHINE = re.compile(
    r"(?<![\w.$})/-])/(" + "|".join(DIRECTORIES) + r")\w" + "|" + "|".join(re.escape(host) for host in HOSTS)
)


def test_pattern_finds_what_it_is_for() -> None:
    assert all(MACHINE.search(f'path = "/{directory}x"') for directory in DIRECTORIES)
    assert all(MACHINE.search(f"https://{host}") for host in HOSTS)
    assert not MACHINE.search("web/home/page.html and ${ROOT}/tmp/x and https://example.org/home/x")


def test_no_tracked_file_names_a_machine() -> None:
    found = []
    for path in tracked_files():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # pictures
        found += [f"{path}:{n}: {line.strip()}" for n, line in enumerate(text.splitlines(), 1) if MACHINE.search(line)]
    assert found == []
