"""An alignment matrix with the ids of its rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gramcli.results.readable import Readable
from gramcli.results.records import LeftOut

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, repr=False)
class AlignmentMatrix(Readable):
    """Scores of a task's queries against its candidates.

    Attributes:
        scores: Shape [queries, candidates], float32.
        query_ids: Item of each row; captions of one item share its id.
        candidate_ids: Item of each column.
        left_out: Items the task does not cover, and why.
        notes: What a reader must know.
        task: Task name.
        method: Method name.
    """

    scores: NDArray[np.float32]
    query_ids: tuple[str, ...]
    candidate_ids: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    task: str = ""
    method: str = ""

    def to_frame(self) -> pd.DataFrame:
        """The matrix as `gram matrix -o FILE.csv` writes it: queries down, candidates across, by their ids."""
        import pandas as pd  # noqa: PLC0415 - half a second that only frames are worth

        return pd.DataFrame(self.scores, index=list(self.query_ids), columns=list(self.candidate_ids))
