"""What does not vary is told from what varies a little, whatever the dtype."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gramcli.metrics.noise import varies, without_noise


def test_sums_that_are_zero_but_for_rounding_are_zero():
    terms = np.random.default_rng(0).normal(size=(100, 50))
    both = np.concatenate([terms, -np.random.default_rng(1).permuted(terms, axis=1)], axis=1)
    sums = both.sum(axis=1)
    assert (sums != 0).any()
    assert not without_noise(sums, np.abs(both).sum(axis=1)).any()


def test_a_small_real_sum_stays():
    assert without_noise(np.array([1e-9]), np.array([1.0])).tolist() == [1e-9]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rows_that_differ_by_rounding_do_not_vary(dtype):
    row = torch.nn.functional.normalize(torch.randn(64, generator=torch.Generator().manual_seed(0)).double(), dim=0)
    wobble = torch.stack([(row * (1 + k * 1e-17)).to(dtype) for k in range(10)])
    assert not varies(wobble)
    assert not varies(torch.nn.functional.normalize(wobble * torch.arange(1, 11)[:, None].to(dtype), dim=1))
    assert varies(torch.cat([wobble, (row + 0.1).to(dtype)[None]]))
    assert not varies(wobble[:1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_rounding_of_half_precision_is_seen_in_float32(dtype):
    row = torch.randn(64, generator=torch.Generator().manual_seed(0))
    scaled = (row * torch.linspace(0.5, 2, 10)[:, None]).to(dtype).float()
    unit = torch.nn.functional.normalize(scaled, dim=1).to(dtype).float()
    assert (unit != unit[0]).any()
    assert not varies(unit)
    assert varies(torch.cat([unit, (unit[:1] + 0.3).to(dtype).float()]))
