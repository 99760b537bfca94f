"""From prepared inputs to vectors: a batch through the encoder, and a status in the place of every item it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gramcli.embedding.reading import Missing
from gramcli.encoders.base import BrokenEncoderError
from gramcli.errors import UserError
from gramcli.store.layout import failed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.embedding.pipeline import Job
    from gramcli.encoders.base import Encoder


def vectors_of(job: Job, inputs: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Encode a batch; an item that makes it fail is found by encoding each alone.

    Args:
        job: With what, and in batches of what size.
        inputs: Modality to n inputs.

    Returns:
        Per embedding, a vector or a `Missing` in the place of every item.

    Raises:
        BrokenEncoderError: It gives what nothing can be made of, whatever the input.
        UserError: It gave arrays of a wrong shape.
    """
    n = len(next(iter(inputs.values())))
    names = [made for name in inputs for made in job.made_of(name)]
    names += [name for name, parts in job.fused.items() if set(parts) <= set(inputs)]
    try:
        found = job.batches.encode(job.encoder, inputs)
    except BrokenEncoderError:
        raise
    except UserError as error:
        if n > 1:
            single = [vectors_of(job, {name: [given[k]] for name, given in inputs.items()}) for k in range(n)]
            return {name: [one[name][0] for one in single] for name in names}
        if len(inputs) > 1:
            alone = [vectors_of(job, {name: given}) for name, given in inputs.items()]
            made = {name: rows for one in alone for name, rows in one.items()}
            return {**made, **{name: [Missing(failed(str(error)))] for name in names if name not in made}}
        return {name: [Missing(failed(str(error)))] for name in names}
    return {name: _usable(job.encoder, name, np.asarray(found[name]), n) for name in names}


def _usable(encoder: Encoder, name: str, rows: NDArray[np.float32], n: int) -> list[Any]:
    if rows.shape != (n, encoder.dims[name]):
        wanted = [n, encoder.dims[name]]
        raise UserError("embedding", f"{encoder.spec} gave '{name}' {list(rows.shape)} where {wanted} was due.")
    good = [bool(np.isfinite(row).all() and row.any()) for row in rows]
    missing = Missing(failed(f"{encoder.spec} gave a vector that is zero or not finite"))
    return [row if fine else missing for row, fine in zip(rows, good, strict=True)]
