"""Items redrawn as queries and candidates: ranks within half a gallery, from the best candidates of the whole one."""

from __future__ import annotations

import numpy as np
import pytest

from gramcli.metrics.redrawn import HALVES, LISTED, rivals, variances


def hit(k: int):
    return lambda ranks: (ranks <= k).astype(float)


def kept_halves(n: int, seed: int = 0) -> np.ndarray:
    """The halves that `variances` draws."""
    order = np.random.default_rng(seed).random((HALVES, n)).argpartition(n // 2 - 1, axis=1)[:, : n // 2]
    kept = np.zeros((HALVES, n), dtype=bool)
    np.put_along_axis(kept, order, values=True, axis=1)
    return kept


@pytest.mark.parametrize("captions", [1, 3])
@pytest.mark.parametrize("n", [20, 61])
def test_ranks_within_halves_are_those_of_ranking_the_halves(n: int, captions: int) -> None:
    rng = np.random.default_rng(n)
    owner = np.repeat(np.arange(n), captions)
    scores = rng.normal(size=(n * captions, n)) + 1.5 * (owner[:, None] == np.arange(n))
    own = scores[np.arange(len(owner)), owner]
    above = (scores > own[:, None]).sum(axis=1).astype(float)
    best = np.argsort(-scores, axis=1)[:, :LISTED]
    found = variances(rivals(best, above, owner, np.arange(n)), {"R@1": hit(1), "R@5": hit(5), "MRR": lambda r: 1 / r})
    means: dict[str, list[float]] = {"R@1": [], "R@5": [], "MRR": []}
    for kept in kept_halves(n):
        ranks = 1 + (scores[kept[owner]][:, kept] > own[kept[owner], None]).sum(axis=1)
        for name, figure in (("R@1", hit(1)), ("R@5", hit(5)), ("MRR", lambda r: 1 / r)):
            means[name].append(figure(ranks).mean())
    scale = (n // 2) / (n - n // 2)
    assert found == pytest.approx({name: np.var(values) * scale for name, values in means.items()})


def test_where_texts_are_the_gallery_an_item_s_captions_go_together() -> None:
    n, captions = 15, 2
    rng = np.random.default_rng(0)
    item_of = np.repeat(np.arange(n), captions)
    scores = rng.normal(size=(n, n * captions)) + (np.arange(n)[:, None] == item_of)
    own = np.where(np.arange(n)[:, None] == item_of, scores, -np.inf).max(axis=1)
    wrong = np.arange(n)[:, None] != item_of
    above = ((scores > own[:, None]) & wrong).sum(axis=1).astype(float)
    best = np.argsort(-scores, axis=1)[:, :LISTED]
    found = variances(rivals(best, above, np.arange(n), item_of), {"R@1": hit(1)})["R@1"]
    means = []
    for kept in kept_halves(n):
        ranks = 1 + ((scores > own[:, None]) & wrong & kept[item_of])[kept].sum(axis=1)
        means.append((ranks <= 1).mean())
    assert found == pytest.approx(np.var(means) * (n // 2) / (n - n // 2))


def test_what_is_not_listed_is_half_there() -> None:
    """A query whose answer is far down: its rank in half a gallery is about half."""
    found = rivals(np.array([[1, 2]]), np.array([100.0]), np.array([0]), np.arange(300))
    assert found.items.tolist() == [[1, 2]]
    assert found.unlisted.tolist() == [98.0]
