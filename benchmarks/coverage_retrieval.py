"""Coverage and length of the 95 % intervals of retrieval, and size and power of the paired tests.

Run: python benchmarks/coverage_retrieval.py [--trials 1000] [--seed 0]

A query's right answer has a normal score of some mean, the 999 wrong ones standard normal scores; captions of one item
share half of the variance. The mean is set so that R@1 is 0.02 to 0.98. Two methods share most of their scores. New
items as queries and candidates: vectors of 24 dimensions, cosines, or volumes of three of which some items' nearly
agree and win many queries. An interval covers if it holds the figure of the population.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize, special
from tabulate import tabulate

from gramcli.evaluation.gain import SinglePair, gain_over
from gramcli.metrics.figures import interval_of
from gramcli.metrics.intervals import plus_four
from gramcli.metrics.paired import mean_difference, share_difference
from gramcli.metrics.redrawn import LISTED, rivals, variances
from gramcli.metrics.retrieval import average_precision, ndcg_at, recall_at
from gramcli.metrics.significance import holm

Floats = NDArray[np.float64]
Cell = dict[str, Any]

GALLERY = 1000
SHARES = (0.02, 0.1, 0.5, 0.9, 0.98)
SIZES = (20, 50, 200, 1000)
_MANY = 2_000_000
_ALIKE = 0.5  # share of variance that captions of one item have in common
_ANSWERS = 5
_FLIPS = 999


def mean_score(share: float) -> float:
    """Mean score of right answers at which R@1 is `share`."""
    points = np.linspace(-10, 20, 20_001)

    def excess(mean: float) -> float:
        density = np.exp(-((points - mean) ** 2) / 2) / np.sqrt(2 * np.pi)
        return float(np.trapezoid(density * special.ndtr(points) ** (GALLERY - 1), points)) - share

    return float(optimize.brentq(excess, -3, 10))


def ranks_of(scores: Floats, generator: np.random.Generator) -> Floats:
    """Ranks among `GALLERY` candidates of right answers with these scores."""
    return 1.0 + generator.binomial(GALLERY - 1, special.ndtr(-scores))


def one_answer(mean: float, n: int, captions: int, generator: np.random.Generator) -> dict[str, Floats]:
    """Figures of n items' captions, which have one answer each; n * captions values."""
    shared = np.sqrt(_ALIKE) if captions > 1 else 0.0
    own = generator.normal(size=(n, captions)) * np.sqrt(1 - shared**2)
    ranks = ranks_of(mean + shared * generator.normal(size=(n, 1)) + own, generator).ravel()
    gain = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0)
    hits = {f"R@{k}": (ranks <= k).astype(float) for k in (1, 10)}
    return {**hits, "MRR": 1 / ranks, "nDCG@10": gain, "MeanR": ranks, "MedR": ranks}


def several_answers(mean: float, n: int, generator: np.random.Generator) -> dict[str, Floats]:
    """Figures of n items that are answered by five captions each."""
    scores = mean + np.sqrt(_ALIKE) * (generator.normal(size=(n, 1)) + generator.normal(size=(n, _ANSWERS)))
    places = np.sort(ranks_of(scores, generator), axis=1) + np.arange(_ANSWERS)
    every = (torch.from_numpy(places.ravel()), torch.arange(n).repeat_interleave(_ANSWERS), n)
    found = {"recall@10": recall_at(*every, 10), "mAP": average_precision(*every), "nDCG@10 of 5": ndcg_at(*every, 10)}
    return {name: values.numpy() for name, values in found.items()}


