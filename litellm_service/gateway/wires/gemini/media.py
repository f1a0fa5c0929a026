"""Images, sounds, films and documents on Google's wire.

Google reads what stands in the request, files of its own Files API, YouTube and, but for sounds and Gemini 2.0, whatever lies under
a public HTTPS address (https://ai.google.dev/gemini-api/docs/file-input-methods).
"""

from typing import Literal
from urllib.parse import urlsplit

from gateway.domain.errors import InvalidRequest
from gateway.wires.gemini.families import Family
from gateway.wires.neutral import Media

Kind = Literal["image", "audio", "video", "document"]
Json = dict[str, object]
_KINDS: tuple[Kind, ...] = ("image", "audio", "video")
_FILES = "https://generativelanguage.googleapis.com/"
_SHORT_FILE = "files/"
_YOUTUBE = {"youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"}
_MIME_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "bmp": "image/bmp",
    "heic": "image/heic", "heif": "image/heif", "mp4": "video/mp4", "mpeg": "video/mpeg", "mov": "video/quicktime",
    "webm": "video/webm", "avi": "video/avi", "flv": "video/x-flv", "wmv": "video/wmv", "3gp": "video/3gpp", "mp3": "audio/mp3",
    "wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac", "aac": "audio/aac", "aiff": "audio/aiff",
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "html": "text/html", "csv": "text/csv",
    "json": "application/json", "xml": "text/xml",
}  # fmt: skip


def kind_of(mime_type: str | None) -> Kind:
    """What a MIME type is of; pictures are what is mostly sent without one."""
    if mime_type is None:
        return "image"
    head = mime_type.partition("/")[0].lower()
    return next((kind for kind in _KINDS if kind == head), "document")


def mime_type_of_url(url: str) -> str | None:
    """By the ending of the path; YouTube gives films."""
    if _host(url) in _YOUTUBE:
        return "video/mp4"
    ending = url.partition("?")[0].partition("#")[0].rpartition("/")[2].rpartition(".")[2]
    return _MIME_TYPES.get(ending.lower())


def is_own_file(uri: str) -> bool:
    """Whether it lies with Google, for nobody else to read."""
    return uri.startswith((_FILES, _SHORT_FILE, "gs://"))


def part_of(media: Media, family: Family) -> Json:
    """The part that shows it; raises `InvalidRequest` for what Google cannot get at."""
    if media.data is not None:
        return {"inlineData": inline(media)}
    if media.file_id is not None:
        return {"fileData": _file(_own_uri(media.file_id), media.mime_type)}
    return {"fileData": _file(_readable(media, family), media.mime_type)}


def inline(media: Media) -> Json:
    """A blob; raises `InvalidRequest` where its type is not known."""
    if not media.mime_type:
        raise InvalidRequest(f"A {media.kind} in base64 must say its media type, such as image/png.", param="messages")
    return {"mimeType": media.mime_type, "data": media.data}


def _file(uri: str, mime_type: str | None) -> Json:
    known = mime_type or mime_type_of_url(uri)
    return {"fileUri": uri} if known is None or _host(uri) in _YOUTUBE else {"fileUri": uri, "mimeType": known}


def _own_uri(file_id: str) -> str:
    if not is_own_file(file_id):
        raise InvalidRequest(
            f"The file {file_id!r} lies at another provider, where Google Gemini cannot read it. Send its content in base64.",
            param="messages",
        )
    return f"{_FILES}v1beta/{file_id}" if file_id.startswith(_SHORT_FILE) else file_id


def _readable(media: Media, family: Family) -> str:
    url = media.url or ""
    if _host(url) in _YOUTUBE:
        return url
    if url.startswith("https://") and media.kind != "audio" and family.fetches:
        return url
    reason = "reads only public https addresses" if family.fetches else "fetches no files from the web with this model"
    reason = "fetches no sounds from the web" if media.kind == "audio" else reason
    shown = url if len(url) <= 100 else f"{url[:100]}…"
    raise InvalidRequest(
        f"Google Gemini {reason}; send the content of {shown!r} as base64 data instead.", param="messages"
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
