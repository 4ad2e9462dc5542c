"""The checkout's side; tests/packaging proves the wheel's."""

from __future__ import annotations

from signaling.paths import CHECKOUT, npm_asset_root, web_root


def test_a_checkout_serves_its_own_pages() -> None:
    assert web_root() == CHECKOUT / "web"
    assert (web_root() / "templates").is_dir()


def test_a_checkout_serves_what_npm_installed() -> None:
    assert npm_asset_root() == CHECKOUT / "node_modules"
    assert (npm_asset_root() / "@digdir").is_dir()
