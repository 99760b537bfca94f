"""Small sides of unit vectors for the tests of methods and ranks."""

from __future__ import annotations

import torch
from torch import Tensor

NAMES = ("text", "video", "audio", "subtitle", "depth", "image", "touch", "smell")

PLAIN = ("cosine", "centroid", "gram", "span", "pmrl", "symile")
"""Methods without options that take any split."""

VARIANTS = (
    *PLAIN,
    *("gram:log=true", "span:ridge=0.1", "pmrl:value=share", "pmrl:value=softmax", "centroid:weights=query,tau=0.2"),
)
"""The same with the options that change the order or the value."""

TRIANGLES = ("triangle", "triangle:squared=true")


def splits_of(method: str, largest: int = 8) -> list[tuple[int, int]]:
    """Every (r, p) with r <= 3 and r + p <= largest that the method takes."""
    if method.startswith("triangle"):
        return [(1, 2), (2, 1)]
    most = 1 if "weights=query" in method else 3
    found = [(r, m - r) for m in range(2, largest + 1) for r in range(1, most + 1) if m > r]
    return [(r, p) for r, p in found if min(r, p) == 1] if "ridge" in method else found


def make_side(k: int, n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """k modalities of n rows of any length that share a direction per row, so that scores spread."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(n, d, generator=generator, dtype=torch.float64)
    rows = {}
    for name in NAMES[:k]:
        noise = torch.randn(n, d, generator=generator, dtype=torch.float64)
        length = 0.5 + torch.rand(n, 1, generator=generator, dtype=torch.float64)
        rows[name] = ((common + noise) * length).to(dtype)
    return rows


def stacked(side: dict[str, Tensor]) -> Tensor:
    """Unit vectors, shape [k, n, d], float64."""
    return torch.stack([torch.nn.functional.normalize(x.double(), dim=-1) for x in side.values()])


def rows_of(side: dict[str, Tensor], rows: Tensor | slice) -> dict[str, Tensor]:
    """The same side restricted to some rows."""
    return {name: x[rows] for name, x in side.items()}
