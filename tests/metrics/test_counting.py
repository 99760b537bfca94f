"""The pieces of counting that whole rankings on small data cannot see."""

from __future__ import annotations

import pytest
import torch

from gramcli.methods import get_method
from gramcli.metrics.counting import _chosen_products
from gramcli.screening import Screen, open_sides
from tests.vectors import make_side


@pytest.mark.parametrize("r", [1, 2])
def test_products_of_chosen_pairs_are_those_of_the_tile(r: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pairs are gathered in runs; every run must take its own rows."""
    n, N, d = 300, 400, 64
    queries, candidates = make_side(r, n, d, seed=1), make_side(2, N, d, seed=2)
    method = get_method("pmrl")
    sides = open_sides(method, queries, candidates)
    screen = Screen(method, r, 2, d, torch.float64, torch.device("cpu"))
    monkeypatch.setattr(Screen, "gathered_numbers", property(lambda _: 70 * d))
    left, right = (screen.operand(side.side(method, torch.arange(side.n))) for side in sides)
    place = torch.randperm(n * N, generator=torch.Generator().manual_seed(0))[:333]
    i, j = place // N, place % N
    whole = screen.products(left, right)[:, :, i, j]
    torch.testing.assert_close(_chosen_products(screen, left, right, i, j), whole, atol=1e-13, rtol=0)
