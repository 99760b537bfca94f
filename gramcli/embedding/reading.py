"""The inner part of `embed` that runs in the workers: one file in, what the encoder takes of it out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gramcli.encoders.base import Preprocessing
from gramcli.errors import UserError
from gramcli.files.reading import NOWHERE, Stamp, stamp
from gramcli.store.layout import absent, failed


@dataclass(frozen=True)
class Had:
    """An input that is there.

    Attributes:
        value: What the encoder takes.
        notes: What is odd about it, short phrases; `partial: ...` where some of the file does not decode.
        stands_for: Why there is nothing, where this is what the encoder takes for silence or no words; else empty.
        digest: Of a caption, as `gramcli.store.layout.text_digest`; None of anything else.
    """

    value: Any
    notes: tuple[str, ...] = ()
    stands_for: str = ""
    digest: int | None = None

    @property
    def nbytes(self) -> int:
        """Bytes its arrays hold."""
        parts = vars(self.value).values() if hasattr(self.value, "__dict__") else [self.value]
        return sum(int(getattr(part, "nbytes", 0)) for part in parts)


@dataclass(frozen=True)
class Missing:
    """Stands where an input or a vector could not be had.

    Attributes:
        status: Why, as items.csv says it: `absent: reason` or `failed: reason`.
    """

    status: str


def identity(path: Path, root: Path) -> tuple[str, int, int]:
    """Return what a store records of a media file: its path below `root`, its size and its modification time."""
    name = path.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode("utf-8")
    return (name, *stamp(path))


def no_track(modality: str) -> str:
    """The status of an item whose file is whole and has no track of a modality.

    Example:
        >>> no_track("audio")
        'absent: no audio track'
    """
    return absent(f"no {modality} track")


@dataclass(frozen=True)
class Reader:
    """Decodes one file as one modality and prepares it for the encoder; pickles, for the workers.

    Attributes:
        preprocessing: How the encoder wants its media decoded.
        prepare: `Encoder.prepare`.
        root: Folder that reasons leave out of paths, so that shards are the same wherever the dataset lies.
    """

    preprocessing: Preprocessing
    prepare: Callable[[str, Any], Any]
    root: Path

    def __call__(self, modality: str, path: Path, planned: Stamp | None = None) -> Had | Missing:
        """Read one file.

        Args:
            modality: `video`, `audio`, `image` or `depth`.
            path: The file.
            planned: What the store says of the file; None compares nothing.

        Returns:
            The input, or why there is none: `absent` where the file is whole and has no track of this modality,
            `failed` where it is not the file that was planned. Decoders open files by name, some more than once, so
            it is looked at before and after. Nothing is raised: a bad file costs its item this modality only.
        """
        before = stamp(path)
        found = self._read(modality, path)
        after = stamp(path)
        gone = after == NOWHERE and isinstance(found, Missing)  # which the reader has said
        if planned is None or gone or before == after == planned:
            return found
        return Missing(failed("changed while it was embedded"))

    def _read(self, modality: str, path: Path) -> Had | Missing:
        from gramcli.media.audio import NoAudioTrack  # noqa: PLC0415 - decoders load where files are read
        from gramcli.media.video import NoVideoTrack  # noqa: PLC0415

        try:
            media, notes = self._decoded(modality, path)
            return Had(self.prepare(modality, media), notes)
        except (NoAudioTrack, NoVideoTrack):
            return Missing(no_track(modality))
        except MemoryError:
            return Missing(failed(f"{self._short(path)} needs more memory than there is"))
        except (UserError, OSError) as error:
            return Missing(self._reason(error))
        except Exception as error:  # one file never ends the run, and its reason is kept
            return Missing(failed(f"{self._short(path)}: unexpected {type(error).__name__}: {error}"))

    def _decoded(self, modality: str, path: Path) -> tuple[Any, tuple[str, ...]]:
        from gramcli.media.audio import read_audio  # noqa: PLC0415 - as above
        from gramcli.media.image import read_picture  # noqa: PLC0415
        from gramcli.media.video import read_video  # noqa: PLC0415

        if modality == "video":
            clip = read_video(path, self.preprocessing.frames, self.preprocessing.frame_rule)
            return clip, clip.notes
        if modality == "audio":
            sound = read_audio(path, self.preprocessing.sample_rate, self.preprocessing.channels)
            return sound, sound.notes
        picture = read_picture(path)
        return picture.pixels, picture.notes

    def _reason(self, error: Exception) -> str:
        return failed(self._short(str(error) or type(error).__name__))

    def _short(self, text: Path | str) -> str:
        return str(text).replace(f"{self.root}{os.sep}", "")
