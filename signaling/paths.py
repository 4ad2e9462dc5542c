"""Where pages and npm assets lie: beside the packages in a checkout, inside this package in a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent

NPM_PACKAGES = ("designsystemet-css", "designsystemet-theme", "designsystemet-web")


def web_root() -> Path:
    """The directory with templates, modules, styles and translations."""
    checkout = CHECKOUT / "web"
    return checkout if checkout.is_dir() else PACKAGE / "_web"


def npm_asset_root() -> Path:
    """The directory that holds ``@digdir/<package>``, of the packages that pages may load files from."""
    checkout = CHECKOUT / "node_modules"
    return checkout if checkout.is_dir() else PACKAGE / "_npm"
