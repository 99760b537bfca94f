"""`text=SPEC,video=SPEC,...`: an encoder of its own for each modality, side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gramcli.encoders.base import Preprocessing
from gramcli.encoders.specs import parts_of
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder, Prepare


@dataclass(frozen=True)
class PreparePart:
    """Prepares each modality as its own encoder wants it; pickles as they do.

    Attributes:
        parts: Modality -> `prepare` of its encoder.
    """

    parts: Mapping[str, Prepare]

    def __call__(self, modality: str, media: Any) -> Any:  # noqa: ANN401 - as `Encoder.prepare`
        """Prepare one decoded input."""
        return self.parts[modality](modality, media)


class CompositeEncoder:
    """One encoder per modality. Modalities of one spec are encoded by one model, together.

    Args:
        spec: For instance `text=st:org/model,video=signal`.
        load: Makes the encoder of one spec, and is told whether it sees videos; called once for each that differs.

    Raises:
        UserError: The spec names a modality twice, or one that its encoder does not take.
    """

    def __init__(self, spec: str, load: Callable[[str, bool], Encoder]) -> None:
        self.spec, self._specs = spec, parts_of(spec)
        seen = self._specs.get("video")
        loaded: dict[str, Encoder] = {one: load(one, one == seen) for one in dict.fromkeys(self._specs.values())}
        self._parts: dict[str, Encoder] = {name: loaded[one] for name, one in self._specs.items()}
        for name, part in self._parts.items():
            if name not in part.modalities:
                known = ", ".join(part.modalities)
                raise UserError("usage", f"Model '{spec}': {part.spec} does not encode {name}; it encodes {known}.")
        self._groups = {one: tuple(name for name in self._specs if self._specs[name] == one) for one in loaded}
        self._loaded = loaded
        self.fused: Mapping[str, tuple[str, ...]] = {
            name: parts
            for one, part in loaded.items()
            for name, parts in part.fused.items()
            if set(parts) <= set(self._groups[one])
        }
        self.dims: Mapping[str, int] = self._dims()
        self.preprocessing = self._preprocessing()
        self.prepare: Prepare = PreparePart({name: part.prepare for name, part in self._parts.items()})
        self.stand_ins: Mapping[str, Any] = {
            name: part.stand_ins[name] for name, part in self._parts.items() if name in part.stand_ins
        }
        self.shared_space = len(loaded) == 1 and next(iter(loaded.values())).shared_space
        self.notes = self._notes()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that the spec names, in its order."""
        return tuple(self._parts)

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records: what each part says of itself."""
        asked = [name for name in self._parts if modalities is None or name in modalities]
        parts = {
            one: self._loaded[one].describe([name for name in group if name in asked])
            for one, group in self._groups.items()
            if set(group) & set(asked)
        }
        said = {name: parts[self._specs[name]] for name in asked}
        assumptions = [line for one in parts.values() for line in one.get("assumptions", [])]
        return {
            "id": ",".join(f"{name}={one['id']}" for name, one in said.items()),
            "architecture": "one encoder per modality",
            "weights_sha256": {name: one.get("weights_sha256") for name, one in said.items()},
            "encoders": said,
            "preprocessing": asdict(self.preprocessing),
            "assumptions": list(dict.fromkeys([*self._own_notes(), *assumptions])),
            "shared_space": self.shared_space,
        }

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        """Encode each input by its own encoder.

        Args:
            inputs: Modality to n inputs, as their encoders take them.

        Returns:
            All that the parts give of them; dimensions differ.

        Raises:
            UserError: No part has the modality, or as its encoder says.
        """
        if unknown := [name for name in inputs if name not in self._parts]:
            known = ", ".join(self._parts)
            raise UserError("embedding", f"{self.spec} cannot encode '{unknown[0]}'. It encodes: {known}.")
        found: dict[str, Any] = {}
        for one, group in self._groups.items():
            if given := {name: inputs[name] for name in group if name in inputs}:
                rows = self._loaded[one].encode(given)
                found |= {name: rows[name] for name in rows if name in self.dims}
        return found

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Rows before they are brought to unit length, of those parts that show them.

        Args:
            inputs: As for `encode`.

        Returns:
            Embedding -> rows; of parts without `raw` nothing.
        """
        found: dict[str, Any] = {}
        for one, group in self._groups.items():
            given = {name: inputs[name] for name in group if name in inputs}
            if given and (raw := getattr(self._loaded[one], "raw", None)):
                found |= {name: rows for name, rows in raw(given).items() if name in self.dims}
        return found

    def _dims(self) -> dict[str, int]:
        """The embeddings of the named modalities, the fused ones last."""
        plain = {
            name: dim
            for modality, part in self._parts.items()
            for name, dim in part.dims.items()
            if name.partition("@")[0] == modality and name not in part.fused
        }
        fused = {name: dim for part in self._loaded.values() for name, dim in part.dims.items() if name in self.fused}
        return {**plain, **fused}

    def _preprocessing(self) -> Preprocessing:
        """Frames as the encoder of video wants them, sound as that of audio."""
        default = next(iter(self._parts.values())).preprocessing
        video = self._parts["video"].preprocessing if "video" in self._parts else default
        audio = self._parts["audio"].preprocessing if "audio" in self._parts else default
        return Preprocessing(video.frames, video.frame_rule, audio.sample_rate, audio.channels)

    def _notes(self) -> tuple[str, ...]:
        own = [note for part in self._loaded.values() for note in getattr(part, "notes", ())]
        return tuple(dict.fromkeys([*self._own_notes(), *own]))

    def _own_notes(self) -> list[str]:
        if len(self._loaded) == 1:
            return []
        which = ", ".join(f"{name} by {one}" for name, one in self._specs.items())
        return [
            f"Each modality has a model of its own ({which}), so they share no space until they are aligned: "
            "gram align STORE -o HEADS --loss gram, then gram eval STORE --model heads:HEADS."
        ]
