"""Two groups of values, one of which is known: how much of a sample is of it, and where the other one ends.

A sample is a mixture f = share f1 + (1 - share) f0. Values of the known group (f1) can be drawn at will; of the other
we only assume a log-concave density: one peak, tails no heavier than exponential, symmetric or not (normal, logistic,
Gumbel, gamma from shape 1 on). f0 is found by maximum likelihood in that whole class for every share. Several shares
fit about as well where the groups overlap, so the smallest one is taken whose likelihood is within `CUT` of the best:
what could be of the unknown group is taken for it, which errs on the side of too few discoveries.

The unknown group may itself be of two kinds, the lower of which is taken for the known group. Then a density that is
free in place of the known one fits much better, and lies higher; no share is claimed there.

Source: mixtures with a log-concave component: Patra and Sen, Estimation of a two-component mixture model with
applications to multiple testing, JRSS B 78 (2016), 869-893; empirical nulls: Efron, Large-scale simultaneous hypothesis
testing, JASA 99 (2004), 96-104.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CUT: Final = 1.35
"""Loss of log-likelihood of the smallest share that still fits: the one-sided 95 % bound of a likelihood ratio."""

UNLIKE: Final = 6.0
"""Gain of log-likelihood by a free density in place of the known one from which the lower group is not the known one.

Where it is the known one, the gain was above 6 in 1 of 180 samples of 100 to 2,000 values."""
HIGHER: Final = 0.3
"""Standard deviations of the known group by which the mean of the lower group must also lie above the known one's."""

BINS: Final = 120
_KNOTS: Final = 12
_LOWEST: Final = 0.005  # below this quantile of the known group values count as equal: one outlier bends no tail
_HALF: Final = 0.5  # of an item: what the smallest tail counts as, so that none has a p-value of 0
_FINEST: Final = 2e-4  # of the range, the narrowest bin
_SHARES: Final = (0.0, *np.geomspace(0.002, 0.6, 22).tolist())
_TINY: Final = 1e-300
_MEDIAN: Final = 0.5
_IN_BIN: Final = 0.25  # of a draw is added to every bin of the known group, so that none is impossible
_ODDS: Final = 10.0  # of a free share, as a logarithm
_FROM, _BENDS = 0.9, 0.99  # quantiles of the known group between which the scale beyond is taken from
_HOW: Final[Any] = {"maxiter": 1000, "maxfun": 1500, "ftol": 1e-11}


