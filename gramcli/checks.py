"""Validation of embeddings, once, where they enter scoring."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gramcli.errors import UserError


def check_embeddings(side: str, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None) -> None:
    """Refuse embeddings that no measure is defined for.

    Args:
        side: `queries` or `candidates`, for messages.
        embeddings: Modality name to rows, each shape [n, d].
        present: Modality name to bool [n]; absent rows are not looked at.

    Raises:
        UserError: No modality, no rows, not [n, d], counts or dimensions that differ, not floating, presence of
            another shape or dtype, a row without any modality, or a present row that is zero, NaN or
            infinite; the message names the modality and the first such row.
    """
    if not isinstance(embeddings, Mapping):
        raise UserError(
            "embedding",
            f"The {side} must be a dict of modality to tensor, such as {{'text': x}}; got {_kind(embeddings)}.",
        )
    if not embeddings:
        raise UserError("embedding", f"The {side} have no modality: give at least one.")
    first = next(iter(embeddings))
    for name, rows in embeddings.items():
        if not isinstance(rows, Tensor):
            raise UserError(
                "embedding", f"{side} '{name}' must be a torch tensor; got {_kind(rows)}. Use torch.from_numpy(...)."
            )
        if rows.dim() != 2 or not rows.is_floating_point():
            raise UserError(
                "embedding",
                f"{side} '{name}' must be a floating point tensor [n, d]; got {list(rows.shape)} {rows.dtype}.",
            )
        if rows.shape[0] == 0 or rows.shape[1] == 0:
            raise UserError("embedding", f"{side} '{name}' are empty, shape {list(rows.shape)}: nothing to score.")
        if rows.shape != embeddings[first].shape:
            raise UserError(
                "embedding",
                f"{side} '{name}' are {list(rows.shape)} but '{first}' are {list(embeddings[first].shape)}: "
                "all modalities of a side need the same rows and dimension.",
            )
    if present is not None:
        _check_masks(side, embeddings, present)
        _check_somewhere(side, embeddings, present)
    for name, rows in embeddings.items():
        _check_rows(side, name, rows, None if present is None else present.get(name))


def _check_rows(side: str, name: str, rows: Tensor, present: Tensor | None) -> None:
    largest = rows.abs().amax(dim=1)  # NaN and inf propagate through amax
    bad = ~largest.isfinite() | (largest == 0)
    if present is not None:
        bad &= present.to(bad.device)
    if bool(bad.any()):
        row = int(bad.nonzero()[0])
        what = "is all zeros" if float(largest[row]) == 0 else "holds NaN or infinity"
        raise UserError(
            "embedding",
            f"{side} '{name}': row {row} {what} ({int(bad.sum())} such rows). "
            "Mark absent modalities as absent instead of storing zeros, or embed those items again.",
        )


def _check_masks(side: str, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
    n = next(iter(embeddings.values())).shape[0]
    for name, mask in present.items():
        if name not in embeddings:
            raise UserError("embedding", f"Presence is given for '{name}', which the {side} do not have.")
        if not isinstance(mask, Tensor) or mask.shape != (n,) or mask.dtype != torch.bool:
            got = f"{mask.dtype} {list(mask.shape)}" if isinstance(mask, Tensor) else _kind(mask)
            raise UserError("embedding", f"Presence of {side} '{name}' must be a bool tensor [{n}]; got {got}.")


def _check_somewhere(side: str, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
    if any(name not in present for name in embeddings):
        return
    nowhere = ~torch.stack([mask.cpu() for mask in present.values()]).any(dim=0)
    if bool(nowhere.any()):
        row = int(nowhere.nonzero()[0])
        raise UserError("embedding", f"{side} row {row} has no modality present: leave the item out.")


def check_pair(queries: Mapping[str, Tensor], candidates: Mapping[str, Tensor]) -> None:
    """Refuse sides of different dimension.

    Raises:
        UserError: The query and candidate dimensions differ.
    """
    (query, rows), (candidate, others) = (next(iter(side.items())) for side in (queries, candidates))
    d, e = rows.shape[1], others.shape[1]
    if d != e:
        raise UserError(
            "embedding",
            f"queries '{query}' have {d} dimensions and candidates '{candidate}' {e}: "
            "they are not from one embedding space.",
        )


def check_dtype(dtype: object) -> None:
    """Refuse what the inputs of a product cannot be rounded to.

    Raises:
        UserError: It is none of float64, float32, bfloat16, float16.
    """
    if dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        raise UserError("usage", f"dtype must be torch.float64, float32, bfloat16 or float16; got {dtype!r}.")


def check_device(device: object) -> None:
    """Refuse a device that is not there.

    Raises:
        UserError: Not the name of a device, or CUDA where there is none.
    """
    try:
        chosen = torch.device(device)  # type: ignore[call-overload]
    except (RuntimeError, TypeError) as error:
        raise UserError("usage", f"device must be 'cpu', 'cuda' or 'cuda:i'; got {device!r}.") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise UserError("usage", f"device '{chosen}': torch sees no CUDA device here. Use 'cpu'.")


def check_tile(tile: tuple[int, int]) -> None:
    """Refuse a tile without rows or columns.

    Raises:
        UserError: Not two whole numbers from 1 on.
    """
    if len(tile) != 2 or not all(isinstance(size, int) and size >= 1 for size in tile):
        raise UserError("usage", f"tile must be two whole numbers from 1 on, rows and columns; got {tile!r}.")


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
