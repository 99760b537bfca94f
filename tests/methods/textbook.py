"""Training losses as the papers write them: plain loops over items, a determinant or an SVD of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from tests.vectors import NAMES

LOSSES = (
    "cosine",
    "centroid",
    "centroid:weights=query,tau=0.2",
    "gram",
    "gram:log=true",
    "span",
    "span:log=true",
    "span:ridge=0.1",
    "triangle",
    "triangle:squared=true",
    "pmrl",
    "symile",
)
"""Every method, with the options that change its loss."""


@dataclass(frozen=True)
class Case:
    """A batch and who is absent from it.

    Attributes:
        rows: Modality -> unit rows [B, d], as they are: garbage where absent.
        present: Modality -> [B] bool.
        groups: Shape [B].
        anchor: Who asks, None for each in turn.
        temperature: Of the loss.
        smoothing: Of the labels.
        seed: Of symile's generator.
    """

    rows: dict[str, Tensor]
    present: dict[str, Tensor] = field(default_factory=dict)
    groups: Tensor | None = None
    anchor: str | None = None
    temperature: float | Tensor = 0.07
    smoothing: float = 0.1
    seed: int = 0

    def has(self, name: str, i: int) -> bool:
        """Whether item i has the modality."""
        return name not in self.present or bool(self.present[name][i])

    def group(self, i: int) -> int:
        """The group of item i."""
        return i if self.groups is None else int(self.groups[i])

    def rivals(self, items: list[int], i: int) -> list[int]:
        """Item i and all items that are not of its group."""
        return [j for j in items if j == i or self.group(j) != self.group(i)]

    @property
    def n(self) -> int:
        """Number of items."""
        return len(next(iter(self.rows.values())))

    @property
    def asking(self) -> list[str]:
        """The modalities that ask."""
        return list(self.rows) if self.anchor is None else [self.anchor]

    def of(self, names: list[str], i: int) -> list[Tensor]:
        """The vectors of item i that are there."""
        return [self.rows[name][i] for name in names if self.has(name, i)]


def unit_rows(m: int, n: int, d: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """m modalities of n unit rows with something in common, leaves of the graph."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(n, d, generator=generator, dtype=torch.float64)
    noise = torch.randn(m, n, d, generator=generator, dtype=torch.float64)
    return {
        name: row.to(dtype).requires_grad_()
        for name, row in zip(NAMES[:m], normalize(common + noise, dim=-1), strict=True)
    }


def gram_determinant(vectors: list[Tensor]) -> Tensor:
    z = torch.stack(vectors)
    return torch.linalg.det(z @ z.T)


def volume(q: Tensor, m: list[Tensor]) -> Tensor:
    return gram_determinant([q, *m]).sqrt()


def distance(q: Tensor, m: list[Tensor]) -> Tensor:
    return (gram_determinant([q, *m]) / gram_determinant(m)).sqrt()


def ridge_sine(q: Tensor, m: list[Tensor]) -> Tensor:
    z = torch.stack(m)
    projected = z.T @ torch.linalg.solve(z @ z.T + 0.1 * torch.eye(len(m), dtype=z.dtype), z @ q)
    return (1 - torch.cosine_similarity(q, projected, dim=0) ** 2).sqrt()


def centroid(q: Tensor, m: list[Tensor]) -> Tensor:
    return q @ normalize(torch.stack(m).mean(0), dim=0)


def weighted_centroid(q: Tensor, m: list[Tensor]) -> Tensor:
    z = torch.stack(m)
    return q @ normalize(torch.softmax(z @ q / 0.2, 0) @ z, dim=0)


def twice_squared_area(q: Tensor, m: list[Tensor]) -> Tensor:
    u, w = q - m[0], q - m[1]
    return ((u @ u) * (w @ w) - (u @ w) ** 2) / 2


