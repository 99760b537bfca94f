"""symile keeps its digits for any number of modalities: its keys shrink like d^(1 - m/2), its resolution with them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from gramcli.scoring.ranking import RankOptions, rank
from gramcli.scoring.scores import score_pairs
from tests.vectors import NAMES

HARD = [(4096, 8), (4096, 7), (512, 8), (1024, 6), (512, 5), (64, 3)]
ROUNDING = 5e-16  # of m lengths, and of the key itself


def agreeing_rows(n: int, d: int, m: int, agreement: float = 1e-6) -> list[Tensor]:
    """m modalities of n rows near one vector of signs: products of one size."""
    generator = torch.Generator().manual_seed(d + m)
    common = torch.sign(torch.randn(1, d, generator=generator, dtype=torch.float64))
    return [common + agreement * torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(m)]


def long_scores(rows: list[Tensor], r: int) -> np.ndarray:
    """The definition in the platform's longest arithmetic, 64 bits on x86."""
    wide = [x.numpy().astype(np.longdouble) for x in rows]
    unit = [x / np.sqrt((x * x).sum(axis=1, keepdims=True)) for x in wide]
    return np.prod(unit[:r], axis=0) @ np.prod(unit[r:], axis=0).T


def check_ranks(ranks: Tensor, scores: np.ndarray) -> None:
    """Ranks are those of scores [n, N], up to what the float64 length of each vector leaves open."""
    own = np.diagonal(scores)[:, None]
    room = ROUNDING * np.abs(own)
    least, most = 1 + (scores > own + room).sum(1), (scores >= own - room).sum(1)
    found = ranks.double().numpy()
    assert (found >= least).all()
    assert (found <= most).all()
    assert (least == most).mean() > 0.4


def exact_scores(rows: list[Tensor]) -> list[Fraction]:
    """Diagonal scores times the vectors' lengths, in rational arithmetic."""
    found = []
    for vectors in zip(*(x.tolist() for x in rows), strict=True):
        total = Fraction(0)
        for entries in zip(*vectors, strict=True):
            term = Fraction(1)
            for entry in entries:
                term *= Fraction(entry)
            total += term
        found.append(total)
    return found


@pytest.mark.parametrize(("d", "m"), HARD)
@pytest.mark.parametrize("agreement", [1e-6, 1e-4, 10.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_ranks_are_those_of_longer_arithmetic(d: int, m: int, agreement: float, dtype: torch.dtype) -> None:
    rows = agreeing_rows(40, d, m, agreement)
    for r in (1, 2):
        sides = dict(zip(NAMES, rows[:r], strict=False)), dict(zip(NAMES, rows[r:], strict=False))
        scores = long_scores(rows, r)
        ranks = rank("symile", *sides, options=RankOptions(dtype=dtype, tile=(16, 24)))
        check_ranks(ranks.forward, scores)
        check_ranks(ranks.backward, scores.T)


@pytest.mark.parametrize(("d", "m"), [(128, 8), (512, 6), (64, 3)])
def test_scores_agree_with_rational_arithmetic_to_nine_digits(d: int, m: int) -> None:
    rows = agreeing_rows(3, d, m)
    scores = score_pairs("symile", {"text": rows[0]}, dict(zip(NAMES[1:], rows[1:], strict=False)))
    for i, exact in enumerate(exact_scores(rows)):
        squared = Fraction(1)
        for x in rows:
            squared *= sum(Fraction(entry) ** 2 for entry in x[i].tolist())
        ratio = float(Fraction(scores[i].item()) ** 2 * squared / exact**2)
        assert abs(ratio - 1) < 1e-12


def test_the_fast_pass_decides_most_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randn(200, 256, generator=generator) for _ in range(6)]
    ranks = rank("symile", {"text": rows[0]}, dict(zip(NAMES[1:], rows[1:], strict=False)))
    assert ranks.n_rescored < 0.02 * 200 * 200  # without scaling: all of them


def test_entries_far_apart_do_not_vanish() -> None:
    """A product whose entries all lie at 1e-100 is scaled up before it is cut into integers."""
    small = torch.tensor([[1.0, 1e-100, 2e-100], [1.0, 2e-100, 1e-100]], dtype=torch.float64)
    other = torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    first = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    scores = score_pairs("symile", {"text": first}, {"video": small, "audio": other})
    assert scores.tolist() == pytest.approx([0.5**0.5 * 1e-100] * 2, rel=1e-12)
    ranks = rank("symile", {"text": first}, {"video": small, "audio": other})
    assert ranks.forward.tolist() == [2, 2]
