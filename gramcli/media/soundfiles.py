"""What libsndfile reads: WAV, AIFF, FLAC, Ogg and their kin, also where one file is several, one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

import av
import soundfile

from gramcli.files.reading import open_regular
from gramcli.media.chain import Section, sound_parts
from gramcli.media.cutoff import is_cut_off, is_part_cut_off
from gramcli.media.kinds import first_bytes
from gramcli.media.mixing import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from gramcli.media.mixing import Mixer

# What libsndfile is asked to read, with FFmpeg's name of the format. Its MP3 reader writes to stderr and fills a file
# that is cut off with zeros, so MP3 goes to FFmpeg.
_STARTS: Final = {
    b"RIFF": "wav", b"RIFX": "wav", b"RF64": "wav", b"riff": "w64", b"FORM": "aiff", b"fLaC": "flac", b"OggS": "ogg",
    b".snd": "au", b"caff": "caf",
}  # fmt: skip
_PARTS: Final = ",".join(sorted(set(_STARTS.values())))
_BLOCK: Final = 2**16
_END_MISSING: Final = "partial: the end of the file is missing"

Found = tuple[list[Run], list[str]]
"""Samples and remarks."""


def read_soundfile(path: Path, mixer: Mixer, decode: Callable[[Any, Mixer], list[Run]]) -> Found | None:
    """Read with libsndfile, and FFmpeg where a part of a chain is not its own.

    Args:
        path: A regular file.
        mixer: Makes one channel of several.
        decode: Reads an opened container by FFmpeg.

    Returns:
        Samples and notes; nothing when the format is not libsndfile's or it finds no sample.

    Raises:
        UserError: Too many samples or channels, or some that are not finite.
    """
    name = _STARTS.get(first_bytes(path, 4))
    if name is None:
        return None
    parts = sound_parts(path, name)
    if len(parts) > 1:
        return _read_chain(path, parts, name, mixer, decode)
    found = _read_one(path, str(path.absolute()), mixer)
    if found is None:
        return None
    run, promised = found
    mixer.check(path)
    notes = [_END_MISSING] if is_cut_off(path, name) else []
    return [run], [*notes, *_lost(name, len(run.samples), promised, run.rate)]


def of_seconds(seconds: float, promised: float) -> str:
    """Return the note on sound of which a part is lost."""
    return f"partial: {seconds:.1f} of {promised:.1f} s of sound"


def _lost(name: str, count: int, promised: int, rate: int) -> list[str]:
    return [of_seconds(count / rate, promised / rate)] if name == "flac" and count < promised else []


def _read_chain(
    path: Path, parts: list[tuple[int, int]], name: str, mixer: Mixer, decode: Callable[[Any, Mixer], list[Run]]
) -> Found | None:
    runs: list[Run] = []
    notes: list[str] = []
    with open_regular(path) as file:
        for number, (start, end) in enumerate(parts, 1):
            count = sum(len(run.samples) for run in runs)
            found = _read_one(path, Section(file, start, end), mixer, count)
            if found is not None:
                runs.append(found[0])
                notes += _lost(name, len(found[0].samples), found[1], found[0].rate)
            else:
                more = _decoded(file, start, end, mixer, decode)
                runs += more
                notes += [] if more else [f"partial: recording {number} of {len(parts)} cannot be read"]
            if is_part_cut_off(Section(file, start, end), end - start, name):  # type: ignore[arg-type]
                notes.append(_END_MISSING)
    mixer.check(path)
    return (runs, list(dict.fromkeys(notes))) if runs else None


def _decoded(
    file: BinaryIO, start: int, end: int, mixer: Mixer, decode: Callable[[Any, Mixer], list[Run]]
) -> list[Run]:
    part = Section(file, start, end)
    try:
        with av.open(part, metadata_errors="ignore", options={"format_whitelist": _PARTS}) as opened:
            return decode(opened, mixer)
    except (av.FFmpegError, OSError, ValueError):
        return []


def _read_one(path: Path, file: Any, mixer: Mixer, before: int = 0) -> tuple[Run, int] | None:  # noqa: ANN401
    """Read one file, or part of one; return its samples and how many it promised."""
    try:
        with soundfile.SoundFile(file) as opened:
            rate, promised = int(opened.samplerate), int(opened.frames)
            samples = mixer.joined(path, _blocks(path, opened, mixer), before)
    except (soundfile.SoundFileError, OSError, ValueError, TypeError):
        # ValueError covers file names that are not UTF-8, which libsndfile's binding cannot pass on.
        return None
    return (Run(rate, samples), promised) if len(samples) else None


def _blocks(path: Path, file: Any, mixer: Mixer) -> Iterator[NDArray[np.float32]]:  # noqa: ANN401 - its reader
    mixer.check_count(path, 0, int(file.channels))
    # As float32 a large finite double would be infinite.
    dtype = "float64" if file.subtype == "DOUBLE" else "float32"
    for block in file.blocks(_BLOCK, dtype=dtype, always_2d=True):
        yield mixer.mono(block, axis=1)
