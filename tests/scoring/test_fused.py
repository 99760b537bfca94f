"""The fused kernel against the plain pass: in Triton's interpreter, or on a GPU where there is one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest
import torch

from gramcli.methods import get_method
from gramcli.scoring import fused, screening
from gramcli.scoring.ranking import RankOptions, Ranks, rank
from gramcli.scoring.screening import Screen
from tests.vectors import NAMES, make_side

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
CASES = [
    *((method, kind, p) for method, kind in (("gram", "volume"), ("pmrl", "secular")) for p in (1, 2, 3, 4)),
    *(("cosine", "product", p) for p in (1, 2, 3, 4)),
    *(("centroid", "product", 2), ("symile", "product", 2), ("span", "volume", 2)),
]
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


class Calls:
    """What the kernel was asked and gave, tile by tile."""

    def __init__(self) -> None:
        self.counted: list[list[fused.Counted] | None] = []


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Send every tile that the kernel can take through it, and record what it says."""
    if not GPU:
        monkeypatch.setenv("TRITON_INTERPRET", "1")
        monkeypatch.setattr(fused, "_runs_triton", lambda device: True)
        # The interpreter multiplies the bit patterns of bfloat16 numbers: it gets them as float32, on any CPU.
        monkeypatch.setattr(screening, "native_bfloat16", lambda dtype: False)
        monkeypatch.setattr(fused, "_blocks", lambda p, dtype: (64, 64, 32, 4, 2))
    monkeypatch.setattr(fused, "_agrees", lambda *key: True)
    monkeypatch.setattr(fused, "FUSED_TILE", (64, 100))
    seen, count = Calls(), fused.count

    def recorded(*arguments: object) -> list[fused.Counted] | None:
        seen.counted.append(count(*arguments))
        return seen.counted[-1]

    monkeypatch.setattr(fused, "count", recorded)
    return seen


def same(a: Ranks, b: Ranks) -> bool:
    pairs = [(a.forward, b.forward), (a.forward_ties, b.forward_ties)]
    if a.backward is not None and b.backward is not None:
        pairs += [(a.backward, b.backward), (a.backward_ties, b.backward_ties)]
    return all(torch.equal(x.nan_to_num(-1.0), y.nan_to_num(-1.0)) for x, y in pairs)  # NaN: nothing is asked


def both_ways(
    monkeypatch: pytest.MonkeyPatch, method: str, sides: tuple[dict, dict], dtype: torch.dtype, **more: object
) -> tuple[Ranks, Ranks]:
    options = RankOptions(dtype=dtype, device=DEVICE, tile=(30, 41))
    through = rank(method, *sides, options=options, **more)
    with monkeypatch.context() as without:
        without.setattr(fused, "available", lambda screen: False)
        plain = rank(method, *sides, options=options, **more)
    return through, plain


def hard_sides(p: int, n: int, N: int, d: int) -> tuple[dict, dict]:
    """Rows that share a direction, exact duplicates, keys a hair apart, and a collapsed candidate."""
    queries, candidates = make_side(1, n, d, seed=p), make_side(p, N, d, seed=p + 10)
    for name in candidates:
        candidates[name][:n] += 0.7 * queries["text"]
        candidates[name][1] = candidates[name][0]
        candidates[name][2] = candidates[name][0] * (1 + torch.linspace(-1e-9, 1e-9, d, dtype=torch.float64))
    queries["text"][5] = queries["text"][4]
    if p > 1:
        candidates[NAMES[1]][3] = candidates[NAMES[0]][3]
    return queries, candidates


@pytest.mark.parametrize(("method", "kind", "p"), CASES)
def test_ranks_are_those_of_the_plain_pass(
    monkeypatch: pytest.MonkeyPatch, calls: Calls, method: str, kind: str, p: int
) -> None:
    assert get_method(method).fused_kind == kind
    n, N, d = 67, 101, 37
    sides = hard_sides(p, n, N, d)
    for dtype in (torch.float32, torch.bfloat16)[: 2 if p == 2 else 1]:
        calls.counted.clear()
        through, plain = both_ways(monkeypatch, method, sides, dtype, positives=torch.arange(n) % N)
        assert same(through, plain)
        assert len(calls.counted) == 4
        assert all(counted is not None for counted in calls.counted)
        assert sum(int(entry.certain.sum()) for counted in calls.counted for entry in counted or []) > 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("kind", ["product", "volume", "secular"])
