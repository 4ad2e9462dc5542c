"""Each module can be imported first, and silently: no circular import hides behind the order of others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, modules

# Foreign packages are loaded once; each of our modules is then imported in a fork that has seen none of ours.
IMPORT_EACH_ALONE = """
import importlib, os, sys, traceback
import aiohttp.web, babel, cryptography.x509, jinja2, aiortc, ifaddr, pyee.asyncio, segno
for name in sys.argv[1:]:
    if os.fork() == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            print(name, traceback.format_exc(), sep=": ", flush=True)
        os._exit(0)
    os.wait()
"""


def name(module: Path) -> str:
    parts = module.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.timeout(60)
def test_each_module_imports_alone_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_EACH_ALONE, *map(name, modules())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
