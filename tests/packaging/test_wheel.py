"""The wheel alone serves the pages: in an empty environment, outside the checkout, without Node."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import pytest

from signaling.assets import NPM_FILES
from tests.signaling.command import ROOT, read_until, venterom, write_config

pytestmark = pytest.mark.timeout(180)  # downloads every package that the server needs


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", directory)
    (built,) = directory.glob("venterom-*.whl")
    return built


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_carries_every_page_and_npm_file_and_nothing_of_the_checkout(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    web = {f"signaling/_web/{path.relative_to(ROOT / 'web')}" for path in (ROOT / "web").rglob("*.*")}
    assert web <= files
    assert {f"signaling/_npm/{name}" for name in NPM_FILES} <= files
    assert {name.partition("/")[0] for name in files} == {"sfu", "signaling"}


def test_it_serves_a_page_with_its_styles_and_modules(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    pip = (environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--require-hashes", "--requirement", ROOT / "requirements" / "run.txt")
    run(*pip, "--no-deps", "--no-index", wheel)

    command = (environment / "bin" / "venterom", "serve")
    config = write_config(tmp_path)
    with venterom(config, command=command, cwd=tmp_path, env={"PATH": str(environment / "bin")}) as process:
        address = re.search(r"Patient +(http://\S+)\n", read_until(process, "API token"))
        assert address
        with urllib.request.urlopen(address[1]) as answer:
            page = answer.read().decode()
        loaded = re.findall(r"(?:href|src)=\"(/assets/[^\"]+)", page)
        assert any(path.endswith(".css") for path in loaded) and any(path.endswith(".js") for path in loaded)
        for path in loaded:
            with urllib.request.urlopen(urljoin(address[1], path)) as asset:
                assert asset.read()
