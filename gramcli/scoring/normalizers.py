"""Score normalisations that demote hubs: dual softmax, CSLS and querybank normalisation, as streams of tiles.

Each sees one direction of a matrix, asking items down and answering items across, as often as it has
passes, and then gives the key of any pair. S is the score made higher-is-better (minus a volume).

Nothing here depends on tiles, their order or threads. Maxima and the k largest are the same in any
order. A sum of exponentials is one of integers: each term, at most 1, is rounded to 2^-72 first. Keys
are + - * / of these and S. Only a score of its own that is not (`log=true`) adds what torch's log does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.base import AlignmentMethod
from gramcli.methods.linalg import reproducible_exp

Tile = tuple[slice, slice, Tensor]
"""(asking rows, answering rows, S [asking, answering] in float64)."""

_LOWEST_EXPONENT: Final = -700.0  # e^-700 is a float64 yet, e^-746 is not
_CHUNK: Final = 1 << 15  # numbers whose intermediates stay in the cache
_LIMB: Final = 2.0**36  # 2^36 terms of 1 would overflow an int64 after 2^27 of them
_WORST_KEYS: Final = {"gram": -1.0, "span": -1.0, "triangle": -27 / 4}


@dataclass(frozen=True)
class Setting:
    """One direction of a matrix, before anything is known of its scores.

    Attributes:
        method: The measure.
        n_asking: Items that ask: queries forward, candidates backward.
        n_answering: Items that are ranked.
        device: Where tiles are.
        bank: Starts a pass over the tiles of the querybank (asking) against the answering items; None without.
        n_bank: Items in the querybank.
    """

    method: AlignmentMethod
    n_asking: int
    n_answering: int
    device: torch.device
    bank: Callable[[], Iterator[Tile]] | None = None
    n_bank: int = 0


class Normalizer(Protocol):
    """One normalisation of one direction."""

    passes: int

    def observe(self, step: int, tile: Tile) -> None:
        """Take in a tile of pass `step`, counted from 0; every pass covers the matrix once."""

    def keys(self, scores: Tensor, asking: Tensor, answering: Tensor) -> Tensor:
        """Keys, higher is better, comparable within one asking item.

        Args:
            scores: S, shape [A, B] or [K], float64.
            asking: Asking items, int64, shape [A, 1] or [K].
            answering: Answering items, int64, shape [1, B] or [K].

        Returns:
            Keys, shape of scores, float64.
        """


class DualSoftmax:
    """(S + c) softmax(tau S): the softmax of one answering item over all that ask.

    c is 0 where higher scores are better. Else S is negative, and a larger weight would make the product
    worse: c is then the largest value of the measure, so that the factor is 1 - volume.
    """

    passes = 2

    def __init__(self, setting: Setting, tau: float) -> None:
        self._tau = tau
        self._shift = 0.0 if setting.method.higher_is_better else _worst_score(setting.method)
        self._softmax = _Softmax(tau, setting.n_answering, setting.device)

    def observe(self, step: int, tile: Tile) -> None:
        """First the largest score of every answering item, then the sum.

        Raises:
            UserError: tau is so large that weights underflow, and ranks would be made of ties.
        """
        _, answering, scores = tile
        if step == 1:
            spread = float(self._softmax.spread(answering).max())
            if self._tau * spread > -_LOWEST_EXPONENT:
                raise UserError(
                    "usage",
                    f"dsl with tau={self._tau:g} underflows: scores of one item differ by {spread:.3g}. "
                    f"Use a tau of at most {math.floor(-_LOWEST_EXPONENT / spread)}: dsl:tau=...",
                )
        self._softmax.observe(step, answering, scores)

    def keys(self, scores: Tensor, asking: Tensor, answering: Tensor) -> Tensor:
        """Score times weight."""
        return (scores + self._shift) * self._softmax.weights(scores, answering)


class Csls:
    """2 S - r_asking - r_answering, where r is the mean of the k largest scores across.

    r of the asking item is the same for all that it ranks, so it is left out: it could only add rounding.
    """

    passes = 1

    def __init__(self, setting: Setting, k: int) -> None:
        self._largest = _Largest(min(k, setting.n_asking), setting.n_answering, setting.device)
        self._mean: Tensor | None = None

    def observe(self, step: int, tile: Tile) -> None:
        """Keep the k largest scores of every answering item."""
        self._largest.observe(tile[1], tile[2])

    def keys(self, scores: Tensor, asking: Tensor, answering: Tensor) -> Tensor:
        """Twice the score, less the answering item's mean."""
        if self._mean is None:
            self._mean = self._largest.mean()
        return 2.0 * scores - self._mean[answering]


