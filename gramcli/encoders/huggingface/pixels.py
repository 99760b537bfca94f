"""Pixels: resize, crop, rescale and normalise, by NumPy and PIL alone; `processors` reads the JSON that says how.

These rules run in the decoding workers: no torch, no transformers. They give what the library's own PIL path gives,
bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gramcli.errors import UserError

Edges = Literal["exact", "shortest", "within"]

_LARGEST_AREA: Final = 2**26


@dataclass(frozen=True)
class PixelRule:
    """How a frame becomes the input of a vision tower; pickles, for the workers.

    Attributes:
        edges: What `size` means: `exact` height and width, the `shortest` edge (and at most the longest, 0: any),
            or a frame `within` height and width; None leaves the size as it is.
        size: Two whole numbers, as `edges` has it.
        resample: PIL's number of the filter.
        crop: Height and width cut from the centre, with black around a frame that is smaller; None cuts nothing.
        scale: What pixels 0..255 are multiplied with; None leaves them.
        offset: Whether 1 is taken away after that.
        mean: Of red, green and blue; None does not normalise.
        std: The same.
        again: Whether it is divided by the deviations once more, as EfficientNet's classifiers have it.
    """

    edges: Edges | None
    size: tuple[int, int]
    resample: int
    crop: tuple[int, int] | None
    scale: float | None
    offset: bool
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None
    again: bool = False

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """What each of the 256 values becomes in each channel, float32 [256, 3]: there are no other inputs."""
        values: Any = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
        if self.scale is not None:
            values = (values.astype(np.float64) * self.scale).astype(np.float32)
            values = values - np.float32(1) if self.offset else values
        if self.mean is not None and self.std is not None:
            values = (values - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        if self.again and self.std is not None:
            values = values / np.array(self.std, np.float32)
        found: NDArray[np.float32] = values
        return found

    def frames(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Bring frames to the size of the model and normalise them.

        Args:
            pixels: RGB, uint8 [n, h, w, 3].

        Returns:
            float32 [n, 3, H, W].

        Raises:
            UserError: They are not RGB frames, or so narrow that nothing of them could be held.
        """
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or 0 in pixels.shape:
            raise UserError("media", f"Frames must be RGB [n, h, w, 3]; got {list(pixels.shape)}. Decode them as RGB.")
        shaped = [self._cropped(self._resized(one)) for one in pixels]
        return np.stack([self.numbers(one) for one in shaped])

    def numbers(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Values of a frame [h, w, 3] of the right size: float32 [3, h, w]."""
        found = np.empty((3, *frame.shape[:2]), np.float32)
        for channel in range(3):
            np.take(self.table[:, channel], frame[..., channel], out=found[channel])
        return found

    def _resized(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return frame if self.edges is None else resized(frame, *self.target(*frame.shape[:2]), self.resample)

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing.

        Example:
            >>> rule = PixelRule("shortest", (224, 0), 3, None, None, False, None, None)
            >>> rule.target(240, 321)
            (224, 299)
        """
        first, second = self.size
        if self.edges == "exact":
            return first, second
        if self.edges == "within":
            scale = min(first / height, second / width)
            return int(height * scale), int(width * scale)
        return _shortest(height, width, first, second)

    def _cropped(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.crop is None:
            return frame
        height, width = frame.shape[:2]
        rows, columns = self.crop
        if height < rows or width < columns:
            # Black goes around it, the odd line above and to the left.
            tall, wide = max(height, rows), max(width, columns)
            top, left = math.ceil((tall - height) / 2), math.ceil((wide - width) / 2)
            larger = np.zeros((tall, wide, 3), np.uint8)
            larger[top : top + height, left : left + width] = frame
            first, start = (height - rows) // 2 + top, (width - columns) // 2 + left
            return larger[max(0, first) : first + rows, max(0, start) : start + columns]
        top, left = (height - rows) // 2, (width - columns) // 2
        return frame[top : top + rows, left : left + columns]


@dataclass(frozen=True)
class PatchRule:
    """How SigLIP 2 sees pictures of any shape: as many patches as it may, the shape kept; pickles.

    Attributes:
        patch: Side of a patch.
        most: Patches of a picture; fewer are filled up with zeros.
        pixels: What is done to values.
        resize: Whether pictures are resized at all.
    """

    patch: int
    most: int
    pixels: PixelRule
    resize: bool = True

    def frames(self, pixels: NDArray[np.uint8]) -> Patches:
        """Cut frames into patches.

        Args:
            pixels: RGB, uint8 [n, h, w, 3].

        Raises:
            UserError: They are not RGB frames, or of more patches than the model takes.
        """
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or 0 in pixels.shape:
            raise UserError("media", f"Frames must be RGB [n, h, w, 3]; got {list(pixels.shape)}. Decode them as RGB.")
        height, width = pixels.shape[1:3]
        if self.resize:
            height, width = self.target(height, width)
        rows, columns = height // self.patch, width // self.patch
        if height % self.patch or width % self.patch or not 0 < rows * columns <= self.most:
            raise UserError(
                "media", f"A frame of {height} x {width} is not at most {self.most} patches of side {self.patch}."
            )
        found = np.zeros((len(pixels), self.most, 3 * self.patch**2), np.float32)
        for row, frame in zip(found, pixels, strict=True):
            shaped = resized(frame, height, width, self.pixels.resample) if self.resize else frame
            values = self.pixels.numbers(shaped)
            cut = values.reshape(3, rows, self.patch, columns, self.patch).transpose(1, 3, 2, 4, 0)
            row[: rows * columns] = cut.reshape(rows * columns, -1)
        return Patches(found, np.array([[rows, columns]] * len(pixels), np.int64))

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing: whole patches, found by halving the interval of scales as the library does.

        Example:
            >>> PatchRule(16, 256, None).target(240, 320)
            (224, 288)
        """
        low, high = 1e-6, 100.0
        while high - low >= 1e-5:
            scale = (low + high) / 2
            rows, columns = self._sides(scale, height, width)
            low, high = (scale, high) if rows * columns <= self.most * self.patch**2 else (low, scale)
        return self._sides(low, height, width)

    def _sides(self, scale: float, height: int, width: int) -> tuple[int, int]:
        tall, wide = (max(self.patch, math.ceil(side * scale / self.patch) * self.patch) for side in (height, width))
        return tall, wide


@dataclass(frozen=True)
class Patches:
    """Patches of n frames.

    Attributes:
        values: float32 [n, most, 3 * patch * patch], zeros behind those that are there.
        shapes: Rows and columns of patches, int64 [n, 2].
    """

    values: NDArray[np.float32]
    shapes: NDArray[np.int64]


@dataclass(frozen=True)
class Preparer:
    """What the workers do to decoded pictures and clips.

    Attributes:
        rule: Of one frame.
    """

    rule: PixelRule | PatchRule

    def __call__(self, modality: str, media: Any) -> Any:  # noqa: ANN401 - what the decoders give
        """Prepare a `VideoClip`, or the uint8 picture [h, w, 3], as one frame.

        Returns:
            What the rule makes of its frames.
        """
        return self.rule.frames(media.frames if modality == "video" else media[None])


def resized(frame: NDArray[np.uint8], height: int, width: int, resample: int) -> NDArray[np.uint8]:
    """Resize a frame [h, w, 3] by PIL.

    Raises:
        UserError: Nothing could hold it, or nothing would be left of it.
    """
    if height < 1 or width < 1 or height * width > _LARGEST_AREA:
        was = f"{frame.shape[0]} x {frame.shape[1]}"
        raise UserError("media", f"A frame of {was} pixels would become {height} x {width}; it is too narrow.")
    image = Image.fromarray(np.ascontiguousarray(frame))
    return np.asarray(image.resize((width, height), resample=Image.Resampling(resample)))


def _shortest(height: int, width: int, short: int, longest: int) -> tuple[int, int]:
    if not longest:
        longer = int(short * max(height, width) / min(height, width))
        return (longer, short) if width <= height else (short, longer)
    wanted: float = short
    if max(height, width) / min(height, width) * short > longest:
        wanted = longest * min(height, width) / max(height, width)
    edge = round(wanted)
    if min(height, width) == edge:
        return height, width
    return (int(wanted * height / width), edge) if width < height else (edge, int(wanted * width / height))


def facts_of(rule: PixelRule | PatchRule) -> dict[str, Any]:
    """What a store records of a rule."""
    return {"pixels": asdict(rule)}