@dataclass(frozen=True)
class TwoGroups:
    """What is known of the unknown group.

    Attributes:
        share: The smallest share of the known group that fits the sample.
        likeliest: The share that fits best.
        unlike: Whether the lower group is not the known one but lies above it: then `share` is 0.
        known: Draws from the known group, increasing.
        scale: Brings values to the scale of `edges`.
        edges: Where `below` is known, increasing.
        below: Share of the unknown group below each edge.
        n: How many values the sample has.
    """

    share: float
    likeliest: float
    unlike: bool
    known: Floats
    scale: Callable[[Floats], Floats]
    edges: Floats
    below: Floats
    n: int

    def p_values(self, values: Floats) -> Floats:
        """How often a member of the unknown group is as low as each value; 1 where the sample shows no second group.

        Args:
            values: Shape [n].

        Returns:
            Shape [n], above 0: half an item is counted in every tail.
        """
        if self.share == 0:
            return np.ones(len(values))
        tail = np.interp(self.scale(values), self.edges, self.below)
        return (_HALF + self.n * tail) / (_HALF + self.n)

    def q_values(self, values: Floats) -> Floats:
        """Q values of the whole sample, by Benjamini and Hochberg from `p_values`, with a second look.

        Of the lowest values no more can be of the known group than its share and its shape allow, at the likeliest
        share and with one standard deviation of a count to spare; the others are of the unknown group whatever its fit
        says. It matters where that fit is bad, as where both groups are.

        Args:
            values: The sample, shape [n].
        """
        n, p_values = len(values), self.p_values(values)
        if self.share == 0:
            return p_values
        expected = n * self.likeliest * np.searchsorted(self.known, values, side="right") / len(self.known)
        order = np.argsort(values, kind="stable")
        counts = np.arange(1, n + 1)
        allowed = (expected + np.sqrt(expected))[order]
        raw = np.maximum(p_values[order] * n / counts, 1.0 - allowed / counts)
        found = np.empty(n)
        found[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
        return found


def split_groups(values: Floats, known: Floats, kinds: Sequence[Floats] = ()) -> TwoGroups:
    """Find the unknown group of a sample in which lower values are more often of the known one.

    Args:
        values: The sample, shape [n], finite.
        known: Draws from the known group, shape [N], finite.
        kinds: Parts of these that differ in kind; a sample may have members of one kind alone.

    Returns:
        The groups.
    """
    scale = _NormalScale(known)
    edges, counts, drawn = _binned(scale(values), scale(known))
    trusted = min(1.0, len(known) / len(values))  # a sample larger than the reference is no better known than that
    counts = counts * trusted
    fits = _Fits(edges, counts, drawn)
    losses, densities = fits.along(_SHARES)
    best = int(losses.argmin())
    chosen = int(np.flatnonzero(losses - losses[best] <= CUT)[0])
    unlike = chosen > 0 and _is_unlike(
        fits,
        (losses[best], _SHARES[best], densities[best]),
        (_Fits(edges, counts, _histogram(scale(one), edges)) for one in kinds),
    )
    chosen = 0 if unlike else chosen
    below = np.concatenate([[0.0], np.cumsum(densities[chosen])])
    return TwoGroups(_SHARES[chosen], _SHARES[best], unlike, np.sort(known), scale, edges, below, len(values))


def _is_unlike(fits: _Fits, best: tuple[float, float, Floats], kinds: Iterable[_Fits]) -> bool:
    """Whether a free density fits the lower group better than the known one and any kind of it, and lies above them.

    Args:
        fits: To the known group.
        best: Loss, share and density of the best of these.
        kinds: Fits to each kind alone.
    """
    freed, lower = fits.freed(*best[1:])
    middle = fits.mean(lower)

    def differs(one: _Fits, loss: float) -> bool:
        """From one reference, of which this is the best loss."""
        return loss - freed > UNLIKE and middle - one.known_mean > HIGHER

    return differs(fits, best[0]) and all(differs(one, float(one.along(_SHARES)[0].min())) for one in kinds)


def _histogram(known: Floats, edges: Floats) -> Floats:
    return np.histogram(np.clip(known, edges[0], edges[-1]), edges)[0].astype(np.float64)


class _NormalScale:
    """Values on a scale on which the known group is normal, and beyond its 99 % as they are, stretched alike.

    A shape is a matter of scale: on this one neither group's is that of a score with an end, such as a volume.
    """

    def __init__(self, known: Floats) -> None:
        from scipy.special import ndtri  # noqa: PLC0415 - as below

        ordered = np.sort(known)
        places = np.clip((np.arange(len(ordered)) + 0.5) / len(ordered), None, 1.0)
        inner = places <= _BENDS
        self._x, first = np.unique(ordered[inner], return_index=True)
        self._y = ndtri(places[inner][first])
        upper = float(np.quantile(known, _FROM))
        rise = float(ndtri(_BENDS) - ndtri(_FROM))
        self._slope = rise / max(float(self._x[-1]) - upper, _TINY)

    def __call__(self, values: Floats) -> Floats:
        beyond = np.maximum(values - self._x[-1], 0.0)
        found: Floats = np.interp(values, self._x, self._y) + self._slope * beyond
        return found


def _binned(values: Floats, known: Floats) -> tuple[Floats, Floats, Floats]:
    """Edges of bins that are fine where either group is, and how many of each are in them."""
    low = float(np.quantile(known, _LOWEST))
    sample = np.maximum(values, low)
    high = max(float(sample.max()), low + 1e-9)
    places = np.linspace(0, 1, BINS // 2)
    wanted = np.unique(
        np.concatenate([np.quantile(sample, places), np.quantile(np.clip(known, low, high), places), [low, high]])
    )
    span = high - low
    edges = [low - 1e-9 * span]
    for edge in wanted.tolist():
        if edge - edges[-1] > _FINEST * span:
            edges.append(edge)
    edges[-1] = high + 1e-9 * span
    found = np.array(edges)
    return found, _histogram(sample, found), _histogram(known, found)


class _Fits:
    """The best log-concave density for a given share, on bins.

    Attributes:
        known_mean: Of the known group, on the scale of the edges.
    """

    def __init__(self, edges: Floats, counts: Floats, known: Floats) -> None:
        centres = (edges[1:] + edges[:-1]) / 2
        x = (centres - centres[0]) / max(centres[-1] - centres[0], _TINY)
        widths = np.diff(edges)
        knots = np.unique(np.quantile(x[1:-1] if len(x) > 2 else x, np.linspace(0, 1, _KNOTS)))
        slopes = np.concatenate([x[:, None], -np.maximum(x[:, None] - knots, 0.0)], axis=1)
        self._scale = np.abs(slopes).max(axis=0) + 1e-12
        self._slopes = slopes / self._scale
        self._log_widths = np.log(widths / widths.sum())
        self._counts, self._centres = counts, centres
        self._known = (known + _IN_BIN) / (known + _IN_BIN).sum()
        self.known_mean = float(known @ centres / known.sum())
        self._starts = tuple(
            _normal_start(x, counts, knots, *part) * self._scale for part in ((_MEDIAN, 0.84), (0.6, 0.9))
        )

    def along(self, shares: tuple[float, ...]) -> tuple[Floats, list[Floats]]:
        """Minus the log-likelihood of each share, and the density that reaches it.

        The likelihood of a mixture has several peaks: shares are walked up from a density of the whole sample and down
        from one of its upper half, each from the last one's answer, and the better of both is taken.
        """
        up = self._walk(shares, self._starts[0])
        down = self._walk(shares[::-1], self._starts[1])[::-1]
        best = [min(pair, key=lambda one: one[0]) for pair in zip(up, down, strict=True)]
        return np.array([loss for loss, _ in best]), [density for _, density in best]

    def mean(self, density: Floats) -> float:
        """Mean of a density on the bins."""
        return float(self._centres @ density)

    def freed(self, share: float, density: Floats) -> tuple[float, Floats]:
        """The best two log-concave densities, from the known one and `density`: their loss, and the lower density.

        Args:
            share: Of the known group, above 0, where to start from.
            density: Of the other one.
        """
        known = share * self._known
        lower = self._counts * known / np.maximum(known + (1 - share) * density, _TINY)
        counts = (lower, self._counts - lower)
        points = [self._minimum(self._alone, *pair) for pair in zip(self._starts, counts, strict=True)]
        start = np.concatenate([[np.log(share / (1 - share))], *(one.x for one in points)])
        best = self._minimum(self._both, start, free=1)
        return float(best.fun), self._density(best.x[1 : 1 + len(self._scale)])

    def _alone(self, point: Floats, counts: Floats) -> tuple[float, Floats]:
        """Minus the log-likelihood of one density of counts, and its gradient."""
        density = self._density(point)
        pull = counts - counts.sum() * density
        return float(-(counts @ np.log(np.maximum(density, _TINY)))), -(self._slopes.T @ pull)

    def _both(self, point: Floats) -> tuple[float, Floats]:
        """Minus the log-likelihood of two densities and the log odds of the first, and its gradient."""
        share = 1 / (1 + np.exp(-point[0]))
        lower, upper = (self._density(one) for one in np.split(point[1:], 2))
        mixed = np.maximum(share * lower + (1 - share) * upper, _TINY)
        pull = self._counts / mixed
        parts = [weight * pull * one for weight, one in ((share, lower), (1 - share, upper))]
        slopes = [
            -(self._slopes.T @ (part - one * part.sum())) for part, one in zip(parts, (lower, upper), strict=True)
        ]
        odds = share * (1 - share) * (pull @ (upper - lower))
        return float(-(self._counts @ np.log(mixed))), np.concatenate([[odds], *slopes])

    def _minimum(self, loss: Any, point: Floats, *given: Any, free: int = 0) -> Any:  # noqa: ANN401 - scipy's
        """The least loss over log-concave densities; `free` numbers before them have no bound but their size."""
        from scipy.optimize import Bounds, minimize  # noqa: PLC0415 - half a second that only this needs

        lowest = np.zeros(len(point))
        lowest[free :: len(self._scale)] = -np.inf
        lowest[:free] = -_ODDS
        highest = np.where(np.arange(len(point)) < free, _ODDS, np.inf)
        how = {"method": "L-BFGS-B", "jac": True, "bounds": Bounds(lowest, highest), "options": _HOW}
        return minimize(loss, point, args=given, **how)

    def _walk(self, shares: tuple[float, ...], point: Floats) -> list[tuple[float, Floats]]:
        found = []
        for share in shares:
            best = self._minimum(self._loss, point, share)
            point = best.x
            found.append((float(best.fun) * float(self._counts.sum()), self._density(point)))
        return found

    def _density(self, point: Floats) -> Floats:
        logs = self._slopes @ point + self._log_widths
        raised = np.exp(logs - logs.max())
        density: Floats = raised / raised.sum()
        return density

    def _loss(self, point: Floats, share: float) -> tuple[float, Floats]:
        density = self._density(point)
        mixed = np.maximum(share * self._known + (1 - share) * density, _TINY)
        total = self._counts.sum()
        pull = (1 - share) * self._counts / mixed
        gradient = density * (pull - pull @ density)
        return float(-(self._counts @ np.log(mixed)) / total), -(self._slopes.T @ gradient) / total


def _normal_start(x: Floats, counts: Floats, knots: Floats, middle: float, upper: float) -> Floats:
    """A normal density with the quantiles of the sample at `middle` and one or more deviations above, as slopes."""
    below = np.cumsum(counts) / counts.sum()
    centre, above = (float(x[min(int(np.searchsorted(below, share)), len(x) - 1)]) for share in (middle, upper))
    spread = max(0.05, above - centre, (centre - float(x[0])) / 3 if middle == _MEDIAN else 0.0)
    steps = np.diff(np.concatenate([[0.0], knots]))
    return np.concatenate([[centre], steps]) / spread**2
