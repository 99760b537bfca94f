"""The ridge of span: its limits, its digits where vectors nearly agree, the ranks it gives, what it refuses."""

from __future__ import annotations

import mpmath
import pytest
import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods import get_method
from gramcli.scoring.ranking import rank, top_k
from gramcli.scoring.scores import score_matrix
from tests.vectors import NAMES, make_side, stacked


def exact_sine(q: Tensor, others: list[Tensor], ridge: float) -> mpmath.mpf:
    """By the definition, with 60 digits."""
    with mpmath.workdps(60):
        one = mpmath.matrix(q.tolist())
        one = one / mpmath.norm(one)
        unit = [mpmath.matrix(x.tolist()) for x in others]
        unit = [x / mpmath.norm(x) for x in unit]
        a = mpmath.matrix(len(q), len(unit))
        for k, x in enumerate(unit):
            a[:, k] = x
        projected = a * mpmath.inverse(a.T * a + ridge * mpmath.eye(len(unit))) * a.T * one
        return mpmath.sqrt(1 - ((one.T * projected)[0] / mpmath.norm(projected)) ** 2)


def test_without_a_ridge_it_is_span_bit_for_bit() -> None:
    sides = make_side(1, 5, 12), make_side(3, 7, 12, seed=1)
    assert torch.equal(score_matrix("span:ridge=0", *sides), score_matrix("span", *sides))


def test_its_limits_are_the_distance_to_the_span_and_the_angle_with_the_weighted_sum() -> None:
    sides = make_side(1, 5, 12), make_side(3, 7, 12, seed=1)
    small, none = (score_matrix(name, *sides, dtype=torch.float64) for name in ("span:ridge=1e-12", "span"))
    torch.testing.assert_close(small, none, rtol=1e-9, atol=1e-9)
    q, m = stacked(sides[0])[0], stacked(sides[1])
    weighted = torch.einsum("knd,kne,qe->qnd", m, m, q)
    cosines = torch.cosine_similarity(q.unsqueeze(1), weighted, dim=-1)
    large = score_matrix("span:ridge=1e300", *sides, dtype=torch.float64)
    torch.testing.assert_close(large, (1 - cosines**2).sqrt(), rtol=1e-9, atol=1e-12)


def test_two_vectors_have_one_score_whatever_the_ridge() -> None:
    sides = make_side(1, 5, 12), make_side(1, 7, 12, seed=1)
    torch.testing.assert_close(score_matrix("span:ridge=3", *sides), score_matrix("span", *sides))


def test_both_directions_are_one_measure() -> None:
    single, several = make_side(1, 5, 12), make_side(3, 7, 12, seed=1)
    there, back = (score_matrix("span:ridge=0.2", *sides) for sides in ((single, several), (several, single)))
    torch.testing.assert_close(there, back.T)


@pytest.mark.parametrize("apart", [1e-3, 1e-7, 1e-12])
@pytest.mark.parametrize("ridge", [1e-6, 0.1, 10.0])
def test_digits_where_vectors_nearly_agree(apart: float, ridge: float) -> None:
    generator = torch.Generator().manual_seed(3)
    base, other, noise = torch.randn(3, 10, generator=generator, dtype=torch.float64)
    candidates = [base, base + apart * noise, other]
    for q in (base + 0.5 * noise, base + apart * other, noise):
        sides = {"text": q.unsqueeze(0)}, dict(zip(NAMES[1:], (x.unsqueeze(0) for x in candidates), strict=False))
        found = score_matrix(f"span:ridge={ridge}", *sides, dtype=torch.float64)
        assert float(found) == pytest.approx(float(exact_sine(q, candidates, ridge)), rel=1e-6, abs=1e-9)


def test_a_direction_that_hardly_any_vector_has_counts_less_with_the_ridge() -> None:
    """f is just what the candidate's two vectors differ in: in their span, and yet nothing that they agree on."""
    e, f = torch.eye(4, dtype=torch.float64)[:2]
    candidates = {"video": (e + 0.01 * f).unsqueeze(0), "audio": (e - 0.01 * f).unsqueeze(0)}
    between = {"text": (e + f).unsqueeze(0)}
    turned = [float(score_matrix(f"span:ridge={ridge}", between, candidates)) for ridge in (0, 1e-4, 1e-2)]
    assert turned[0] == pytest.approx(0.0, abs=1e-6)
    assert turned[0] < turned[1] < turned[2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("r", "p"), [(1, 2), (1, 4), (3, 1)])
def test_ranks_and_the_best_are_those_of_the_scores(r: int, p: int, dtype: torch.dtype) -> None:
    queries, candidates = ({name: x.to(dtype) for name, x in make_side(k, 60, 8, seed=k).items()} for k in (r, p))
    scores = score_matrix("span:ridge=0.05", queries, candidates, dtype=torch.float64)
    own = scores.diagonal().unsqueeze(1)
    assert rank("span:ridge=0.05", queries, candidates).forward.tolist() == (1 + (scores < own).sum(1)).tolist()
    assert torch.equal(top_k("span:ridge=0.05", queries, candidates, 5)[1], scores.argsort(dim=1, stable=True)[:, :5])


def test_equal_items_tie_exactly() -> None:
    queries, candidates = make_side(1, 4, 9), make_side(3, 6, 9, seed=2)
    twice = {name: torch.cat([x, x]) for name, x in candidates.items()}
    scores = score_matrix("span:ridge=0.3", queries, twice, dtype=torch.float64)
    assert torch.equal(scores[:, :6], scores[:, 6:])


@pytest.mark.parametrize(
    ("name", "message"), [("span:ridge=-1", "needs ridge >= 0 and finite"), ("span:ridge=much", "is a finite number")]
)
def test_a_ridge_that_is_none_is_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        get_method(name)


def test_several_vectors_on_both_sides_are_refused() -> None:
    with pytest.raises(UserError, match="one modality against others; got 2 against 2"):
        score_matrix("span:ridge=0.1", make_side(2, 3, 8), make_side(2, 3, 8, seed=1))
