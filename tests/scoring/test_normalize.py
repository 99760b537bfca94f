"""Normalised ranks against the formulas on the whole matrix."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from gramcli.errors import UserError
from gramcli.methods import get_method
from gramcli.scoring.normalize import NORMALIZATIONS, Bank, Normalization, parse_normalization, rank_normalized
from gramcli.scoring.normalizers import Csls, DualSoftmax, Setting
from gramcli.scoring.ranking import RankOptions, Ranks, rank, rank_scores
from gramcli.scoring.scores import score_matrix
from gramcli.scoring.screening import Presence

N_QUERIES, N_CANDIDATES, DIM = 23, 17, 12
METHODS = ["cosine", "gram", "gram:log=true", "span", "pmrl", "triangle"]
VARIANTS = ["dsl", "dsl:tau=5", "csls", "csls:k=3", "qbnorm", "qbnorm:beta=5,k=4"]
WORST = {"gram": 1.0, "gram:log=true": 0.0, "span": 1.0, "triangle": 3 * math.sqrt(3) / 4}


def made(n, names, seed, dim=DIM):
    generator = torch.Generator().manual_seed(seed)
    hub = torch.randn(dim, generator=generator)
    return {name: torch.randn(n, dim, generator=generator) + 0.7 * hub for name in names}


@pytest.fixture
def sides():
    return made(N_QUERIES, ["t"], 1), made(N_CANDIDATES, ["v", "a"], 2)


@pytest.fixture
def bank():
    return Bank(made(31, ["t"], 3), made(29, ["v", "a"], 4))


@pytest.fixture
def positives():
    """Query i is answered by i mod N, and every third one by a second candidate too."""
    answers = [[i % N_CANDIDATES] + [(i + 5) % N_CANDIDATES] * (i % 3 == 0) for i in range(N_QUERIES)]
    indptr = torch.tensor([0] + [len(found) for found in answers]).cumsum(0)
    return indptr, torch.tensor([j for found in answers for j in found])


def turned(positives, n_candidates):
    """The CSR pair asked from the candidates."""
    indptr, indices = positives
    query = torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff())
    order = torch.argsort(indices, stable=True)
    counts = torch.bincount(indices, minlength=n_candidates)
    return torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]), query[order]


def high(method, queries, candidates):
    scores = score_matrix(method, queries, candidates, dtype=torch.float64)
    return -scores if method in WORST else scores


def naive(how: Normalization, method: str, scores: torch.Tensor, banked: torch.Tensor) -> torch.Tensor:
    """The formulas on the whole matrix, asking items down."""
    if how.name == "dsl":
        return (scores + WORST.get(method, 0.0)) * torch.softmax(how.parameters["tau"] * scores, dim=0)
    if how.name == "csls":
        k = how.parameters["k"]
        asking = scores.topk(min(k, scores.shape[1]), dim=1).values.mean(dim=1, keepdim=True)
        answering = scores.topk(min(k, scores.shape[0]), dim=0).values.mean(dim=0, keepdim=True)
        return 2 * scores - asking - answering
    active = set(banked.argsort(dim=1, descending=True)[:, : how.parameters["k"]].flatten().tolist())
    inverted = torch.exp(how.parameters["beta"] * scores) / torch.exp(how.parameters["beta"] * banked).sum(dim=0)
    rows = [inverted[i] if int(scores[i].argmax()) in active else scores[i] for i in range(len(scores))]
    return torch.stack(rows)


def with_bank(text, bank):
    how = parse_normalization(text)
    return Normalization(how.name, how.parameters, bank)


def same(a: Ranks, b: Ranks) -> bool:
    names = ("forward", "backward", "forward_ties", "backward_ties", "forward_positions", "backward_positions")
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in names)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("text", VARIANTS)
def test_ranks_are_those_of_the_formula_in_both_directions(sides, bank, positives, method, text):
    queries, candidates = sides
    how = with_bank(text, bank)
    found = rank_normalized(method, queries, candidates, positives, how, options=RankOptions(every_positive=True))
    scores = high(method, queries, candidates)
    forward = naive(how, method, scores, high(method, bank.queries, candidates))
    backward = naive(how, method, scores.T, high(method, queries, bank.candidates).T)
    expected = rank_scores(forward, positives, every_positive=True)
    torch.testing.assert_close(found.forward, expected.forward)
    torch.testing.assert_close(found.forward_positions, expected.forward_positions)
    expected = rank_scores(backward, turned(positives, N_CANDIDATES), every_positive=True)
    torch.testing.assert_close(found.backward, expected.forward)
    torch.testing.assert_close(found.backward_positions, expected.forward_positions)
    assert found.n_rescored == N_QUERIES * N_CANDIDATES


@pytest.mark.parametrize("method", ["cosine", "gram", "gram:log=true", "pmrl"])
@pytest.mark.parametrize("text", ["dsl:tau=300", "csls:k=3", "qbnorm:k=3"])
def test_neither_tiles_nor_threads_change_anything(sides, bank, positives, method, text):
    queries, candidates = sides
    for side, row in ((queries["t"], 7), (candidates["v"], 13), (candidates["a"], 13)):
        side[row + 3] = side[row]  # exact ties, which only identical statistics keep
    if method == "gram:log=true" and text == "dsl:tau=300":
        text = "dsl:tau=50"
    tiles = [(1024, 2048), (13, 9), (23, 6)]
    how, threads, found = with_bank(text, bank), torch.get_num_threads(), []
    for k, tile in enumerate(tiles):
        torch.set_num_threads(1 + k % 2)
        options = RankOptions(every_positive=True, tile=tile)
        found.append(rank_normalized(method, queries, candidates, positives, how, options=options))
    torch.set_num_threads(threads)
    assert all(same(found[0], other) for other in found[1:])
    assert bool((found[0].forward_ties > 0).any())
    assert bool((found[0].backward_ties > 0).any())


def test_statistics_are_the_same_bits_in_any_order():
    generator = torch.Generator().manual_seed(5)
    scores = torch.rand(50, 9, generator=generator, dtype=torch.float64)
    setting = Setting(get_method("cosine"), 50, 9, torch.device("cpu"))
    for build in (lambda: DualSoftmax(setting, 100.0), lambda: Csls(setting, 7)):
        keys = []
        for order in ([slice(0, 50)], [slice(30, 50), slice(0, 7), slice(7, 30)], [slice(i, i + 1) for i in range(50)]):
            normalizer = build()
            for step in range(normalizer.passes):
                for rows in order:
                    normalizer.observe(step, (rows, slice(0, 9), scores[rows]))
            keys.append(normalizer.keys(scores, torch.arange(50).unsqueeze(1), torch.arange(9).unsqueeze(0)))
        assert torch.equal(keys[0], keys[1])
        assert torch.equal(keys[0], keys[2])
    # CSLS by the definition; the softmax sums to 1 over those that ask.
    torch.testing.assert_close(keys[0], 2 * scores - scores.topk(7, dim=0).values.mean(dim=0))


def hubby(n=200, dim=16):
    """Every tenth candidate has much of what all queries have in common, and is near all of them."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(n, dim, generator=generator)
    hub = torch.randn(dim, generator=generator)
    strength = torch.where(torch.arange(n) % 10 == 0, 2.0, 0.3).unsqueeze(1)
    queries = base + 0.7 * torch.randn(n, dim, generator=generator) + hub
    return {"t": queries}, {
        name: base + 0.7 * torch.randn(n, dim, generator=generator) + strength * hub for name in ("v", "a")
    }


