"""The linear probe: logistic regression on frozen embeddings, its strength chosen on items it is not tested on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.metrics.average_precision import Booleans, Floats, average_precisions
from gramcli.scoring.scores import parts

GRID: Final = tuple(10.0**power for power in range(-4, 3))
"""Inverse strengths of the regularisation (scikit-learn's C)."""

_ITERATIONS: Final = 1000
_BLOCK: Final = 4096
_HELD_OUT: Final = 5
_WORTH_THREADS: Final = 100_000_000  # products of a gradient: with fewer, threads cost more than they give


@dataclass(frozen=True)
class Examples:
    """Rows with their classes.

    Attributes:
        rows: Shape [n, d], as stored.
        classes: Which rows have which class, shape [n, C].
    """

    rows: NDArray[np.float32]
    classes: Booleans

    def take(self, mask: Booleans) -> Examples:
        """Those of a mask [n]."""
        return Examples(self.rows[mask], self.classes[mask])


@dataclass(frozen=True)
class Probe:
    """A fitted probe.

    Attributes:
        strength: The C that was chosen.
        converged: Whether every fit of the chosen C did within 1,000 iterations.
        scaler: Mean and deviation of the train rows.
        models: One for all classes, or one for each of `columns` where items have several.
        columns: Classes that the models know, in their order.
        n_classes: C.
        several: Whether an item may have several classes.
        chosen: Whether there were items to choose C on; without any it is 1.
    """

    strength: float
    converged: bool
    scaler: Any
    models: tuple[Any, ...]
    columns: NDArray[np.int64]
    n_classes: int
    several: bool
    chosen: bool = True

    def blocks(self, rows: NDArray[np.float32]) -> Iterator[Floats]:
        """Yield decision values of consecutive rows, shape [b, C]; -inf for a class that train does not tell."""
        for part in parts(len(rows), _BLOCK):
            x = self.scaler.transform(rows[part].astype(np.float64))
            scores = np.full((len(x), self.n_classes), -np.inf)
            values = [model.decision_function(x) for model in self.models]
            if not self.several and values[0].ndim == 1:
                values = [-values[0], values[0]]  # of two classes scikit-learn gives the second one's value
            if values:
                scores[:, self.columns] = np.stack(values, axis=1) if len(values) > 1 or self.several else values[0]
            yield scores


def fit_probe(train: Examples, validation: Examples | None, *, several: bool, seed: int = 0) -> Probe:
    """Fit a linear probe.

    Features are standardised by the train rows alone (mean 0, deviation 1 per dimension). For every C of `GRID` a
    logistic regression (multinomial; one against the rest where items have several classes) is fitted on train, and
    the C of the highest accuracy (mAP) on the validation items is taken, the smallest such C on a tie. Without a
    validation split a seeded fifth of train's items of each class is held out for the choice; the final fit is on all
    of train either way, never on validation items.

    Args:
        train: What to fit.
        validation: What to choose C on; None: a part of train.
        several: Whether an item may have several classes.
        seed: Of the part held out.

    Returns:
        The probe.

    Raises:
        UserError: Fewer than two classes in train.

    Note:
        Embeddings are taken as stored, not renormalised: for rows of unit length, which encoders give, it is the same.

    Source: the protocol of SimCLR (Chen et al., arXiv:2002.05709, B.8) and CLIP (arXiv:2103.00020, A.3), whose sweep
    over C is finer; CLIP also fits on train and validation together in the end, which is not done here.
    """
    present = train.classes.any(axis=0)
    if int(present.sum()) < 2:
        raise UserError("store", f"A linear probe needs two classes in the train split; it has {int(present.sum())}.")
    if validation is None:
        held = _held_out(train.classes, seed)
        fitted, chosen_on = train.take(~held), train.take(held)
    else:
        fitted, chosen_on = train, validation
    scored = [(_quality(_fit(fitted, c, several), chosen_on, several), c) for c in GRID] if len(chosen_on.rows) else []
    best = max((quality for quality, _ in scored), default=0.0)
    strength = next((c for quality, c in scored if quality == best), 1.0)
    return replace(_fit(train, strength, several), chosen=bool(scored))


def _held_out(classes: Booleans, seed: int) -> Booleans:
    """A seeded fifth of each class's items, at least one where it has two; an item of several counts for its rarest."""
    generator = np.random.default_rng(seed)
    counts = classes.sum(axis=0)
    first = np.where(classes, counts, len(classes) + 1).argmin(axis=1)
    held = np.zeros(len(classes), dtype=bool)
    for one in np.unique(first):
        rows = np.flatnonzero(first == one)
        held[generator.permutation(rows)[: max(len(rows) // _HELD_OUT, int(len(rows) > 1))]] = True
    return held


def _fit(train: Examples, strength: float, several: bool) -> Probe:
    # Here, not above: a second that retrieval must not wait for.
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    x = train.rows.astype(np.float64)
    scaler = StandardScaler().fit(x)
    x = scaler.transform(x)
    if several:
        counts = train.classes.sum(axis=0)
        columns = np.flatnonzero((counts > 0) & (counts < len(x)))
        targets = [train.classes[:, column] for column in columns]
    else:
        columns = np.flatnonzero(train.classes.any(axis=0))
        targets = [train.classes.argmax(axis=1)]
    threads = 1 if x.size * len(columns) < _WORTH_THREADS else None
    with threadpool_limits(threads), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        models = tuple(LogisticRegression(C=strength, max_iter=_ITERATIONS).fit(x, target) for target in targets)
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in caught)
    return Probe(strength, converged, scaler, models, columns, train.classes.shape[1], several)


def _quality(probe: Probe, chosen_on: Examples, several: bool) -> float:
    scores = np.concatenate(list(probe.blocks(chosen_on.rows)))
    if several:
        used = chosen_on.classes.any(axis=0)
        return float(average_precisions(scores[:, used], chosen_on.classes[:, used]).mean())
    return float(chosen_on.classes[np.arange(len(scores)), scores.argmax(axis=1)].mean())
