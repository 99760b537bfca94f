"""How to evaluate: what every kind of figure of `gram eval` is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from gramcli.errors import UserError
from gramcli.rerank import Reranker

Kind = Literal["retrieval", "classification", "geometry"]
KINDS: Final[tuple[Kind, ...]] = ("retrieval", "classification", "geometry")


@dataclass(frozen=True)
class EvalOptions:
    """How to evaluate.

    Attributes:
        split: Split to use; None is `test` where the store has several splits, `all` is everything.
        limit: Use only the first so many items.
        missing: `drop`, `present`, `zero` or `error`.
        device: torch device of the fast pass; figures do not depend on it.
        protocol: Name recorded with the result; None takes the dataset's.
        progress: Called with (pairs done, pairs in all).
        normalize: Score post-processing, as `gramcli.metrics.normalize.parse_normalization` reads it; None for none.
        reranker: A second stage for the best few of each query, whose figures are given beside those of the first.
        kinds: Which figures to make, of `KINDS`.
        seed: Of subsampling and of folds, where there are any.
        reference: Put published figures of the dataset beside the measured ones.

    Raises:
        UserError: A kind that is none, or `normalize` together with `reranker`.
    """

    split: str | None = None
    limit: int | None = None
    missing: str = "drop"
    device: str = "cpu"
    protocol: str | None = None
    progress: Callable[[int, int], None] | None = None
    normalize: str | None = None
    reranker: Reranker | None = None
    kinds: tuple[Kind, ...] = ("retrieval",)
    seed: int = 0
    reference: bool = False

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise UserError("usage", f"--metrics '{kind}' is none of {', '.join(KINDS)}.")
        if self.reranker and self.normalize:
            raise UserError("usage", "--rerank orders the best of the raw scores; leave --normalize out, or --rerank.")
