"""Video reaches the library as it documents it: uint8 [n, 3, h, w] with the times of its frames, and as no text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.source import Source
from gramcli.encoders.sentence_transformers.encoder import SentenceTransformerEncoder
from gramcli.encoders.sentence_transformers.media import as_taken
from gramcli.errors import UserError
from gramcli.media.audio import Waveform
from gramcli.media.video import VideoClip

pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modality import infer_modality
from sentence_transformers.base.modules import InputModule


class Watching(InputModule):
    """Sees the mean colour of each frame and of each row; whatever it does not know it takes for a text, as some do."""

    modalities = ("text", "video")
    save_in_root = True

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.given = []

    def preprocess(self, inputs, prompt=None, **how):
        self.given.append((inputs, how))
        return {"rows": torch.stack([self._row(one) for one in inputs])}

    def _row(self, one):
        video = one.get("video") if isinstance(one, dict) else None
        if video is None or video["array"].shape[1] != 3:
            return torch.full((6,), float(len(str(one))))
        frames = torch.from_numpy(video["array"]).float()
        colours = frames.mean(dim=(0, 2, 3))
        return torch.cat([colours, frames.mean(dim=(1, 2, 3))[:3]])

    def forward(self, features, **_):
        return {"sentence_embedding": features["rows"]}

    def get_embedding_dimension(self):
        return 6

    def save(self, *_, **__):
        raise NotImplementedError

    @property
    def tokenizer(self):
        return None

    @tokenizer.setter
    def tokenizer(self, value):
        raise NotImplementedError


def clip(height=5, width=7):
    frames = np.zeros((4, height, width, 3), np.uint8)
    frames[..., 0], frames[..., 1], frames[..., 2] = 200, 20, 90
    frames[1:] += 7
    return VideoClip(frames, (0, 5, 10, 15), fps=10.0, duration=2.0, total_frames=20)


@pytest.fixture
def encoder(tmp_path):
    model = SentenceTransformer(modules=[Watching()], device="cpu")
    return SentenceTransformerEncoder(model, Source(tmp_path, EncoderOptions(frames=4), "watching"), [], "st:watching")


def test_colours_and_frames_stand_where_the_library_has_them(encoder):
    found = encoder.encode({"video": [clip()]})["video"][0]
    colours = clip().frames.mean(axis=(0, 1, 2))
    wanted = np.array([*colours, *clip().frames[:3].mean(axis=(1, 2, 3))])
    assert np.allclose(found.numpy(), wanted / np.linalg.norm(wanted), atol=1e-6)
    given, how = encoder.model[0].given[-1]
    array = given[0]["video"]["array"]
    assert (array.shape, array.dtype) == ((4, 3, 5, 7), np.uint8)
    assert array.flags.c_contiguous
    times = {"fps": 10.0, "total_num_frames": 20, "duration": 2.0, "frames_indices": [0, 5, 10, 15]}
    assert given[0]["video"]["video_metadata"] == times
    assert how["processing_kwargs"] == {"video": {"do_sample_frames": False}}, "the frames are chosen by then"


@pytest.mark.parametrize("side", [3, 5])
def test_the_library_takes_it_for_a_video(encoder, side):
    encoder.encode({"video": [clip(side, side), clip(side, side)]})
    given, _ = encoder.model[0].given[-1]
    assert infer_modality(given[0]) == "video"


def test_what_the_library_would_take_for_something_else_is_refused(encoder, monkeypatch):
    from gramcli.encoders.sentence_transformers import encoder as module

    monkeypatch.setattr(module, "as_taken", lambda name, one: {"text": str(one)})
    with pytest.raises(UserError, match="cannot encode this video: the library takes it for text"):
        encoder.encode({"video": [clip()]})


def test_frames_are_said(encoder):
    assert encoder.preprocessing.frames == 4
    assert any("sees 4 frames" in note for note in encoder.notes)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("text", "a"),
        ("subtitle", "a"),
        ("video", clip()),
        ("audio", Waveform(np.zeros(8, np.float32), 16000)),
        ("image", clip().frames[0]),
    ],
)
def test_an_input_is_of_one_kind_so_that_no_order_of_keys_counts(name, given):
    found = as_taken(name, given)
    assert list(found) == ["text" if name == "subtitle" else name]
    assert infer_modality(found) == next(iter(found))
