"""Load the weights of a checkpoint into a model that was built without memory (on PyTorch's meta device)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from gramcli.encoders.vast.layout import Found
from gramcli.encoders.vast.names import (
    Shape,
    count_by_part,
    is_computed,
    is_optional,
    is_unused,
    parameters_by_part,
    tied_name,
)
from gramcli.encoders.vast.tensors import WeightFiles, dtype_counts, dtype_name, file_sha256
from gramcli.errors import UserError
from gramcli.files.reading import Stamp, stamp

Precision = Literal["float32", "bfloat16", "float16"]

_DTYPES: Final[dict[Precision, torch.dtype]] = {
    "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16,
}  # fmt: skip
_FRAME_EMBEDDINGS: Final = ("vision_frame_embedding", "audio_frame_embedding")
_POSITIONS: Final = ("vision_encoder.visual.pos_embed", "vision_encoder.visual.positional_embedding")
# Files are let go of after this share of their bytes was converted: pages that were read count as memory until then.
_WINDOW: Final = 1 / 128


@dataclass(frozen=True)
class Resized:
    """A table of positions that was stretched or shrunk to the model's length."""

    name: str
    before: Shape
    after: Shape


@dataclass(frozen=True)
class LoadReport:
    """What loading did. Keys are counted by part of the model, for instance `{"contra_head_d": 1}`.

    Attributes:
        matched: Tensors of the model that the files gave values to.
        missing: Tensors of the model that the files lack; all of them optional, or loading would have failed. A missing
            `contra_head_d` means: no depth.
        unused: Tensors of the files that official models carry without using, and this model leaves out.
        unexpected: Other tensors of the files that the model has no place for.
        resized: Tables of positions that did not have the model's length.
        dtypes: Number types in the files, with counts of tensors.
        precision: Number type of the loaded model.
        step: Training step, when a name states it.
        files: The weight files.
        parameters: Distinct parameters in the files.
        stamps: Size and modification time of each weight file, before it was read.
    """

    matched: int
    missing: Mapping[str, int]
    unused: Mapping[str, int]
    unexpected: Mapping[str, int]
    resized: tuple[Resized, ...]
    dtypes: Mapping[str, int]
    precision: Precision
    step: int | None
    files: tuple[Path, ...]
    parameters: Mapping[str, int]
    stamps: tuple[Stamp, ...] = ()

    def digests(self) -> dict[str, str]:
        """The sha256 of every weight file, by its name: what a store records of the model.

        Raises:
            UserError: A file is no longer the one that was loaded.
        """
        found = {path.name: file_sha256(path) for path in self.files}
        for path, before in zip(self.files, self.stamps, strict=False):
            if stamp(path) != before:
                raise UserError("checkpoint", f"{path} changed after it was loaded. Run the command again.")
        return found


def load_weights(
    found: Found, model: nn.Module, precision: Precision = "float32", *, allow_pickle: bool = False
) -> LoadReport:
    """Give a model its weights, in place.

    Tensors that need no change stay mapped from the file; the others are converted one by one. So the memory used at
    the peak is about that of the loaded weights. Tied tensors become one parameter. Optional tensors that the files
    lack are filled with NaN where the model has no values of its own, so that they cannot pass for weights.

    Args:
        found: The checkpoint.
        model: Built on the meta device; the keys and shapes of its state_dict are what is asked of the checkpoint.
        precision: Number type of the weights in memory.
        allow_pickle: Whether a file may run code of its own.

    Returns:
        What matched and what did not.

    Raises:
        UserError: A file cannot be read, needed tensors are missing, or a shape does not fit.

    Note:
        The files must not be changed while the model is in use.
    """
    stamps = tuple(stamp(path) for path in found.weights)
    files = WeightFiles(found.weights, allow_pickle=allow_pickle)
    wanted = {key: tensor for key, tensor in model.state_dict().items() if isinstance(tensor, Tensor)}
    missing = [key for key in wanted if key not in files or _is_recomputed(key, wanted[key], files)]
    # A table that the model computed by itself, off the meta device, need not be in the files.
    _refuse_missing(found, [key for key in missing if wanted[key].is_meta or not is_computed(key)])
    made, resized = _convert(found, files, wanted, _DTYPES[precision])
    trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    made |= {name: nn.Parameter(made[name], requires_grad=False) for name in made if name in trained}
    state = {key: made[tied_name(key)] for key in wanted if tied_name(key) in made}
    state |= {key: _placeholder(key, wanted[key]) for key in missing if wanted[key].is_meta}
    model.load_state_dict(state, strict=False, assign=True)
    model.requires_grad_(requires_grad=False)
    names = {tied_name(key) for key in wanted}
    left = [key for key in files.shapes if tied_name(key) not in names]
    return LoadReport(
        matched=len(wanted) - len(missing),
        missing=count_by_part(missing),
        unused=count_by_part(key for key in left if is_unused(key)),
        unexpected=count_by_part(key for key in left if not is_unused(key)),
        resized=tuple(resized),
        dtypes=dtype_counts(files.dtypes.values()),
        precision=precision,
        step=found.step,
        files=found.weights,
        parameters=parameters_by_part(files.shapes),
        stamps=stamps,
    )


