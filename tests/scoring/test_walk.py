"""The compiled walk: bounds that hold, and answers that are those of the torch passes, bit for bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gramcli.methods import get_method
from gramcli.scoring import planes, screening, walk
from gramcli.scoring.compiled import loading
from gramcli.scoring.plan import Answer, Question, answer
from gramcli.scoring.planes import Planes, UnitRows
from gramcli.scoring.ranks import RankOptions
from gramcli.scoring.scores import key_tiles
from gramcli.scoring.screening import Presence, native_bfloat16, open_sides
from gramcli.scoring.tiles import Tile

if not loading.loops(1 << 40):
    pytest.skip("no compiled loops: numba is missing, or told not to compile", allow_module_level=True)

METHODS = ("cosine", "centroid", "symile", "gram", "gram:log=true", "span", "pmrl", "triangle")
ALL = slice(None)


def made(n: int, names: str, noise: float, seed: int, d: int = 24) -> dict[str, Tensor]:
    """Rows of a common vector and noise; the common part is the same for a seed's first rows."""
    common = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    return {name: common + noise * torch.randn(n, d, generator=generator) for name in names}


def hard(side: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The same with copies of rows, rows whose vectors agree or nearly do, opposed ones, and other lengths."""
    rows = [x.clone() for x in side.values()]
    n = len(rows[0])
    for x in rows:
        x[n // 2 : n // 2 + 3] = x[:3]
    rows[-1][4:7] = rows[0][4:7] * torch.tensor([[1.0], [-2.0], [1.0 + 1e-6]])
    rows[-1][7] = rows[0][7] + 1e-3 * torch.randn(rows[0].shape[1], generator=torch.Generator().manual_seed(seed))
    return {name: x * 3.0**k for k, (name, x) in enumerate(zip(side, rows, strict=True))}


def compiled(monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
    monkeypatch.setattr(walk, "loops", lambda _work: yes)
    monkeypatch.setattr(walk, "_WORTH_WALKING", 0)


def numbers(found: Answer) -> list[Tensor]:
    """Everything an answer holds but how many decisions were made again."""
    held = [getattr(found.ranks, one.name) for one in fields(found.ranks)] if found.ranks else []
    near = [x for one in (found.nearest_forward, found.nearest_backward) if one for x in (one.rows, one.keys)]
    counted = [torch.tensor(x) for x in held if isinstance(x, int)][:1]
    return [x for x in (*held, *near) if isinstance(x, Tensor)] + counted


def same(left: list[Answer], right: list[Answer]) -> bool:
    pairs = [
        pair for one, other in zip(left, right, strict=True) for pair in zip(numbers(one), numbers(other), strict=True)
    ]
    return all(torch.equal(x.nan_to_num(nan=-1.0), y.nan_to_num(nan=-1.0)) for x, y in pairs)


def questions(n: int, N: int, noise: float, *, swapped: bool = False, masked: bool = False, **asked) -> list[Question]:
    one, several = made(n, "t", noise, 1), hard(made(N, "va", noise, 2), 3)
    present = {"a": torch.arange(N) % 5 != 2} if masked else None
    found = []
    for method in METHODS:
        if method == "triangle" and masked:
            continue
        sides = (several, one) if swapped else (one, several)
        where = Presence(queries=present) if swapped else Presence(candidates=present)
        found.append(Question(method, *sides, present=where, **asked))
    alone = {"v": several["v"]}
    found.append(Question("cosine", *((alone, one) if swapped else (one, alone)), **asked))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("noise", [0.02, 0.6, 3.0])
@pytest.mark.parametrize(("name", "p"), [("gram", 1), ("gram", 4), ("span", 2), ("pmrl", 1), ("pmrl", 2), ("pmrl", 5),
                                         ("cosine", 3), ("centroid", 3), ("triangle", 2)])  # fmt: skip
def test_keys_are_within_their_bounds(name: str, p: int, noise: float, dtype: torch.dtype) -> None:
    kernels = pytest.importorskip("gramcli.scoring.compiled.kernels")
    n, method = 70, get_method(name)
    q, c = open_sides(method, made(n, "t", noise, 1, d=40), made(n, "vasdi"[:p], noise, 2, d=40))
    exact = torch.empty(n, n, dtype=torch.float64)
    for rows, columns, keys in key_tiles(method, q, c):
        exact[rows, columns] = keys
    here = torch.ones(1, n, dtype=torch.bool)
    made_planes = Planes(UnitRows((q.rows[0],), here), [UnitRows((x,), here) for x in c.rows], (n, n))
    z = torch.stack([one.wide_rows(slice(0, n)) for one in made_planes.several])
    formula = method.formula(torch.einsum("and,bnd->abn", z, z), c.present)
    reach = formula.weights.abs().sum(1)
    arrays = (formula.weights, torch.cat([reach, reach.square().sum(0, keepdim=True)]), formula.constants)
    arrays = [x.float().contiguous().numpy() for x in arrays]
    cross, error = made_planes.products(slice(0, n), slice(0, n), dtype), made_planes.error(dtype)
    products, room = kernels.scratch(p)
    family = kernels.FAMILIES[formula.family]
    for i in range(n):
        kernels.block_keys(family, cross, np.arange(p), i, 0, n, 0, *arrays, error, products, room)
        off, slack = np.abs(room[3, :n] - exact[i].numpy()), room[4, :n]
        assert (off <= slack).all()
        if dtype == torch.float32:
            assert np.median(slack) < 5e-3


@pytest.mark.parametrize("noise", [0.05, 0.7, 2.5])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_answers_are_those_of_the_torch_passes(monkeypatch, noise: float, masked: bool, swapped: bool) -> None:
    asked = questions(90, 90, noise, swapped=swapped, masked=masked, every_positive=True, nearest=4, in_order=masked)
    compiled(monkeypatch, False)
    expected = answer(asked)
    compiled(monkeypatch, True)
    for options in (RankOptions(tile=(37, 41)), RankOptions(dtype=torch.float32), RankOptions(dtype=torch.bfloat16)):
        assert same(answer(asked, options), expected)
        assert all(same(answer([one], options), [found]) for one, found in zip(asked[:2], expected[:2], strict=True))


@settings(max_examples=12)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 1000), st.sampled_from([0.05, 1.0]))
def test_any_sizes_and_positives(n: int, N: int, seed: int, noise: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    answers = torch.randint(0, N, (n,), generator=generator)
    asked = questions(max(n, 8), max(N, 8), noise, positives=torch.cat([answers, answers.new_zeros(max(0, 8 - n))]))
    with pytest.MonkeyPatch.context() as patch:
        compiled(patch, False)
        expected = answer(asked)
        compiled(patch, True)
        assert same(answer(asked, RankOptions(tile=(16, 16))), expected)


def test_neighbours_are_all_there_are_where_there_are_fewer(monkeypatch) -> None:
    asked = questions(12, 9, 1.0, positives=torch.arange(12) % 9, nearest=50, in_order=True)
    compiled(monkeypatch, False)
    expected = answer(asked)
    compiled(monkeypatch, True)
    assert same(answer(asked), expected)
    assert expected[0].nearest_forward.rows.shape == (12, 9)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(monkeypatch, threads: int) -> None:
    asked = questions(120, 130, 1.0, positives=torch.arange(120), nearest=3)
    compiled(monkeypatch, True)
    expected = answer(asked)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert same(answer(asked), expected)


def test_float64_float16_and_rows_apart_in_memory(monkeypatch) -> None:
    one, several = made(60, "t", 1.0, 1), made(60, "va", 1.0, 2)
    apart = (lambda x: x.repeat(1, 2)[:, ::2], lambda x: x.T.clone().T)
    for change in (Tensor.double, Tensor.half, Tensor.bfloat16, *apart):
        sides = [{name: change(x) for name, x in side.items()} for side in (one, several)]
        asked = [Question(method, *sides) for method in ("gram", "symile")]
        compiled(monkeypatch, False)
        expected = answer(asked)
        compiled(monkeypatch, True)
        assert same(answer(asked), expected)


def test_operands_that_are_not_kept_give_the_same(monkeypatch) -> None:
    asked = questions(70, 70, 1.0, nearest=3)
    compiled(monkeypatch, True)
    expected = answer(asked)
    monkeypatch.setattr(planes, "_KEPT_BYTES", 0)
    for dtype in (None, torch.float32, torch.bfloat16):
        assert same(answer(asked, RankOptions(dtype=dtype, tile=(20, 30))), expected)


def test_questions_with_the_same_rows_walk_together(monkeypatch) -> None:
    compiled(monkeypatch, True)
    seen = []
    monkeypatch.setattr(walk.Walk, "run", lambda self, progress: seen.append((len(self.runs), len(self._operands))))
    asked = questions(40, 40, 1.0)
    answer(asked)
    assert seen == [(len(asked), 3)]  # video, audio, and their product


@pytest.mark.parametrize("yes", [True, False])
def test_progress_counts_every_question_once(monkeypatch, yes: bool) -> None:
    compiled(monkeypatch, yes)
    told = []
    answer(questions(50, 50, 1.0, nearest=2), RankOptions(progress=lambda *one: told.append(one)))
    assert told[-1] == (9 * 2500, 9 * 2500)
    assert told == sorted(told)


def test_bfloat16_is_the_default_only_where_the_cpu_has_it(monkeypatch) -> None:
    compiled(monkeypatch, True)
    used = []
    products = Planes.products
    monkeypatch.setattr(Planes, "products", lambda self, r, c, dtype: used.append(dtype) or products(self, r, c, dtype))
    answer([Question("gram", made(40, "t", 0.3, 1), made(40, "va", 0.3, 2))])
    assert used[0] == (torch.bfloat16 if native_bfloat16(torch.bfloat16) else torch.float32)


@pytest.mark.parametrize("length", [1e-43, 1e-39, 2.0**-127, 1e30])
def test_float32_rows_whose_length_has_no_inverse_in_float32(monkeypatch, length: float) -> None:
    sides = [{name: (x * length) for name, x in made(40, names, 1.0, 1).items()} for names in ("t", "va")]
    asked = [Question(method, *sides, nearest=3) for method in ("gram", "pmrl", "symile")]
    compiled(monkeypatch, False)
    expected = answer(asked)
    compiled(monkeypatch, True)
    assert same(answer(asked), expected)


@pytest.mark.parametrize("length", [1e-41, 1.0, 1e38])
def test_rows_differ_from_unit_vectors_by_no_more_than_is_said(length: float) -> None:
    x = torch.rand(300, 600, generator=torch.Generator().manual_seed(1)) * length
    rows, whole = UnitRows((x,), torch.ones(1, 300, dtype=torch.bool)), slice(0, 300)
    for dtype in (torch.float32, torch.bfloat16):
        off = (rows.rows(whole, dtype).double() - rows.wide_rows(whole)).norm(dim=1)
        assert bool((off <= rows.lost(dtype)).all())


@pytest.mark.parametrize("native", [True, False])
def test_a_tile_holds_its_products_in_both_dtypes(monkeypatch, native: bool) -> None:
    monkeypatch.setattr(screening, "native_bfloat16", lambda _dtype: native)
    here = torch.ones(1, 30, dtype=torch.bool)
    one, other = (UnitRows((made(30, "t", 1.0, seed)["t"],), here) for seed in (1, 2))
    tile = Tile(Planes(one, [other], (30, 30)), slice(0, 30), slice(0, 30))
    fine = tile._products(torch.float32).copy()
    tile._products(torch.bfloat16)
    assert np.array_equal(tile._products(torch.float32), fine)


def test_bfloat16_is_given_up_where_it_leaves_tile_after_tile_open(monkeypatch) -> None:
    compiled(monkeypatch, True)
    used = []
    products = Planes.products
    monkeypatch.setattr(Planes, "products", lambda self, r, c, dtype: used.append(dtype) or products(self, r, c, dtype))
    sides = [made(400, names, 0.01, 1) for names in "tv"]
    sides = [{name: torch.nn.functional.normalize(x) for name, x in side.items()} for side in sides]
    common = {name: x + 30 * torch.ones(24) for name, x in sides[1].items()}  # all nearly one vector
    answer([Question("cosine", sides[0], common)], RankOptions(dtype=torch.bfloat16, tile=(100, 100)))
    assert used.count(torch.float32) == 16
    assert used.count(torch.bfloat16) == 3
