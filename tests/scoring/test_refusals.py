"""What rank, top_k and the scores refuse: one UserError each that names what came, never a traceback."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gramcli.errors import UserError
from gramcli.methods import get_method
from gramcli.scoring.normalize import parse_normalization, rank_normalized
from gramcli.scoring.ranking import RankOptions, rank, rank_scores, top_k
from gramcli.scoring.scores import score_matrix, score_pairs, score_tiles
from gramcli.scoring.screening import Presence
from tests.vectors import make_side

TEXT, VIDEO = make_side(1, 4, 8, 1), {"video": make_side(1, 4, 8, 2)["text"]}
ENTRIES = (
    lambda q, c: score_matrix("gram", q, c),
    lambda q, c: score_pairs("gram", q, c),
    lambda q, c: rank("gram", q, c),
    lambda q, c: top_k("gram", q, c, 1),
    lambda q, c: rank_normalized("gram", q, c, None, "dsl"),
)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({"video": np.ones((4, 8))}, r"candidates 'video' is of type ndarray: give torch tensors.*torch.from_numpy"),
        ({"video": [[1.0] * 8] * 4}, "candidates 'video' is of type list: give torch tensors"),
        (torch.ones(4, 8), "candidates must be a mapping from modality to rows.*got Tensor"),
        ({"video": torch.ones(4, 8).to_sparse()}, "candidates 'video' is a tensor of layout torch.sparse_coo"),
        ({"video": torch.ones(4, 8, device="meta")}, "candidates 'video' is a meta tensor"),
        (
            {"video": torch.ones(4, 8).to(torch.float8_e4m3fn)},
            r"'video' must be a floating .*float8_e4m3fn\. Known dtypes: float64,",
        ),
        (
            {"video": torch.ones(4, 9), "audio": torch.ones(4, 9)},
            r"queries \(text\) have 8 dimensions and candidates \(video, audio\) 9",
        ),
    ],
)
def test_embeddings(entry, candidates, message: str) -> None:
    with pytest.raises(UserError, match=message):
        entry(TEXT, candidates)


def test_counts_and_dimensions_name_the_modalities() -> None:
    other = {"video": torch.randn(5, 8), "audio": torch.randn(5, 8)}
    named = r"\(queries text; candidates video, audio\)"
    with pytest.raises(UserError, match=f"as many queries as candidates; got 4 and 5 {named}"):
        score_pairs("gram", TEXT, other)
    for call in (
        lambda: rank("gram", TEXT, other),
        lambda: rank_normalized("gram", TEXT, other, None, "dsl"),
    ):
        with pytest.raises(UserError, match=f"there are 4 queries and 5 candidates {named}"):
            call()
    narrow = {name: x[:, :2] for name, x in {**TEXT, **VIDEO}.items()}
    with pytest.raises(UserError, match=r"got d = 2.*Given: queries text; candidates text, video"):
        score_matrix("gram", {"text": narrow["text"]}, narrow)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.bool, torch.complex64, torch.float8_e5m2, "float32"])
def test_dtypes(dtype) -> None:
    message = "one of float64, float32, bfloat16, float16; got " + (
        "'float32'. Write torch.float32" * (dtype == "float32")
    )
    for call in (
        lambda: score_matrix("gram", TEXT, VIDEO, dtype=dtype),
        lambda: next(score_tiles("gram", TEXT, VIDEO, dtype=dtype)),
        lambda: top_k("gram", TEXT, VIDEO, 1, dtype=dtype),
        lambda: RankOptions(dtype=dtype),
    ):
        with pytest.raises(UserError, match=message):
            call()


@pytest.mark.parametrize("tile", [(0, 5), (5, 0), (-3, 5), (2.0, 5), (True, 5), (5,), 5, "ab"])
def test_tiles(tile) -> None:
    for call in (lambda: RankOptions(tile=tile), lambda: next(score_tiles("gram", TEXT, VIDEO, tile=tile))):
        with pytest.raises(UserError, match=r"A tile is \(rows, columns\), whole numbers from 1 on"):
            call()


@pytest.mark.parametrize("device", ["tpu9", "meta", 3.5, "cuda:99"])
def test_devices(device) -> None:
    for call in (
        lambda: score_matrix("gram", TEXT, VIDEO, device=device),
        lambda: rank("gram", TEXT, VIDEO, options=RankOptions(device=device)),
        lambda: top_k("gram", TEXT, VIDEO, 1, device=device),
    ):
        with pytest.raises(UserError, match=f"Device '{device}' (cannot be used here|holds no values)"):
            call()


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (
            Presence(candidates={"video": [True] * 4}),
            r"Presence of candidates 'video' must be a bool tensor \[4\]; got list",
        ),
        (Presence(queries={"text": np.ones(4, dtype=bool)}), r"Presence of queries 'text' .* got ndarray"),
        (
            Presence(candidates=torch.ones(4, dtype=torch.bool)),
            "Presence of the candidates maps a modality .* got Tensor",
        ),
    ],
)
def test_presence(present: Presence, message: str) -> None:
    with pytest.raises(UserError, match=message):
        score_matrix("gram", TEXT, VIDEO, present=present)


@pytest.mark.parametrize("method", [None, 3, object()])
def test_methods_that_are_none(method) -> None:
    for call in (
        lambda: get_method(method),
        lambda: rank(method, TEXT, VIDEO),
        lambda: score_matrix(method, TEXT, VIDEO),
    ):
        with pytest.raises(UserError, match="A method is given by its name, such as 'gram'; got"):
            call()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gram:log=true,log=false", "gives 'log' twice"),
        ("pmrl:tau=inf", "pmrl: tau is a finite number; got 'inf'"),
        ("gram:name=x", "has no option 'name'"),
    ],
)
def test_options(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        get_method(name)


def test_an_option_called_name_is_refused_like_any_other() -> None:
    with pytest.raises(UserError, match="has no option 'name'"):
        get_method("gram", **{"name": "x"})


def test_positives_that_are_no_numbers() -> None:
    with pytest.raises(UserError, match=r"positives must be whole numbers .* got a str"):
        rank("gram", TEXT, VIDEO, "all")


def without_values(values: torch.Tensor) -> list[torch.Tensor]:
    return [values.to("meta"), values.to_sparse()]


@pytest.mark.parametrize("positives", without_values(torch.arange(4)))
def test_positives_without_values(positives: torch.Tensor) -> None:
    with pytest.raises(UserError, match=r"positives must be an ordinary dense tensor; got a (meta|sparse)"):
        rank("gram", TEXT, VIDEO, positives)


@pytest.mark.parametrize("mask", without_values(torch.ones(4, dtype=torch.bool)))
def test_presence_without_values(mask: torch.Tensor) -> None:
    message = r"Presence of candidates 'video' must be an ordinary dense tensor; got a (meta|sparse)"
    with pytest.raises(UserError, match=message):
        score_matrix("gram", TEXT, VIDEO, present=Presence(candidates={"video": mask}))


@pytest.mark.parametrize("entry", [score_matrix, score_pairs, rank])
def test_masks_that_are_no_presence(entry) -> None:
    with pytest.raises(UserError, match=r"present is a gramcli\.scoring\.Presence\(queries=.*; got dict"):
        entry("gram", TEXT, VIDEO, present={"video": torch.ones(4, dtype=torch.bool)})


@pytest.mark.parametrize("scores", [*without_values(torch.eye(4)), torch.eye(4).to(torch.float8_e4m3fn)])
def test_scores_without_values(scores: torch.Tensor) -> None:
    with pytest.raises(UserError, match=r"rank_scores needs (a tensor of real numbers|must be an ordinary dense)"):
        rank_scores(scores)


@pytest.mark.parametrize("shape", [(0, 4), (0, 0), (4, 0)])
def test_no_scores_have_no_ranks(shape: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=r"rank_scores needs finite scores \[n, N\]; got shape"):
        rank_scores(torch.zeros(shape), torch.zeros(shape[0], dtype=torch.int64))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dsl:tau=5,tau=6", "'dsl:tau=5,tau=6' gives 'tau' twice: leave one out"),
        ("dsl:", "'dsl:' ends in a colon: write options after it, or leave it out"),
    ],
)
def test_normalizations_read_options_as_methods_do(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_normalization(text)
