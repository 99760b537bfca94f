"""What a file is by its suffix, and the checks every reader makes before a decoder sees it."""

from __future__ import annotations

import re
import stat
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from gramcli.errors import UserError, pointer_said
from gramcli.files.reading import open_regular

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["video", "audio", "image", "text", "subtitle", "annotation", "other"]

# fmt: off
VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".mpg", ".mpeg", ".ts", ".m2ts",
     ".mts", ".3gp", ".ogv", ".h264", ".264", ".vob"}
)
AUDIO_SUFFIXES: Final = frozenset(
    {".wav", ".mp3", ".flac", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".wma", ".aif", ".aiff", ".aifc", ".mka",
     ".au", ".ac3", ".amr"}
)
IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".avif", ".apng", ".jfif",
     ".mpo", ".jp2"}
)
UNREAD_PICTURE_SUFFIXES: Final = frozenset(
    {".heic", ".heif", ".hif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".psd", ".svg"}
)
# fmt: on
TEXT_SUFFIXES: Final = frozenset({".txt"})
SUBTITLE_SUFFIXES: Final = frozenset({".srt", ".vtt"})
ANNOTATION_SUFFIXES: Final = frozenset({".json", ".jsonl", ".csv", ".tsv"})

_SUFFIXES: Final[dict[Kind, frozenset[str]]] = {
    "video": VIDEO_SUFFIXES,
    "audio": AUDIO_SUFFIXES,
    "image": IMAGE_SUFFIXES,
    "text": TEXT_SUFFIXES,
    "subtitle": SUBTITLE_SUFFIXES,
    "annotation": ANNOTATION_SUFFIXES,
}
# Scripts that name other files or hosts, after a byte order mark, space or a little junk. UTF-16 hides none of them
# from us: the zero bytes are dropped first.
_PLAYLIST: Final = re.compile(
    rb"[^0-9A-Za-z#<\[]{0,64}(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*"
    rb"(#EXTM3U|ffconcat|\[playlist\]|\[Reference\]|v=0\r?\no=|RTSPtext|"
    rb"<(?:smil|MPD|ASX|playlist|SmoothStreamingMedia|AssetMap|CompositionPlaylist)\b)",
    re.IGNORECASE | re.DOTALL,
)
_PICTURES: Final = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF.{4}WEBP|P[1-6]\s[\d\s#]|"
    rb"\0\0\0\x0c(?:jP  |JXL )|\xff\x0a|"
    rb".{4}ftyp(?:avi[fs]|hei[cfmsx]|hev[cmsx]|mi[fa][12f]|msf1|crx )",
    re.DOTALL,
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# Control characters, line ends, and the halves that stand for bytes which are not UTF-8.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SNIFFED: Final = 512
_LOOKED_AT: Final = 1000
_LARGEST_POINTER: Final = 1024


def kind_of(path: Path) -> Kind:
    """Say what a file is meant to be, by its suffix alone (upper or lower case).

    Returns:
        One of `Kind`; `other` for any suffix the tool does not know.

    Example:
        >>> from pathlib import Path
        >>> kind_of(Path("clip.MP4")), kind_of(Path("clip.en.srt")), kind_of(Path("clip"))
        ('video', 'subtitle', 'other')
    """
    suffix = path.suffix.lower()
    return next((kind for kind, suffixes in _SUFFIXES.items() if suffix in suffixes), "other")


def holds_media(folder: Path) -> bool:
    """Say whether a video, sound or picture is among the first files below a folder; hidden ones are not looked at."""
    seen = (
        path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return any(kind_of(path) in ("video", "audio", "image") for path in islice(seen, _LOOKED_AT))


def shown(path: Path) -> str:
    r"""Return the path as one printable line, whatever bytes its name holds.

    Example:
        >>> from pathlib import Path
        >>> shown(Path("a\nb.mp4"))
        'a\\nb.mp4'
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), str(path))


def check_regular_file(path: Path, *, allow_empty: bool = False) -> None:
    """Refuse what must not be opened: a decoder waits for ever on a pipe and reads a device without end.

    Args:
        path: The file, links followed.
        allow_empty: Accept a file of 0 bytes.

    Raises:
        UserError: Missing, not a regular file, unreadable or empty.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UserError("media", f"{shown(path)}: file not found; check the path or leave the item out.") from None
    except (OSError, ValueError) as error:
        raise UserError("media", f"{shown(path)} cannot be opened ({_reason(error)}); check the path.") from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise UserError("media", f"{shown(path)} is {what}, not a file; name a regular file.")
    if status.st_size == 0 and not allow_empty:
        raise UserError("media", f"{shown(path)} is empty (0 bytes); copy or download it again.")
    if 0 < status.st_size <= _LARGEST_POINTER and (why := pointer_sentence(path)):
        raise UserError("media", why)


def pointer_sentence(path: Path) -> str | None:
    """Say that a file is the pointer which a clone leaves in place of a large file, and how to fetch that.

    Args:
        path: A regular file.

    Returns:
        The sentence; None where the file is no pointer of Git LFS or git-annex.

    Raises:
        UserError: The file cannot be read.
    """
    return pointer_said(first_bytes(path), shown(path))


def check_binary_media(path: Path, what: str) -> None:
    """Make `check_regular_file`'s checks, and refuse text: playlists name other files that a decoder would read.

    Args:
        path: The file.
        what: `video` or `audio`, for the message.

    Raises:
        UserError: Not a regular file, empty, a playlist, or text such as a saved error page.
    """
    check_regular_file(path)
    head = first_bytes(path)
    if playlist := _PLAYLIST.match(head.replace(b"\0", b"")):
        name = playlist[1].decode().split()[0]
        raise UserError("media", f"{shown(path)} is a playlist ({name}), not {what}; give the file it points to.")
    if _is_text(head):
        raise undecodable(path, what, "it is a text file")


def looks_like_picture(path: Path) -> bool:
    """Say whether a file starts as a still picture does: FFmpeg opens those as videos of one frame."""
    return _PICTURES.match(first_bytes(path, 32)) is not None


def first_bytes(path: Path, n: int = _SNIFFED) -> bytes:
    """Return the first `n` bytes of a regular file.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read(n)
    except OSError as error:
        raise UserError("media", f"{shown(path)} cannot be read ({_reason(error)}); check its permissions.") from error


class Undecodable(UserError):  # noqa: N818 - said of a file, as NoAudioTrack is
    """A file whose content is not what it should be."""


def undecodable(path: Path, what: str, reason: object) -> Undecodable:
    """Build the error for a file whose content is not what it should be.

    Args:
        path: The file.
        what: What was wanted: `video`, `audio`, `image`, `text`.
        reason: The decoder's complaint.

    Returns:
        An error naming the file, how it starts, the complaint and the remedy.
    """
    start = first_bytes(path, 16).decode("latin-1")
    printable = "".join(c if " " <= c <= "~" else "." for c in start)
    article = "an" if what[0] in "aeiou" else "a"
    message = (
        f"{shown(path)} is not {article} {what} file that can be decoded (starts with '{printable}'): "
        f"{_reason(reason)}; replace the file or leave the item out."
    )
    return Undecodable("media", message)


def _reason(error: object) -> str:
    # FFmpeg's errors carry the bare reason here too, though not all of them are OSErrors.
    text = str(getattr(error, "strerror", None) or error)
    line = text.strip().split("\n")[0][:200].rstrip(".")
    return line or type(error).__name__


def _is_text(head: bytes) -> bool:
    if _CONTROL.search(head):
        return False
    try:
        # The cut may split a character: the last 3 bytes are allowed to be incomplete.
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= _SNIFFED - 3
    return True
