"""Gradients of the training losses: by finite differences, and finite where vectors agree, oppose or are orthogonal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from gramcli.methods import get_method
from gramcli.methods.pmrl import alignment_loss
from gramcli.methods.singular import leading
from tests.methods.textbook import LOSSES
from tests.vectors import NAMES

LARGEST = 2e4
"""What is still a gradient one can train with, at T = 0.07 in float32: the roots stop at the dtype's epsilon."""


def random_rows(m: int, n: int, d: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return common + torch.randn(m, n, d, generator=generator, dtype=torch.float64)


def loss_of(method: str, rows: Tensor, **options: Any) -> Tensor:
    """The loss of normalised rows [m, n, d], symile's with the same negatives every time."""
    named = dict(zip(NAMES, normalize(rows, dim=-1), strict=False))
    return get_method(method).loss(named, generator=torch.Generator().manual_seed(1), **options)


def modalities(method: str) -> list[int]:
    return [3] if method.startswith("triangle") else [2, 3, 5]


@pytest.mark.parametrize("method", LOSSES)
def test_gradients_are_the_slopes(method: str) -> None:
    masks = {"present": {"video": torch.tensor([True, False, True, True])}, "groups": torch.tensor([0, 1, 2, 0])}
    for m, options in ((2, {}), (4, {}), (3, masks)):
        if m != 3 and method.startswith("triangle"):
            continue
        rows = random_rows(m, 4 if options else 3, 5, seed=m).requires_grad_()
        temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

        def work(x: Tensor, t: Tensor, options: dict[str, Any] = options) -> Tensor:
            return loss_of(method, x, temperature=t, **options)

        assert gradcheck(work, (rows, temperature))


def frames(kind: str, m: int, n: int = 4, d: int = 6) -> Tensor:
    """Rows [m, n, d] at which something is degenerate."""
    generator = torch.Generator().manual_seed(m)
    base = (
        torch.linalg.qr(torch.randn(n, d, d, generator=generator, dtype=torch.float64))[0].transpose(0, 1).contiguous()
    )
    rows = normalize(random_rows(m, n, d, seed=3), dim=-1)
    made = {
        "rank 1": lambda: base[:1].repeat(m, 1, 1),
        "orthogonal": base[:m].clone,
        "two equal": lambda: torch.cat([rows[:1], rows[:1], rows[2:]]),
        "opposite": lambda: torch.stack([base[0] * (-1.0) ** k for k in range(m)]),
        "two opposite": lambda: torch.cat([rows[:1], -rows[:1], rows[2:]]),
        "others opposite": lambda: torch.cat([rows[:1], -rows[1:2], *([rows[1:2]] if m > 2 else []), rows[3:]]),
        "items equal": lambda: rows[:, :1].repeat(1, n, 1),
        "everything equal": lambda: base[:1, :1].repeat(m, n, 1),
    }
    return made[kind]()


DEGENERATE = (
    "rank 1",
    "orthogonal",
    "two equal",
    "opposite",
    "two opposite",
    "others opposite",
    "items equal",
    "everything equal",
)


@pytest.mark.parametrize("kind", ["rank 1", "orthogonal", "opposite"])
@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_pmrl_s_alignment_has_slopes_where_singular_values_coincide(kind: str, m: int) -> None:
    # A singular value of 0 is known to 1e-8, which a small step would magnify; without one, a large step meets bends.
    step, tolerance = (1e-6, 1e-5) if kind == "orthogonal" else (1e-3, 1e-4)

    def work(x: Tensor) -> Tensor:
        sigma = leading(normalize(x, dim=-1).transpose(0, 1))[0]
        return alignment_loss(sigma, torch.full((x.shape[1],), m), 0.5).sum()

    assert gradcheck(work, (frames(kind, m).requires_grad_(),), eps=step, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize("method", LOSSES)
def test_gradients_are_finite_where_vectors_are_dependent(method: str, kind: str, dtype: torch.dtype) -> None:
    for m in modalities(method):
        for d in (6, 5):
            for detach in (False, True):
                rows = frames(kind, m, d=d).to(dtype).requires_grad_()
                loss = loss_of(method, rows, detach_gathered=detach)
                (gradient,) = torch.autograd.grad(loss, rows)
                assert loss.isfinite()
                assert gradient.isfinite().all(), (m, d, detach)
                if dtype == torch.float32:
                    assert gradient.abs().max() < LARGEST, (m, d, detach, gradient.abs().max())


@pytest.mark.parametrize("method", ["gram", "span", "gram:log=true"])
@pytest.mark.parametrize("distance", [0.0, 1e-8, 1e-6, 1e-4, 1e-3])
def test_candidates_whose_own_vectors_nearly_agree(method: str, distance: float) -> None:
    rows = random_rows(4, 6, 16)
    rows[2] = rows[1] + distance * rows[2]
    rows = rows.float().requires_grad_()
    loss = loss_of(method, rows, anchor="text")
    (gradient,) = torch.autograd.grad(loss, rows)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert gradient.abs().max() < LARGEST


AUTOCAST: dict[str, Callable[[], torch.autocast]] = {
    "bfloat16": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float16": lambda: torch.autocast("cpu", dtype=torch.float16),
}


@pytest.mark.parametrize("kind", AUTOCAST)
@pytest.mark.parametrize("method", LOSSES)
def test_autocast_changes_nothing(method: str, kind: str) -> None:
    rows = random_rows(3, 5, 8).float()
    plain, cast = rows.clone().requires_grad_(), rows.clone().requires_grad_()
    expected = loss_of(method, plain)
    expected.backward()
    with AUTOCAST[kind]():
        loss = loss_of(method, cast)
    assert loss.dtype == torch.float32
    loss.backward()
    assert loss.item() == expected.item()
    assert torch.equal(_gradient(cast), _gradient(plain))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", LOSSES)
def test_half_precision_is_read_as_float32(method: str, dtype: torch.dtype) -> None:
    rows = normalize(random_rows(3, 5, 8), dim=-1).to(dtype)
    names = NAMES[:3]
    halves = {name: row.clone().requires_grad_() for name, row in zip(names, rows, strict=True)}
    singles = {name: row.float().requires_grad_() for name, row in zip(names, rows, strict=True)}
    losses = [get_method(method).loss(x, generator=torch.Generator().manual_seed(0)) for x in (halves, singles)]
    assert losses[0].dtype == torch.float32
    assert losses[0].item() == losses[1].item()
    for loss in losses:
        loss.backward()
    for name in names:
        assert torch.equal(_gradient(halves[name]), _gradient(singles[name]).to(dtype))


def _gradient(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_item_of_zero_vectors_has_no_direction_and_no_gradient(dtype: torch.dtype) -> None:
    rows = torch.nn.functional.normalize(torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0)), dim=-1).to(
        dtype
    )
    rows[:, 2] = 0
    x = {name: one.clone().requires_grad_() for name, one in zip("tva", rows, strict=True)}
    loss = get_method("pmrl").loss(x)
    loss.backward()
    assert bool(loss.isfinite())
    for one in x.values():
        assert one.grad is not None
        assert bool(one.grad.isfinite().all())
        assert not bool(one.grad[2].any())
