"""What every model of sound asks of a sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gramcli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_samples(samples: NDArray[np.float32]) -> None:
    """Refuse a sound that is none.

    Raises:
        UserError: It is empty, or a sample is not finite.
    """
    if not len(samples):
        raise UserError("media", "The sound holds no samples; leave it out.")
    if not np.isfinite(samples).all():
        raise UserError("media", "The sound holds samples that are not finite; decode or record it again.")
