"""Every fault is caught by the check that is made for it, and named; what is sound passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gramcli.encoders import load_encoder
from gramcli.encoders.soundness.difference import cosine_difference, rank_difference, tolerance
from gramcli.encoders.soundness.examine import examine
from gramcli.encoders.soundness.probes import N
from gramcli.errors import UserError
from tests.encoders.soundness import faulty

FAULTS = {
    "LongRandomCrop": ({("very long sound", "audio")}, "encoded twice it gives two vectors"),
    "LastOfMany": (
        {("another batch size", name) for name in ("text", "video", "audio")},
        "depends on how many are encoded together",
    ),
    "RandomCrop": ({("same input twice", "audio")}, "another vector each time"),
    "BatchNormalised": (
        {("alone or in a batch", "video"), ("another batch size", "video")},
        "what stands beside it in the batch",
    ),
    "PaddingLeaks": ({("padded or not", "text")}, "padding leaks"),
    "PlaceInBatch": (
        {("alone or in a batch", "audio"), ("another batch size", "audio"), ("permuted batch", "audio")},
        "its place in the batch",
    ),
    "BatchSize": ({("another batch size", name) for name in ("text", "video", "audio")}, "how many are encoded"),
    "WrongDims": ({("dimensions", "text")}, "dims says 16, encode gives 12"),
    "NanOnSilence": ({("silent sound", "audio")}, "NaN or infinity"),
    "CrashesOnNothing": ({("empty text", "text")}, "raised IndexError: list index out of range"),
    "BreaksOnNothing": ({("empty text", "text")}, "own:make is no encoder"),
    "ZeroOnBlack": ({("black frames", "video")}, "a vector of zeros"),
    "Raises": (
        {("encodes", "video"), ("beside others", "video"), ("beside others", "audio")}
        | {("black frames", "video"), ("very long video", "video")},
        "raised ValueError: mat1 and mat2",
    ),
    "NotNormalised": (
        {("unit length", name) for name in ("text", "video", "audio")}
        | {("empty text", "text"), ("very long text", "text"), ("black frames", "video"), ("very long video", "video")}
        | {("silent sound", "audio"), ("very long sound", "audio")},
        "rows have lengths from",
    ),
    "Doubles": ({("float32", name) for name in ("text", "video", "audio")}, "rows are float64"),
    "LeaksAcross": ({("beside others", "video")}, "other modalities that are encoded with it"),
    "FusedLeaks": ({("alone or in a batch", "va"), ("another batch size", "va")}, "what stands beside it in the batch"),
    "Constant": ({("inputs told apart", "text"), ("inputs told apart", "video")}, "every input has the same vector"),
    "Threads": ({("other threads", name) for name in ("text", "video", "audio")}, "number of threads"),
}


def verdicts(found, check):
    return {one.embedding: one.verdict for one in found.checks if one.check == check}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught_by_its_check(name):
    found = examine(getattr(faulty, name)())
    failed, said = FAULTS[name]
    assert {(one.check, one.embedding) for one in found.failed} == failed
    assert any(said in one.detail for one in found.failed)
    assert (found.sound, found.exit_code) == (False, 1)


@pytest.mark.parametrize(
    "make", [faulty.Plain, faulty.Fused, faulty.RefusesNothing, faulty.BlindToTime, faulty.OneFrame]
)
def test_what_is_sound_passes_with_the_same_bits(make):
    found = examine(make(), lambda _: make())
    assert not found.failed
    assert found.exit_code == 0
    assert {one.verdict for one in found.checks} == {"ok", "note"}
    compared = [one for one in found.checks if one.verdict == "ok" and one.cosine_difference is not None]
    assert {one.cosine_difference for one in compared} == {0.0}


def test_it_reads_as_its_command_prints_it():
    found = examine(faulty.WrongDims())
    assert "wrongdims (cpu, fp32) is NOT SOUND" in repr(found)
    frame = found.to_frame()
    assert frame[frame.verdict == "failed"].check.tolist() == ["dimensions"]


def test_views_and_fused_embeddings_are_each_looked_at():
    found = examine(faulty.Fused())
    for check in ("dimensions", "same input twice", "alone or in a batch", "padded or not", "permuted batch"):
        assert set(verdicts(found, check)) == {"text@video", "text@audio", "video", "audio", "va"}


def test_inputs_that_share_a_vector_are_told():
    found = examine(faulty.SeesLittle())
    said = next(one for one in found.checks if (one.check, one.embedding) == ("inputs told apart", "audio"))
    assert found.sound
    assert (said.verdict, said.detail[1:]) == ("note", " of 6 different inputs have the vector of another one")


def test_nothing_finite_is_said_once_and_not_of_every_comparison():
    found = examine(faulty.NothingIsFinite())
    assert set(verdicts(found, "finite").values()) == {"failed"}
    assert set(verdicts(found, "alone or in a batch").values()) == {"note"}


def test_rounding_differs_and_does_not_fail():
    found = examine(faulty.Batched())
    assert found.sound
    assert set(verdicts(found, "alone or in a batch").values()) == {"differs"}
    assert all(0 < one.cosine_difference < 1e-9 for one in found.checks if one.verdict == "differs")
    on_gpu = examine(faulty.Batched(), device="cuda:0")
    assert "differs" not in {one.verdict for one in on_gpu.checks}, "no bits are due there"
    said = {(one.verdict, one.detail) for found in (found, on_gpu) for one in found.checks if one.cosine_difference}
    assert {("differs", "by rounding alone"), ("ok", "rounding, and no bits are due here")} <= said


def test_a_refusal_in_a_sentence_is_a_fact():
    found = examine(faulty.RefusesNothing())
    said = next(one for one in found.checks if one.check == "empty text")
    assert (said.verdict, said.detail) == ("note", "said: An empty text has no tokens; leave it out.")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (faulty.Plain, "sees time"),
        (faulty.BlindToTime, "blind to the order of frames"),
        (faulty.OneFrame, "sees one frame of each video"),
    ],
)
def test_whether_it_sees_time(make, said):
    assert [one.detail for one in examine(make()).checks if one.check == "frames reversed"] == [said]


def test_raw_lengths_are_told_where_there_are_any():
    lengths = {one.embedding: one.detail for one in examine(faulty.Plain()).checks if one.check == "raw length"}
    rows = [faulty.text_row(text) for text in faulty_texts()]
    norms = np.linalg.norm(np.stack(rows), axis=1)
    assert lengths["text"] == f"{norms.min():.4g} to {norms.max():.4g}"
    assert "no others" in next(one.detail for one in examine(Hidden()).checks if one.check == "raw length")


class Hidden(faulty.Plain):
    raw = None

    def encode(self, inputs):
        return {name: faulty.unit(rows) for name, rows in faulty.Plain.raw(self, inputs).items()}


def faulty_texts():
    from gramcli.encoders.base import Preprocessing
    from gramcli.encoders.soundness.probes import probes_of

    return probes_of("text", Preprocessing()).even


def test_another_precision_is_told_and_not_judged():
    def load(precision):
        assert precision == "bf16"
        return faulty.BatchNormalised()

    found = examine(faulty.Plain(), load)
    told = {one.embedding: one for one in found.checks if one.check == "other precision"}
    assert found.sound
    assert told["text"].detail == "bf16 against fp32: the same vectors"
    assert told["video"].cosine_difference > 1e-6

    def refuse(precision):
        raise UserError("usage", "There is no bf16 here.")

    found = examine(faulty.Plain(), refuse)
    assert [one.detail for one in found.checks if one.check == "other precision"] == [
        "bf16 against fp32: There is no bf16 here."
    ]


def test_the_number_of_threads_is_put_back():
    examine(faulty.Raises())
    assert torch.get_num_threads() == 1


def test_signal_is_sound_to_the_bit():
    found = examine(load_encoder("signal", frames=2))
    assert {one.verdict for one in found.checks} == {"ok", "note"}
    assert {one.embedding for one in found.checks} >= {"text", "video", "audio", "subtitle", "depth", "image"}


@pytest.mark.parametrize("angle", [1e-9, 1e-6, 1e-3, 0.5, 3.0])
def test_small_angles_keep_their_digits(angle):
    before = np.array([[1.0, 0.0]])
    after = np.array([[np.cos(angle), np.sin(angle)]])
    assert cosine_difference(before, 3 * after) == pytest.approx(2 * np.sin(angle / 2) ** 2, rel=1e-6)


def test_ranks_move_as_far_as_items_do():
    gallery = np.eye(N)
    assert rank_difference(gallery, gallery) == 0
    nearest = gallery.copy()
    nearest[0] = [0.1, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert rank_difference(gallery, nearest) == N - 1


def test_what_rounding_may_do():
    assert tolerance("cpu", "fp32").same_bits
    assert not tolerance("cpu", "bf16").same_bits
    assert tolerance("cuda:0", "fp32").cosine < tolerance("cuda:0", "bf16").cosine < 0.01
