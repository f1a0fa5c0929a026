"""The static tree in memory: hashed as a whole, compressed once, served as immutable."""

import functools
import gzip
import hashlib
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

try:
    import brotli  # type: ignore[import-untyped]
except ImportError:
    brotli = None

STYLES = ("tokens", "base", "layout", "components", "chat")
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
IMMUTABLE = "public, max-age=31536000, immutable"
BROTLI_QUALITY = 9
_IMPORT = re.compile(r"""(?:^|[;}\s])(?:import|export)\s*(?:[\w*{}\s,$]+?\s*from\s*)?["'](\.{1,2}/[^"']+)["']""")


class Asset:
    """One file; compressed when first asked for."""

    def __init__(self, name: str, body: bytes) -> None:
        self.name = name
        self.body = body
        self.media_type = TYPES[Path(name).suffix]

    @functools.cached_property
    def gzip(self) -> bytes:
        """As gzip -9, without a time stamp."""
        return gzip.compress(self.body, 9, mtime=0)

    @functools.cached_property
    def brotli(self) -> bytes | None:
        """As Brotli where that is installed."""
        return None if brotli is None else bytes(brotli.compress(self.body, quality=BROTLI_QUALITY))

    def encoded(self, accepted: str) -> tuple[bytes, str | None]:
        """The smallest form that the client takes, and its content coding."""
        if self.name.endswith(".woff2"):
            return self.body, None
        codings = {item.partition(";")[0].strip() for item in accepted.split(",")}
        if "br" in codings and self.brotli is not None:
            return self.brotli, "br"
        return (self.gzip, "gzip") if "gzip" in codings else (self.body, None)


class Assets:
    """All files under a folder, and one hash over them that is part of every URL."""

    def __init__(self, folder: Path) -> None:
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES and path.is_file()
        }
        files["css/app.css"] = b"".join(files.pop(f"css/{name}.css") for name in STYLES)
        self._assets = {name: Asset(name, body) for name, body in files.items()}
        digest = hashlib.sha256()
        for name, body in sorted(files.items()):
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
        self.hash = digest.hexdigest()[:12]
        self.prefix = f"/static/{self.hash}"

    def url(self, name: str) -> str:
        """Where the browser finds a file; raises `KeyError` if there is none of that name."""
        return f"{self.prefix}/{self._assets[name].name}"

    def files(self) -> dict[str, bytes]:
        """Every file by its path below the address of the tree."""
        return {name: asset.body for name, asset in self._assets.items()}

    def modules(self, entry: str) -> list[str]:
        """The entry module and all that it imports statically, by name, nearest first."""
        found: dict[str, None] = {}
        waiting = [f"js/{entry}"]
        while waiting:
            name = waiting.pop(0)
            if name in found:
                continue
            found[name] = None
            base = Path(name).parent
            source = self._assets[name].body.decode("utf-8")
            waiting += [_normal(base / target) for target in _IMPORT.findall(source)]
        return list(found)

    def answer(self, request: Request) -> Response:
        """`/static/{hash}/{path}`: the file, or 404 (also for the hash of an older version)."""
        asset = self._assets.get(request.path_params["path"])
        if asset is None or request.path_params["hash"] != self.hash:
            return Response("There is no such file in this version. Reload the page.", 404, media_type="text/plain")
        body, coding = asset.encoded(request.headers.get("accept-encoding", ""))
        headers = {"cache-control": IMMUTABLE, "vary": "accept-encoding"}
        if coding is not None:
            headers["content-encoding"] = coding
        return Response(body, media_type=asset.media_type, headers=headers)


def _normal(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
