"""Scores against textbook formulas in float64, and against mpmath where vectors nearly agree."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import pytest
import torch
from torch import Tensor

from gramcli.scoring.scores import score_matrix, score_pairs
from tests.vectors import NAMES, TRIANGLES, VARIANTS, make_side, splits_of, stacked

SPLITS = [(name, r, p) for name in (*VARIANTS, *TRIANGLES) for r, p in splits_of(name, 5 if ":" in name else 8)]


def gram_matrix(z: Tensor) -> Tensor:
    return z @ z.T


def volume(q: Tensor, m: Tensor) -> Tensor:
    return torch.linalg.det(gram_matrix(torch.cat([q, m]))).clamp(min=0).sqrt()


def centroid(q: Tensor, m: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(q.mean(0), m.mean(0), dim=0)


def weighted_centroid(q: Tensor, m: Tensor) -> Tensor:
    weights = torch.softmax(m @ q[0] / 0.2, 0)
    return torch.nn.functional.cosine_similarity(q[0], weights @ m, dim=0)


def area(q: Tensor, m: Tensor) -> Tensor:
    t, v, a = torch.cat([q, m])
    u, w = t - v, t - a
    return ((u @ u) * (w @ w) - (u @ w) ** 2).clamp(min=0).sqrt() / 2


def ridge_sine(q: Tensor, m: Tensor, ridge: float = 0.1) -> Tensor:
    """Between the single vector and its ridge projection on the others, by the definition of OVA-IB."""
    one, others = (q[0], m) if len(q) == 1 else (m[0], q)
    projected = (
        others.T @ torch.linalg.inv(gram_matrix(others) + ridge * torch.eye(len(others)).double()) @ others @ one
    )
    return (1 - torch.nn.functional.cosine_similarity(one, projected, dim=0) ** 2).clamp(min=0).sqrt()


def sigma(q: Tensor, m: Tensor) -> Tensor:
    return torch.linalg.svdvals(torch.cat([q, m]))


FORMULAS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": lambda q, m: (q @ m.T).mean(),
    "centroid": centroid,
    "centroid:weights=query,tau=0.2": weighted_centroid,
    "gram": volume,
    "gram:log=true": lambda q, m: volume(q, m).log(),
    "span": lambda q, m: volume(q, m) / volume(q[:0], m) / volume(q, m[:0]),
    "span:ridge=0.1": ridge_sine,
    "pmrl": lambda q, m: sigma(q, m)[0],
    "pmrl:value=share": lambda q, m: sigma(q, m)[0] ** 2 / (sigma(q, m) ** 2).sum(),
    "pmrl:value=softmax": lambda q, m: torch.softmax(sigma(q, m) / 0.1, 0)[0],
    "triangle": area,
    "triangle:squared=true": lambda q, m: 2 * area(q, m) ** 2,
    "symile": lambda q, m: torch.cat([q, m]).prod(0).sum(),
}


@pytest.mark.parametrize(("name", "r", "p"), SPLITS)
def test_scores_are_the_textbook_formula(name: str, r: int, p: int) -> None:
    queries, candidates = make_side(r, 3, 16, seed=1), make_side(p, 4, 16, seed=2)
    q, m = stacked(queries), stacked(candidates)
    expected = torch.stack([torch.stack([FORMULAS[name](q[:, i], m[:, j]) for j in range(4)]) for i in range(3)])
    scores = score_matrix(name, queries, candidates, dtype=torch.float64)
    torch.testing.assert_close(scores, expected, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("m", range(2, 9))
@pytest.mark.parametrize("name", ["gram", "span", "pmrl", "cosine"])
def test_as_many_dimensions_as_vectors(name: str, m: int) -> None:
    queries, candidates = make_side(1, 3, m, seed=3), make_side(m - 1, 3, m, seed=4)
    q, c = stacked(queries), stacked(candidates)
    expected = torch.stack([FORMULAS[name](q[:, i], c[:, i]) for i in range(3)])
    torch.testing.assert_close(score_pairs(name, queries, candidates), expected, rtol=1e-6, atol=1e-12)


def exact_vectors(rows: list[Tensor]) -> mpmath.matrix:
    """Columns of unit vectors in 60 digits, from float64 rows taken as they are."""
    columns = mpmath.matrix(len(rows[0]), len(rows))
    for b, row in enumerate(rows):
        values = [mpmath.mpf(x) for x in row.tolist()]
        length = mpmath.sqrt(mpmath.fsum(x * x for x in values))
        for a, x in enumerate(values):
            columns[a, b] = x / length
    return columns


def exact_volume(z: mpmath.matrix) -> mpmath.mpf:
    return mpmath.sqrt(mpmath.det(z.T * z))


def exact_span(z: mpmath.matrix, r: int) -> mpmath.mpf:
    return exact_volume(z) / exact_volume(z[:, :r]) / exact_volume(z[:, r:])


def exact_sigma(z: mpmath.matrix) -> mpmath.mpf:
    return mpmath.sqrt(max(mpmath.eigsy(z.T * z, eigvals_only=True)))


def exact_area(z: mpmath.matrix) -> mpmath.mpf:
    u, w = z[:, 0] - z[:, 1], z[:, 0] - z[:, 2]
    uu, ww, uw = (u.T * u)[0], (w.T * w)[0], (u.T * w)[0]
    return mpmath.sqrt(uu * ww - uw * uw) / 2


def exact_cosine(z: mpmath.matrix, r: int) -> mpmath.mpf:
    pairs = [(z[:, a].T * z[:, b])[0] for a in range(r) for b in range(r, z.cols)]
    return mpmath.fsum(pairs) / len(pairs)


@pytest.mark.parametrize("agreement", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("m", [3, 4, 5])
@pytest.mark.parametrize("r", [1, 2])
def test_nearly_equal_vectors_agree_with_mpmath_to_nine_digits(agreement: float, m: int, r: int) -> None:
    n, d = 3, 10
    generator = torch.Generator().manual_seed(m)
    common = torch.randn(n, d, generator=generator, dtype=torch.float64)
    rows = [common + agreement * torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(m)]
    queries = dict(zip(NAMES, rows[:r], strict=False))
    candidates = dict(zip(NAMES, rows[r:], strict=False))
    names = ["gram", "span", "pmrl", "cosine", *(["triangle"] if m == 3 else [])]
    scores = {name: score_pairs(name, queries, candidates) for name in names}
    with mpmath.workdps(60):
        for i in range(n):
            z = exact_vectors([row[i] for row in rows])
            exact = {"gram": exact_volume(z), "span": exact_span(z, r), "pmrl": exact_sigma(z)}
            exact |= {"cosine": exact_cosine(z, r), "triangle": exact_area(z)}
            for name in names:
                assert abs(scores[name][i].item() / exact[name] - 1) < 1e-9, (name, i)


@pytest.mark.parametrize("agreement", [1e-4, 1e-6])
def test_float32_volumes_keep_their_digits_where_the_determinant_does_not(agreement: float) -> None:
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(20, 64, generator=generator)
    rows = [(common + agreement * torch.randn(20, 64, generator=generator)).double() for _ in range(3)]
    queries, candidates = {"text": rows[0]}, {"video": rows[1], "audio": rows[2]}
    for name in ("gram", "triangle"):
        exact = score_pairs(name, queries, candidates)
        fast = score_matrix(name, queries, candidates).diagonal().double()
        torch.testing.assert_close(fast, exact, rtol=1e-5, atol=0)
    z = torch.stack([torch.nn.functional.normalize(x.float(), dim=1) for x in rows], 1)
    naive = torch.linalg.det(z @ z.transpose(1, 2)).abs().sqrt()
    assert (naive.double() / score_pairs("gram", queries, candidates)).max() > 2


@pytest.mark.parametrize(("r", "p"), [(1, 4), (1, 7), (2, 3), (4, 1), (4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_below_what_float32_keys_can_hold(r: int, p: int, dtype: torch.dtype) -> None:
    """The key is a squared volume: 1e-48 for a volume of 1e-24, far below float32's range."""
    n, d = 2, 12
    generator = torch.Generator().manual_seed(r + 10 * p)
    common = torch.randn(1, d, generator=generator, dtype=torch.float64)
    rows = [common + 1e-6 * torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(r + p)]
    sides = dict(zip(NAMES, rows[:r], strict=False)), dict(zip(NAMES, rows[r:], strict=False))
    volumes, logs, spans = (
        score_matrix(name, *sides, dtype=dtype).diagonal() for name in ("gram", "gram:log=true", "span")
    )
    with mpmath.workdps(150):
        for i in range(n):
            z = exact_vectors([row[i] for row in rows])
            volume = exact_volume(z)
            assert logs[i].item() == pytest.approx(float(mpmath.log(volume)), rel=1e-6)
            assert spans[i].item() == pytest.approx(float(exact_span(z, r)), rel=1e-6, abs=1e-43)
            assert volumes[i].item() == pytest.approx(float(volume), rel=1e-6, abs=1e-43)


