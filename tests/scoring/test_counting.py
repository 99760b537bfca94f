"""The pieces of the counting passes that whole ranks reach only for large tiles."""

from __future__ import annotations

import pytest
import torch

from gramcli.methods import get_method
from gramcli.scoring import counting, screening
from gramcli.scoring.ranking import RankOptions, rank
from gramcli.scoring.screening import Screen, open_sides
from tests.vectors import make_side


@pytest.mark.parametrize(("r", "p"), [(1, 1), (1, 3), (2, 2)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_chosen_products_of_every_run_are_those_of_the_tile(
    r: int, p: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are gathered a few at a time: each of many runs, the short last one too, must gather its own."""
    n, N, d = 13, 17, 8
    method = get_method("span")
    sides = open_sides(method, make_side(r, n, d, 1), make_side(p, N, d, 2))
    screen = Screen(method, r, p, d, dtype, torch.device("cpu"))
    left, right = (screen.operand(side.side(method, torch.arange(side.n))) for side in sides)
    whole = screen.products(left, right)
    generator = torch.Generator().manual_seed(3)
    i, j = torch.randint(n, (50,), generator=generator), torch.randint(N, (50,), generator=generator)
    monkeypatch.setattr(counting, "_FINE_SHARE", 1.0)  # never from the whole tile
    for rows_at_a_time in (1, 7, 49, 50, 64):
        monkeypatch.setattr(screening, "_CHUNK_NUMBERS", rows_at_a_time * d)
        chosen = counting._chosen_products(screen, left, right, i, j)
        torch.testing.assert_close(chosen, whole[:, :, i, j], rtol=0, atol=8 * d * torch.finfo(dtype).eps)


def test_ranks_do_not_depend_on_how_many_rows_are_gathered_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, candidates = make_side(1, 60, 16, 1), make_side(2, 70, 16, 2)
    options = RankOptions(dtype=torch.bfloat16)  # leaves many pairs open
    expected = rank("gram", queries, candidates, torch.arange(60), options=options)
    monkeypatch.setattr(counting, "_FINE_SHARE", 1.0)
    monkeypatch.setattr(screening, "_CHUNK_NUMBERS", 7 * 16)
    found = rank("gram", queries, candidates, torch.arange(60), options=options)
    assert found.forward.tolist() == expected.forward.tolist()
    assert found.backward.tolist()[:60] == expected.backward.tolist()[:60]