@pytest.mark.parametrize("method", ["cosine", "gram"])
@pytest.mark.parametrize("text", ["dsl:tau=20", "csls", "qbnorm"])
def test_hubs_lose_and_r_at_1_rises(method, text):
    queries, candidates = hubby()
    tested = {"t": queries["t"][:100]}, {name: rows[:100] for name, rows in candidates.items()}
    bank = Bank({"t": queries["t"][100:]}, {name: rows[100:] for name, rows in candidates.items()})
    raw = rank(method, *tested).forward
    found = rank_normalized(method, *tested, None, with_bank(text, bank)).forward
    assert int((found == 1).sum()) > int((raw == 1).sum())


def test_no_activated_query_means_the_raw_ranks():
    """The bank only ever finds candidate 0, which no tested query has first."""
    eye = torch.eye(4)
    queries, candidates = {"t": eye[1:]}, {"v": eye}
    answers = torch.tensor([1, 2, 0])
    how = with_bank("qbnorm", Bank({"t": eye[:1]}, {"v": eye[:1]}))
    found = rank_normalized("cosine", queries, candidates, answers, how)
    assert torch.equal(found.forward, rank("cosine", queries, candidates, answers).forward)


def test_absent_modalities_are_left_out_of_queries_candidates_and_bank(sides, positives):
    queries, candidates = sides
    there = torch.arange(N_CANDIDATES) % 4 > 0
    bank_there = torch.arange(N_CANDIDATES) % 5 > 0
    bank = Bank(queries, candidates, Presence(None, {"v": bank_there}))
    present = Presence(None, {"v": there})
    garbage = {**candidates, "v": candidates["v"].masked_fill(~there.unsqueeze(1), torch.nan)}
    for text in ("dsl", "csls", "qbnorm"):
        how = with_bank(text, bank)
        found = rank_normalized("gram", queries, garbage, positives, how, present=present)
        zeroed = {**candidates, "v": candidates["v"] * there.unsqueeze(1)}
        again = rank_normalized("gram", queries, zeroed, positives, how, present=present)
        assert torch.equal(found.forward, again.forward)
        assert bool(found.backward.isfinite().all())


