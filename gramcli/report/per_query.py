"""Every query of an evaluation as a CSV row: where its right answer stands, and what stands before it."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from gramcli.report.escaping import csv_cell

if TYPE_CHECKING:
    from gramcli.results.records import Evaluation

BEST = 5


def per_query_csv(evaluation: Evaluation) -> str:
    """Return the CSV of `--per-query`.

    Columns: task, method (with its second stage, `gram rerank(50)`), id of the query's item, number of the query among
    those of its item (captions count from 0), rank of its best right answer, gallery size, ids of the best five. A rank
    is empty where nobody answers; the five are empty where scores are normalised.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["task", "method", "query", "caption", "rank", "gallery", *(f"top{k + 1}" for k in range(BEST))])
    for vector in evaluation.ranks:
        seen: dict[str, int] = {}
        best = vector.best or ((),) * len(vector.ranks)
        for name, rank, answers in zip(vector.query_ids, vector.ranks, best, strict=True):
            number = seen[name] = seen.get(name, -1) + 1
            place = "" if math.isnan(rank) else f"{rank:g}"
            ids = [csv_cell(answer) for answer in answers[:BEST]]
            rows.writerow(
                [*map(csv_cell, (vector.task, vector.method, name)), number, place, vector.n_candidates]
                + ids
                + [""] * (BEST - len(ids))
            )
    return text.getvalue()
