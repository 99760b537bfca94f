"""Which modality of an item does not fit: learnt from mismatched items, of which it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RANGE: Final = (-6.0, 12.0)  # a z beyond says no more than these
_RIDGE: Final = 1e-3
_LEAST: Final = 1e-9  # of the ridge: items may be all alike


@dataclass(frozen=True)
class Culprits:
    """A linear discriminant of the modalities.

    Attributes:
        weights: Shape [m, features].
        offsets: Shape [m].
        right: Share of mismatched items it was not fitted to whose modality it names rightly; NaN where there are none.
    """

    weights: Floats
    offsets: Floats
    right: float

    def name(self, z: NDArray[np.floating], z_without: NDArray[np.floating]) -> NDArray[np.int64]:
        """Number of the modality that fits least, [n]."""
        scores = self.weights @ _features(z, z_without) + self.offsets[:, None]
        found: NDArray[np.int64] = scores.argmax(axis=0)
        return found


def learn_culprits(z: NDArray[np.floating], z_without: NDArray[np.floating], truth: NDArray[np.int64]) -> Culprits:
    """Fit to mismatched items; every second of them is kept to say how often it is right.

    Args:
        z: Of each modality, [m, N].
        z_without: Of the others without it, [m, N].
        truth: Which modality was replaced, [N].
    """
    features = _features(z, z_without)
    fitted = np.arange(len(truth)) % 2 == 0
    weights, offsets = _discriminant(features[:, fitted], truth[fitted], len(z))
    named = (weights @ features[:, ~fitted] + offsets[:, None]).argmax(axis=0)
    return Culprits(weights, offsets, float((named == truth[~fitted]).mean()))


def _features(z: NDArray[np.floating], z_without: NDArray[np.floating]) -> Floats:
    found: Floats = np.clip(np.concatenate([z, z_without]), *_RANGE)
    return found


def _discriminant(features: Floats, truth: NDArray[np.int64], m: int) -> tuple[Floats, Floats]:
    means = np.stack([features[:, truth == k].mean(axis=1) for k in range(m)])
    rest = features - means[truth].T
    spread = rest @ rest.T / rest.shape[1]
    spread += max(_RIDGE * np.trace(spread) / len(spread), _LEAST) * np.eye(len(spread))
    weights: Floats = np.linalg.solve(spread, means.T).T
    offsets: Floats = -0.5 * (weights * means).sum(axis=1)
    return weights, offsets
