"""One encoder per modality: each part's decoding, rows and facts; no shared space, and what to do about it."""

from __future__ import annotations

import json
import pickle
import re
import sys

import numpy as np
import pytest

from gramcli import align, embed, evaluate
from gramcli.encoders import load_encoder
from gramcli.encoders.base import Preprocessing
from gramcli.errors import UserError
from gramcli.media.audio import Waveform
from gramcli.media.video import VideoClip
from gramcli.store import open_store
from tests.media_factory import write_video

PARTS = """
import numpy as np

def one_hot(rows, d):
    return np.eye(d, dtype=np.float32)[np.array(rows, int) % d]

def marked(modality, media):
    return (modality, media)

class Seeing:
    dims = {"text@video": 6, "video": 6, "va": 6, "audio": 6}
    fused = {"va": ("video", "audio")}
    modalities = ("text", "video", "audio")
    preprocessing = {"frames": 3, "frame_rule": "middle-of-segment", "sample_rate": 8000}
    prepare = staticmethod(marked)
    shared_space = True
    notes = ("Seeing looks thrice.",)

    def encode(self, inputs):
        found = {name: one_hot([1] * len(given), 6) for name, given in inputs.items() if name != "text"}
        if "text" in inputs:
            found["text@video"] = one_hot([2] * len(inputs["text"]), 6)
        if {"video", "audio"} <= set(inputs):
            found["va"] = one_hot([3] * len(inputs["video"]), 6)
        return found

class Hearing:
    dims = {"audio": 4, "text": 4}
    preprocessing = {"frames": 9, "sample_rate": 22050, "channels": "first"}

    def encode(self, inputs):
        seen = {name: [sum(map(ord, one)) if name == "text" else 0 for one in given] for name, given in inputs.items()}
        return {name: one_hot(rows, 4) for name, rows in seen.items()}
"""


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A module `my_parts` on the path, with encoders `Seeing` and `Hearing`."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "my_parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield
    sys.modules.pop("my_parts", None)


CLIP = VideoClip(np.zeros((2, 4, 4, 3), np.uint8), (0, 1), 2.0, 1.0, 2)
WAVE = Waveform(np.ones(8, np.float32), 8000)


def test_each_modality_is_decoded_and_encoded_by_its_own(parts):
    encoder = load_encoder("text=signal,video=my_parts:Seeing,audio=my_parts:Hearing")
    assert encoder.modalities == ("text", "video", "audio")
    assert dict(encoder.dims) == {"text": 256, "video": 6, "audio": 4}
    assert dict(encoder.fused) == {}
    assert encoder.preprocessing == Preprocessing(3, "middle-of-segment", 22050, "first")
    prepare = pickle.loads(pickle.dumps(encoder.prepare))
    assert prepare("video", CLIP)[0] == "video"
    assert prepare("audio", WAVE).samples.sum() == WAVE.samples.sum()
    found = encoder.encode({"text": ["a", "b"], "video": [CLIP] * 2, "audio": [WAVE] * 2})
    assert {name: rows.shape for name, rows in found.items()} == {"text": (2, 256), "video": (2, 6), "audio": (2, 4)}
    assert np.array_equal(found["text"], load_encoder("signal").encode({"text": ["a", "b"]})["text"])


def test_modalities_of_one_spec_go_through_one_model_together(parts):
    encoder = load_encoder("video=my_parts:Seeing,text=my_parts:Hearing,audio=my_parts:Seeing")
    assert dict(encoder.dims) == {"video": 6, "text": 4, "audio": 6, "va": 6}
    assert dict(encoder.fused) == {"va": ("video", "audio")}
    found = encoder.encode({"video": [CLIP], "audio": [WAVE]})
    assert found["va"].argmax() == 3, "the fused vector is of the model that has both"
    assert not encoder.shared_space
    assert load_encoder("video=my_parts:Seeing,audio=my_parts:Seeing").shared_space


def test_views_are_kept(parts):
    encoder = load_encoder("text=my_parts:Seeing,audio=signal")
    assert dict(encoder.dims) == {"text@video": 6, "audio": 256}
    assert set(encoder.encode({"text": ["a"]})) == {"text@video"}


