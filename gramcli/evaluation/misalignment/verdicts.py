"""From where items stand to which are flagged.

Two questions, two p-values, which must not be confused. Is an item better aligned than a mismatched one? Its
`p_mismatched` is the share of mismatched items that fit as well as it does: small for a good item. Is it worse than
the aligned ones? Its `p_aligned` is the share of aligned items that fit as badly: small for a bad one. Items are
flagged by the latter, because the false discoveries of a curator are aligned items that are thrown away; what aligned
items look like is found by taking the mismatched ones, which are known, out of the mixture (`metrics.two_groups`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramcli.evaluation.misalignment.culprits import learn_culprits
from gramcli.metrics.two_groups import split_groups

Floats = NDArray[np.float64]
NOBODY: Final = -1


@dataclass(frozen=True)
class Verdicts:
    """What is said of every unit of a part under one method.

    Attributes:
        z: The smallest z of its modalities, [n].
        percentile: Share of mismatched items that fit worse, [n].
        p_mismatched: Share of mismatched items that fit as well, the unit itself counted, [n].
        p_aligned: Share of aligned items that fit as badly, [n].
        q: Of `p_aligned`, by Benjamini and Hochberg with a second look, [n].
        flagged: Whether q is at most the rate asked for, [n].
        culprit: Number of the modality that does not fit, of flagged units; else -1, [n].
        facts: What was found of the whole: shares of mismatched items, whether a lower group is not one of them, how
            often the modality is named rightly.
    """

    z: Floats
    percentile: Floats
    p_mismatched: Floats
    p_aligned: Floats
    q: Floats
    flagged: NDArray[np.bool_]
    culprit: NDArray[np.int64]
    facts: Mapping[str, float | int | None]


@dataclass(frozen=True)
class Stood:
    """Where units or made ones stand.

    Attributes:
        z: Of each modality, [m, n].
        z_without: Of the others without it, [m, n]; NaN where there are but two.
    """

    z: NDArray[np.floating]
    z_without: NDArray[np.floating]


def judge(found: Stood, made: Stood, truth: NDArray[np.int64], rate: float) -> Verdicts:
    """Hold units against mismatched ones.

    Args:
        found: The units.
        made: Mismatched items made of them.
        truth: Which modality of these was replaced.
        rate: The false discovery rate to keep.
    """
    fit, reference = (one.z.min(axis=0).astype(np.float64) for one in (found, made))
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, fit, side="left")
    at_most = np.searchsorted(ordered, fit, side="right")
    groups = split_groups(fit, reference, [reference[truth == k] for k in range(len(made.z))])
    p_aligned = groups.p_values(fit)
    q = groups.q_values(fit)
    flagged = q <= rate
    culprit, right = _culprits(found, made, truth, flagged)
    return Verdicts(
        z=fit,
        percentile=(below + at_most) / (2 * len(ordered)),
        p_mismatched=(1 + len(ordered) - below) / (1 + len(ordered)),
        p_aligned=p_aligned,
        q=q,
        flagged=flagged,
        culprit=culprit,
        facts={
            "n": len(fit),
            "flagged": int(flagged.sum()),
            "mismatched_share": groups.share,
            "mismatched_share_likeliest": groups.likeliest,
            "lower_quality": int(groups.unlike),
            "mismatched_made": len(ordered),
            "detected": _detected(reference, fit, flagged),
            "culprit_right": right,
        },
    )


def _culprits(
    found: Stood, made: Stood, truth: NDArray[np.int64], flagged: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], float | None]:
    culprit = np.full(len(flagged), NOBODY)
    if len(found.z) < 3:  # of two that do not fit, neither is the one
        return culprit, None
    learnt = learn_culprits(made.z, made.z_without, truth)
    culprit[flagged] = learnt.name(found.z[:, flagged], found.z_without[:, flagged])
    return culprit, learnt.right


def _detected(reference: Floats, fit: Floats, flagged: NDArray[np.bool_]) -> float:
    """The power: share of mismatched items that would have been flagged."""
    return float((reference <= fit[flagged].max()).mean()) if flagged.any() else 0.0