def test_one_direction_only(sides, positives):
    how = Normalization("qbnorm", bank=Bank(made(5, ["t"], 3)), both_directions=False)
    found = rank_normalized("cosine", *sides, positives, how)
    assert found.backward is None
    assert found.backward_ties is None
    assert len(found.forward) == N_QUERIES


def test_progress_ends_at_all_pairs(sides, positives):
    seen = []
    options = RankOptions(tile=(8, 8), progress=lambda done, total: seen.append((done, total)))
    rank_normalized("cosine", *sides, positives, "dsl", options=options)
    assert seen == sorted(seen)
    assert seen[-1] == (N_QUERIES * N_CANDIDATES,) * 2


def test_degenerate_items_are_counted_and_tie(sides, positives):
    queries, candidates = sides
    candidates["a"][3] = candidates["v"][3]
    assert rank_normalized("gram", queries, candidates, positives, "dsl").n_degenerate == 1
    with pytest.raises(UserError, match="infinite score, which cannot be normalised"):
        rank_normalized("gram:log=true", queries, candidates, positives, "csls")


def test_labels_name_what_is_not_the_default():
    assert [parse_normalization(text).label for text in ("dsl", "dsl:tau=100", "dsl:tau=20")] == [
        "dsl",
        "dsl",
        "dsl:tau=20",
    ]
    assert parse_normalization("qbnorm:k=2, beta=5").label == "qbnorm:beta=5,k=2"
    assert all(row.paper and row.formula for row in NORMALIZATIONS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dls", "Unknown normalization 'dls'. Did you mean 'dsl'"),
        ("", "Unknown normalization ''"),
        ("dsl:k=3", "dsl has no option 'k'. Known: tau"),
        ("qbnorm:bta=3", "Did you mean 'beta'"),
        ("dsl:tau", "tau must be a positive number; got ''"),
        ("dsl:tau=-1", "tau must be a positive number; got '-1'"),
        ("dsl:tau=inf", "tau must be a positive number; got 'inf'"),
        ("csls:k=1.5", "k must be a whole number from 1 on; got '1.5'"),
        ("csls:k=0", "k must be a whole number from 1 on; got '0'"),
    ],
)
def test_text_that_names_no_normalisation(text, message):
    with pytest.raises(UserError, match=message):
        parse_normalization(text)


def test_querybanks_that_do_not_fit(sides, positives, bank):
    def ranked(bank):
        return rank_normalized("gram", *sides, positives, with_bank("qbnorm", bank))

    with pytest.raises(UserError, match="qbnorm needs a querybank for every direction"):
        ranked(None)
    with pytest.raises(UserError, match="qbnorm needs a querybank for every direction"):
        ranked(Bank(bank.queries))
    with pytest.raises(UserError, match=r"The querybank has no 'a'\. It has: v"):
        ranked(Bank(bank.queries, {"v": bank.candidates["v"]}))
    with pytest.raises(UserError, match=r"Querybank as the queries: .*'t'"):
        ranked(Bank({"t": torch.zeros(3, DIM)}, bank.candidates))


def test_a_temperature_that_would_make_ties_is_refused(sides, positives):
    with pytest.raises(UserError, match=r"dsl with tau=5000 underflows.*Use a tau of at most"):
        rank_normalized("cosine", *sides, positives, "dsl:tau=5000")


def test_dsl_refuses_a_measure_whose_worst_value_it_does_not_know(sides, positives):
    with pytest.raises(UserError, match="largest value of 'plugged', which is better low"):
        rank_normalized(replace(get_method("gram"), name="plugged"), *sides, positives, "dsl")
