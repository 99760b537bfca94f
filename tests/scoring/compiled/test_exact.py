"""Compiled arithmetic: the bits of the torch code it stands in for."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gramcli.methods import linalg
from gramcli.scoring.compiled import loading

exact = pytest.importorskip("gramcli.scoring.compiled.exact")

DTYPES = st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16])
DIMENSIONS = st.one_of(st.integers(1, 70), st.sampled_from([512, 2047, 2048, 2049, 4097, 5000]))
SEEDS = st.integers(0, 2**31)


def rows(n: int, d: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Rows of every size the dtype has, a copy, a row of zeros, one with a single entry and one of signed zeros."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n + 4, d, dtype=torch.float64, generator=generator)
    info = torch.finfo(dtype)
    low, high = torch.tensor([info.smallest_normal * info.eps, info.max / 64], dtype=torch.float64).log2().tolist()
    x *= torch.exp2(low + (high - low) * torch.rand(n + 4, 1, dtype=torch.float64, generator=generator))
    x = x.clamp(info.min, info.max).to(dtype)
    x[1], x[2], x[3, 1:], x[4] = x[0], 0, 0, -0.0
    return x[:, torch.randperm(d, generator=generator)]


def same(x: Tensor, y: Tensor) -> bool:
    """Bit for bit, signs of zeros too."""
    return x.dtype == y.dtype and x.shape == y.shape and torch.equal(x.view(torch.int64), y.view(torch.int64))


@settings(deadline=None, max_examples=40)
@given(d=DIMENSIONS, seed=SEEDS, dtype=DTYPES)
def test_unit_rows_and_sums(d: int, seed: int, dtype: torch.dtype) -> None:
    x = rows(5, d, seed, dtype)
    unit = linalg.unit_rows(x)
    with loading.accelerated(1 << 40, x.device) as compiled:
        assert compiled
        assert same(linalg.unit_rows(x), unit)
        assert same(linalg.unit_rows(x.T.contiguous().T), unit)
        total = linalg.tree_sum(unit)
    assert same(total, linalg.tree_sum(unit))


@settings(deadline=None, max_examples=40)
@given(d=DIMENSIONS, k=st.integers(1, 5), seed=SEEDS, gap=st.sampled_from([0.0, 1e-15, 1e-13, 1e-8, 0.3, 2.0]))
def test_orthonormalise(d: int, k: int, seed: int, gap: float) -> None:
    noise = torch.stack([rows(5, d, seed + a, torch.float32) for a in range(k)])
    common = linalg.unit_rows(noise[0])
    z = linalg.unit_rows(common + gap * linalg.unit_rows(noise))  # near one another: second passes
    present = torch.rand(k, z.shape[1], generator=torch.Generator().manual_seed(seed)) > 0.2
    z = torch.where(present.unsqueeze(-1), z, 0.0)
    for here in (None, present):
        basis, diagonal = linalg.orthonormalise(z, here)
        found = exact.orthonormalise(z, here)
        assert same(found[0], basis)
        assert same(found[1], diagonal)


@settings(deadline=None, max_examples=40)
@given(d=DIMENSIONS, r=st.integers(1, 3), p=st.integers(1, 3), seed=SEEDS)
def test_pair_products(d: int, r: int, p: int, seed: int) -> None:
    left, right = (
        torch.stack([linalg.unit_rows(rows(4, d, seed + a + k)) for a in range(n)]) for k, n in ((0, r), (9, p))
    )
    left[0, 0, 0], right[0, 0] = 1 - 2**-53, 2.0**-21  # halves of a unit of the first slice: rounded to even
    generator = torch.Generator().manual_seed(seed)
    i, j = torch.randint(8, (2, 20), generator=generator)
    whole = [
        torch.stack([linalg.exact_dot_pairs(linalg.exact_slices(x[i]), linalg.exact_slices(y[j])) for y in right])
        for x in left
    ]
    assert same(exact.pair_products(left, right, i, j), torch.stack(whole))


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = rows(3000, 33, 1, torch.float32)
    i, j = torch.randint(len(x), (2, 5000))
    found = []
    for count in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        z = exact.unit_rows(x).unsqueeze(0)
        found.append((exact.orthonormalise(z, None)[0], exact.pair_products(z, z, i, j)))
    for basis, products in found[1:]:
        assert same(basis, found[0][0])
        assert same(products, found[0][1])
