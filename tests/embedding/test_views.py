"""An encoder that makes several vectors of one text: all are stored, over the same captions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gramcli.embedding.embed import embed
from gramcli.encoders import load_encoder
from gramcli.store import open_store
from tests.media_factory import write_video


class Sided:
    """`signal`, whose text vectors are turned for each side; one caption fails for audio only."""

    spec = "sided"
    shared_space = True

    def __init__(self) -> None:
        self._base = load_encoder("signal", frames=2)
        self.preprocessing, self.prepare, self.stand_ins = self._base.preprocessing, self._base.prepare, {}
        d = self._base.dims["text"]
        self.dims = dict.fromkeys(("text@video", "text@audio", "text@video+audio", "video", "audio"), d) | {"va": d}
        self.fused = {"va": ("video", "audio")}
        self.modalities = ("text", "video", "audio")

    def describe(self, modalities: Any = None) -> dict[str, Any]:
        return self._base.describe() | {"id": self.spec}

    def encode(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        found = dict(self._base.encode(inputs))
        if "text" in found:
            text = found.pop("text")
            for shift, name in enumerate(("text@video", "text@audio", "text@video+audio")):
                found[name] = np.roll(text, shift, axis=1)
            found["text@audio"][[one == "mute" for one in inputs["text"]]] = 0
        if {"video", "audio"} <= found.keys():
            found["va"] = found["video"]
        return found


def test_views_are_stored_beside_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name, text in (("a", "a red square\nmute\nit moves\n"), ("b", "a green one\n")):
        write_video(folder / f"{name}.mp4", n_frames=4)
        (folder / f"{name}.txt").write_text(text)
    summary = embed(folder, tmp_path / "s", model=Sided(), workers=0)
    store = open_store(tmp_path / "s")
    assert store.modalities == ("text@video", "text@audio", "text@video+audio", "video", "audio", "va")
    assert store.caption_items().tolist() == [0, 0, 1]
    assert summary.captions == 3
    assert [(one.id, one.modality) for one in summary.left_out] == [
        ("a", "text@video"),
        ("a", "text@audio"),
        ("a", "text@video+audio"),
    ]
    text = np.asarray(load_encoder("signal").encode({"text": ["a red square", "it moves", "a green one"]})["text"])
    for shift, name in enumerate(("text@video", "text@audio", "text@video+audio")):
        np.testing.assert_array_equal(store.embeddings(name).numpy(), np.roll(text, shift, axis=1))
    digests = store.caption_digests()
    assert digests is not None and len(digests) == 3
    store.verify()
    again = embed(folder, tmp_path / "s", model=Sided(), workers=0)
    assert (again.shards_written, again.captions) == (0, 3)


def test_what_failed_of_one_view_is_tried_again_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    write_video(folder / "a.mp4", n_frames=4)
    (folder / "a.txt").write_text("mute\n")
    embed(folder, tmp_path / "s", model=Sided(), workers=0)
    assert open_store(tmp_path / "s").status("text@video")[0].startswith("failed")
    (folder / "a.txt").write_text("loud\n")
    mended = embed(folder, tmp_path / "s", model=Sided(), workers=0, retry_failed=True)
    assert mended.captions == 1
    assert not mended.left_out
