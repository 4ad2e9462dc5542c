"""Where pages and npm assets lie: beside the packages in a checkout, inside this package in a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent


def web_root() -> Path:
    """The directory with templates, modules, styles and translations."""
    checkout = CHECKOUT / "web"
    return checkout if checkout.is_dir() else PACKAGE / "_web"


def npm_asset_root() -> Path:
    """The directory that holds npm packages under their names; a wheel has only the files that pages load."""
    checkout = CHECKOUT / "node_modules"
    return checkout if checkout.is_dir() else PACKAGE / "_npm"