def _refuse_missing(found: Found, missing: list[str]) -> None:
    needed = count_by_part(key for key in missing if not is_optional(key))
    if needed:
        groups = ", ".join(f"{part} ({count})" for part, count in needed.items())
        raise UserError(
            "checkpoint",
            f"{found.weights[0]} lacks tensors of {groups}; it is not a whole VAST-family model, or its configuration "
            "is of another one. Give the weights that belong to the configuration.",
        )


def _convert(
    found: Found, files: WeightFiles, wanted: Mapping[str, Tensor], dtype: torch.dtype
) -> tuple[dict[str, Tensor], list[Resized]]:
    """Read every wanted tensor once, tied ones under the name of their group."""
    made: dict[str, Tensor] = {}
    resized: list[Resized] = []
    window = _WINDOW * sum(path.stat().st_size for path in found.weights)
    read = 0.0
    for key, slot in wanted.items():
        name = tied_name(key)
        if name in made or key not in files or _is_recomputed(key, slot, files):
            continue
        tensor = files.read(key)
        _refuse_quantised(found, key, tensor, slot)
        read += tensor.numel() * tensor.element_size()
        if tensor.shape != slot.shape:
            resized.append(Resized(key, tuple(tensor.shape), tuple(slot.shape)))
            tensor = resize(key, tensor, tuple(slot.shape))
        # Whole numbers are few; a copy of them does not keep the whole file mapped.
        made[name] = tensor.to(dtype) if slot.is_floating_point() else tensor.to(slot.dtype, copy=True)
        del tensor
        if read > window:
            files.release()
            read = 0.0
    files.release()
    return made, resized


def _refuse_quantised(found: Found, key: str, tensor: Tensor, slot: Tensor) -> None:
    if slot.is_floating_point() and not (tensor.is_floating_point() and tensor.element_size() > 1):
        raise UserError(
            "checkpoint",
            f"{found.weights[0]} holds {key} as {dtype_name(tensor.dtype)}, which only makes sense with scales that "
            "these models have no place for; give weights in float32, bfloat16 or float16.",
        )


def _is_recomputed(key: str, slot: Tensor, files: WeightFiles) -> bool:
    """Whether a table of the file is of another length, and the model has computed its own."""
    return is_computed(key) and not slot.is_meta and files.shapes.get(key, slot.shape) != tuple(slot.shape)


def is_resized(name: str) -> bool:
    """Whether a tensor is a table of positions, which loading brings to the model's length."""
    return name in (*_FRAME_EMBEDDINGS, *_POSITIONS)


def resize(name: str, tensor: Tensor, shape: Shape) -> Tensor:
    """Bring a table of positions to another length; anything else must have the right shape already.

    Args:
        name: Official name: a frame embedding, [1, length, width], or a grid of patch positions after a class token,
            [1, length, width] or [length, width].
        tensor: The table of the file.
        shape: The shape the model wants.

    Returns:
        float32 of that shape: frames by the nearest one, grids bilinearly, corners not aligned, without antialiasing.

    Raises:
        UserError: The tensor is no such table, or not only its length differs.
    """
    old = tuple(tensor.shape)
    same_width = len(old) == len(shape) and old[-1:] == shape[-1:] and old[:-2] == shape[:-2]
    if not same_width or not is_resized(name):
        raise UserError(
            "checkpoint",
            f"Tensor {name} is {list(old)} in the weights, but the model built for them wants {list(shape)}; the "
            "configuration or arch.json is of another checkpoint.",
        )
    rows = tensor.float().reshape(old[-2:])
    if name in _FRAME_EMBEDDINGS:
        return interpolate(rows.T[None], shape[-2], mode="nearest")[0].T.reshape(shape).contiguous()
    before, after = (round((length - 1) ** 0.5) for length in (old[-2], shape[-2]))
    if before**2 + 1 != old[-2] or after**2 + 1 != shape[-2]:
        raise UserError(
            "checkpoint", f"Tensor {name} is no square grid in the weights or the model; give its arch.json."
        )
    grid = rows[1:].reshape(before, before, -1).permute(2, 0, 1)[None]
    grid = interpolate(grid, (after, after), mode="bilinear", align_corners=False, antialias=False)
    return torch.cat([rows[:1], grid[0].permute(1, 2, 0).reshape(after**2, -1)]).reshape(shape)


def _placeholder(key: str, slot: Tensor) -> Tensor:
    if key.endswith("position_ids"):
        return torch.arange(slot.shape[-1]).expand(slot.shape).clone()
    return torch.full(slot.shape, torch.nan if slot.is_floating_point() else 0, dtype=slot.dtype)
