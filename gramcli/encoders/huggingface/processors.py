"""The JSON of a processor, read and checked, and what the library's classes do where it does not say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from gramcli.encoders.huggingface.pixels import Edges, PatchRule, PixelRule
from gramcli.errors import UserError

_CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
_HALF: Final = (0.5, 0.5, 0.5)
_STEPS: Final = {"do_resize": True, "do_rescale": True, "do_normalize": True}
_CLIP: Final[dict[str, Any]] = {
    **_STEPS, "resample": 3, "size": {"shortest_edge": 224}, "do_center_crop": True, "crop_size": 224,
    "image_mean": _CLIP_MEAN, "image_std": _CLIP_STD, "default_to_square": False,
}  # fmt: skip
# What a processor does where its JSON does not say, as the classes of transformers document it.
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "CLIP": _CLIP,
    "ChineseCLIP": _CLIP,
    "Bit": _CLIP,
    "Siglip": {
        **_STEPS, "resample": 3, "size": [224, 224], "image_mean": _HALF, "image_std": _HALF,
        "default_to_square": False,
    },
    "ViT": {**_STEPS, "resample": 2, "size": 224, "image_mean": _HALF, "image_std": _HALF, "default_to_square": True},
    "Blip": {
        **_STEPS, "resample": 3, "size": 384, "image_mean": _CLIP_MEAN, "image_std": _CLIP_STD,
        "default_to_square": True,
    },
    "VideoMAE": {
        **_STEPS, "resample": 2, "size": {"shortest_edge": 224}, "do_center_crop": True, "crop_size": 224,
        "image_mean": _HALF, "image_std": _HALF, "default_to_square": False,
    },
    "EfficientNet": {
        **_STEPS, "resample": 3, "size": 346, "crop_size": 289, "image_mean": _HALF, "image_std": _HALF,
        "include_top": True, "default_to_square": True,
    },
    "Siglip2": {**_STEPS, "resample": 2, "image_mean": _HALF, "image_std": _HALF},
    "LlavaOnevisionVideo": {
        **_STEPS, "resample": 3, "size": [384, 384], "image_mean": _CLIP_MEAN, "image_std": _CLIP_STD,
        "default_to_square": False,
    },
    "PeVideoVideo": {**_STEPS, "do_resize": False, "do_normalize": False, "resample": 2, "default_to_square": True},
}  # fmt: skip
_LARGEST_SIDE: Final = 4096
_FILTERS: Final = frozenset(int(one) for one in Image.Resampling)


def pixel_rule(settings: Mapping[str, Any], otherwise: str, where: str) -> PixelRule:
    """Read the JSON of a processor.

    Args:
        settings: Of preprocessor_config.json or video_preprocessor_config.json; may be empty.
        otherwise: The processor whose defaults hold where the JSON names none: `CLIP`, `Siglip` and so on.
        where: The file, for messages.

    Returns:
        The rule.

    Raises:
        UserError: It names a processor that is not known, or values that none could use.
    """
    return _Reader({**defaults(settings, otherwise, where), **_given(settings)}, where).rule()


def patch_rule(settings: Mapping[str, Any], where: str) -> PatchRule:
    """Read the JSON of the processor of SigLIP 2 for pictures of any shape.

    Raises:
        UserError: It has values that none could use.
    """
    reader = _Reader({**_DEFAULTS["Siglip2"], "size": 16, **_given(settings), "do_center_crop": False}, where)
    most, patch = reader.whole("max_num_patches", 256, 2**16), reader.whole("patch_size", 16, 1024)
    return PatchRule(patch, most, reader.rule(), reader.flag("do_resize"))


def defaults(settings: Mapping[str, Any], otherwise: str, where: str) -> dict[str, Any]:
    """Return what a processor does where its JSON does not say.

    Raises:
        UserError: The JSON names a processor that is not known.
    """
    keys = ("image_processor_type", "video_processor_type", "feature_extractor_type")
    named = next((str(settings[key]) for key in keys if settings.get(key)), otherwise)
    name = named
    for end in ("Fast", "Pil", "FeatureExtractor", "ImageProcessor", "Processor"):
        name = name.removesuffix(end)
    if name not in _DEFAULTS:
        known = ", ".join(_DEFAULTS)
        raise UserError("checkpoint", f"{where} names the processor {named[:60]}, which is not known. Known: {known}.")
    return dict(_DEFAULTS[name])


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True)
class _Reader:
    """Settings of a processor, and the file that its complaints name."""

    settings: Mapping[str, Any]
    where: str

    def rule(self) -> PixelRule:
        """All of it."""
        if self.flag("do_pad") and not self._of_one_size():
            raise self.wrong("do_pad asks for padding to a size of the batch, which no vector may depend on")
        edges, size = self._size() if self.flag("do_resize") else (None, (0, 0))
        resample = self.settings.get("resample", 2)
        if not isinstance(resample, int) or resample not in _FILTERS:
            raise self.wrong(f"resample {str(resample)[:40]!r} is no filter of PIL")
        normal, scaled = self.flag("do_normalize"), self.flag("do_rescale")
        return PixelRule(
            edges,
            size,
            int(resample),
            self._crop() if self.flag("do_center_crop") else None,
            self._number("rescale_factor", 1 / 255) if scaled else None,
            self.flag("rescale_offset"),
            self._triple("image_mean") if normal else None,
            self._triple("image_std") if normal or self.flag("include_top") else None,
            self.flag("include_top"),
        )

    def _of_one_size(self) -> bool:
        """Whether all frames come out alike, so that padding them to the largest of a batch changes none."""
        if self.settings.get("pad_size"):
            return False
        exact = self.flag("do_resize") and self._size()[0] == "exact"
        return exact or self.flag("do_center_crop")

    def flag(self, name: str) -> bool:
        """A setting that is on or off; one that is not there is off."""
        value = self.settings.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{name} must be true or false; got {str(value)[:40]!r}")
        return value

    def whole(self, name: str, otherwise: int, most: int) -> int:
        """A whole number from 1 to the most."""
        return self._whole(name, self.settings.get(name, otherwise), most)

    def wrong(self, why: str) -> UserError:
        """The error of settings that cannot be used."""
        return UserError("checkpoint", f"{self.where}: {why}. Give the processor's own file.")

    def _whole(self, name: str, value: object, most: int = _LARGEST_SIDE) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise self.wrong(f"{name} must be a whole number from 1 to {most}; got {str(value)[:40]!r}")
        return value

    def _size(self) -> tuple[Edges, tuple[int, int]]:
        size = self.settings.get("size")
        if isinstance(size, list) and len(size) == 2:
            size = {"height": size[0], "width": size[1]}
        if isinstance(size, int):
            square = self.settings.get("default_to_square", True)
            size = {"height": size, "width": size} if square else {"shortest_edge": size}
        given = {key: value for key, value in size.items() if value} if isinstance(size, dict) else {}
        numbers = {key: self._whole(f"size.{key}", value) for key, value in given.items()}
        for edges, names in (("exact", ("height", "width")), ("within", ("max_height", "max_width"))):
            if set(numbers) == set(names):
                return edges, (numbers[names[0]], numbers[names[1]])  # type: ignore[return-value]
        if "shortest_edge" in numbers and set(numbers) <= {"shortest_edge", "longest_edge"}:
            return "shortest", (numbers["shortest_edge"], numbers.get("longest_edge", 0))
        raise self.wrong(f"size {str(size)[:60]!r} is none that a processor has")

    def _crop(self) -> tuple[int, int]:
        size = self.settings.get("crop_size")
        if isinstance(size, dict):
            size = [size.get("height"), size.get("width")]
        both = size if isinstance(size, list) and len(size) == 2 else [size, size]
        return self._whole("crop_size", both[0]), self._whole("crop_size", both[1])

    def _number(self, name: str, otherwise: float) -> float:
        value = self.settings.get(name, otherwise)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong(f"{name} must be a number; got {str(value)[:40]!r}")
        return float(value)

    def _triple(self, name: str) -> tuple[float, float, float]:
        value = self.settings.get(name)
        values = list(value) if isinstance(value, list | tuple) else [value] * 3
        fine = [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
        if (
            len(values) != 3
            or len(fine) != 3
            or not all(map(math.isfinite, fine))
            or (name == "image_std" and 0 in fine)
        ):
            raise self.wrong(f"{name} must be three numbers, none of the deviations 0; got {str(value)[:60]!r}")
        return float(fine[0]), float(fine[1]), float(fine[2])