def test_self_check_accepts_the_kernel(
    monkeypatch: pytest.MonkeyPatch, calls: Calls, kind: fused.FusedKind, dtype: torch.dtype
) -> None:
    if dtype == torch.bfloat16 and not GPU:
        pytest.skip("the interpreter's tl.dot multiplies the bit patterns of bfloat16 numbers: needs a GPU")
    monkeypatch.setattr(Screen, "storage", property(lambda screen: screen.dtype))
    assert fused._self_check(kind, 2, dtype, torch.device(DEVICE))


def test_self_check_refuses_other_counts(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    launch = fused._launch

    def wrong(screen: Screen, operands: object, levels: object, counts: torch.Tensor, found: object) -> None:
        launch(screen, operands, levels, counts, found)
        counts[0] += 1

    monkeypatch.setattr(fused, "_launch", wrong)
    assert not fused._self_check("volume", 2, torch.float32, torch.device(DEVICE))


def test_a_kernel_that_fails_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> bool:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(fused, "_self_check", broken)
    fused._agrees.cache_clear()
    try:
        assert not fused._agrees("volume", 2, torch.float32, torch.device(DEVICE))
    finally:
        fused._agrees.cache_clear()


def test_overflow_falls_back_to_the_plain_pass(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    monkeypatch.setattr(fused, "_LEAST_CAPACITY", 1)
    monkeypatch.setattr(fused, "_CAPACITY_SHARE", 0.0)
    sides = hard_sides(2, 67, 101, 37)
    through, plain = both_ways(monkeypatch, "gram", sides, torch.float32, positives=torch.arange(67))
    assert same(through, plain)
    assert None in calls.counted


def test_one_direction_several_positives_and_absent_modalities(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> None:
    from gramcli.scoring.screening import Presence

    queries, candidates = hard_sides(3, 50, 71, 29)
    indptr, indices = torch.arange(51) * 2, torch.arange(100) % 71
    here = {NAMES[1]: torch.arange(71) % 5 > 0}
    for method in ("gram", "pmrl", "cosine"):
        through, plain = both_ways(
            monkeypatch, method, (queries, candidates), torch.float32,
            positives=(indptr, indices), both_directions=False, present=Presence(candidates=here),
        )  # fmt: skip
        assert same(through, plain)
    assert calls.counted


def test_what_the_kernel_does_not_do_takes_the_plain_pass(calls: Calls) -> None:
    device = torch.device(DEVICE)
    assert fused.available(Screen(get_method("gram"), 1, 4, 64, torch.float32, device))
    for method, r, p, dtype in [
        ("gram", 2, 2, torch.float32),
        ("gram", 1, 5, torch.float32),
        ("gram", 1, 2, torch.float64),
        ("pmrl:value=share", 1, 2, torch.float32),
        ("pmrl:value=softmax", 1, 2, torch.float32),
        ("triangle", 1, 2, torch.float32),
        ("centroid:weights=query", 1, 2, torch.float32),
    ]:
        assert not fused.available(Screen(get_method(method), r, p, 64, dtype, device))
    queries, candidates = hard_sides(2, 20, 30, 16)
    several = torch.arange(21).minimum(torch.tensor(20)) + (torch.arange(21) == 20).long(), torch.arange(21)
    rank("gram", queries, candidates, several, options=RankOptions(every_positive=True, device=DEVICE))
    assert not calls.counted


def test_triton_is_not_imported_on_a_cpu() -> None:
    code = (
        "import sys, torch; from gramcli.scoring.ranking import rank; "
        "rank('gram', {'x': torch.eye(4)}, {'y': torch.eye(4)}); "
        "sys.exit(int('triton' in sys.modules or 'gramcli.scoring.fused_kernel' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_tile_of_one_column_is_ranked() -> None:
    """Constants of one candidate look like constants of queries: both have a dimension of size 1."""
    queries, candidates = make_side(1, 400, 64, seed=1), make_side(2, 401, 64, seed=2)
    for rows in candidates.values():
        rows[:400] += 5 * queries["text"]
        rows[400] = 50 * queries["text"][7] + rows[400]
    positives = torch.arange(400)
    one = rank("pmrl", queries, candidates, positives, options=RankOptions(tile=(400, 400)))
    assert same(one, rank("pmrl", queries, candidates, positives, options=RankOptions(dtype=torch.float64)))
