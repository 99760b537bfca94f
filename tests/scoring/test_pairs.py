"""Keys of chosen pairs: compiled and plain, in whatever groups, the same bits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.scoring import pairs
from gramcli.scoring.compiled import loading
from gramcli.scoring.screening import Presence, open_sides, reference_tile

METHODS = ["cosine", "centroid", "gram", "span", "pmrl", "symile", "triangle"]
OPTIONS = [("centroid", {"weights": "query"}), ("span", {"ridge": 0.1}), ("pmrl", {"value": "softmax"})]


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if not loading.ready(1 << 40):
        pytest.skip("numba is not here")


def keys(method: AlignmentMethod, sides: tuple, i: torch.Tensor, j: torch.Tensor, *, compiled: bool) -> torch.Tensor:
    """Keys by one of the two paths, all the way down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "ready", lambda work: compiled)
        return pairs.pair_keys(method, *sides, i, j)


def sides_of(method: AlignmentMethod, p: int, d: int, seed: int, dtype: torch.dtype, absent: bool) -> tuple:
    """Nine queries against eight candidates; two are each other's copies, and close pairs need the careful paths."""
    torch.manual_seed(seed)
    base = torch.randn(9, d, dtype=torch.float64)
    scale = torch.exp2(torch.randint(-40, 40, (9, 1)).double()) if dtype == torch.float64 else 1.0
    q = (base * scale).to(dtype)
    noise = torch.tensor([0.0, 1e-9, 1e-4, 0.05, 1, 3, 1, 1], dtype=torch.float64).unsqueeze(1)
    c = {f"m{k}": (base[:8] + noise * (k + torch.randn(8, d, dtype=torch.float64))).to(dtype) for k in range(p)}
    present = {name: torch.rand(8) > 0.3 for name in list(c)[1:]} if absent else None
    return open_sides(method, {"t": q}, c, present=Presence(candidates=present))


@settings(deadline=None, max_examples=8)
@given(
    p=st.integers(1, 4),
    d=st.sampled_from([7, 64, 513, 2500]),
    seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
    absent=st.booleans(),
)
@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in METHODS), *OPTIONS])
def test_compiled_keys_have_the_bits_of_plain_ones(
    name: str, options: dict, p: int, d: int, seed: int, dtype: torch.dtype, absent: bool
) -> None:
    method = get_method(name, **options)
    p, absent = (2, False) if name == "triangle" else (p, absent)
    sides = sides_of(method, p, d, seed, dtype, absent)
    i, j = torch.randint(9, (40,)), torch.randint(8, (40,))
    found = keys(method, sides, i, j, compiled=True)
    assert torch.equal(found.view(torch.int64), keys(method, sides, i, j, compiled=False).view(torch.int64))


@pytest.mark.parametrize("name", METHODS)
def test_groups_of_rows_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = get_method(name)
    sides = sides_of(method, 2, 16, 3, torch.float32, absent=False)
    i, j = torch.cartesian_prod(torch.arange(9), torch.arange(8)).flip(0).T
    whole = reference_tile(method, *(side.side(method, torch.arange(side.n)) for side in sides))
    for group, chunk, vectors in ((1, 1, 1), (100, 20, 40), (1 << 22, 1 << 20, 1 << 22)):
        monkeypatch.setattr(pairs, "_GROUP_NUMBERS", group)
        monkeypatch.setattr(pairs, "_CHUNK_NUMBERS", chunk)
        monkeypatch.setattr(pairs, "_VECTOR_NUMBERS", vectors)
        assert torch.equal(keys(method, sides, i, j, compiled=True), whole[i, j])
    assert keys(method, sides, i[:0], j[:0], compiled=True).shape == (0,)


def test_vectors_are_gathered_only_when_asked_for() -> None:
    sides = sides_of(get_method("gram"), 2, 16, 3, torch.float32, absent=False)
    side = sides[1].side(get_method("gram"), torch.arange(8))
    rows = torch.tensor([3, 3, 0])
    chosen = pairs._Chosen.of(side, rows)
    assert "vectors" not in vars(chosen)
    for name in ("scale", "extra", "independence", "vectors"):
        assert torch.equal(getattr(chosen, name), getattr(side.take(rows), name))
    assert torch.equal(chosen.take(torch.tensor([1])).vectors, side.vectors[:, [3]])
    with pytest.raises(AttributeError, match="nothing"):
        _ = chosen.nothing
