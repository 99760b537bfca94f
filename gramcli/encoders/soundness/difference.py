"""How far two makings of the same rows lie apart, and how far rounding may take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]

_ON_CPU: Final = 1e-9
_ON_GPU: Final[dict[str, float]] = {"fp32": 3e-5, "fp16": 3e-5, "bf16": 2e-3}
UNIT: Final = 1e-4
"""How far the length of a row may be from 1: float32 leaves 1e-6, a row that was normalised in bfloat16 4e-3."""


@dataclass(frozen=True)
class Tolerance:
    """What a row may differ by from itself in another batch.

    On a CPU in fp32 items go through our encoders one by one, so the same bits are due; a row that differs within
    `cosine` still is the same vector. The bounds are squares of relative errors, since 1 - cos = |a - b|^2 / 2: a deep
    network in float32 strays by up to some 1e-5 (1e-9 is 4.5e-5); on a GPU convolutions take TF32 by default, whose
    roundoff, as that of float16, is 2^-11, and bfloat16's 2^-8: sixteen of these make 3e-5 and 2e-3. Padding that
    leaks or a random crop costs 1e-2 and more.

    Attributes:
        same_bits: Whether the same bits are due.
        cosine: Largest 1 - cos that rounding explains.
    """

    same_bits: bool
    cosine: float


def tolerance(device: str, precision: str) -> Tolerance:
    """Return what may differ on a device (`cpu`, `cuda:0`) in a precision (`fp32`, `bf16`, `fp16`).

    Example:
        >>> tolerance("cpu", "fp32"), tolerance("cuda:0", "bf16").cosine
        (Tolerance(same_bits=True, cosine=1e-09), 0.002)
    """
    exact = device == "cpu" and precision == "fp32"
    return Tolerance(exact, _ON_CPU if exact else _ON_GPU[precision])


def array_of(rows: Any) -> NDArray[Any]:  # noqa: ANN401 - an array, or a tensor of any dtype on any device
    """Return what an encoder gave as an array; a tensor that NumPy cannot hold becomes float32."""
    try:
        return np.asarray(rows)
    except (TypeError, RuntimeError):
        return np.asarray(rows.detach().float().cpu())


def cosine_difference(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Largest 1 - cos of a row to the row of the same item, in [0, 2].

    Taken as |a - b|^2 / 2 of the rows at unit length in float64, so that equal rows give exactly 0 and small angles
    keep their digits, which 1 - a.b loses.

    Args:
        before: Shape [n, d].
        after: Shape [n, d].

    Returns:
        The largest; NaN where a row is not finite.

    Example:
        >>> cosine_difference(np.eye(2), np.eye(2)), cosine_difference(np.eye(2), np.eye(2)[::-1])
        (0.0, 1.0)
    """
    gap = _unit(before) - _unit(after)
    return float(0.5 * (gap * gap).sum(axis=1).max(initial=0.0))


def rank_difference(before: NDArray[Any], after: NDArray[Any]) -> int:
    """By how many places at most an item moves when its rows are asked for among the rows of before.

    Args:
        before: Queries and gallery, shape [n, d].
        after: The same items as queries, shape [n, d].

    Returns:
        0 to n - 1; a rank is the number of items that are strictly nearer.

    Example:
        >>> rank_difference(np.eye(3), np.eye(3)), rank_difference(np.eye(2), np.eye(2)[::-1])
        (0, 1)
    """
    gallery = _unit(before)
    moved = _ranks(_unit(after), gallery) - _ranks(gallery, gallery)
    return int(np.abs(moved).max(initial=0))


def _ranks(queries: Rows, gallery: Rows) -> NDArray[np.int64]:
    near = (queries[:, None] * gallery[None]).sum(axis=2)  # no BLAS: equal pairs have equal bits, so ties stay ties
    return np.asarray((near[:, None, :] > near[:, :, None]).sum(axis=2), dtype=np.int64)


def _unit(rows: NDArray[Any]) -> Rows:
    wide = rows.astype(np.float64)
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    return np.asarray(wide / np.where(length == 0, 1.0, length))