def test_what_a_store_records(parts):
    encoder = load_encoder("text=signal,video=my_parts:Seeing")
    said = json.loads(json.dumps(encoder.describe()))
    assert said["id"] == "text=signal,video=my_parts:Seeing"
    assert said["encoders"]["text"]["architecture"] == "signal-v1"
    assert said["encoders"]["video"]["code_sha256"] == load_encoder("my_parts:Seeing").describe()["code_sha256"]
    assert set(said["weights_sha256"]) == {"text", "video"}
    assert said["shared_space"] is False
    assert any("gram align STORE -o HEADS --loss gram" in line for line in said["assumptions"])
    assert "Seeing looks thrice." in said["assumptions"]
    assert set(encoder.describe(["text"])["encoders"]) == {"text"}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("text=signal,video=my_parts:Hearing", "my_parts:Hearing does not encode video; it encodes audio, text"),
        ("text=signal,text=signal", "names an encoder for text twice"),
        ("text=signl", "Unknown encoder 'signl'. Did you mean 'signal'"),
        ("text=signal,video=/nowhere/a.pt", "There is no checkpoint at /nowhere/a.pt"),
    ],
)
def test_what_cannot_be(parts, spec, said):
    with pytest.raises(UserError, match=said):
        load_encoder(spec)
    with pytest.raises(UserError, match=r"cannot encode 'audio'. It encodes: text"):
        load_encoder("text=signal").encode({"audio": []})


def test_from_media_to_heads(parts, tmp_path):
    rows = ["id,video,text,split"]
    (tmp_path / "v").mkdir()
    draw = np.random.default_rng(0)
    for k in range(24):
        write_video(tmp_path / "v" / f"{k}.mp4", n_frames=2, colour=tuple(draw.integers(0, 255, 3).tolist()))
        rows.append(f"{k},v/{k}.mp4,clip number {k},{'train' if k < 16 else 'test'}")
    (tmp_path / "a.csv").write_text("\n".join(rows))
    store, two = tmp_path / "store", tmp_path / "two"
    embed(tmp_path / "a.csv", store, model="text=my_parts:Hearing,video=signal,audio=my_parts:Hearing", workers=0)
    summary = embed(tmp_path / "a.csv", two, model="text=my_parts:Hearing,video=signal", workers=0)
    assert any("share no space until they are aligned" in note for note in summary.notes)
    assert open_store(two).dims == {"text": 4, "video": 256}
    said = r"align them first: gram align {0} -o HEADS --loss gram; then: gram eval {0} --model heads:HEADS"
    with pytest.raises(UserError, match=rf"'text' has 4 dimensions and 'video' 256\. .*{said.format(two)}"):
        evaluate(two, tasks=["t2v"])
    with pytest.raises(UserError, match=rf"of the dimension of 'text': .* and 'video' 256: {said.format(two)}"):
        evaluate(two)
    rows_without = evaluate(store, methods=["cosine"])
    assert {row.task for row in rows_without.results} == {"t2a", "a2t"}
    told = rf"Of other dimensions than text \(4\), so in no task with it: video \(256\); {said.format(store)}"
    assert any(re.match(told, note) for note in rows_without.notes)
    align(two, tmp_path / "heads", loss="gram", epochs=2)
    found = evaluate(two, methods=["gram"], model=f"heads:{tmp_path / 'heads'}")
    assert next(row.n for row in found.results) == 8
    assert not any("Of other dimensions" in note for note in found.notes)


def test_frames_are_asked_of_what_sees_videos_alone(parts, tmp_path, monkeypatch):
    (tmp_path / "my_frames.py").write_text(
        "from gramcli.encoders import from_functions\n"
        "def make(options):\n"
        "    if options.frames: raise ValueError('no frames here')\n"
        "    return from_functions({'text': len}, 1, name='n')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = load_encoder("text=my_frames:make,video=my_parts:Seeing", frames=5)
    assert found.preprocessing.frames == 5
    sys.modules.pop("my_frames", None)
