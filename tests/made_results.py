"""Results built by hand, for the tests of everything that prints or reads them."""

from __future__ import annotations

from pathlib import Path

from gramcli.results.records import Comparison, ComparisonRow, Evaluation, LeftOut, RankVector, ResultRow


def figures(task: str, method: str, hit: float, n: int = 1000, stage: str = "raw") -> list[ResultRow]:
    """One row per metric; the intervals are made up but plausible."""
    values = {"R@1": hit, "R@5": min(1.0, hit + 0.2), "R@10": min(1.0, hit + 0.3)}
    rows = [
        ResultRow(task, method, stage, name, value, max(0.0, value - 0.031), min(1.0, value + 0.031), n)
        for name, value in values.items()
    ]
    return [
        *rows,
        ResultRow(task, method, stage, "MedR", 1.0, None, None, n),
        ResultRow(task, method, stage, "MeanR", 12.345, None, None, n),
        ResultRow(task, method, stage, "MRR", 0.6321, None, None, n),
    ]


def evaluation(n: int = 1000) -> Evaluation:
    """Two tasks in both directions, three methods, ranks, notes, one item left out."""
    hits = {"t2v": 0.41, "v2t": 0.385, "t2va": 0.525, "va2t": 0.5123456789}
    methods = {"cosine": 0.0, "gram": 0.05, "pmrl": 0.03}
    results = [
        row
        for task, hit in hits.items()
        for name, more in methods.items()
        for row in figures(task, name, hit + more, n)
    ]
    gains = [
        ResultRow("t2va", name, "raw", "aggregation_gain", 0.1 + more, 0.05, 0.15, n) for name, more in methods.items()
    ]
    ties = [ResultRow("t2v", "cosine", "raw", "tie_rate", 0.004, None, None, n)]
    ranks = [
        RankVector(task, name, tuple(f"video{i}" for i in range(n)), made_ranks(n, hit + more), n)
        for task, hit in hits.items()
        for name, more in methods.items()
    ]
    return Evaluation(
        provenance={
            "model": {"id": "signal", "weights_sha256": None, "preprocessing": {"frames": 8}},
            "dataset": {"id": "clips/annotations.json", "protocol": "manifest"},
            "versions": {"torch": "2.5.1", "numpy": "2.1.0"},
        },
        results=(*results, *gains, *ties),
        left_out=(LeftOut("clip_7", "audio", "clips/clip_7.mp4 has no audio track"),),
        ranks=tuple(ranks),
        notes=("The modalities are not in one space: cosines across them mean nothing.", "0.4 % of ranks are tied."),
    )


def made_ranks(n: int, hit: float) -> tuple[float, ...]:
    """`hit` of the ranks are 1, the others spread evenly."""
    ones = round(n * hit)
    return tuple([1.0] * ones + [2.0 + (i % max(1, n - 1)) * 0.5 for i in range(n - ones)])


def comparison() -> Comparison:
    """Two metrics of one task, one significant."""
    names = ("emb@cosine", "emb@gram")
    rows = (
        ComparisonRow(
            *("t2va", "R@1", *names, 0.475, 0.525, 0.05, 0.021, 0.079, 0.0004, "McNemar, exact", 80, 30, 1000, 0.002)
        ),
        ComparisonRow("t2va", "MedR", *names, 2.0, 1.0, -1.0, None, None, None, "none", 300, 200, 1000),
    )
    return Comparison(names, rows, {"store": "emb"}, ("1000 queries in common.",))


def odd_evaluation(path: Path | None = None) -> Evaluation:
    """Names and numbers that break careless printers: markup, escapes, pipes, NaN, no interval."""
    name = "[red]<b>&|_%$\x1b[31m\udcff"
    return Evaluation(
        provenance={"model": {"id": name}, "dataset": {"id": "x"}, "nan": float("nan"), "path": path},
        results=(
            ResultRow("t2v", "gram", "rerank(50)", "R@1", float("nan"), None, None, 3),
            ResultRow("t2v", "gram", "raw", "R@1", None, None, None, 3),
        ),
        left_out=(LeftOut(name, "audio", "line one\nline two"),),
        ranks=(),
        notes=(name,),
    )
