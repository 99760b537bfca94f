"""What figures show and must be computed from vectors: plain records, nothing of how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gramcli.results.matrices import AlignmentMatrix

Point = tuple[float, float]


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each of some bins of equal width.

    Attributes:
        edges: Of the bins, one more than there are.
        counts: Values in each; one on an edge belongs to the bin above, the last edge to the last bin.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class ScoreDistribution:
    """Scores of matched and of mismatched pairs under one method.

    Attributes:
        task: As in results.
        method: As in results.
        higher_is_better: Orientation of the score.
        matched: Over pairs of a query and an answer.
        mismatched: Over the others, in the same bins.
        auc: Chance that a matched pair scores better than a mismatched one; None where there is no mismatched one.
        low: Lower end of its 95 % interval over items.
        high: Upper end.
        negatives: In words, which mismatched pairs these are.
    """

    task: str
    method: str
    higher_is_better: bool
    matched: Histogram
    mismatched: Histogram
    auc: float | None
    low: float | None
    high: float | None
    negatives: str


@dataclass(frozen=True)
class Spread:
    """Where many values lie: their mean, and between which of them 90 % do."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Spectrum:
    """Singular values of the m vectors of an item, and the share of the first: sigma_1^2 / sum sigma^2.

    Attributes:
        task: As in results.
        modalities: The m of them.
        n: Items.
        matched: Each singular value over the items, largest first.
        shuffled: The same with a side of another item; empty where there is no other.
        share: Of the first, over the items.
        share_shuffled: The same with a side of another item, in the same bins; None where there is no other.
        mean_share: Mean of `share`: PMRL's alignment.
        mean_share_shuffled: The same with a side of another item.
        note: In words, which items these are.
        name: Of whose vectors these are; empty where there is no other.
    """

    task: str
    modalities: tuple[str, ...]
    n: int
    matched: tuple[Spread, ...]
    shuffled: tuple[Spread, ...]
    share: Histogram
    share_shuffled: Histogram | None
    mean_share: float
    mean_share_shuffled: float | None
    note: str
    name: str = ""


@dataclass(frozen=True)
class Gap:
    """How far apart two modalities lie: the distance of their centroids, and what one true centroid would show."""

    a: str
    b: str
    distance: float
    chance: float | None


@dataclass(frozen=True)
class ModalityMap:
    """The vectors of some items in the plane of their two principal components.

    Attributes:
        task: As in results.
        modalities: Each with one point per item.
        ids: Of the items.
        points: Per modality, one point per item.
        explained: Shares of the variance that the two components hold.
        note: In words, which items these are and what the plane was fitted to.
        gaps: Of each pair of modalities, over the items that the plane was fitted to.
        name: Of whose vectors these are; empty where there is no other.
    """

    task: str
    modalities: tuple[str, ...]
    ids: tuple[str, ...]
    points: tuple[tuple[Point, ...], ...]
    explained: Point
    note: str
    gaps: tuple[Gap, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Occurrences:
    """How often each candidate is among the k best of a query.

    Attributes:
        task: As in results.
        method: As in results.
        k: The cut-off.
        n_queries: That asked.
        candidates: Entry c: how many candidates are among the best of exactly c queries.
        chance: The same, expected of a ranking at random.
        skewness: Of the counts (hubness@k).
        skewness_chance: Of a ranking at random; None where every candidate is among the best.
        hubs: Ids of the candidates that are found most often, with how often.
        note: In words, which queries asked; empty where all did.
    """

    task: str
    method: str
    k: int
    n_queries: int
    candidates: tuple[int, ...]
    chance: tuple[float, ...]
    skewness: float
    skewness_chance: float | None
    hubs: tuple[tuple[str, int], ...]
    note: str = ""


@dataclass(frozen=True)
class Pictures:
    """Everything that figures of a store show beside an evaluation; a field that was not asked for is empty.

    Attributes:
        scores: One per task and method.
        spectra: One per task.
        maps: One per task.
        hubs: One per task and method.
        matrices: One per task and method, of a part of the items.
    """

    scores: tuple[ScoreDistribution, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    maps: tuple[ModalityMap, ...] = ()
    hubs: tuple[Occurrences, ...] = ()
    matrices: tuple[AlignmentMatrix, ...] = ()
