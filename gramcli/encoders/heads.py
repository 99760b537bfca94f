"""`heads:DIR`: the base model of heads and then the heads, as one encoder."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gramcli.encoders.signal import SignalEncoder
from gramcli.errors import UserError
from gramcli.heads.files import load_heads

if TYPE_CHECKING:
    from gramcli.encoders.base import EncoderOptions, Prepare


class HeadsEncoder:
    """Embeds with `signal`, the model the heads were trained on, and maps its vectors into the heads' space.

    Heads of a checkpoint do not know where it lies; their embeddings come from a store: `gram embed --from STORE`.

    Args:
        argument: The folder of the heads.
        options: As for the base model.

    Raises:
        UserError: No folder is named, no heads are there, or their base model is not built in or decodes otherwise.
    """

    shared_space: bool = True
    stand_ins: Mapping[str, Any] = {}

    def __init__(self, argument: str, options: EncoderOptions) -> None:
        self._saved = load_heads(argument)
        base = self._saved.config["model"]
        if base.get("id") != SignalEncoder.spec:
            raise UserError(
                "usage",
                f"The heads of {argument} map embeddings of '{base.get('id')}'. Embed the data with that model, then: "
                f"gram eval STORE --model heads:{argument}, or gram embed DATA --model heads:{argument} --from STORE.",
            )
        self._base = SignalEncoder("", options)
        self.spec = f"heads:{argument}"
        self.preprocessing = self._base.preprocessing
        if self._base.describe()["preprocessing"] != base.get("preprocessing"):
            raise UserError(
                "usage",
                f"The heads of {argument} were trained on other frames: {base.get('preprocessing')}. Use --frames.",
            )
        self.prepare: Prepare = self._base.prepare
        self.dims: Mapping[str, int] = dict.fromkeys(self._saved.heads.modalities, self._saved.heads.dim)
        self.fused: Mapping[str, tuple[str, ...]] = {}

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that have heads."""
        return tuple(self.dims)

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records: base, heads, and the items they have seen."""
        return self._saved.describe()

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Encode inputs by the base model and map them; unit rows of the heads' dimension."""
        return {name: self._saved.heads.apply(name, rows) for name, rows in self._base.encode(inputs).items()}
