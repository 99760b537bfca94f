"""Sides on which a careless rank is wrong, and the slow ranks to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from hypothesis import strategies as st
from torch import Tensor

from gramcli.methods import get_method
from gramcli.scoring.scores import score_matrix
from gramcli.scoring.screening import EVERYTHING, Presence
from tests.vectors import NAMES, splits_of

Sides = tuple[dict[str, Tensor], dict[str, Tensor]]
Pairs = tuple[Tensor, Tensor]

KINDS = ("spread", "near ties", "duplicates", "collapsed", "own volumes", "ends")


@dataclass(frozen=True)
class Case:
    """One drawn problem: both sides and the CSR positives."""

    kind: str
    queries: dict[str, Tensor]
    candidates: dict[str, Tensor]
    positives: Pairs


@st.composite
def cases(draw: st.DrawFn, method: str, largest: int = 6, dimensions: tuple[int, ...] = (), most: int = 24) -> Case:
    """A hard case for a method: any split, tiny or middling d, float32 or float64 inputs, several positives."""
    r, p = draw(st.sampled_from(splits_of(method, largest)))
    kind = draw(st.sampled_from(KINDS))
    d = draw(st.sampled_from(dimensions or (r + p, r + p + 1, 16, 48)))
    n, N = draw(st.integers(1, most)), draw(st.integers(1, most + 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    size = 10.0 ** draw(st.sampled_from([-15, -13, -11, -9, -7, -4]))
    common = torch.randn(1, d, generator=generator, dtype=torch.float64)
    queries = make_rows(kind, r, n, common, size, generator)
    candidates = make_rows(kind, p, N, common, size, generator)
    dtype = draw(st.sampled_from([torch.float64, torch.float32]))
    sides = [{name: x.to(dtype) for name, x in zip(NAMES, side, strict=False)} for side in (queries, candidates)]
    return Case(kind, sides[0], sides[1], make_positives(n, N, generator))


def make_rows(kind: str, k: int, n: int, common: Tensor, size: float, generator: torch.Generator) -> list[Tensor]:
    """k modalities of n rows of one kind of difficulty."""
    d = common.shape[1]

    def noise() -> Tensor:
        return torch.randn(n, d, generator=generator, dtype=torch.float64)

    if kind == "near ties":
        base = [torch.randn(1, d, generator=generator, dtype=torch.float64) for _ in range(k)]
        return [x + size * noise() for x in base]
    if kind == "duplicates":
        chosen = torch.randint(0, 3, (n,), generator=generator)
        return [torch.randn(3, d, generator=generator, dtype=torch.float64)[chosen] for _ in range(k)]
    if kind == "collapsed":
        shared = common + noise()
        apart = (torch.randint(0, 2, (n, 1), generator=generator) * size).double()
        return [shared + apart * noise() for _ in range(k)]
    if kind == "own volumes":
        shared = noise()
        apart = 10.0 ** (-12 * torch.rand(n, 1, generator=generator, dtype=torch.float64))
        return [shared + apart * noise() for _ in range(k)]
    if kind == "ends":
        axes = torch.eye(d, dtype=torch.float64)
        signs = [torch.randint(0, 2, (n, 1), generator=generator) * 2.0 - 1 for _ in range(k)]
        places = [torch.randint(0, d, (n,), generator=generator) for _ in range(k)]
        return [axes[place] * sign for place, sign in zip(places, signs, strict=True)]
    return [common + noise() for _ in range(k)]


def make_positives(n: int, N: int, generator: torch.Generator) -> Pairs:
    """One to three positives a query; some candidates stay distractors where there is room."""
    chosen = [
        torch.randperm(N, generator=generator)[: int(torch.randint(1, 4, (1,), generator=generator))] for _ in range(n)
    ]
    indptr = torch.tensor([0, *(len(x) for x in chosen)]).cumsum(0)
    return indptr, torch.cat(chosen)


def reference_keys(method: str, queries: dict, candidates: dict, present: Presence = EVERYTHING) -> Tensor:
    """Float64 scores of the whole matrix, turned so that higher is better."""
    method = method.replace(":log=true", "")  # a log-volume is ranked by its volume: logarithms round differently
    scores = score_matrix(method, queries, candidates, present=present, dtype=torch.float64)
    return scores if get_method(method).higher_is_better else -scores


@dataclass(frozen=True)
class Slow:
    """Ranks of one direction by the definition, a loop over queries."""

    ranks: list[float]
    ties: list[int]
    positions: list[float]


def slow_ranks(keys: Tensor, relevant: Tensor) -> Slow:
    """keys [n, N], relevant bool [n, N]; NaN for a query that nothing answers."""
    found = Slow([], [], [])
    for row, mine in zip(keys, relevant, strict=True):
        if not mine.any():
            found.ranks.append(torch.nan)
            found.ties.append(0)
            continue
        best, others = row[mine].max(), row[~mine]
        ties = int((others == best).sum())
        found.ranks.append(1 + int((others > best).sum()) + ties / 2)
        found.ties.append(ties)
        for key in row[mine]:
            found.positions.append(1 + int((row > key).sum()) + (int((row == key).sum()) - 1) / 2)
    return found


def relevance(positives: Pairs, n: int, N: int) -> Tensor:
    """Bool [n, N] from CSR."""
    indptr, indices = positives
    mask = torch.zeros(n, N, dtype=torch.bool)
    mask[torch.repeat_interleave(torch.arange(n), indptr.diff()), indices] = True
    return mask


def sorted_positives(positives: Pairs) -> Pairs:
    """The same with each query's candidates ascending, so that positions line up with the slow loop's."""
    indptr, indices = positives
    parts = [indices[a:b].sort().values for a, b in pairwise(indptr.tolist())]
    return indptr, torch.cat(parts)
