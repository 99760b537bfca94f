"""Measure how well a model aligns its modalities.

The verbs of the command line, with the same names and defaults, and what they are made of. Names resolve late:
importing the package loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.catalog import late_names
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.alignment.align import align
    from gramcli.embedding.embed import embed
    from gramcli.encoders import load_encoder
    from gramcli.evaluation.compare import compare
    from gramcli.evaluation.evaluate import evaluate
    from gramcli.evaluation.leaderboard import leaderboard
    from gramcli.evaluation.matrix import matrix
    from gramcli.evaluation.score import score
    from gramcli.exchange.import_features import import_features
    from gramcli.inspection.inspect import inspect
    from gramcli.methods import get_method
    from gramcli.report.page.saved import write_report
    from gramcli.report.plots.plot import plot
    from gramcli.scoring.ranking import rank
    from gramcli.scoring.scores import score_matrix
    from gramcli.scoring.topk import top_k
    from gramcli.store.derived import write_store
    from gramcli.store.reader import open_store

__version__ = "0.1.0"

_HOMES: Final = {
    "align": "alignment.align",
    "compare": "evaluation.compare",
    "embed": "embedding.embed",
    "evaluate": "evaluation.evaluate",
    "get_method": "methods",
    "import_features": "exchange.import_features",
    "inspect": "inspection.inspect",
    "leaderboard": "evaluation.leaderboard",
    "load_encoder": "encoders",
    "matrix": "evaluation.matrix",
    "open_store": "store.reader",
    "plot": "report.plots.plot",
    "rank": "scoring.ranking",
    "score": "evaluation.score",
    "score_matrix": "scoring.scores",
    "top_k": "scoring.topk",
    "write_report": "report.page.saved",
    "write_store": "store.derived",
}
__all__ = [
    "UserError", "align", "compare", "embed", "evaluate", "get_method", "import_features", "inspect", "leaderboard",
    "load_encoder", "matrix", "open_store", "plot", "rank", "score", "score_matrix", "top_k", "write_report",
    "write_store",
]  # fmt: skip
__getattr__ = late_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
