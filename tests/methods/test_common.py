"""Properties that hold for the whole catalog of methods; exceptions are listed by name."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods import METHODS, get_method
from gramcli.modalities import LETTERS
from gramcli.scoring.ranking import rank, top_k
from gramcli.scoring.scores import score_matrix, score_pairs, score_tiles
from gramcli.scoring.screening import Presence
from tests.vectors import NAMES, PLAIN, TRIANGLES, VARIANTS, make_side, rows_of, splits_of

EVERY = (*VARIANTS, *TRIANGLES)
CASES = [(name, r, p) for name in EVERY for r, p in splits_of(name, 4) if (r, p) not in ((1, 3), (3, 1))]
NO_ROTATION = {"symile"}  # a sum over coordinates
ANY_SIDE = {"gram", "pmrl", "triangle", "symile"}  # functions of all vectors alike, whichever side asks
ONE_WAY = {"centroid:weights=query,tau=0.2"}  # only the candidates are weighted
BOUNDS = {"sqrt(m)": math.sqrt, "3 sqrt(3)/4": lambda m: 3 * math.sqrt(3) / 4}
REFUSES_ABSENT = set(TRIANGLES)
D = 12


def base(name: str) -> str:
    return name.partition(":")[0]


def sides(r: int, p: int, n: int = 5, N: int = 7, d: int = D) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return make_side(r, n, d, seed=r), make_side(p, N, d, seed=10 + p)


def reference(name: str, queries: dict[str, Tensor], candidates: dict[str, Tensor], **options: object) -> Tensor:
    return score_matrix(name, queries, candidates, dtype=torch.float64, **options)


def test_every_method_is_tested() -> None:
    assert {base(name) for name in EVERY} == set(METHODS.names())


@pytest.mark.parametrize("row", list(METHODS), ids=lambda row: row.name)
def test_catalog_row_agrees_with_the_method(row) -> None:
    method = get_method(row.name)
    assert method.name == row.name
    assert method.higher_is_better == row.higher_is_better
    assert row.summary
    assert row.paper


@pytest.mark.parametrize("row", list(METHODS), ids=lambda row: row.name)
def test_sign_blind_methods_call_opposite_modalities_perfect_and_others_do_not(row) -> None:
    """On the query q and candidates y, z that are one vector or its opposite, against the best score of the catalog."""
    best = row.high if row.higher_is_better else row.low
    best = BOUNDS[best](3) if best in BOUNDS else float(best)
    one = torch.eye(1, D, dtype=torch.float64)

    def score(q: int, y: int, z: int) -> float:
        return float(reference(row.name, {"text": q * one}, {"video": y * one, "audio": z * one}))

    opposite = [(1, 1, -1), (1, -1, 1), (1, -1, -1), (-1, 1, 1)]
    assert score(1, 1, 1) == pytest.approx(best, abs=1e-9)
    assert row.sign_blind == any(score(*signs) == pytest.approx(best, abs=1e-9) for signs in opposite)


@pytest.mark.parametrize(("name", "r", "p"), CASES)
def test_order_of_the_samples_permutes_the_scores(name: str, r: int, p: int) -> None:
    queries, candidates = sides(r, p)
    i, j = torch.randperm(5), torch.randperm(7)
    scores = reference(name, queries, candidates)
    assert torch.equal(reference(name, rows_of(queries, i), rows_of(candidates, j)), scores[i][:, j])


@pytest.mark.parametrize(("name", "r", "p"), CASES)
def test_order_of_the_modalities_does_not_matter(name: str, r: int, p: int) -> None:
    queries, candidates = sides(r, p)
    turned = [dict(reversed(side.items())) for side in (queries, candidates)]
    torch.testing.assert_close(reference(name, *turned), reference(name, queries, candidates), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("name", "r", "p"), [case for case in CASES if case[0] not in NO_ROTATION])
def test_common_rotation_does_not_matter(name: str, r: int, p: int) -> None:
    queries, candidates = sides(r, p)
    rotation = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64)).Q
    rotated = [{key: x @ rotation for key, x in side.items()} for side in (queries, candidates)]
    torch.testing.assert_close(reference(name, *rotated), reference(name, queries, candidates), rtol=1e-10, atol=1e-13)


def test_symile_depends_on_the_axes() -> None:
    queries, candidates = sides(1, 2)
    rotation = torch.linalg.qr(torch.randn(D, D, dtype=torch.float64)).Q
    rotated = [{key: x @ rotation for key, x in side.items()} for side in (queries, candidates)]
    assert not torch.allclose(reference("symile", *rotated), reference("symile", queries, candidates), atol=1e-3)


@pytest.mark.parametrize(("name", "r", "p"), [case for case in CASES if case[0] not in ONE_WAY])
def test_exchanging_the_sides_transposes_the_scores(name: str, r: int, p: int) -> None:
    queries, candidates = sides(r, p)
    torch.testing.assert_close(
        reference(name, candidates, queries), reference(name, queries, candidates).T, rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("name", [name for name in EVERY if base(name) in ANY_SIDE])
def test_measures_of_all_vectors_do_not_care_which_side_asks(name: str) -> None:
    m = 3 if base(name) == "triangle" else 5
    everything = make_side(m, 6, D)
    split = {names: (everything.copy(), {}) for names in ((0,), (1,), (0, 2), (0, 1, 3)) if len(names) < m}
    found = []
    for names in split:
        asked = {NAMES[k]: everything[NAMES[k]] for k in names}
        answers = {key: x for key, x in everything.items() if key not in asked}
        found.append(score_pairs(name, asked, answers))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("name", "r", "p"), CASES)
def test_length_of_the_vectors_does_not_matter(name: str, r: int, p: int) -> None:
    queries, candidates = sides(r, p)
    scores = reference(name, queries, candidates)
    for factor in (2.0**-900, 1e-30, 3.0, 2.0**900):
        scaled = [{key: x * factor for key, x in side.items()} for side in (queries, candidates)]
        torch.testing.assert_close(reference(name, *scaled), scores, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("name", "r", "p"), CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 0.15), (torch.float16, 0.02)])
def test_low_precision_scores_are_near_the_reference(
    name: str, r: int, p: int, dtype: torch.dtype, tolerance: float
) -> None:
    queries, candidates = sides(r, p)
    scores = score_matrix(name, queries, candidates, dtype=dtype)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.double(), reference(name, queries, candidates), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "r", "p"), CASES)
def test_dtype_of_the_input_is_only_a_rounding(name: str, r: int, p: int) -> None:
    queries, candidates = ({key: x.float() for key, x in side.items()} for side in sides(r, p))
    wide = [{key: x.double() for key, x in side.items()} for side in (queries, candidates)]
    torch.testing.assert_close(reference(name, queries, candidates), reference(name, *wide), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("name", "r", "p"), CASES)
def test_single_sample_and_pairs_have_the_bits_of_the_matrix(name: str, r: int, p: int) -> None:
    queries, candidates = sides(r, p, 4, 4)
    scores = reference(name, queries, candidates)
    alone = reference(name, rows_of(queries, slice(2, 3)), rows_of(candidates, slice(1, 2)))
    assert torch.equal(alone, scores[2:3, 1:2])
    assert torch.equal(score_pairs(name, queries, candidates), scores.diagonal())
    for tile in score_tiles(name, queries, candidates, dtype=torch.float64, tile=(3, 2)):
        assert torch.equal(tile.scores, scores[tile.rows, tile.columns])


def limits(name: str, m: int) -> tuple[float, float]:
    row = METHODS.row(base(name))
    low, high = (BOUNDS[text](m) if text in BOUNDS else float(text) for text in (row.low, row.high))
    special = {
        "gram:log=true": (-math.inf, 0.0),
        "pmrl:value=share": (0.0, 1.0),
        "pmrl:value=softmax": (0.0, 1.0),
        "triangle:squared=true": (0.0, 2 * high**2),
    }
    return special.get(name, (low, high))


@pytest.mark.parametrize(("name", "r", "p"), CASES)
def test_scores_stay_in_the_declared_range(name: str, r: int, p: int) -> None:
    queries, candidates = sides(r, p, 6, 8)
    axes = torch.eye(D, dtype=torch.float64)
    for k, (key, x) in enumerate([*queries.items(), *candidates.items()]):
        x[0] = axes[0]  # all vectors equal
        x[1] = axes[k]  # all orthogonal
        x[2] = axes[0] * (-1.0) ** k  # opposite
        x[3] = axes[0] + 1e-9 * axes[k]  # nearly equal
        assert key in NAMES
    low, high = limits(name, r + p)
    for dtype, slack in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        scores = score_matrix(name, queries, candidates, dtype=dtype)
        assert not scores.isnan().any()
        assert scores.min() >= low - slack
        assert scores.max() <= high + slack


@pytest.mark.parametrize(("name", "r", "p"), CASES)
def test_aligned_vectors_score_better_than_orthogonal_ones(name: str, r: int, p: int) -> None:
    axes = torch.eye(D, dtype=torch.float64)
    queries = {NAMES[k]: axes[:1] + 1e-3 * axes[8 + k] for k in range(r)}
    candidates = {NAMES[k]: torch.stack([axes[0] + 1e-3 * axes[k + 1], axes[k + 4]]) for k in range(p)}
    aligned, apart = reference(name, queries, candidates)[0]
    assert (aligned > apart) == METHODS.row(base(name)).higher_is_better
    _, best = top_k(name, queries, candidates, 1)
    assert best.tolist() == [[0]]
    assert rank(name, queries, candidates, torch.tensor([0])).forward.tolist() == [1]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("side", ["queries", "candidates"])
@pytest.mark.parametrize(
    ("value", "message"),
    [(math.nan, "holds NaN or infinity"), (math.inf, "holds NaN or infinity"), (0.0, "is all zeros")],
)
def test_bad_rows_are_refused_by_name_and_row(name: str, side: str, value: float, message: str) -> None:
    r, p = (1, 2) if side == "candidates" else splits_of(name, 3)[-1]
    both = dict(zip(("queries", "candidates"), sides(r, p), strict=True))
    culprit = list(both[side])[-1]
    both[side][culprit][3:5] = value
    with pytest.raises(UserError, match=rf"{side} '{culprit}': row 3 {message} \(2 such rows\)"):
        score_matrix(name, **both)


@pytest.mark.parametrize("name", EVERY)
def test_malformed_sides_are_refused(name: str) -> None:
    queries, candidates = sides(1, 2)
    x = candidates["audio"] if "audio" in candidates else candidates["video"]
    bad = [
        ({}, candidates, "queries have no modality"),
        (queries, {"text": x[:0], "video": x[:0]}, r"candidates 'text' are empty"),
        (queries, {"text": x, "video": x[:-1]}, r"'video' are \[6, 12\] but 'text' are \[7, 12\]"),
        (queries, {"text": x, "video": x[:, :-1]}, r"'video' are \[7, 11\] but 'text' are \[7, 12\]"),
        (
            queries,
            {"text": x[:, :8], "video": x[:, :8]},
            r"queries \(text\) have 12 dimensions and candidates \(text, video\) 8",
        ),
        (queries, {"text": x.long(), "video": x}, "must be a floating point tensor"),
        (queries, {"text": x[0], "video": x}, r"must be a floating point tensor \[n, d\]; got \[12\]"),
    ]
    for left, right, message in bad:
        for use in (score_matrix, lambda *args: rank(*args, torch.zeros(5, dtype=torch.int64))):
            with pytest.raises(UserError, match=message):
                use(name, left, right)


@pytest.mark.parametrize("name", ["gram", "span", "gram:log=true"])
def test_more_vectors_than_dimensions_are_refused_by_volumes(name: str) -> None:
    with pytest.raises(UserError, match=r"of 4 modalities needs at least 4 dimensions; got d = 3"):
        score_matrix(name, *sides(2, 2, d=3))
    score_matrix(name, *sides(2, 2, d=4))


def test_splits_that_a_method_is_not_defined_for_are_refused() -> None:
    with pytest.raises(UserError, match="exactly 3 modalities; got 4"):
        score_matrix("triangle", *sides(1, 3))
    with pytest.raises(UserError, match="takes one query modality; got 2"):
        score_matrix("centroid:weights=query", *sides(2, 2))
    with pytest.raises(UserError, match="as many queries as candidates; got 5 and 7"):
        score_pairs("gram", *sides(1, 2))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gramm", "Unknown method 'gramm'. Did you mean 'gram'"),
        ("gram:lag=true", "no option 'lag'. Known: log"),
        ("cosine:tau=1", "no option 'tau'. It takes none"),
        ("gram:log", "'log' is not option=value"),
        ("pmrl:value=eigen", "no value 'eigen'"),
        ("pmrl:tau=0", "needs tau > 0"),
        ("centroid:weights=some", "no weights 'some'"),
        ("centroid:tau=-1", "needs tau > 0"),
    ],
)
def test_unknown_methods_and_options_are_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        get_method(name)


def masks(k: int, n: int) -> dict[str, Tensor]:
    """Every non-empty set of present modalities in turn."""
    row = torch.arange(n) % (2**k - 1) + 1
    return {NAMES[b]: (row >> b & 1).bool() for b in range(k)}


ABSENT = [
    (name, r, p)
    for name in (set(EVERY) - REFUSES_ABSENT)
    for r, p in ((1, 2), (1, 3), (2, 2))
    if (r, p) in splits_of(name)
]


@pytest.mark.parametrize(("name", "r", "p"), sorted(ABSENT))
def test_absent_modalities_give_the_measure_of_the_present_ones(name: str, r: int, p: int) -> None:
    n, N = 2**r - 1, 2**p - 1
    queries, candidates = sides(r, p, n, N)
    here = [masks(r, n), masks(p, N)]
    holed = [
        {key: torch.where(mask[key].unsqueeze(1), x, math.nan) for key, x in side.items()}
        for side, mask in zip((queries, candidates), here, strict=True)
    ]
    present = Presence(*here)
    scores = reference(name, *holed, present=present)
    for i in range(n):
        for j in range(N):
            left = {key: x[i : i + 1] for key, x in queries.items() if here[0][key][i]}
            right = {key: x[j : j + 1] for key, x in candidates.items() if here[1][key][j]}
            torch.testing.assert_close(
                scores[i : i + 1, j : j + 1], reference(name, left, right), rtol=1e-9, atol=1e-12
            )
    fast = score_matrix(name, *holed, present=present)
    torch.testing.assert_close(fast.double(), scores, rtol=2e-5, atol=2e-5)
    if base(name) in ("gram", "span") and "log" not in name:
        assert scores.min() > 0.0
    positives = torch.arange(n)
    ranks = rank(name, *holed, positives, present=present).forward
    keys = scores if get_method(name).higher_is_better else -scores
    better = (keys > keys[positives, positives].unsqueeze(1)).sum(1)
    assert ranks.tolist() == (better + 1).tolist()


@pytest.mark.parametrize("name", sorted(REFUSES_ABSENT))
@pytest.mark.parametrize("absent_as_zero", [False, True])
def test_triangle_refuses_absent_modalities(name: str, absent_as_zero: bool) -> None:
    queries, candidates = sides(1, 2)
    present = Presence(None, {"video": torch.arange(7) > 0}, absent_as_zero)
    with pytest.raises(UserError, match="not defined with an absent modality"):
        score_matrix(name, queries, candidates, present=present)


@pytest.mark.parametrize("name", ["gram", "span", "pmrl", "pmrl:value=share", "pmrl:value=softmax", "cosine", "symile"])
def test_absent_as_zero_is_the_textbook_formula_with_a_zero_vector(name: str) -> None:
    queries, candidates = sides(1, 2, 3, 4)
    present = Presence(None, {"video": torch.arange(4) != 1}, absent_as_zero=True)
    scores = reference(name, queries, candidates, present=present)
    full = reference(name, queries, candidates)
    assert torch.equal(scores[:, [0, 2, 3]], full[:, [0, 2, 3]])
    unit = [torch.nn.functional.normalize(x, dim=1) for x in (*queries.values(), candidates["text"])]
    for i in range(3):
        z = torch.stack([unit[0][i], unit[1][1], torch.zeros(D, dtype=torch.float64)])
        sigma = torch.linalg.svdvals(z)
        expected = {
            "gram": 0.0,
            "span": (1 - (z[0] @ z[1]) ** 2).sqrt(),  # a zero vector adds nothing to the span
            "pmrl": sigma[0],
            "pmrl:value=share": sigma[0] ** 2 / (sigma**2).sum(),
            "pmrl:value=softmax": torch.softmax(sigma / 0.1, 0)[0],
            "cosine": (z[0] @ z[1]) / 2,
            "symile": 0.0,
        }[name]
        assert scores[i, 1].item() == pytest.approx(float(expected), abs=1e-12)
    torch.testing.assert_close(
        score_matrix(name, queries, candidates, present=present).double(), scores, rtol=1e-5, atol=1e-5
    )


def test_presence_is_checked() -> None:
    queries, candidates = sides(1, 2)
    nowhere = dict.fromkeys(candidates, torch.arange(7) != 4)
    with pytest.raises(UserError, match="candidates row 4 has no modality present"):
        score_matrix("gram", queries, candidates, present=Presence(None, nowhere))
    with pytest.raises(UserError, match="Presence is given for 'depth', which the candidates do not have"):
        score_matrix("gram", queries, candidates, present=Presence(None, {"depth": torch.ones(7).bool()}))
    with pytest.raises(
        UserError, match=r"Presence of queries 'text' must be a bool tensor \[5\]; got torch.bool \[4\]"
    ):
        score_matrix("gram", queries, candidates, present=Presence({"text": torch.ones(4).bool()}, None))


@pytest.mark.parametrize("name", PLAIN)
def test_inputs_are_left_alone(name: str) -> None:
    queries, candidates = sides(2, 2, 4, 4)
    before = [{key: x.clone() for key, x in side.items()} for side in (queries, candidates)]
    score_matrix(name, queries, candidates)
    rank(name, queries, candidates)
    for side, old in zip((queries, candidates), before, strict=True):
        assert all(torch.equal(side[key], old[key]) for key in old)


def test_names_used_here_are_modalities() -> None:
    assert set(NAMES[:6]) == set(LETTERS.values())
