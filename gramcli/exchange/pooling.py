"""From time steps to one vector for each item, by what is there: NaN, -inf, zero padding and lengths are holes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from gramcli.exchange.base import wrong

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pool = Literal["mean", "max", "first", "last"]
POOLS: Final[tuple[str, ...]] = get_args(Pool)
NO_STEPS: Final = "no time steps"
NULL: Final = "null"  # in a table: told by whoever read it
ZEROS, NANS, LOWEST, INFINITE = "all zeros", "all NaN", "all -inf", "a value that is infinite"
PARTIAL: Final = "single values that are not there"


def pooled(
    found: NDArray[Any] | list[NDArray[Any]],
    how: str,
    time_axis: int = 0,
    lengths: NDArray[Any] | None = None,
    source: object = "",
    odd: Counter[str] | None = None,
) -> tuple[NDArray[np.float32], list[str | None]]:
    """Reduce the features of some items to one vector each.

    A time step counts where it lies below the item's length and is not all NaN, all -inf or all zeros; single values of
    NaN or -inf in a step that counts are left out of its column.

    Args:
        found: [k, d], [k, T, d], [k, T, ..., d], or k arrays without the first axis. Axes between T and d are averaged.
        how: `mean`, `max`, `first` or `last` of the steps that count.
        time_axis: Which axis of an item's array is time; the last of the others holds the dimensions.
        lengths: [k] how many steps of each are features; None for all.
        source: For messages.
        odd: Counts the time steps with values that were left out: `INFINITE` and `PARTIAL`.

    Returns:
        Vectors [k, d], and for each item why it has none, or None where it has one.

    Raises:
        UserError: Not floating point, or an item without axes.

    Example:
        >>> x = np.array([[[1.0, 3.0], [3.0, 5.0], [0.0, 0.0]], [[np.nan, np.nan]] * 3])
        >>> pooled(x, "mean")
        (array([[2., 4.],
           [0., 0.]], dtype=float32), [None, 'all NaN'])
    """
    if isinstance(found, np.ndarray):
        _check_kind(found, source)
        if found.ndim == 2:
            return _whole(found)
    if not len(found):
        return np.zeros((0, 0), np.float32), []
    sizes = [None] * len(found) if lengths is None else [int(size) for size in lengths]
    one = [_one(item, how, time_axis, size, source, odd) for item, size in zip(found, sizes, strict=True)]
    return np.stack([vector for vector, _ in one]), [why for _, why in one]


def _check_kind(array: NDArray[Any], source: object) -> None:
    if array.dtype.kind != "f":
        raise wrong(source, f"is of type {array.dtype}, and features are floats", "Save it as float32, if it is any")


def _whole(rows: NDArray[Any]) -> tuple[NDArray[np.float32], list[str | None]]:
    """Rows without time: as they are, but for holes; one pass over the numbers where there are none."""
    with np.errstate(over="ignore", invalid="ignore"):
        vectors = np.ascontiguousarray(rows, dtype=np.float32)
        squares = np.einsum("ij,ij->i", vectors, vectors)
    why: list[str | None] = [None] * len(vectors)
    doubtful = np.flatnonzero(~(np.isfinite(squares) & (squares > 0)))
    for row in doubtful.tolist():
        why[row] = _hole(vectors[row])
    if any(why[row] for row in doubtful.tolist()):
        vectors = vectors.copy() if vectors is rows else vectors
        vectors[[row for row in doubtful.tolist() if why[row]]] = 0
    return vectors, why


def _hole(vector: NDArray[np.float32]) -> str | None:
    """Why a vector is none; None where it is one."""
    if not vector.any():
        return ZEROS
    if np.isfinite(vector).all():
        return None
    if np.isnan(vector).all():
        return NANS
    return LOWEST if np.isneginf(vector).all() else "a value that is NaN" if np.isnan(vector).any() else INFINITE


def _one(
    item: NDArray[Any], how: str, axis: int, length: int | None, source: object, odd: Counter[str] | None
) -> tuple[Any, str | None]:
    item = np.asarray(item)
    _check_kind(item, source)
    if not item.ndim:
        raise wrong(source, "is a single number for an item, not a vector")
    if item.ndim == 1:
        vectors, reasons = _whole(item[None])
        return vectors[0], reasons[0]
    steps = np.moveaxis(item, axis, 0)[: None if length is None else max(0, length)]
    with np.errstate(over="ignore", invalid="ignore"):
        steps = steps.astype(np.float32 if item.dtype.itemsize <= 4 else np.float64)
    if odd is not None and not np.isfinite(steps).all():
        _count(steps.reshape(len(steps), -1), odd)
    while steps.ndim > 2:  # places within a step, such as the 7 x 7 of a picture
        steps = _mean(steps.reshape(len(steps), -1, steps.shape[-1]))
    vector, why = _over_time(steps, how)
    with np.errstate(over="ignore"):
        vector = vector.astype(np.float32)
    if why:
        return vector, why
    vectors, reasons = _whole(vector[None])
    return vectors[0], reasons[0]


def _count(steps: NDArray[Any], odd: Counter[str]) -> None:
    """Count steps with infinity, and those that count although single values of them are NaN or -inf."""
    infinite, there = np.isposinf(steps).any(axis=1), np.isfinite(steps)
    odd[INFINITE] += int(infinite.sum())
    odd[PARTIAL] += int((~infinite & (there & (steps != 0)).any(axis=1) & ~there.all(axis=1)).sum())


def _over_time(steps: NDArray[Any], how: str) -> tuple[NDArray[Any], str | None]:
    nothing = np.zeros(steps.shape[-1])
    if not len(steps):
        return nothing, NO_STEPS
    there = np.isfinite(steps)
    counts = (there & (steps != 0)).any(axis=1)
    if not counts.any():
        return nothing, _why(steps)
    kept, seen = steps[counts], there[counts]
    if how in ("first", "last"):
        order = slice(None) if how == "first" else slice(None, None, -1)
        place = seen[order].argmax(axis=0)  # of each column the first value that is there
        values = np.take_along_axis(kept[order], place[None], axis=0)[0]
        return np.where(seen.any(axis=0), values, 0), None
    if how == "max":
        best = np.where(seen, kept, -np.inf).max(axis=0)
        return np.where(np.isfinite(best), best, 0), None
    return _mean(kept[None])[0], None


def _mean(steps: NDArray[Any]) -> NDArray[Any]:
    """The mean over the second axis of [a, b, d] in float64, of what is finite; NaN where nothing is."""
    seen = np.isfinite(steps)
    total = np.where(seen, steps, 0).sum(axis=1, dtype=np.float64)
    n = seen.sum(axis=1)
    found = total / np.maximum(n, 1)
    empty = ~seen.any(axis=(1, 2))
    found[empty] = np.nan
    mean: NDArray[Any] = found.astype(steps.dtype)
    return mean


def _why(steps: NDArray[Any]) -> str:
    """Why no step counts, by what they all are."""
    if np.isnan(steps).all():
        return NANS
    if np.isneginf(steps).all():
        return LOWEST
    return ZEROS if not steps.any() else "nothing but NaN, -inf and zeros"


def hole_counts(reasons: Sequence[str | None]) -> dict[str, int]:
    """Count the reasons for which items have no vector."""
    found: dict[str, int] = {}
    for why in reasons:
        if why:
            found[why] = found.get(why, 0) + 1
    return found