def figures(
    trials: int, seed: int, sizes: tuple[int, ...] = SIZES, shares: tuple[float, ...] = SHARES
) -> Iterator[Cell]:
    """Coverage of every figure that `gram eval` gives of ranks."""
    for share in shares:
        mean = mean_score(share)
        for captions, draw in (
            (1, lambda n, g, mean=mean: one_answer(mean, n, 1, g)),
            (5, lambda n, g, mean=mean: one_answer(mean, n, 5, g)),
            (1, lambda n, g, mean=mean: several_answers(mean, n, g)),
        ):
            generator = np.random.default_rng(seed)
            many = draw(_MANY // (10 * captions), generator)
            truth = {name: float(np.median(x) if name == "MedR" else x.mean()) for name, x in many.items()}
            if share == 0.5:
                truth.pop("MedR", None)  # any number from 1 to 2 is a median of that population
            for n in sizes:
                clusters = np.repeat(np.arange(n), captions)
                found = [interval_of(draw(n, generator), clusters, GALLERY) for _ in range(_fewer(trials, n))]
                for name, value in truth.items():
                    ends = np.array([one[name] for one in found])
                    yield _cell(name, f"R@1 {share:g}, {_counted(captions)}", n, ends, value)


def _counted(captions: int) -> str:
    return "1 caption" if captions == 1 else f"{captions} captions"


def _fewer(trials: int, n: int) -> int:
    return trials if n < 1000 else max(1, trials // 2)


def _cell(figure: str, setting: str, n: int, ends: Floats, truth: float) -> Cell:
    low, high = ends.T
    covered = float(((low <= truth + 1e-12) & (truth - 1e-12 <= high)).mean())
    return {
        "figure": figure,
        "setting": setting,
        "n": n,
        "coverage": covered,
        "mean_length": float((high - low).mean()),
    }


def two_methods(means: tuple[float, float], n: int, captions: int, generator: np.random.Generator) -> list[Floats]:
    """Ranks of two methods whose scores share 0.8 of their variance."""
    item = generator.normal(size=(n, 1)) * (np.sqrt(_ALIKE) if captions > 1 else 0.0)
    own = generator.normal(size=(n, captions)) * (np.sqrt(1 - _ALIKE) if captions > 1 else 1.0)
    both = [np.sqrt(0.8) * (item + own) + np.sqrt(0.2) * generator.normal(size=(n, captions)) for _ in range(2)]
    return [ranks_of(mean + scores, generator).ravel() for mean, scores in zip(means, both, strict=True)]


def differences(
    trials: int, seed: int, sizes: tuple[int, ...] = SIZES, shares: tuple[float, ...] = SHARES
) -> Iterator[Cell]:
    """Coverage of differences, and how often equal (size) and better methods (power) are told apart."""
    for share in shares:
        better = share + 0.1 if share < 0.9 else share + (1 - share) / 2
        for name, pair in (("equal", (share, share)), ("better", (share, better))):
            means = (mean_score(pair[0]), mean_score(pair[1]))
            for captions in (1, 5):
                generator = np.random.default_rng(seed)
                a, b = two_methods(means, _MANY // (10 * captions), captions, generator)
                truth = {"R@1": pair[1] - pair[0], "MRR": 0.0 if name == "equal" else (1 / b).mean() - (1 / a).mean()}
                for n in sizes:
                    clusters = np.repeat(np.arange(n), captions)
                    draws = [two_methods(means, n, captions, generator) for _ in range(_fewer(trials, n))]
                    setting = f"R@1 {pair[0]:g} and {pair[1]:g}, {_counted(captions)}"
                    for metric, compared in _COMPARED.items():
                        found = [compared(x, y, clusters) for x, y in draws]
                        cell = _cell(
                            f"{metric} difference",
                            setting,
                            n,
                            np.array([[f.low, f.high] for f in found]),
                            truth[metric],
                        )
                        told = float(np.mean([f.p_value < 0.05 for f in found]))
                        yield {**cell, "size" if name == "equal" else "power": told}


_COMPARED: dict[str, Callable[..., Any]] = {
    "R@1": lambda x, y, clusters: share_difference((x <= 1) * 1.0, (y <= 1) * 1.0, clusters),
    "MRR": lambda x, y, clusters: mean_difference(1 / x, 1 / y, clusters),
}


def flipped(a: Floats, b: Floats, generator: np.random.Generator) -> tuple[float, float, float]:
    """Interval by inverting sign flips of mean differences, and their p-value: what was not taken.

    Every choice of signs gives the means of the two halves; a difference between them is not refuted by it.
    """
    gained = b - a
    signs = generator.integers(0, 2, size=(_FLIPS, len(gained))).astype(bool)
    signs = signs[signs.any(axis=1) & ~signs.all(axis=1)]
    halves = [(part @ gained) / part.sum(axis=1) for part in (signs, ~signs)]
    place = max(int(0.05 * (len(signs) + 1)) - 1, 0)
    low, high = np.sort(np.minimum(*halves))[place], np.sort(np.maximum(*halves))[::-1][place]
    spread = np.abs((signs * 2.0 - 1) @ gained)
    return float(low), float(high), float((1 + (spread >= abs(gained.sum()) - 1e-12).sum()) / (1 + len(signs)))


def rejected(trials: int, seed: int, sizes: tuple[int, ...] = (50, 200)) -> Iterator[Cell]:
    """Sign flips and their inversion beside the method that was taken, for MRR."""
    for pair in ((0.02, 0.06), (0.5, 0.6), (0.9, 0.95), (0.98, 0.995)):
        means = (mean_score(pair[0]), mean_score(pair[1]))
        generator = np.random.default_rng(seed)
        a, b = two_methods(means, _MANY // 10, 1, generator)
        truth = float((1 / b).mean() - (1 / a).mean())
        for n in sizes:
            draws = [two_methods(means, n, 1, generator) for _ in range(trials)]
            setting = f"R@1 {pair[0]:g} and {pair[1]:g}"
            flips = [flipped(1 / x, 1 / y, generator) for x, y in draws]
            ours = [mean_difference(1 / x, 1 / y, np.arange(n)) for x, y in draws]
            for name, ends in (
                ("MRR difference, sign flips", [(low, high, p) for low, high, p in flips]),
                ("MRR difference, taken", [(one.low, one.high, one.p_value) for one in ours]),
            ):
                found = np.array(ends)
                yield {**_cell(name, setting, n, found[:, :2], truth), "power": float((found[:, 2] < 0.05).mean())}


def families(trials: int, seed: int, n: int = 200) -> Iterator[Cell]:
    """How often a comparison of equal methods finds something: in the primary figure, and in any of the others."""
    generator = np.random.default_rng(seed)
    primary, others = [], []
    for _ in range(trials):
        p_values = []
        for share in (0.5, 0.3):  # both directions
            x, y = two_methods((mean_score(share),) * 2, n, 1, generator)
            for k in (1, 5, 10):
                p_values.append(share_difference((x <= k) * 1.0, (y <= k) * 1.0, np.arange(n)).p_value)
            p_values.append(mean_difference(1 / x, 1 / y, np.arange(n)).p_value)
        primary.append(p_values[0] < 0.05)
        others.append(min(holm(p_values[1:])) < 0.05)
    for name, found in (("primary figure", primary), ("any of 7 others, Holm", others)):
        yield {"figure": name, "setting": "equal methods", "n": n, "size": float(np.mean(found))}


def gains(trials: int, seed: int) -> Iterator[Cell]:
    """The gain over the best of two pairs, equally good or not, and its bias."""
    for shares, joint in (((0.4, 0.4), 0.4), ((0.4, 0.4), 0.5), ((0.4, 0.2), 0.5)):
        means = [mean_score(share) for share in (*shares, joint)]
        for n in (100, 1000):
            generator = np.random.default_rng(seed)
            found = []
            for _ in range(_fewer(trials, n)):
                common = generator.normal(size=n)
                scores = [mean + np.sqrt(0.5) * (common + generator.normal(size=n)) for mean in means]
                hits = [(ranks_of(one, generator) <= 1) * 1.0 for one in scores]
                pairs = [SinglePair(f"pair {k}", "cosine", one) for k, one in enumerate(hits[:2])]
                found.append(gain_over(hits[2], pairs, np.arange(n)))
            truth = joint - max(shares)
            cell = _cell(
                "aggregation_gain",
                f"pairs {shares[0]:g} and {shares[1]:g}, joint {joint:g}",
                n,
                np.array([[g.low, g.high] for g in found]),
                truth,
            )
            yield {**cell, "bias": float(np.mean([g.value for g in found])) - truth}


def score_matrix(kind: str, n: int, generator: np.random.Generator) -> Floats:
    """Scores [n, n] of n new items, the right answers on the diagonal."""

    def unit(x: Floats) -> Floats:
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    common = generator.normal(size=(n, 24))
    noise = 1.2 if kind == "cosine" else 1.0
    text, video, other = (unit(common + noise * generator.normal(size=(n, 24))) for _ in range(3))
    if kind == "cosine":
        return text @ video.T
    width = np.exp(0.3 * generator.normal(size=(n, 1))) if kind == "hubs" else 1.0
    audio = unit(video + 2.45 * width * unit(generator.normal(size=(n, 24)))) if kind == "hubs" else other
    along = (video * audio).sum(axis=1)
    rest = unit(audio - along[:, None] * video)
    return -(1 - along**2) * (1 - (text @ video.T) ** 2 - (text @ rest.T) ** 2)


def populations(trials: int, seed: int, sizes: tuple[int, ...] = (50, 100, 400)) -> Iterator[Cell]:
    """R@1 and R@5 where the gallery is new, too: intervals over queries, and over items."""
    for kind, named in (("cosine", "cosine"), ("gram", "volume"), ("hubs", "volume with hubs")):
        for n in sizes:
            generator = np.random.default_rng(seed)
            found: dict[str, list[Floats]] = {}
            values: dict[str, list[float]] = {"R@1": [], "R@5": []}
            for _ in range(trials if n < 400 else trials // 2):
                for metric, (value, queries, items) in _one_gallery(score_matrix(kind, n, generator)).items():
                    values[metric].append(value)
                    found.setdefault(f"{metric} over queries", []).append(queries)
                    found.setdefault(f"{metric} over items", []).append(items)
            for name, ends in found.items():
                truth = float(np.mean(values[name.partition(" ")[0]]))
                yield _cell(name, f"new gallery, {named}", n, np.array(ends), truth)


def _one_gallery(scores: Floats) -> dict[str, tuple[float, Floats, Floats]]:
    """Metric to its value and both intervals."""
    n = len(scores)
    above = (scores > np.diag(scores)[:, None]).sum(axis=1).astype(float)
    best = np.argsort(-scores, axis=1)[:, :LISTED]
    at = {f"R@{k}": (lambda ranks, k=k: (ranks <= k).astype(float)) for k in (1, 5)}
    spread = variances(rivals(best, above, np.arange(n), np.arange(n)), at)
    found = {}
    for metric, figure in at.items():
        values = figure(1 + above)[:, None]
        ends = [plus_four(values, np.arange(n), variance)[0] for variance in (None, np.array([spread[metric]]))]
        found[metric] = (float(values.mean()), *ends)
    return found


def cells(seed: int = 0, trials: int = 1000) -> list[Cell]:
    """Every cell."""
    return [
        *figures(trials, seed),
        *differences(trials, seed),
        *rejected(trials // 4, seed),
        *families(trials, seed),
        *gains(trials, seed),
        *populations(trials // 2, seed),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(tabulate(cells(options.seed, options.trials), headers="keys", floatfmt=".3f", tablefmt="github"))


if __name__ == "__main__":
    main()
