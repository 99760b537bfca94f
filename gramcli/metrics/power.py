"""How small a difference a paired comparison could have seen: the one that it would find four times in five."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from gramcli.metrics.paired import Floats, Gains, Integers, effective_counts, gains, quantile

POWER: Final = 0.8
LEVEL: Final = 0.05
_HALVINGS: Final = 40
_REACH: Final = 8.0  # standard deviations of the number of queries that differ; beyond it lies no weight
_LARGE: Final = 1e5  # degrees from which Student's t is the normal distribution


def detectable_share(a: Floats, b: Floats, clusters: Integers, level: float = LEVEL) -> float | None:
    """The difference of two hit rates that `share_difference` finds with a power of 80 %.

    As many queries would differ as did, or all of those that the difference takes where that is more; where items have
    several queries, of as many independent ones as vary as much. The power is summed over how many queries differ and
    how many of them gain (Miettinen, Biometrics 24 (1968), summed exactly).

    Args:
        a: Hits of A, 0 to 1, shape [n].
        b: Hits of B on the same queries.
        clusters: Item of each query, 0 .. c - 1, shape [n].
        level: Two-sided size of the test; Holm's smallest p among m is tested at 0.05 / m.

    Returns:
        A share above 0; None where no difference could be found with that power.

    Example:
        >>> a, b = np.array([0.0] * 90 + [1.0] * 110), np.array([1.0] * 20 + [0.0] * 100 + [1.0] * 80)
        >>> round(detectable_share(a, b, np.arange(200)), 3)
        0.097
    """
    wins, losses, n = effective_counts(a, b, clusters)
    degrees = int(clusters.max())
    if not degrees:
        return None
    errors, count = quantile(degrees, 1 - level), max(1, round(n))
    differing = (wins + losses) / n
    return _smallest(lambda x: _power(x, max(differing, x), count, errors))


def detectable_mean(a: Floats, b: Floats, clusters: Integers, level: float = LEVEL) -> float | None:
    """The difference of two means that `mean_difference` finds with a power of 80 %, as `detectable_share`.

    Example:
        >>> a = np.tile([0.2, 0.4], 100)
        >>> round(detectable_mean(a, a[::-1], np.arange(200)), 3)
        0.041
    """
    found = gains(a, b, clusters)
    return detectable_of(found, found.items - 1, 0.0, level)


def detectable_of(found: Gains, degrees: float, more: float, level: float) -> float | None:
    """The same of sums over items.

    Args:
        found: The sums.
        degrees: Of Student's t.
        more: What is added to the variance of their total.
        level: As for `detectable_share`.
    """
    if degrees <= 0:
        return None
    far = _noncentral(quantile(degrees, 1 - level), degrees)
    spread = found.around_mean() + found.added + more
    room = found.n**2 - far**2 * (found.weights - (found.reach - found.n) ** 2)
    if room <= 0 or spread <= 0:
        return None
    found_at = far * math.sqrt(spread / room)
    return found_at if found_at <= 1 else None


def _noncentral(errors: float, degrees: float) -> float:
    """How many standard errors a difference must be from 0 for Student's t to exceed `errors` with that power."""
    from scipy.special import nctdtrinc, ndtri  # noqa: PLC0415 - only comparisons need it

    if degrees > _LARGE:
        return errors + float(ndtri(POWER))
    return float(nctdtrinc(degrees, 1 - POWER, errors))


def _smallest(power: Callable[[float], float]) -> float | None:
    """Where the power reaches 80 %; None where it never does."""
    low, high = 0.0, 1.0
    if power(high) < POWER:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if power(middle) < POWER:
            low = middle
        else:
            high = middle
    return high


def _power(difference: float, differing: float, n: int, errors: float) -> float:
    """How often gains less losses exceed `errors` roots of their number, of n queries of which a share differs."""
    from scipy.special import bdtrc, gammaln, xlog1py, xlogy  # noqa: PLC0415 - only comparisons need it

    spread = _REACH * math.sqrt(n * differing * (1 - differing)) + 1
    d = np.arange(max(0, math.floor(n * differing - spread)), min(n, math.ceil(n * differing + spread)) + 1)
    chance = np.exp(
        gammaln(n + 1) - gammaln(d + 1) - gammaln(n - d + 1) + xlogy(d, differing) + xlog1py(n - d, -differing)
    )
    needed = np.floor((d + errors * np.sqrt(d)) / 2)  # gains must be more than this
    gaining = min((1 + difference / differing) / 2, 1.0)
    found = np.where(needed < d, bdtrc(np.minimum(needed, d), d, gaining), 0.0)
    return float((chance * found).sum())
