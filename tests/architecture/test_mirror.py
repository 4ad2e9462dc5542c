"""Each module has a test module at the mirrored place."""

from __future__ import annotations

from pathlib import Path

from tests.architecture.tree import ROOT, modules

UNTESTED = {
    Path("sfu/core/drop.py"): "names only",
    Path("sfu/core/media.py"): "types only",
    Path("sfu/core/rtcp_packets.py"): "types only",
    Path("sfu/sdp/errors.py"): "types only",
    Path("sfu/plane/seam.py"): "interface only; its contract tests are tests/sfu/plane/test_python_plane.py",
}


def mirror(module: Path) -> Path:
    return Path("tests", module.with_name(f"test_{module.stem.strip('_')}.py"))


def test_each_module_has_its_test_module() -> None:
    missing = {
        str(module): str(mirror(module))
        for module in modules()
        if module.name != "__init__.py" and module not in UNTESTED and not (ROOT / mirror(module)).is_file()
    }
    assert missing == {}


def test_the_exceptions_are_still_needed() -> None:
    assert [str(module) for module in UNTESTED if module not in modules() or (ROOT / mirror(module)).is_file()] == []
