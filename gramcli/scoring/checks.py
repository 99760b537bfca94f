"""Validation of embeddings and of how they are to be scored, once, where they enter scoring."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError

DTYPES: Final = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""What embeddings may be held in, and what the fast pass may round them to."""

_DTYPE_NAMES: Final = ", ".join(str(dtype).removeprefix("torch.") for dtype in DTYPES)


def check_embeddings(side: str, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor] | None = None) -> None:
    """Refuse embeddings that no measure is defined for.

    Args:
        side: `queries` or `candidates`, for messages.
        embeddings: Modality name to rows, each shape [n, d].
        present: Modality name to bool [n]; absent rows are not looked at.

    Raises:
        UserError: No mapping of tensors, no modality, no rows, not [n, d], counts or dimensions that differ,
            not floating, presence of another shape or dtype, a row without any modality, or a present
            row that is zero, NaN or infinite; the message names the modality and the first such row.
    """
    if not isinstance(embeddings, Mapping):
        raise UserError(
            "embedding",
            f"The {side} must be a mapping from modality to rows, such as {{'video': tensor}}; got "
            f"{type(embeddings).__name__}.",
        )
    if not embeddings:
        raise UserError("embedding", f"The {side} have no modality: give at least one.")
    first = next(iter(embeddings))
    for name, rows in embeddings.items():
        _check_tensor(side, name, rows)
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


def _check_tensor(side: str, name: str, rows: object) -> None:
    if not isinstance(rows, Tensor):
        raise UserError(
            "embedding",
            f"{side} '{name}' is of type {type(rows).__name__}: give torch tensors, for instance "
            "torch.from_numpy(...) of an array or torch.tensor(...) of a list.",
        )
    if rows.dim() != 2 or rows.dtype not in DTYPES:
        raise UserError(
            "embedding",
            f"{side} '{name}' must be a floating point tensor [n, d]; got {list(rows.shape)} {rows.dtype}. "
            f"Known dtypes: {_DTYPE_NAMES}.",
        )
    if rows.layout != torch.strided or rows.is_meta:
        kind = "a meta tensor without values" if rows.is_meta else f"a tensor of layout {rows.layout}"
        raise UserError("embedding", f"{side} '{name}' is {kind}: give an ordinary dense tensor.")


def check_dense(what: str, values: Tensor) -> None:
    """Refuse tensors that hold no values, or not one after the other.

    Raises:
        UserError: A meta, sparse or other tensor that is not strided.
    """
    if values.is_meta or values.layout != torch.strided:
        kind = "meta tensor without values" if values.is_meta else f"{values.layout} tensor".removeprefix("torch.")
        raise UserError("embedding", f"{what} must be an ordinary dense tensor; got a {kind}.")


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
    if not isinstance(present, Mapping):
        raise UserError(
            "embedding", f"Presence of the {side} maps a modality to a bool tensor [{n}]; got {type(present).__name__}."
        )
    for name, mask in present.items():
        if not isinstance(mask, Tensor):
            raise UserError(
                "embedding",
                f"Presence of {side} '{name}' must be a bool tensor [{n}]; got {type(mask).__name__}: "
                "torch.as_tensor(...) makes one.",
            )
        if name not in embeddings:
            raise UserError("embedding", f"Presence is given for '{name}', which the {side} do not have.")
        if mask.shape != (n,) or mask.dtype != torch.bool:
            got = f"{mask.dtype} {list(mask.shape)}"
            raise UserError("embedding", f"Presence of {side} '{name}' must be a bool tensor [{n}]; got {got}.")
        check_dense(f"Presence of {side} '{name}'", mask)


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
    d = next(iter(queries.values())).shape[1]
    e = next(iter(candidates.values())).shape[1]
    if d != e:
        raise UserError(
            "embedding",
            f"queries ({', '.join(queries)}) have {d} dimensions and candidates ({', '.join(candidates)}) {e}: "
            "they are not from one embedding space.",
        )


def check_dtype(dtype: torch.dtype) -> None:
    """Refuse what the fast pass cannot round to.

    Raises:
        UserError: Not one of `DTYPES`; the message says how to write one.
    """
    if dtype not in DTYPES:
        hint = f" Write torch.{dtype}." if isinstance(dtype, str) and hasattr(torch, dtype) else ""
        raise UserError("usage", f"The dtype of the scores is one of {_DTYPE_NAMES}; got {dtype!r}.{hint}")


def check_tile(tile: tuple[int, int]) -> None:
    """Refuse tiles that hold nothing.

    Raises:
        UserError: Not two whole numbers from 1 on.
    """
    sizes = tile if isinstance(tile, (tuple, list)) else ()
    if len(sizes) != 2 or any(not isinstance(size, int) or isinstance(size, bool) or size < 1 for size in sizes):
        raise UserError("usage", f"A tile is (rows, columns), whole numbers from 1 on; got {tile!r}.")


def check_cutoff(k: int, n_candidates: int) -> int:
    """Return k as an int.

    Raises:
        UserError: k is no whole number, or not in 1 .. n_candidates.
    """
    try:
        whole = -1 if isinstance(k, bool) else operator.index(k)
    except TypeError:
        whole = -1
    if not 1 <= whole <= n_candidates:
        rule = f"1 <= k <= {n_candidates}, the number of candidates, as a whole number"
        raise UserError("usage", f"top_k needs {rule}; got {k!r}.")
    return whole


def check_device(device: str | torch.device) -> torch.device:
    """Return the device, once float64 numbers can be held there.

    Raises:
        UserError: Unknown, or not usable on this machine or with this build of PyTorch.
    """
    try:
        found = torch.device(device)
        torch.empty(1, dtype=torch.float64, device=found)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError("usage", f"Device '{device}' cannot be used here: {reason}. Use 'cpu'.") from None
    if found.type == "meta":
        raise UserError("usage", "Device 'meta' holds no values. Use 'cpu' or 'cuda'.")
    return found


_LONGEST_INDEX: Final = 9  # digits


def device_named(text: str) -> str:
    """Return the torch device `auto`, `cpu`, `cuda` or `cuda:i` stands for.

    Raises:
        UserError: No such device here.
    """
    if text == "cpu":
        return text
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if text == "auto":
        return "cuda" if cards else "cpu"
    name, _, index = text.partition(":")
    if name != "cuda" or not (index or "0").isdecimal():
        raise UserError("usage", f"--device '{text}' is not auto, cpu, cuda or cuda:i.")
    if len(index) > _LONGEST_INDEX or int(index or 0) >= cards:
        raise UserError(
            "usage",
            f"--device {text}: this machine has {cards} CUDA device{'' if cards == 1 else 's'}. Use --device auto.",
        )
    return text
