"""The error bound that exact ranks rest on: |tile key - reference key| <= slack, and no wrong certain decision."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gramcli.methods import get_method
from gramcli.methods.base import Side, TileError
from gramcli.scoring import screening
from gramcli.scoring.scores import fast_tile
from gramcli.scoring.screening import Screen, open_sides, reference_tile
from tests.scoring.hard_cases import KINDS, make_rows
from tests.vectors import NAMES, splits_of

SCREENED = (
    *("cosine", "centroid", "gram", "span", "pmrl", "pmrl:value=share", "triangle", "triangle:squared=true", "symile"),
)
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def prepared(method: str, queries: dict[str, Tensor], candidates: dict[str, Tensor]) -> tuple[Side, Side]:
    chosen = get_method(method)
    sides = open_sides(chosen, queries, candidates)
    left, right = (side.side(chosen, torch.arange(side.n)) for side in sides)
    return left, right


def check_tile(method: str, queries: dict[str, Tensor], candidates: dict[str, Tensor], dtype: torch.dtype) -> None:
    """Keys within the slack; decisions at keys of the tile itself, the hardest thresholds there are, never wrong."""
    chosen = get_method(method)
    left, right = prepared(method, queries, candidates)
    r, p, d = len(queries), len(candidates), left.vectors.shape[-1]
    screen = Screen(chosen, r, p, d, dtype, torch.device("cpu"))
    assert screen.usable
    rows, columns = screen.operand(left), screen.operand(right)
    keys = reference_tile(chosen, left, right)
    slack = screen.slack(rows, columns, screen.products(rows, columns))
    assert float((fast_tile(screen, rows, columns).double() - keys).abs().max()) <= slack
    constants = rows.constants.unsqueeze(-1), columns.constants.unsqueeze(-2)
    compare = chosen.compare_tile(screen.products(rows, columns), *constants)
    for dim, count in ((1, keys.shape[1]), (0, keys.shape[0])):
        for k in range(min(count, 6)):
            for shift in (0.0, slack, -slack, 0.9 * slack):
                threshold = keys.narrow(dim, k, 1) + shift
                upper, lower = ((threshold + way).to(screen.epilogue) for way in (slack, -slack))
                sure, maybe = compare(upper).bool(), compare(lower).bool()
                assert bool((keys > threshold)[sure].all())
                assert bool((keys < threshold)[~maybe].all())
                assert bool(compare.superset(lower).bool()[maybe].all())
                check_chosen(compare, lower, maybe)


def check_chosen(compare, lower: Tensor, maybe: Tensor) -> None:
    """Chosen pairs are decided as in the whole tile."""
    n, N = maybe.shape
    i, j = torch.arange(n).repeat_interleave(N), torch.arange(N).repeat(n)
    chosen = compare.at(i, j)(lower.expand(n, N).flatten().unsqueeze(-1))
    assert torch.equal(chosen.flatten().bool(), maybe.flatten())


@pytest.mark.parametrize("method", SCREENED)
@settings(max_examples=16, deadline=None)
@given(data=st.data())
def test_no_certain_decision_is_wrong(method: str, data: st.DataObject) -> None:
    r, p = data.draw(st.sampled_from(splits_of(method, 8)))
    d = data.draw(st.sampled_from([r + p, r + p + 2, 24, 64]))
    kind = data.draw(st.sampled_from(KINDS))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**16)))
    common = torch.randn(1, d, generator=generator, dtype=torch.float64)
    size = 10.0 ** data.draw(st.sampled_from([-14, -9, -6, -3]))
    n, N = data.draw(st.sampled_from([1, 2, 7])), data.draw(st.sampled_from([1, 2, 7]))
    queries = dict(zip(NAMES, make_rows(kind, r, n, common, size, generator), strict=False))
    candidates = dict(zip(NAMES, make_rows(kind, p, N, common, size, generator), strict=False))
    check_tile(method, queries, candidates, data.draw(st.sampled_from(DTYPES)))


@pytest.mark.parametrize("method", SCREENED)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("signs", ["equal", "cancelling"])
def test_vectors_whose_products_lose_most(method: str, dtype: torch.dtype, signs: str) -> None:
    """All entries of one size: |q|.|w| is as large as it can be, and rounding errors point one way."""
    r, p, n, d = *splits_of(method, 3)[-1], 6, 4096
    generator = torch.Generator().manual_seed(7)
    half = torch.cat([torch.ones(d // 2), torch.ones(d // 2) * (1 if signs == "equal" else -1)]).double()
    tilt = torch.linspace(1, 1 + 1e-3, d, dtype=torch.float64) / 3

    def rows(count: int) -> dict[str, Tensor]:
        flips = torch.where(torch.rand(count, n, d, generator=generator, dtype=torch.float64) < 0.01, -1.0, 1.0)
        return dict(zip(NAMES, tilt * flips, strict=False))

    queries = rows(r)
    candidates = {name: x * half for name, x in rows(p).items()}
    check_tile(method, queries, candidates, dtype)


@pytest.mark.parametrize("native", [False, True], ids=["widened", "native"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bound_is_of_use(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, native: bool) -> None:
    """On ordinary vectors the bound is within a few hundred times the error it bounds."""
    monkeypatch.setattr(screening, "native_bfloat16", lambda dtype: native and dtype == torch.bfloat16)
    generator = torch.Generator().manual_seed(0)
    queries, candidates = (
        {name: torch.randn(64, 256, generator=generator).double() for name in NAMES[:k]} for k in (1, 2)
    )
    for method in ("gram", "pmrl", "cosine"):
        chosen = get_method(method)
        left, right = prepared(method, queries, candidates)
        screen = Screen(chosen, 1, 2, 256, dtype, torch.device("cpu"))
        rows, columns = screen.operand(left), screen.operand(right)
        error = (fast_tile(screen, rows, columns).double() - reference_tile(chosen, left, right)).abs().max()
        slack = screen.slack(rows, columns, screen.products(rows, columns))
        assert float(error) <= slack < (0.02 if dtype == torch.bfloat16 else 3e-4)
        assert slack < 2000 * float(error)


@pytest.mark.parametrize("method", [name for name in SCREENED if name != "symile"])
def test_the_bound_counts_the_error_of_the_reference_itself(method: str) -> None:
    exact = TileError(product=0.0, query_scale=1.0, candidate_scale=1.0, roundoff=2.0**-53, size=1.0, reference=0.0)
    off = replace(exact, reference=1e-6)
    r, p = 1, 2
    assert get_method(method).slack(off, r, p) >= get_method(method).slack(exact, r, p) + 1e-6
