"""The files below a root, walked once: annotation files by name, media files by kind."""

from __future__ import annotations

import os
import re
from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from gramcli.datasets.names import caseless, composed
from gramcli.datasets.records import ANNOTATIONS
from gramcli.errors import UserError
from gramcli.files.reading import NotPermittedError
from gramcli.media.kinds import (
    ANNOTATION_SUFFIXES,
    AUDIO_SUFFIXES,
    IMAGE_SUFFIXES,
    SUBTITLE_SUFFIXES,
    TEXT_SUFFIXES,
    VIDEO_SUFFIXES,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")
_MEDIA: Final = VIDEO_SUFFIXES | AUDIO_SUFFIXES
_NO_MEDIA: Final = ANNOTATION_SUFFIXES | ANNOTATIONS | IMAGE_SUFFIXES | SUBTITLE_SUFFIXES | TEXT_SUFFIXES
# Folders of sound, though not those named after a dataset of sounds.
_SOUNDS: Final = re.compile(r"(?!.*(?:audiocaps|audioset|vggsound)).*(?:audio|sound|wav|mp3|flac)", re.IGNORECASE)
_PICTURES: Final = re.compile(r".*video|.*clip", re.IGNORECASE)


class File(NamedTuple):
    """A file: its folder relative to the root (empty for the root) and its name."""

    folder: str
    name: str

    @property
    def stem(self) -> str:
        """The name, in its composed form, without a suffix of video or sound; dots of an id are no suffix."""
        return composed(without_suffix(self.name))


@dataclass(frozen=True)
class Tree:
    """Files below a root.

    Attributes:
        root: The root, absolute.
        files: Sorted within each folder; hidden ones are passed over.
        notes: Folders that could not be read, one sentence each.
    """

    root: Path
    files: tuple[File, ...]
    notes: tuple[str, ...] = ()

    def path(self, file: File) -> Path:
        """Absolute path of a file."""
        return self.root / file.folder / file.name

    def named(self, pattern: str) -> list[File]:
        """Annotation files whose name fits a pattern (`*` for anything, upper and lower case alike)."""
        return [file for file in self.files if fnmatch(caseless(file.name), caseless(pattern))]

    def media(self, kind: Literal["video", "audio"]) -> list[File]:
        """Video or sound files: by the folder's name where it tells, else by the suffix."""
        return [file for file in self.files if _kind(file) == kind]

    def archives(self) -> list[File]:
        """Files that are to be unpacked first."""
        return [file for file in self.files if file.name.lower().endswith(ARCHIVES)]


def scan(root: Path) -> Tree:
    """List the files below a root; a folder reached again through a link is not entered.

    Args:
        root: The folder.

    Returns:
        Its files; folders that cannot be read are named in the notes.

    Raises:
        UserError: It is not there, not a folder, or cannot be read.
    """
    root = root.absolute()
    files: list[File] = []
    unread: list[tuple[str, str | None]] = []
    seen: set[tuple[int, int]] = set()
    waiting = deque([""])
    while waiting:
        folder = waiting.popleft()
        try:
            status = entered(root / folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / folder) as entries:
                found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            if not folder:
                if isinstance(error, PermissionError):
                    raise NotPermittedError(root) from error
                raise UserError("input", f"--root {shown(root)} cannot be read ({error.strerror}).") from error
            unread.append((shown(Path(folder)), error.strerror))
            continue
        for entry in found:
            if not _is_folder(entry):
                files.append(File(folder, entry.name))
            elif entry.is_symlink():
                waiting.append(_below(folder, entry.name))
            else:  # links wait, so that a file has its real path where there is one
                waiting.appendleft(_below(folder, entry.name))
    return Tree(root, tuple(files), tuple(unread_folders(unread)))


def entered(folder: Path) -> os.stat_result:
    """Return the status of a folder whose files can be opened: one may be listed and yet be closed.

    Args:
        folder: The folder.

    Raises:
        OSError: It cannot be looked into.
    """
    return os.stat(f"{folder}/.")  # noqa: PTH116 - a path's own way drops the point


def unread_folders(unread: Sequence[tuple[str, str | None]]) -> list[str]:
    """Say which folders were left out, in one sentence or none.

    Args:
        unread: Folders that cannot be read, and why.

    Example:
        >>> unread_folders([("a", "Permission denied"), ("b", "Permission denied")])
        ['2 folders cannot be read (Permission denied) and were left out, such as a.']
    """
    if not unread:
        return []
    folder, _ = unread[0]
    reasons = ", ".join(dict.fromkeys(str(why) for _, why in unread))
    if len(unread) == 1:
        return [f"The folder {folder} cannot be read ({reasons}) and was left out."]
    return [f"{len(unread):,} folders cannot be read ({reasons}) and were left out, such as {folder}."]


def without_suffix(name: str) -> str:
    """Return a name without the suffix of a video or sound.

    Example:
        >>> without_suffix("video7010.MP4"), without_suffix("GOD8Bt5LfDE_100.000_110.000")
        ('video7010', 'GOD8Bt5LfDE_100.000_110.000')
    """
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a Path for each of 200,000 names takes seconds
    return stem if suffix.lower() in _MEDIA else name


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _kind(file: File) -> str | None:
    suffix = os.path.splitext(file.name)[1].lower()  # noqa: PTH122 - as above
    if suffix in AUDIO_SUFFIXES:
        return "audio"
    if suffix in _NO_MEDIA or file.name.lower().endswith(ARCHIVES):
        return None
    for part in reversed(file.folder.split("/")):
        if _SOUNDS.match(part):
            return "audio"
        if _PICTURES.match(part):
            return "video"
    return "video"