class QueryBankNorm:
    """Dynamic inverted softmax: log(exp(beta S) / sum over the bank of exp(beta S)), for some that ask.

    Only an asking item whose best answer is among the k best answers of some bank item (the activation set)
    is normalised; the others keep S. Of tied best answers, one in the set is enough.
    """

    passes = 1

    def __init__(self, setting: Setting, beta: float, k: int) -> None:
        if setting.bank is None:
            raise UserError(
                "usage",
                "qbnorm needs a querybank for every direction: items that ask the same way but are not tested, such "
                "as the train split's captions forward and its clips backward. Give one, or use dsl or csls.",
            )
        self._softmax = _Softmax(beta, setting.n_answering, setting.device)
        self._active = self._read_bank(setting.bank, setting, min(k, setting.n_answering))
        self._best = torch.full((2, setting.n_asking), -torch.inf, dtype=torch.float64, device=setting.device)

    def _read_bank(self, bank: Callable[[], Iterator[Tile]], setting: Setting, k: int) -> Tensor:
        """Sum over the bank; returns who is in the activation set, shape [n_answering], bool."""
        nearest = _Largest(k, setting.n_bank, setting.device)
        for asking, answering, scores in bank():
            self._softmax.observe(0, answering, scores)
            nearest.observe(asking, scores.T)
        active = torch.zeros(setting.n_answering, dtype=torch.bool, device=setting.device)
        for asking, answering, scores in bank():
            self._softmax.observe(1, answering, scores)
            active[answering] |= (scores >= nearest.smallest()[asking].unsqueeze(1)).any(dim=0)
        return active

    def observe(self, step: int, tile: Tile) -> None:
        """Find every asking item's best score, among all and in the activation set."""
        asking, answering, scores = tile
        within = scores.masked_fill(~self._active[answering], -torch.inf)
        best = torch.stack([scores.amax(dim=1), within.amax(dim=1)])
        self._best[:, asking] = torch.maximum(self._best[:, asking], best)

    def keys(self, scores: Tensor, asking: Tensor, answering: Tensor) -> Tensor:
        """The logarithm of the inverted softmax where it applies, else the score."""
        normalised = self._best[0, asking] == self._best[1, asking]
        return torch.where(normalised, self._softmax.log_weights(scores, answering), scores)


class _Softmax:
    """exp(sharpness S) of each answering item over the sum of those of all that ask, in two passes."""

    def __init__(self, sharpness: float, n: int, device: torch.device) -> None:
        self._sharpness = sharpness
        self._top = torch.full((n,), -torch.inf, dtype=torch.float64, device=device)
        self._bottom = -self._top
        self._limbs = torch.zeros(2, n, dtype=torch.int64, device=device)
        self._total: Tensor | None = None
        self._log_total: Tensor | None = None

    def observe(self, step: int, part: slice, scores: Tensor) -> None:
        """Pass 0: largest and smallest score of the answering items `part`. Pass 1: the sum, exactly."""
        if step == 0:
            self._top[part] = torch.maximum(self._top[part], scores.amax(dim=0))
            self._bottom[part] = torch.minimum(self._bottom[part], scores.amin(dim=0))
            return
        scaled = self._exponentials(scores, self._top[part]).mul_(_LIMB)
        high = scaled.round()
        low = scaled.sub_(high).mul_(_LIMB).round_()
        self._limbs[0, part] += high.long().sum(dim=0)
        self._limbs[1, part] += low.long().sum(dim=0)

    def spread(self, part: slice) -> Tensor:
        """Largest minus smallest score of each answering item of `part`."""
        return self._top[part] - self._bottom[part]

    def weights(self, scores: Tensor, answering: Tensor) -> Tensor:
        """The softmax."""
        if self._total is None:
            self._total = self._limbs[0] / _LIMB + self._limbs[1] / _LIMB / _LIMB
        return self._exponentials(scores, self._top[answering]) / self._total[answering]

    def log_weights(self, scores: Tensor, answering: Tensor) -> Tensor:
        """Its logarithm, which does not underflow."""
        if self._log_total is None:
            # One by one: what a vectorised log gives may depend on the place in the vector.
            total = (self._limbs[0] / _LIMB + self._limbs[1] / _LIMB / _LIMB).tolist()
            self._log_total = self._top.new_tensor([math.log(value) for value in total])
        return self._sharpness * (scores - self._top[answering]) - self._log_total[answering]

    def _exponentials(self, scores: Tensor, top: Tensor) -> Tensor:
        exponents = scores.sub(top).mul_(self._sharpness).clamp_(min=_LOWEST_EXPONENT).contiguous()
        for chunk in torch.split(exponents.view(-1), _CHUNK):
            chunk.copy_(reproducible_exp(chunk))
        return exponents


class _Largest:
    """The k largest scores of every item, whatever order they come in."""

    def __init__(self, k: int, n: int, device: torch.device) -> None:
        self._values = torch.full((k, n), -torch.inf, dtype=torch.float64, device=device)

    def observe(self, part: slice, scores: Tensor) -> None:
        """Take in scores [A, items] of the items `part`."""
        values = torch.cat([self._values[:, part], scores])
        self._values[:, part] = values.topk(len(self._values), dim=0).values

    def smallest(self) -> Tensor:
        """The k-th largest score of every item, shape [n]."""
        return self._values[-1]

    def mean(self) -> Tensor:
        """Mean of the k largest scores, added from the largest on, shape [n]."""
        total = torch.zeros_like(self._values[0])
        for values in self._values:
            total = total + values
        return total / len(self._values)


def _worst_score(method: AlignmentMethod) -> float:
    if method.name not in _WORST_KEYS:
        raise UserError(
            "usage",
            f"dsl multiplies by the score, so it must know the largest value of '{method.name}', which is better low. "
            f"It does for {', '.join(_WORST_KEYS)}. Use csls.",
        )
    return float(method.score(torch.tensor(_WORST_KEYS[method.name], dtype=torch.float64)))
