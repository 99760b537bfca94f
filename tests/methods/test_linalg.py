"""Reproducible linear algebra: right values, and the same bits however it is called."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch

from gramcli.methods import get_method
from gramcli.methods.linalg import (
    exact_dot_matrix,
    exact_dot_pairs,
    exact_slices,
    orthonormalise,
    reproducible_exp,
    square_root,
    symmetric_eigenvalues,
    tree_sum,
    unit_rows,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 64, 513, 2048, 2049, 5000])
def test_exact_products_have_the_same_bits_pair_by_pair_and_in_any_block(d: int) -> None:
    a, b = (exact_slices(unit_rows(torch.randn(n, d, dtype=torch.float64))) for n in (9, 9))
    matrix = exact_dot_matrix(a, b)
    assert torch.equal(exact_dot_pairs(a, b), matrix.diagonal())
    assert torch.equal(exact_dot_matrix(a[:, 2:5], b[:, 3:4]), matrix[2:5, 3:4])
    shuffle = torch.randperm(9)
    assert torch.equal(exact_dot_matrix(a[:, shuffle], b), matrix[shuffle])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(exact_dot_matrix(a, b), matrix)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("d", [3, 64, 2500])
def test_exact_products_do_not_depend_on_the_order_of_summation(d: int) -> None:
    a, b = (unit_rows(torch.randn(5, d, dtype=torch.float64)) for _ in range(2))
    shuffle = torch.randperm(d)
    found = exact_dot_matrix(exact_slices(a), exact_slices(b))
    again = exact_dot_matrix(exact_slices(a[:, shuffle]), exact_slices(b[:, shuffle]))
    if d <= 2048:
        assert torch.equal(again, found)
    expected = [[math.fsum((x * y).tolist()) for y in b] for x in a]
    np.testing.assert_allclose(found.numpy(), expected, atol=3e-16 * (1 + math.log2(d)), rtol=0)
    np.testing.assert_allclose(again.numpy(), expected, atol=3e-16 * (1 + math.log2(d)), rtol=0)


def test_slices_hold_sixty_bits() -> None:
    x = torch.rand(100, dtype=torch.float64) * 2 - 1
    whole = exact_slices(x)
    assert torch.equal(whole, whole.round())
    assert whole.abs().max() <= 2**20
    back = (whole[0] + (whole[1] + whole[2] * 2.0**-20) * 2.0**-20) * 2.0**-20
    assert torch.equal(back, x)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 17, 1000])
def test_tree_sum(d: int) -> None:
    x = torch.randn(4, 3, d, dtype=torch.float64)
    expected = [[math.fsum(row.tolist()) for row in block] for block in x]
    np.testing.assert_allclose(tree_sum(x).numpy(), expected, atol=1e-13)
    assert torch.equal(tree_sum(x[1, 2:]), tree_sum(x)[1, 2:])
    assert torch.equal(tree_sum(x.transpose(0, 1).contiguous()), tree_sum(x).T)


@pytest.mark.parametrize("m", range(1, 9))
def test_eigenvalues_are_those_of_numpy(m: int) -> None:
    x = torch.randn(40, m, m + 2, dtype=torch.float64)
    x[:10, 0] = x[:10, -1]  # repeated vectors: eigenvalue 0
    x[10:20] = x[10:20, :1] + 1e-8 * x[10:20]  # rank 1 up to rounding
    gram = x @ x.transpose(1, 2)
    gram[-1] = torch.eye(m, dtype=torch.float64)
    found = symmetric_eigenvalues(gram.permute(1, 2, 0)).sort(dim=0).values.T
    expected = np.linalg.eigvalsh(gram.numpy())
    scale = np.abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found.numpy() / scale, expected / scale, atol=1e-14)


def test_exponential_to_the_last_digits() -> None:
    x = torch.cat([torch.linspace(-700, 700, 301), torch.linspace(-1, 1, 101), torch.tensor([0.0, -0.0])]).double()
    found = reproducible_exp(x)
    for value, result in zip(x.tolist(), found.tolist(), strict=True):
        assert abs(result / mpmath.exp(mpmath.mpf(value)) - 1) < 1e-15, value
    assert reproducible_exp(torch.zeros(1, dtype=torch.float64)).item() == 1.0
    assert torch.equal(reproducible_exp(x[5:9]), found[5:9])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_unit_rows_of_any_size(dtype: torch.dtype) -> None:
    x = torch.randn(4, 33, dtype=torch.float64).to(dtype)
    x[2] = 0
    unit = unit_rows(x)
    assert unit.dtype == torch.float64
    torch.testing.assert_close(unit.norm(dim=1), torch.tensor([1.0, 1, 0, 1]).double(), atol=1e-15, rtol=0)
    largest = 0.2 * torch.finfo(dtype).max
    assert unit_rows(torch.full((1, 4), largest, dtype=dtype)).tolist() == [[0.5] * 4]
    assert unit_rows(torch.full((1, 4), torch.finfo(dtype).smallest_normal, dtype=dtype)).tolist() == [[0.5] * 4]


def test_square_roots_are_correctly_rounded() -> None:
    x = torch.rand(2000, 2, dtype=torch.float64)
    expected = [math.sqrt(value) for value in x[:, 0].tolist()]  # IEEE's: torch.sqrt is not, on some CPUs
    assert square_root(x[:, 0]).tolist() == expected
    assert [square_root(value).item() for value in x[:100, 0]] == expected[:100]
    lengths = [math.sqrt(a * a + b * b) for a, b in x.tolist()]
    assert orthonormalise(x.unsqueeze(0))[1][0].tolist() == lengths
    for name in ("gram", "pmrl", "triangle"):
        method = get_method(name)
        size = x[:, 0] if method.higher_is_better else -x[:, 0]
        root = [value / 2 if name == "triangle" else value for value in expected]
        assert method.ordered(size).abs().tolist() == root, name


@pytest.mark.parametrize("gap", [1.0, 1e-3, 1e-8, 1e-12])
def test_orthonormalise_keeps_orthogonality_and_the_volume(gap: float) -> None:
    common, other = torch.randn(2, 6, 20, dtype=torch.float64)
    z = unit_rows(torch.stack([common, common + gap * other, torch.randn(6, 20, dtype=torch.float64)]))
    basis, diagonal = orthonormalise(z)
    gram = torch.einsum("knd,lnd->nkl", basis, basis)
    torch.testing.assert_close(gram, torch.eye(3).double().expand(6, 3, 3), atol=1e-14, rtol=0)
    for i in range(6):
        with mpmath.workdps(50):
            rows = mpmath.matrix(z[:, i].tolist())
            volume = mpmath.sqrt(mpmath.det(rows * rows.T))
        assert diagonal[:, i].prod().item() == pytest.approx(float(volume), rel=max(1e-13, 1e-15 / gap))


def test_dependent_and_absent_vectors() -> None:
    x = unit_rows(torch.randn(2, 5, dtype=torch.float64))
    z = torch.stack([x, x, -x, torch.zeros_like(x)])
    present = torch.tensor([[True, True], [True, True], [True, True], [False, False]])
    basis, diagonal = orthonormalise(z, present)
    assert diagonal[1:].tolist() == [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]
    assert not basis[1:].any()
