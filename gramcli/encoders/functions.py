"""An encoder from one function per modality: the least that a user has to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gramcli.encoders.base import BrokenEncoderError, UnusableVectorError
from gramcli.encoders.own import OwnEncoder
from gramcli.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.encoders.base import Preprocessing


class FunctionsEncoder:
    """One function per modality, each from one input to one vector; rows are scaled to unit length here.

    Args:
        functions: Modality -> a function of one input.
        dims: Modality -> dimension of what it gives; one number for all.
    """

    def __init__(self, functions: Mapping[str, Callable[[Any], Any]], dims: Mapping[str, int] | int) -> None:
        self._functions = dict(functions)
        self.dims = dict.fromkeys(functions, dims) if isinstance(dims, int) else {n: dims[n] for n in functions}

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, NDArray[Any]]:
        """Call the functions, once for each input."""
        return {name: np.array([self._unit(name, one) for one in given]).reshape(len(given), self.dims[name])
                for name, given in inputs.items()}  # fmt: skip

    def _unit(self, name: str, given: Any) -> NDArray[np.float64]:  # noqa: ANN401 - whatever is decoded
        found = self._functions[name](given)
        try:
            vector = np.asarray(found.detach().cpu() if hasattr(found, "detach") else found, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise BrokenEncoderError(
                "embedding", f"The function of '{name}' gave {type(found).__name__}, which is no vector ({error})."
            ) from error
        if vector.shape != (self.dims[name],):
            raise BrokenEncoderError(
                "embedding",
                f"The function of '{name}' gave shape {list(vector.shape)} where [{self.dims[name]}] was due.",
            )
        length = np.linalg.norm(vector)
        if not np.isfinite(length) or not length:
            raise UnusableVectorError("embedding", f"the function of '{name}' gave a vector that is zero or not finite")
        return np.asarray(vector / length)


def from_functions(
    functions: Mapping[str, Callable[[Any], Any]],
    dims: Mapping[str, int] | int,
    *,
    name: str,
    shared_space: bool = False,
    preprocessing: Preprocessing | Mapping[str, Any] | None = None,
    prepare: Callable[[str, Any], Any] | None = None,
) -> OwnEncoder:
    """Make an encoder of functions.

    Args:
        functions: Modality -> a function of one input (a `str`, a `VideoClip`, a `Waveform`, a uint8 array [h, w, 3])
            that gives one vector [d]; its length does not count.
        dims: Modality -> d, or one d for all.
        name: What stores call it.
        shared_space: Whether vectors of different modalities can be compared by cosine.
        preprocessing: How media are decoded: frames, frame_rule, sample_rate, channels.
        prepare: What the decoding processes do to (modality, media) first.

    Returns:
        An encoder for `gramcli.embed(..., model=)`, or for a factory to return.

    Raises:
        UserError: A modality is not known, has no dimension, or another part is of the wrong kind.

    Example:
        >>> encoder = from_functions({"text": lambda text: [len(text), 1]}, 2, name="length")
        >>> encoder.encode({"text": ["", "four"]})["text"].shape
        (2, 2)
    """
    if not isinstance(dims, int) and (without := [one for one in functions if one not in dims]):
        raise UserError("usage", f"from_functions: dims has no dimension for '{without[0]}'.")
    made = FunctionsEncoder(functions, dims)
    more: dict[str, Any] = {"shared_space": shared_space, "preprocessing": preprocessing}
    if prepare is not None:
        more["prepare"] = prepare
    for key, value in more.items():
        setattr(made, key, value)
    return OwnEncoder(made, name)