SIMILARITIES: dict[str, Callable[[Tensor, list[Tensor]], Tensor]] = {
    "cosine": lambda q, m: q @ m[0],
    "centroid": centroid,
    "centroid:weights=query,tau=0.2": weighted_centroid,
    "gram": lambda q, m: -volume(q, m),
    "gram:log=true": lambda q, m: -volume(q, m).log(),
    "span": lambda q, m: -distance(q, m),
    "span:log=true": lambda q, m: -distance(q, m).log(),
    "span:ridge=0.1": lambda q, m: -ridge_sine(q, m),
    "triangle": lambda q, m: -(twice_squared_area(q, m) / 2).sqrt(),
    "triangle:squared=true": lambda q, m: -twice_squared_area(q, m),
}


def textbook_loss(method: str, case: Case) -> Tensor:
    """The loss of a case, a scalar; 0 where no item can be contrasted."""
    if method == "pmrl":
        return _pmrl(case)
    if method == "symile":
        return _symile(case)
    names = list(case.rows)
    parts = [(a, [b for b in names if b != a]) for a in case.asking]
    if method == "cosine":
        parts = [(a, [b]) for a, b in combinations(names, 2) if {a, b} & set(case.asking)]
    found = [loss for a, others in parts if (loss := _part(method, case, a, others)) is not None]
    return torch.stack(found).mean() if found else torch.zeros(())


def _part(method: str, case: Case, anchor: str, others: list[str]) -> Tensor | None:
    whole = method.startswith("triangle")
    items = [
        i for i in range(case.n) if case.has(anchor, i) and len(case.of(others, i)) >= (len(others) if whole else 1)
    ]
    if not items:
        return None
    losses = []
    similarity = SIMILARITIES[method]

    def score(i: int, j: int) -> Tensor:
        return similarity(case.rows[anchor][i], case.of(others, j)) / case.temperature

    for i in items:
        rivals = case.rivals(items, i)
        target = torch.tensor(rivals.index(i))
        for logits in ([score(i, j) for j in rivals], [score(j, i) for j in rivals]):
            losses.append(cross_entropy(torch.stack(logits).reshape(-1), target, label_smoothing=case.smoothing) / 2)
    return torch.stack(losses).sum() / len(items)


def _pmrl(case: Case, tau2: float = 0.1) -> Tensor:
    names = list(case.rows)
    items = [i for i in range(case.n) if case.of(names, i)]
    if not items:
        return torch.zeros(())
    intra, leading = [], {}
    for i in items:
        u, sigma, loadings = torch.linalg.svd(torch.stack(case.of(names, i), dim=1), full_matrices=False)
        total = loadings[0].sum().item()
        leading[i] = u[:, 0] * (-1.0 if (total if abs(total) > 1e-8 else loadings[0, 0].item()) < 0 else 1.0)
        intra.append(cross_entropy(sigma / case.temperature, torch.tensor(0)))
    inter = []
    for i in items:
        rivals = case.rivals(items, i)
        logits = torch.stack([leading[i] @ leading[j] / tau2 for j in rivals])
        inter.append(cross_entropy(logits, torch.tensor(rivals.index(i))))
    return torch.stack(intra).mean() + torch.stack(inter).mean()


def _symile(case: Case) -> Tensor:
    """Its negatives come from permutations, drawn as the loss draws them: for each who asks, of each other modality."""
    names = list(case.rows)
    items = [i for i in range(case.n) if len(case.of(names, i)) == len(names)]
    generator = torch.Generator().manual_seed(case.seed)
    losses = []
    for anchor in case.asking if items else []:
        others = [name for name in names if name != anchor]
        orders = [torch.randperm(len(items), generator=generator).tolist() for _ in others]
        for place, i in enumerate(items):
            drawn = [[items[order[column]] for order in orders] for column in range(len(items)) if column != place]
            negatives = [js for js in drawn if any(case.group(j) != case.group(i) for j in js)]
            asks = case.rows[anchor][i]
            logits = [
                torch.stack([asks, *(case.rows[name][j] for name, j in zip(others, js, strict=True))]).prod(0).sum()
                for js in [[i] * len(others), *negatives]
            ]
            losses.append(cross_entropy(torch.stack(logits) / case.temperature, torch.tensor(0)))
    return torch.stack(losses).mean() if losses else torch.zeros(())
