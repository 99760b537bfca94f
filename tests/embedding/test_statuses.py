"""What a store says of odd media: the status of every cell, sentence included."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramcli.datasets import Dataset, Item
from gramcli.datasets.items import with_own_sound
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.store import Store, open_store
from tests.media.clips import encode_sound
from tests.media.test_ancillary import PARTS, boxes, with_chunk
from tests.media.test_animation import animation
from tests.media_factory import tone, write_video, write_wav


def _store(folder: Path, *items: Item) -> Store:
    write_embeddings(Dataset("made here", "manifest", items), load_encoder("signal", frames=2), folder / "store")
    return open_store(folder / "store")


def _written(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp3", "libmp3lame"), ("a.flac", "flac"), ("a.wav", ""), ("a.m4a", "aac")]
)
def test_a_sound_named_as_a_video_has_none(name: str, codec: str, tmp_path: Path) -> None:
    path = encode_sound(tmp_path / name, codec) if codec else write_wav(tmp_path / name)
    silent = write_video(tmp_path / "silent.mp4", n_frames=4, tone_hz=None)
    store = _store(tmp_path, *(Item(p.name, with_own_sound({"video": p})) for p in (path, silent)))
    assert store.status("video") == ["absent: no video track", "ok"]
    assert store.status("audio") == ["ok", "absent: no audio track"]


def test_pictures(tmp_path: Path) -> None:
    paths = {
        "gif": animation(tmp_path / "a.gif"),
        "tif": animation(tmp_path / "a.tif"),
        "png": with_chunk(tmp_path / "b.png", PARTS["iCCP"]),
        "heic": _written(tmp_path / "c.jpg", boxes(b"heic", b"mif1")),
        "hdr": with_chunk(tmp_path / "d.png", PARTS["tEXt"]),
    }
    store = _store(tmp_path, *(Item(name, {"image": path}) for name, path in paths.items()))
    assert store.status("image")[:2] == ["ok: first of 12 frames", "ok: first of 12 pages"]
    assert store.status("image")[2] == "ok"
    assert store.status("image")[3].startswith("failed: ")
    assert store.status("image")[3].endswith("c.jpg is a HEIC picture, which is not read; convert it to JPEG or PNG.")
    assert store.status("image")[4] == "ok"


def test_an_animation_as_a_video(tmp_path: Path) -> None:
    paths = [animation(tmp_path / f"a.{suffix}") for suffix in ("gif", "webp", "png", "avif", "tif")]
    store = _store(tmp_path, *(Item(path.name, with_own_sound({"video": path})) for path in paths))
    assert store.status("video") == ["ok"] * 5
    assert store.status("audio") == ["absent: no audio track"] * 5


def test_sounds(tmp_path: Path) -> None:
    one = tone(1.0, 440.0, 16000)
    soundfile.write(str(tmp_path / "anti.wav"), np.stack([one, -one], axis=1), 16000)
    chain = write_wav(tmp_path / "a.wav").read_bytes() * 2
    twice = encode_sound(tmp_path / "a.m4a", "aac").read_bytes() * 2
    store = _store(
        tmp_path,
        Item("anti", {"audio": tmp_path / "anti.wav"}),
        Item("chain", {"audio": _written(tmp_path / "chain.wav", chain)}),
        Item("twice", {"audio": _written(tmp_path / "twice.m4a", twice)}),
    )
    cancelled = "the channels cancel each other: their mean is silence"
    assert cancelled in store.status("audio")[0]
    assert store.status("audio")[1:] == [
        "ok",
        "ok: partial: another recording follows the first, and is not read",
    ]


def test_a_slanted_video_is_a_failure(tmp_path: Path) -> None:
    raw = bytearray(write_video(tmp_path / "a.mp4", n_frames=4).read_bytes())
    start = raw.index(b"tkhd") + 44
    raw[start : start + 20] = struct.pack(">5i", 0xB505, 0xB505, 0, -0xB505, 0xB505)
    store = _store(tmp_path, Item("a", {"video": _written(tmp_path / "b.mp4", bytes(raw))}))
    assert store.status("video")[0].endswith("b.mp4 is slanted by its display matrix; re-encode it upright.")
