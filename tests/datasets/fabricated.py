"""A made-up MSR-VTT root: the real ids and captions, tiny clips of our own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.media_factory import write_video, write_wav

KINDS = 50
BROKEN = 3


def silent_ids(reference: Path) -> list[str]:
    """The 116 ids of the 1,000 that have no sound: those without an audio caption."""
    name = "descs_ret_test_audcap_with_audio_captions.json"
    rows = json.loads((reference / "data/annotations/msrvtt" / name).read_text())
    return [row["video_id"] for row in rows if "audio_caption" not in row]


def ids_of(reference: Path) -> list[str]:
    """The 1,000 ids in the order of the annotation."""
    rows = json.loads((reference / "data/annotations/msrvtt/descs_ret_test.json").read_text())
    return [row["video_id"] for row in rows]


def seeds(folder: Path) -> dict[str, list[Path]]:
    """A few distinct clips with sound, as many without, and their sounds alone."""
    folder.mkdir(parents=True)
    colours = [(5 * k, 250 - 5 * k, 37 * k % 256) for k in range(KINDS)]
    return {
        "sounding": [
            write_video(folder / f"a{k}.mp4", 4, (32, 24), 8, 200.0 + 60 * k, colours[k], k) for k in range(KINDS)
        ],
        "mute": [write_video(folder / f"m{k}.mp4", 4, (32, 24), 8, None, colours[k], k) for k in range(KINDS)],
        "sound": [write_wav(folder / f"s{k}.wav", 0.5, 200.0 + 60 * k) for k in range(KINDS)],
    }


def make_root(root: Path, reference: Path, clips: dict[str, list[Path]], layout: str) -> list[str]:
    """Write the root in a layout, `videos/all` or `TestVideo`; return the ids whose videos are broken."""
    annotations = root / "annotations"
    annotations.mkdir(parents=True)
    shutil.copy(reference / "data/annotations/msrvtt/descs_ret_test.json", annotations)
    videos, sounds = root / layout, root / "TestAudio"
    videos.mkdir(parents=True)
    apart = layout == "TestVideo"
    if apart:
        sounds.mkdir()
    silent = set(silent_ids(reference))
    ids = ids_of(reference)
    broken = [one for one in ids if one not in silent][:BROKEN]
    for number, one in enumerate(ids):
        kind = number % KINDS
        if one in broken:
            (videos / f"{one}.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
        else:
            mute = apart or one in silent
            (videos / f"{one}.mp4").hardlink_to(clips["mute" if mute else "sounding"][kind])
        if apart and one not in silent:
            (sounds / f"{one}.wav").hardlink_to(clips["sound"][kind])
    return broken
