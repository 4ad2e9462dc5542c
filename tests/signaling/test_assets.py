from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from signaling import assets, paths
from signaling.assets import AssetsMissing


@pytest.fixture(scope="module")
def loaded() -> assets.Assets:
    return assets.load(paths.web_root(), paths.npm_asset_root())


def test_everything_a_page_or_a_module_refers_to_is_there(loaded: assets.Assets) -> None:
    root = paths.web_root()
    for template in (root / "templates").glob("*.html"):
        for path in re.findall(r"asset\('([^']+)'\)", template.read_text(encoding="utf-8")):
            assert loaded.url(path)
    for module in (root / "js").glob("*.js"):
        for path in re.findall(r'from "\./([^"]+)"', module.read_text(encoding="utf-8")):
            assert loaded.get(f"js/{path}") is not None, f"{module.name} imports {path}"


def test_the_gzipped_form_is_the_same_file(loaded: assets.Assets) -> None:
    asset = loaded.get("js/protocol.js")
    assert asset is not None and gzip.decompress(asset.gzipped) == asset.plain


def test_the_version_changes_with_any_content() -> None:
    one = assets.Asset(content_type="text/css", plain=b"a", gzipped=b"")
    other = assets.Asset(content_type="text/css", plain=b"b", gzipped=b"")
    versions = {assets.Assets(files).version for files in ({"x": one}, {"x": other}, {"y": one})}
    assert len(versions) == 3


def test_missing_npm_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissing, match=r"designsystemet-css.*npm ci"):
        assets.load(paths.web_root(), tmp_path)


def test_nothing_outside_the_folders_is_served(loaded: assets.Assets) -> None:
    for path in ("templates/base.html", "i18n/nb/LC_MESSAGES/messages.po", "../pyproject.toml", "tsconfig.json"):
        assert loaded.get(path) is None
