"""A build for static hosting: files that any web server, Vercel or Netlify can serve; the pages call the API service by CORS."""

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from webui.guard import CSP, HEADERS
from webui.pages import LOGIN, NOT_FOUND, PAGES, Page, Pages

# Pages whose address has an id in it are one file each, which the server gives for all of them.
TEMPLATED = {"/c/{id}": "/c/index.html", "/requests/{id}": "/requests/request.html"}
_IMMUTABLE = "public, max-age=31536000, immutable"


def write(folder: Path, api_url: str) -> int:
    """Fill an empty or new folder, or one of an earlier build; gives the number of files. Raises `FileExistsError` else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "_headers").exists():
        raise FileExistsError(f"{folder} has something else in it. Give an empty folder, or a new one.")
    shutil.rmtree(folder, ignore_errors=True)
    pages = Pages(dev=False, api_url=api_url)
    files = {f"static/{pages.assets.hash}/{name}": body for name, body in pages.assets.files().items()}
    in_page = policy(api_url, for_meta=True)
    for path, page in {**PAGES, "/login": LOGIN}.items():
        files[_file_of(path)] = _html(pages, page, in_page)
    files["404.html"] = _html(pages, NOT_FOUND, in_page)
    headers = {**HEADERS, "content-security-policy": policy(api_url), "cross-origin-resource-policy": "same-origin"}
    files |= {name: text.encode() for name, text in _configurations(headers).items()}
    for name, body in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return len(files)


def policy(api_url: str, *, for_meta: bool = False) -> str:
    """The content security policy: the console's own, and the API service may be called; a page cannot state all of it itself."""
    parts = urlsplit(api_url)
    found = CSP.replace("connect-src 'self'", f"connect-src 'self' {parts.scheme}://{parts.netloc}")
    return found.replace(" frame-ancestors 'none';", "") if for_meta else found


def _file_of(path: str) -> str:
    return TEMPLATED.get(path, f"{path.rstrip('/')}/index.html").lstrip("/")


def _html(pages: Pages, page: Page, content_policy: str) -> bytes:
    more = {"refusal": None} if page is LOGIN else {}
    return pages.html(page, None, None, hosted=content_policy, **more).encode()


def _configurations(headers: dict[str, str]) -> dict[str, str]:
    """Headers and rewrites, in the words of those who serve it."""
    rewrites = [(path.replace("{id}", "*"), file) for path, file in TEMPLATED.items()]
    listed = "".join(f"  {name}: {value}\n" for name, value in headers.items())
    return {
        "_headers": f"/*\n{listed}/static/*\n  cache-control: {_IMMUTABLE}\n",
        "_redirects": "".join(f"{path} {file} 200\n" for path, file in rewrites),
        "vercel.json": json.dumps(
            {
                "trailingSlash": True,
                "rewrites": [{"source": path.replace("*", ":id"), "destination": file} for path, file in rewrites],
                "headers": [
                    {"source": "/(.*)", "headers": [{"key": name, "value": value} for name, value in headers.items()]},
                    {"source": "/static/(.*)", "headers": [{"key": "cache-control", "value": _IMMUTABLE}]},
                ],
            },
            indent=2,
        )
        + "\n",
        "netlify.toml": '[build]\n  publish = "."\n',
    }