def test_a_zero_score_has_no_sign() -> None:
    rows = torch.eye(4)[:2]
    for name in ("gram", "span", "triangle", "triangle:squared=true"):
        for dtype in (torch.float64, torch.float32):
            scores = score_matrix(name, {"text": rows}, {"video": rows, "audio": rows}, dtype=dtype)
            assert scores.diagonal().tolist() == [0.0, 0.0]
            assert not torch.signbit(scores).any(), name


def exact_weighted_centroid(q: list[float], rows: list[list[float]], tau: float) -> mpmath.mpf:
    """The definition from unit vectors in the working precision."""
    unit = []
    for row in (q, *rows):
        length = mpmath.sqrt(mpmath.fsum(mpmath.mpf(x) ** 2 for x in row))
        unit.append([mpmath.mpf(x) / length for x in row])
    products = [mpmath.fdot(unit[0], m) for m in unit[1:]]
    weights = [mpmath.exp((x - max(products)) / tau) for x in products]
    total = [mpmath.fdot(weights, entries) for entries in zip(*unit[1:], strict=True)]
    return mpmath.fdot(unit[0], total) / mpmath.sqrt(mpmath.fsum(x * x for x in total))


@pytest.mark.parametrize(("tau", "tolerance"), [(0.1, 1e-10), (0.07, 1e-8), (0.05, 1e-6), (0.04, 1e-4)])
def test_weighted_centroid_where_its_sum_nearly_vanishes(tau: float, tolerance: float) -> None:
    """Two opposed modalities outweigh a third by e^(1/tau): what is left has a length of e^(-1/tau)."""
    n, d = 5, 32
    generator = torch.Generator().manual_seed(5)
    q, u, noise = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(3))
    u = u - (u * q).sum(1, keepdim=True) / (q * q).sum(1, keepdim=True) * q
    name = f"centroid:weights=query,tau={tau}"
    for rows in ([u, -u, -q], [-u, -3 * q, u, -u, u], [u, -u, -q + noise / 2]):
        scores = score_pairs(name, {"text": q}, dict(zip(NAMES[1:], rows, strict=False)))
        assert scores.abs().max() <= 1
        with mpmath.workdps(50):
            for i in range(n):
                exact = exact_weighted_centroid(q[i].tolist(), [x[i].tolist() for x in rows], mpmath.mpf(tau))
                assert abs(scores[i].item() - exact) < tolerance


def test_a_vanishing_centroid_scores_zero() -> None:
    axes = torch.eye(3, dtype=torch.float64)
    sides = {"text": axes[:1]}, {"video": axes[1:2], "audio": -axes[1:2], "depth": -axes[:1]}
    assert score_pairs("centroid:weights=query,tau=0.02", *sides).tolist() == [0.0]
    assert score_pairs("centroid:weights=query,tau=0.05", *sides).item() == pytest.approx(-1, abs=1e-6)


def test_hand_worked_values() -> None:
    axes = torch.eye(4, dtype=torch.float64)
    half = (axes[0] + axes[1]) / math.sqrt(2)
    queries = {"text": axes[:1]}
    candidates = {"video": axes[1:2], "audio": half.unsqueeze(0)}
    expected = {
        "cosine": math.sqrt(0.5) / 2,
        "gram": 0.0,
        "span": 0.0,
        "pmrl": math.sqrt(2),
        "pmrl:value=share": 2 / 3,
        "triangle": (math.sqrt(2) - 1) / 2,
        "symile": 0.0,
    }
    for name, value in expected.items():
        assert score_pairs(name, queries, candidates).item() == pytest.approx(value, abs=1e-7), name
