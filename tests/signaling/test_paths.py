"""The checkout's side; tests/packaging proves the wheel's."""

from __future__ import annotations

from signaling.paths import NPM_PACKAGES, npm_asset_root, web_root


def test_a_checkout_serves_its_own_pages() -> None:
    assert (web_root() / "templates").is_dir()


def test_each_npm_package_is_installed() -> None:
    assert [name for name in NPM_PACKAGES if not (npm_asset_root() / "@digdir" / name).is_dir()] == []
