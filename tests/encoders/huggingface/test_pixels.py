"""Our pixels are those of the library's own PIL path, bit for bit, whatever the JSON says and whatever the shape."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import transformers

from gramcli.encoders.huggingface.pixels import PatchRule, Preparer
from gramcli.encoders.huggingface.processors import patch_rule, pixel_rule
from gramcli.errors import UserError

SIZES = ((45, 61), (61, 45), (33, 33), (8, 90), (17, 5), (224, 224), (301, 203))
NORMAL = {"image_mean": [0.1, 0.5, 0.9], "image_std": [0.2, 0.3, 0.5]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "clip": ("CLIP", {}),
    "clip, whole numbers as the hub has them": ("CLIP", {"size": 30, "crop_size": 30, "resample": 3}),
    "clip without cropping": ("CLIP", {"size": {"shortest_edge": 31}, "do_center_crop": False}),
    "a crop larger than the frame": ("CLIP", {"size": {"shortest_edge": 20}, "crop_size": {"height": 41, "width": 28}}),
    "nothing but cropping": ("CLIP", {"do_resize": False, "crop_size": {"height": 40, "width": 40}}),
    "no rescaling": ("CLIP", {"size": 24, "crop_size": 24, "do_rescale": False}),
    "another factor": ("CLIP", {"size": 24, "crop_size": 24, "rescale_factor": 1 / 127.5, **NORMAL}),
    "rescaled only": ("CLIP", {"size": 24, "crop_size": 24, "do_normalize": False}),
    "shortest and longest": ("CLIP", {"size": {"shortest_edge": 24, "longest_edge": 40}, "do_center_crop": False}),
    "within a box": ("CLIP", {"size": {"max_height": 30, "max_width": 25}, "do_center_crop": False}),
    "padding that changes none": ("CLIP", {"size": 30, "crop_size": 30, "do_pad": True}),
    "siglip, padding that changes none": ("Siglip", {"size": {"height": 29, "width": 37}, "do_pad": True}),
    "siglip": ("Siglip", {}),
    "siglip, one number": ("Siglip", {"size": 29}),
    "siglip, height and width": ("Siglip", {"size": {"height": 29, "width": 37}, "resample": 2, **NORMAL}),
    "nearest": ("Siglip", {"size": {"height": 29, "width": 37}, "resample": 0}),
    "vit": ("ViT", {}),
    "vit, one number": ("ViT", {"size": 27}),
    "blip": ("Blip", {"size": {"height": 48, "width": 48}}),
    "bit": ("Bit", {}),
    "chinese clip": ("ChineseCLIP", {}),
    "videomae": ("VideoMAE", {"size": {"shortest_edge": 32}, "crop_size": 32}),
    "efficientnet": ("EfficientNet", {"size": {"height": 40, "width": 44}}),
    "efficientnet, offset and crop": ("EfficientNet", {
        "size": 40, "do_center_crop": True, "crop_size": 29, "rescale_offset": True, "rescale_factor": 1 / 127.5,
        "include_top": False,
    }),
}  # fmt: skip


def _frames(height: int, width: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("named", [True, False])
def test_pixels_are_the_library_s_own(case: str, named: bool) -> None:
    family, settings = CASES[case]
    processor = getattr(transformers, f"{family}ImageProcessorPil")(**settings)
    ours = pixel_rule(
        {**settings, **({"image_processor_type": f"{family}ImageProcessor"} if named else {})}, family, "x"
    )
    for height, width in SIZES:
        if case == "nothing but cropping" and (height, width) == (17, 5):
            continue  # the library cuts a corner there; it is not the middle
        frames = _frames(height, width)
        theirs = processor(images=list(frames), return_tensors="np")["pixel_values"]
        theirs = np.asarray(theirs[0] if family == "VideoMAE" else theirs)
        found = ours.frames(frames)
        assert found.dtype == np.float32 and found.shape == theirs.shape, (height, width)
        assert np.array_equal(found, theirs.astype(np.float32)), (height, width)


@pytest.mark.parametrize("file", ["saved", "feature extractor of old"])
def test_what_the_library_saves_is_read(file: str) -> None:
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 30}, crop_size=28, **NORMAL)
    settings = processor.to_dict()
    if file != "saved":  # as the hub's older files have it
        settings = {
            "feature_extractor_type": "CLIPFeatureExtractor", "size": 30, "crop_size": 28, "resample": 3,
            "do_resize": True, "do_center_crop": True, "do_normalize": True, **NORMAL,
        }  # fmt: skip
    frames = _frames(45, 61)
    assert np.array_equal(
        pixel_rule(settings, "Siglip", "x").frames(frames),
        processor(images=list(frames), return_tensors="np").pixel_values,
    )


@pytest.mark.parametrize(("patch", "most"), [(16, 256), (8, 20), (4, 7)])
def test_patches_of_any_shape_are_the_library_s_own(patch: int, most: int) -> None:
    processor = transformers.Siglip2ImageProcessorPil(patch_size=patch, max_num_patches=most)
    rule = patch_rule(processor.to_dict(), "x")
    assert isinstance(rule, PatchRule)
    for height, width in SIZES:
        frames = _frames(height, width)
        theirs = processor(images=list(frames), return_tensors="np")
        ours = rule.frames(frames)
        assert np.array_equal(ours.values, theirs["pixel_values"]), (height, width)
        assert np.array_equal(ours.shapes, theirs["spatial_shapes"])
        counts = ours.shapes.prod(axis=1)
        assert np.array_equal(np.arange(most)[None] < counts[:, None], theirs["pixel_attention_mask"].astype(bool))


def test_clips_by_hand() -> None:
    """A frame of one colour stays it: (128 / 255 - mean) / std, worked by hand."""
    settings = {"size": {"height": 6, "width": 6}, "do_normalize": False}
    rule = pixel_rule(settings, "LlavaOnevisionVideo", "x")
    grey = np.full((3, 11, 7, 3), 128, np.uint8)
    assert rule.frames(grey).shape == (3, 3, 6, 6)
    assert rule.frames(grey) == pytest.approx(128 / 255, abs=1e-7)
    assert pixel_rule({**settings, "do_normalize": True, **NORMAL}, "LlavaOnevisionVideo", "x").frames(grey)[
        0, :, 0, 0
    ] == pytest.approx([(128 / 255 - 0.1) / 0.2, (128 / 255 - 0.5) / 0.3, (128 / 255 - 0.9) / 0.5], abs=1e-6)


def test_a_preparer_pickles_and_takes_clips_and_pictures() -> None:
    preparer = pickle.loads(pickle.dumps(Preparer(pixel_rule({"size": 12, "crop_size": 12}, "CLIP", "x"))))
    frames = _frames(20, 30, count=3)
    assert preparer("video", SimpleNamespace(frames=frames)).shape == (3, 3, 12, 12)
    assert np.array_equal(preparer("image", frames[0]), preparer("video", SimpleNamespace(frames=frames[:1])))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": 100_000}, r"size\.shortest_edge must be a whole number from 1 to 4096; got '100000'"),
        ({"size": {"height": 0, "width": 7}}, r"size .* is none that a processor has"),
        ({"size": {"height": [1], "width": 7}}, r"size\.height must be a whole number"),
        ({"size": True}, r"size\.shortest_edge must be a whole number"),
        ({"size": "big"}, r"size 'big' is none that a processor has"),
        ({"resample": 17}, "resample '17' is no filter of PIL"),
        ({"resample": [3]}, "is no filter of PIL"),
        ({"image_mean": [0.5]}, "image_mean must be three numbers"),
        ({"image_mean": {"a": 1}}, "image_mean must be three numbers"),
        ({"image_std": [0.5, 0, 0.5]}, "none of the deviations 0"),
        ({"rescale_factor": "x"}, "rescale_factor must be a number"),
        ({"do_resize": 1}, "do_resize must be true or false"),
        ({"do_center_crop": True, "crop_size": {"shortest_edge": 3}}, "crop_size must be a whole number"),
        ({"do_pad": True, "size": 40}, "do_pad asks for padding"),
        ({"do_pad": True, "pad_size": {"height": 300, "width": 300}}, "do_pad asks for padding"),
        ({"image_processor_type": "Own" * 40}, "names the processor OwnOwn.* which is not known. Known: CLIP"),
    ],
)
def test_settings_that_none_could_use_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        pixel_rule(settings, "Siglip", "some/preprocessor_config.json")


def test_frames_that_nothing_could_hold_are_refused() -> None:
    rule = pixel_rule({}, "CLIP", "x")
    with pytest.raises(UserError, match="it is too narrow"):
        rule.frames(np.zeros((1, 2, 60_000, 3), np.uint8))
    with pytest.raises(UserError, match="Frames must be RGB"):
        rule.frames(np.zeros((2, 3, 40, 40), np.uint8))
