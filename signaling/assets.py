"""Everything that pages load: our modules, styles and pictures, and the few npm files, all in memory.

Their address holds a hash of them all, so that a browser may keep them for ever and modules may import one
another by relative address.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONTENT_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FOLDERS: Final = ("css", "js", "img")
NPM_FILES: Final = (
    "@digdir/designsystemet-css/dist/src/index.css",
    "@digdir/designsystemet-theme/src/themes/designsystemet.css",
)


class AssetsMissing(Exception):
    """Files that the pages need are not there. The text is one line for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    content_type: str
    plain: bytes
    gzipped: bytes


class Assets:
    def __init__(self, files: dict[str, Asset]) -> None:
        self._files = files
        digest = hashlib.sha256()
        for path, asset in sorted(files.items()):
            digest.update(path.encode() + b"\0" + asset.plain)
        self.version = digest.hexdigest()[:12]

    def get(self, path: str) -> Asset | None:
        return self._files.get(path)

    def url(self, path: str) -> str:
        """Raises KeyError for a file that is not there: a mistake in a template."""
        assert path in self._files, path
        return f"/assets/{self.version}/{path}"


def load(web_root: Path, npm_root: Path) -> Assets:
    """Raises AssetsMissing."""
    files = {}
    for folder in FOLDERS:
        for path in sorted((web_root / folder).rglob("*")):
            if path.suffix in CONTENT_TYPES:
                files[path.relative_to(web_root).as_posix()] = _read(path)
    for name in NPM_FILES:
        path = npm_root / name
        if not path.is_file():
            raise AssetsMissing(f"{name} is missing from {npm_root}: run `make setup` or `npm ci --omit=dev`")
        files[f"npm/{name}"] = _read(path)
    return Assets(files)


def _read(path: Path) -> Asset:
    plain = path.read_bytes()
    # mtime=0 keeps the bytes the same at every start.
    return Asset(content_type=CONTENT_TYPES[path.suffix], plain=plain, gzipped=gzip.compress(plain, mtime=0))
