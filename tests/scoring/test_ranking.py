"""rank() against the definition: a loop over float64 reference keys, on hard cases."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.methods import get_method
from gramcli.scoring.normalize import rank_normalized
from gramcli.scoring.ranking import RankOptions, Ranks, rank, rank_scores, top_k
from gramcli.scoring.scores import score_matrix
from gramcli.scoring.screening import Presence
from tests.scoring.hard_cases import (
    Case,
    cases,
    make_positives,
    make_rows,
    reference_keys,
    relevance,
    slow_ranks,
    sorted_positives,
)
from tests.vectors import NAMES, TRIANGLES, VARIANTS, make_side

EVERY = (*VARIANTS, *TRIANGLES)
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
TILES = ((1024, 2048), (7, 11), (16, 8), (30, 1), (1, 30))


@pytest.fixture
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def check(ranks: Ranks, keys: torch.Tensor, relevant: torch.Tensor) -> None:
    forward, backward = slow_ranks(keys, relevant), slow_ranks(keys.T, relevant.T)
    np.testing.assert_array_equal(ranks.forward.double().numpy(), forward.ranks)
    np.testing.assert_array_equal(ranks.backward.double().numpy(), backward.ranks)
    assert ranks.forward_ties.tolist() == forward.ties
    assert ranks.backward_ties.tolist() == backward.ties
    if ranks.forward_positions is not None:
        assert ranks.forward_positions.tolist() == forward.positions
        assert ranks.backward_positions.tolist() == backward.positions


def check_case(method: str, case: Case, options: RankOptions) -> None:
    positives = sorted_positives(case.positives)
    n, N = (next(iter(side.values())).shape[0] for side in (case.queries, case.candidates))
    keys = reference_keys(method, case.queries, case.candidates)
    ranks = rank(method, case.queries, case.candidates, positives, options=options)
    check(ranks, keys, relevance(positives, n, N))


@pytest.mark.parametrize("method", EVERY)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_ranks_in_many_dimensions(method: str, data: st.DataObject) -> None:
    case = data.draw(cases(method, dimensions=(1024, 4096), most=10))
    check_case(method, case, RankOptions(dtype=data.draw(st.sampled_from(DTYPES)), tile=(7, 11)))


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("method", EVERY)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_ranks_are_those_of_float64_scores(method: str, data: st.DataObject) -> None:
    case = data.draw(cases(method))
    torch.set_num_threads(data.draw(st.sampled_from([1, 1, 1, 2])))
    options = RankOptions(
        every_positive=data.draw(st.booleans()),
        dtype=data.draw(st.sampled_from(DTYPES)),
        tile=data.draw(st.sampled_from(TILES)),
    )
    check_case(method, case, options)


@pytest.mark.parametrize("method", ["gram", "span", "pmrl", "cosine"])
@pytest.mark.parametrize(("r", "p"), [(1, 7), (3, 5), (4, 4)])
@pytest.mark.parametrize("kind", ["near ties", "own volumes"])
def test_up_to_eight_modalities(method: str, r: int, p: int, kind: str) -> None:
    generator = torch.Generator().manual_seed(r + 10 * p)
    common = torch.randn(1, 24, generator=generator, dtype=torch.float64)
    queries, candidates = (
        dict(zip(NAMES, make_rows(kind, k, 9, common, 1e-9, generator), strict=False)) for k in (r, p)
    )
    case = Case(kind, queries, candidates, make_positives(9, 9, generator))
    for dtype in (torch.float32, torch.bfloat16):
        check_case(method, case, RankOptions(every_positive=True, dtype=dtype, tile=(5, 6)))


@pytest.mark.parametrize("method", ["gram", "pmrl", "cosine", "triangle", "symile"])
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_huge_dimension(method: str, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    common = torch.randn(1, 5000, generator=generator, dtype=torch.float64)
    queries = dict(zip(NAMES, make_rows("near ties", 1, 12, common, 1e-8, generator), strict=False))
    candidates = dict(zip(NAMES, make_rows("near ties", 2, 15, common, 1e-8, generator), strict=False))
    case = Case("near ties", queries, candidates, make_positives(12, 15, generator))
    check_case(method, case, RankOptions(dtype=dtype, tile=(8, 8)))


@pytest.mark.parametrize("method", ["gram", "pmrl", "cosine"])
def test_tiles_threads_and_dtypes_change_nothing_on_a_larger_problem(method: str) -> None:
    queries, candidates = make_side(1, 150, 32, 1, torch.float32), make_side(2, 170, 32, 2, torch.float32)
    candidates["video"][30:60] = candidates["text"][30:60] + 1e-6 * candidates["video"][30:60]
    candidates["video"][60:64] = candidates["text"][60:64]
    positives = torch.arange(150) % 130
    keys = reference_keys(method, queries, candidates)
    relevant = torch.zeros(150, 170, dtype=torch.bool)
    relevant[torch.arange(150), positives] = True
    for dtype in DTYPES:
        for tile in ((1024, 2048), (64, 96)):
            ranks = rank(method, queries, candidates, positives, options=RankOptions(dtype=dtype, tile=tile))
            check(ranks, keys, relevant)


def test_scores_order_pairs_as_their_keys_do() -> None:
    queries, candidates = make_side(1, 20, 12, 1), make_side(2, 30, 12, 2)
    for method in EVERY:
        keys = reference_keys(method, queries, candidates).flatten()
        scores = score_matrix(method, queries, candidates, dtype=torch.float64).flatten()[keys.argsort()]
        steps = scores.diff() if get_method(method).higher_is_better else -scores.diff()
        assert steps.min() >= 0, method


@pytest.mark.parametrize("method", EVERY)
def test_duplicated_items_tie_exactly(method: str) -> None:
    queries, candidates = make_side(1, 6, 16, 1, torch.float32), make_side(2, 6, 16, 2, torch.float32)
    twice = {name: torch.cat([x, x[:4], x[:2]]) for name, x in candidates.items()}
    ranks = rank(method, queries, twice, torch.arange(6), options=RankOptions(tile=(4, 5)))
    alone = rank(method, queries, candidates)
    keys = reference_keys(method, queries, candidates)
    better = torch.stack([keys[i] > keys[i, i] for i in range(6)]).double()
    expected = 1 + better @ torch.tensor([3.0, 3, 2, 2, 1, 1]).double() + torch.tensor([2, 2, 1, 1, 0, 0]) / 2
    assert ranks.forward_ties.tolist() == [2, 2, 1, 1, 0, 0]
    assert ranks.forward.tolist() == expected.tolist()
    assert alone.forward_ties.tolist() == [0] * 6
    assert ranks.backward[:6].tolist() == alone.backward.tolist()
    assert ranks.backward[6:].isnan().all()


@pytest.mark.parametrize("method", ["gram", "span", "pmrl", "cosine", "symile", "centroid"])
def test_absent_modalities(method: str) -> None:
    queries, candidates = make_side(2, 15, 16, 1), make_side(3, 17, 16, 2)
    present = Presence(
        {"video": torch.arange(15) % 3 > 0}, {"audio": torch.arange(17) % 2 > 0, "text": torch.arange(17) % 5 > 0}
    )
    keys = reference_keys(method, queries, candidates, present)
    positives = (torch.arange(16), torch.arange(15))
    for dtype in (torch.float32, torch.bfloat16):
        ranks = rank(method, queries, candidates, positives, present=present, options=RankOptions(dtype=dtype))
        check(ranks, keys, relevance(positives, 15, 17))


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("N", [1, 2, 9])
@pytest.mark.parametrize("method", ["gram", "pmrl", "pmrl:value=share", "triangle", "cosine"])
def test_tiny_problems(method: str, n: int, N: int) -> None:
    queries, candidates = make_side(1, n, 8, 1), make_side(2, N, 8, 2)
    positives = torch.arange(n) % N
    keys = reference_keys(method, queries, candidates)
    relevant = torch.zeros(n, N, dtype=torch.bool)
    relevant[torch.arange(n), positives] = True
    check(rank(method, queries, candidates, positives), keys, relevant)
    turned = torch.arange(N) % n
    relevant = torch.zeros(N, n, dtype=torch.bool)
    relevant[torch.arange(N), turned] = True
    check(rank(method, candidates, queries, turned), reference_keys(method, candidates, queries), relevant)


@pytest.mark.parametrize(
    "positives",
    [
        None,
        torch.arange(8),
        torch.arange(8, dtype=torch.int32),
        (torch.arange(9), torch.arange(8)),
        np.arange(8, dtype=np.uint16),
        list(range(8)),
        tuple(range(8)),
        (np.arange(9), np.arange(8)),
        (list(range(9)), list(range(8))),
    ],
)
def test_positives_in_any_form(positives) -> None:
    queries, candidates = make_side(1, 8, 12, 1), make_side(2, 8, 12, 2)
    assert (
        rank("gram", queries, candidates, positives).forward.tolist()
        == rank("gram", queries, candidates).forward.tolist()
    )


def test_one_direction_and_no_positions_unless_asked() -> None:
    queries, candidates = make_side(1, 8, 12, 1), make_side(2, 8, 12, 2)
    ranks = rank("gram", queries, candidates, both_directions=False)
    both = rank("gram", queries, candidates)
    assert ranks.backward is None
    assert ranks.backward_ties is None
    assert ranks.forward_positions is None
    assert ranks.forward.tolist() == both.forward.tolist()
    assert both.forward.dtype == torch.int64


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    options = RankOptions(tile=(3, 4), progress=lambda done, total: seen.append((done, total)))
    rank("cosine", make_side(1, 7, 8, 1), make_side(1, 9, 8, 2), torch.arange(7), options=options)
    assert seen[-1] == (63, 63)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


@pytest.mark.parametrize(
    ("method", "expected"), [("gram", 3), ("span", 3), ("pmrl", 3), ("triangle", 3), ("cosine", 0), ("symile", 0)]
)
def test_degenerate_candidates_are_counted(method: str, expected: int) -> None:
    queries, candidates = make_side(1, 5, 12, 1), make_side(2, 9, 12, 2)
    candidates["video"][2:5] = candidates["text"][2:5] * 2
    candidates["video"][5] = candidates["text"][5] + 1e-9 * candidates["video"][5]
    ranks = rank(method, queries, candidates, torch.arange(5))
    assert ranks.n_degenerate == expected
    check(ranks, reference_keys(method, queries, candidates), torch.eye(5, 9).bool())
    if method != "triangle":
        queries = make_side(2, 5, 12, 1)
        queries["video"][0] = -queries["text"][0]
        assert rank(method, queries, candidates, torch.arange(5)).n_degenerate == expected + (expected > 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("copied", ["scaled", "normalised", "sum"])
def test_copies_in_a_narrow_dtype_are_degenerate(dtype: torch.dtype, copied: str) -> None:
    """Rounding of the rows hides that they are copies: volumes of 1e-8 (float32) or 1e-4 (float16) and not 0."""
    generator = torch.Generator().manual_seed(1)
    text, video, audio, depth = (torch.randn(30, 64, generator=generator).to(dtype) for _ in range(4))
    copies = {
        "scaled": 3 * video,
        "normalised": torch.nn.functional.normalize(video.float(), dim=1).to(dtype),
        "sum": video + audio,
    }
    depth[:7] = copies[copied][:7]
    sides = {"text": text}, {"video": video, "audio": audio, "depth": depth}
    for method in ("gram", "span", "pmrl"):
        assert rank(method, *sides).n_degenerate == 7
        assert rank_normalized(method, *sides, None, "dsl").n_degenerate == 7
        wide = tuple({name: x.double() for name, x in side.items()} for side in sides)
        assert rank(method, *wide).n_degenerate <= 7  # float64 rows may differ where float32 rows cannot
    if copied != "sum":
        assert rank("triangle", {"text": text}, {"video": video, "depth": depth}).n_degenerate == 7
        opposed = {"video": video, "depth": -depth}
        assert rank("centroid", {"text": text}, opposed).n_degenerate == 7


def test_the_coarsest_modality_decides_what_is_degenerate() -> None:
    queries, candidates = make_side(1, 6, 32, 1), make_side(2, 6, 32, 2)
    candidates["video"][2] = candidates["text"][2] + 1e-5 * candidates["video"][2]
    assert rank("gram", queries, candidates).n_degenerate == 0
    candidates["video"] = candidates["video"].half()
    assert rank("gram", queries, candidates).n_degenerate == 1


def test_collapsed_candidates_win_every_gram_query_but_not_span() -> None:
    queries, candidates = make_side(1, 6, 12, 1), make_side(2, 8, 12, 2)
    candidates["video"][7] = candidates["text"][7]
    volumes = score_matrix("gram", queries, candidates)
    assert volumes[:, 7].tolist() == [0.0] * 6
    assert (volumes[:, :7] > 0).all()
    assert (score_matrix("span", queries, candidates)[:, 7] > 0.01).all()


@pytest.mark.parametrize(
    ("positives", "message"),
    [
        (None, "there are 4 queries and 5 candidates"),
        (torch.arange(3), r"positives must be integers of shape \[4\]; got torch.int64 \[3\]"),
        (np.arange(3), r"positives must be integers of shape \[4\]; got torch.int64 \[3\]"),
        (np.arange(4.0), r"positives must be whole numbers .* got an array of float64"),
        ([0.0, 1.0, 2.0, 3.0], "positives must be whole numbers .* got a list"),
        ([[0], [1], [2], [3]], "positives must be whole numbers .* got a list"),
        ({0: 1}, "positives must be whole numbers .* got a dict"),
        ((np.arange(4), np.arange(4)), r"indptr of positives must be integers of shape \[5\]"),
        ((np.arange(5), "0123"), "indices of positives must be whole numbers .* got a str"),
        (torch.arange(4.0), r"positives must be integers of shape \[4\]; got torch.float32"),
        (torch.ones(4, dtype=torch.bool), r"positives must be integers of shape \[4\]; got torch.bool"),
        (torch.tensor([0, 1, 5, 2]), "Query 2 has the positive 5, but candidates run from 0 to 4"),
        (torch.tensor([0, -1, 2, 2]), "Query 1 has the positive -1"),
        ((torch.arange(4), torch.arange(4)), r"indptr of positives must be integers of shape \[5\]"),
        ((torch.tensor([1, 1, 2, 3, 4]), torch.arange(4)), "must rise from 0 to 4"),
        ((torch.tensor([0, 2, 1, 3, 4]), torch.arange(4)), "must rise from 0 to 4"),
        ((torch.tensor([0, 1, 2, 3, 5]), torch.arange(4)), "must rise from 0 to 4"),
        ((torch.tensor([0, 1, 1, 2, 4]), torch.arange(4)), "Query 1 has no positive"),
        ((torch.tensor([0, 1, 2, 3, 5]), torch.tensor([0, 1, 2, 3, 3])), "Query 3 names candidate 3 twice"),
        ((torch.tensor([0, 1, 2, 3, 4]), torch.arange(4.0)), "indices of positives must be integers"),
    ],
)
def test_malformed_positives_are_refused(positives, message: str) -> None:
    queries, candidates = make_side(1, 4, 8, 1), make_side(2, 5, 8, 2)
    with pytest.raises(UserError, match=message):
        rank("gram", queries, candidates, positives)
    with pytest.raises(UserError, match=message):
        rank_scores(torch.zeros(4, 5), positives)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_rank_scores_is_the_definition(data: st.DataObject) -> None:
    n, N = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    values = data.draw(st.lists(st.integers(-3, 3), min_size=n * N, max_size=n * N))
    scores = torch.tensor(values, dtype=data.draw(st.sampled_from([torch.float32, torch.float64, torch.int64]))).view(
        n, N
    )
    positives = sorted_positives(make_positives(n, N, torch.Generator().manual_seed(n * N)))
    higher = data.draw(st.booleans())
    found = rank_scores(scores, positives, higher_is_better=higher, every_positive=True)
    slow = slow_ranks((scores if higher else -scores).double(), relevance(positives, n, N))
    assert found.forward.tolist() == slow.ranks
    assert found.forward_ties.tolist() == slow.ties
    assert found.forward_positions.tolist() == slow.positions


@pytest.mark.parametrize("higher", [True, False])
def test_rank_scores_orders_integers_that_float64_cannot_hold(higher: bool) -> None:
    big = 1 << 60
    scores = torch.tensor([[big + 1, big, big + 2, big], [-big, -big - 1, 0, -(1 << 63)]])
    for k in range(4):
        ranks = rank_scores(scores, torch.tensor([k, k]), higher_is_better=higher)
        for i, row in enumerate(scores.tolist()):
            better = sum(x > row[k] if higher else x < row[k] for x in row)
            assert ranks.forward[i].item() == 1 + better + (row.count(row[k]) - 1) / 2


@pytest.mark.parametrize("scores", [torch.ones(2, 2, dtype=torch.complex64), np.ones((2, 2)), [[1.0, 2.0], [2.0, 1.0]]])
def test_rank_scores_refuses_what_has_no_order(scores) -> None:
    with pytest.raises(UserError, match=r"rank_scores needs a tensor of real numbers \(int64, float64, ..\); got"):
        rank_scores(scores)


@pytest.mark.parametrize("method", EVERY)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_top_k_is_a_stable_sort_of_reference_keys(method: str, data: st.DataObject) -> None:
    case = data.draw(cases(method, 5))
    keys = reference_keys(method, case.queries, case.candidates)
    k = data.draw(st.integers(1, keys.shape[1]))
    dtype = data.draw(st.sampled_from(DTYPES))
    scores, columns = top_k(method, case.queries, case.candidates, k, dtype=dtype)
    assert torch.equal(columns, keys.argsort(dim=1, descending=True, stable=True)[:, :k])
    reference = score_matrix(method, case.queries, case.candidates, dtype=torch.float64)
    assert torch.equal(scores, reference.gather(1, columns))


def test_top_k_where_many_candidates_might_matter() -> None:
    queries, candidates = make_side(1, 5, 16, 1), make_side(2, 200, 16, 2)
    candidates = {name: x[:3].repeat_interleave(70, 0)[:200] + 1e-12 * x for name, x in candidates.items()}
    for method in ("gram", "pmrl", "cosine"):
        keys = reference_keys(method, queries, candidates)
        _, columns = top_k(method, queries, candidates, 10, dtype=torch.bfloat16)
        assert torch.equal(columns, keys.argsort(dim=1, descending=True, stable=True)[:, :10])


def test_two_queries_and_two_answers_are_no_csr_pair() -> None:
    queries, candidates = make_side(1, 2, 8, 1), make_side(2, 5, 8, 2)
    expected = rank("gram", queries, candidates, torch.tensor([3, 1])).forward.tolist()
    assert rank("gram", queries, candidates, (3, 1)).forward.tolist() == expected
    assert rank("gram", queries, candidates, [3, 1]).forward.tolist() == expected


@pytest.mark.parametrize("k", [0, -1, 6, 2.0, "2", True, None])
def test_impossible_k_is_refused(k: int) -> None:
    with pytest.raises(UserError, match="top_k needs 1 <= k <= 5"):
        top_k("cosine", make_side(1, 4, 8), make_side(1, 5, 8), k)


def test_positives_may_be_lists_or_arrays() -> None:
    side = {"x": torch.eye(3)}
    wanted = rank("cosine", side, side, torch.tensor([1, 2, 0])).forward
    for answers in ([1, 2, 0], np.array([1, 2, 0])):
        assert rank("cosine", side, side, answers).forward.equal(wanted)
    pair = (np.array([0, 1, 2, 3]), np.array([1, 2, 0]))
    assert rank("cosine", side, side, pair).forward.equal(wanted)
