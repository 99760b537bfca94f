"""What every model of sound asks of a sound, and of the JSON that says how it is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


FILE: Final = "preprocessor_config.json"

# The largest value of a setting that any model comes near.
_LARGEST: Final[Mapping[str, int]] = {
    "sampling_rate": 384_000,
    "hop_length": 2**16,
    "fft_window_size": 2**16,
    "feature_size": 2**12,
    "max_length_s": 3600,
    "num_frames": 4096,
}


def whole(settings: Mapping[str, Any], name: str, otherwise: int, file: str = FILE) -> int:
    """Read a whole number of a processor's settings.

    Args:
        settings: The JSON.
        name: Of the setting.
        otherwise: What holds where it is not there.
        file: Its name, for messages.

    Raises:
        UserError: It is no whole number, below 1 or beyond what any model has.

    Example:
        >>> whole({"hop_length": 320}, "hop_length", 1920)
        320
    """
    value, most = settings.get(name, otherwise), _LARGEST[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UserError(
            "checkpoint",
            f"{file}: {name} must be a whole number from 1 to {most}; got {str(value)[:40]!r}. Give the model's own "
            "file.",
        )
    return value


def check_samples(samples: NDArray[np.float32]) -> None:
    """Refuse a sound that is none.

    Raises:
        UserError: It is empty, or a sample is not finite.
    """
    if not len(samples):
        raise UserError("media", "The sound holds no samples; leave it out.")
    if not np.isfinite(samples).all():
        raise UserError("media", "The sound holds samples that are not finite; decode or record it again.")
