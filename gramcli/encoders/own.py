"""`module:factory`: an encoder of the user's own, filled up with defaults and held to what an encoder promises."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.catalog import OwnCode, blamed, did_you_mean, remember
from gramcli.encoders import own_parts as parts
from gramcli.encoders.base import BrokenEncoderError, Preprocessing
from gramcli.errors import UserError
from gramcli.files.reading import read_regular
from gramcli.modalities import LETTERS

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from gramcli.encoders.base import EncoderOptions, Prepare

_TOLERANCE: Final = 1e-3
_GUIDE: Final = "docs/how-to/extend.md has a template"


def load(module: str, factory: str, options: EncoderOptions) -> OwnEncoder:
    """Import the user's module, call the factory, and wrap what it makes.

    Args:
        module: To be imported; also looked for in the working directory.
        factory: A function of it, called with the options if it takes an argument.
        options: What the user asked for.

    Returns:
        The encoder.

    Raises:
        UserError: There is no such module or function, it fails, or what it makes is no encoder.
    """
    spec = f"{module}:{factory}"
    code = OwnCode(spec, "encoder", module, module.partition(".")[0])
    remember(code)
    found = _imported(module, spec, code)
    make = getattr(found, factory, None)
    if not callable(make):
        if make is not None:
            raise UserError(
                "usage", f"'{factory}' of module {module} is {type(make).__name__}, where a function is due."
            )
        hint = did_you_mean(factory, [name for name in vars(found) if not name.startswith("_")])
        raise UserError("usage", f"Module {module} has no function '{factory}'.{hint}")
    takes = _takes_argument(make)
    with blamed(code):
        made = make(options) if takes else make()
    return OwnEncoder(made, spec, _source_sha256(found), None if takes else options.frames)


def _imported(module: str, spec: str, code: OwnCode) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # last, so that nothing that lies there takes the place of what is installed
    try:
        with blamed(code):
            return import_module(module)
    except UserError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{module}.".startswith(f"{cause.name}."):
            from gramcli.encoders import ENCODERS  # noqa: PLC0415 - for this message only

            hint = did_you_mean(module, [name for name in ENCODERS.names() if name not in ENCODERS.unnamed])
            raise UserError(
                "usage",
                f"Model '{spec}': there is no encoder '{module}'{hint.rstrip('?') and f' ({hint[1:]})'}, and no module "
                f"'{cause.name}' that could be imported: installed, on PYTHONPATH or in the working directory.",
            ) from None
        raise


def _takes_argument(make: Callable[..., Any]) -> bool:
    """Whether a factory wants the options."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.VAR_POSITIONAL) for one in parameters)


def _source_sha256(module: ModuleType) -> str | None:
    """Of the module's file, so that a store of changed code is not taken for one of this."""
    path = getattr(module, "__file__", None)
    return hashlib.sha256(read_regular(Path(path))).hexdigest() if path and Path(path).is_file() else None


def as_decoded(modality: str, media: Any) -> Any:  # noqa: ANN401 - what the decoders give
    """Leave media as they are: what stands for a `prepare` that is not given."""
    return media


class OwnEncoder:
    """What a user wrote, with what it leaves out filled in; every row it gives is checked.

    Args:
        made: Has `dims` and `encode`; may have any other part of `gramcli.encoders.base.Encoder`.
        spec: What the user wrote.
        source_sha256: Of the code; recorded.
        frames: Frames of each video, where the factory could not be told.

    Raises:
        UserError: A part is of the wrong kind.
    """

    def __init__(self, made: Any, spec: str, source_sha256: str | None = None, frames: int | None = None) -> None:  # noqa: ANN401
        self.spec, self._made, self._source = spec, made, source_sha256
        if not callable(getattr(made, "encode", None)):
            raise self._wrong(f"{type(made).__name__} has no method encode(inputs)")
        self.dims: Mapping[str, int] = self._checked_dims()
        self.fused: Mapping[str, tuple[str, ...]] = self._part("fused", parts.fused_of, self.dims)
        self._modalities = self._checked_modalities()
        self.preprocessing = self._checked_preprocessing(frames)
        self.prepare: Prepare = self._checked_prepare()
        self.shared_space = bool(getattr(made, "shared_space", False))
        self.stand_ins: Mapping[str, Any] = self._part("stand_ins", parts.stand_ins_of)
        self.notes: tuple[str, ...] = self._part("notes", parts.notes_of)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those it says, or those of its `dims`."""
        return self._modalities

    def describe(self, modalities: Collection[str] | None = None) -> dict[str, Any]:
        """What the manifest of a store records: what the user's own `describe` says, and the hash of the code."""
        said = {
            "id": self.spec,
            "architecture": self.spec,
            "weights_sha256": None,
            "code_sha256": self._source,
            "preprocessing": asdict(self.preprocessing),
            "assumptions": list(self.notes),
            "shared_space": self.shared_space,
        }
        own = getattr(self._made, "describe", None)
        if not callable(own):
            return said
        found = own(modalities) if _takes_argument(own) else own()
        if not isinstance(found, Mapping):
            raise self._wrong(f"its describe() gave {type(found).__name__} where a dict was due")
        if why := parts.no_json(found):
            raise self._wrong(f"its describe() gave what no JSON can hold ({why})")
        return {**said, **{key: value for key, value in found.items() if value is not None}}

    def encode(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, NDArray[np.float32]]:
        """Encode a batch by the user's code, and check what it gives.

        Args:
            inputs: Modality to n inputs.

        Returns:
            Unit rows, float32.

        Raises:
            BrokenEncoderError: An embedding is missing, of another shape, not of unit length or not finite.
            UserError: The modality is not one of its own, or the user's code raised one.
        """
        if unknown := [name for name in inputs if name not in self._modalities]:
            known = ", ".join(self._modalities)
            raise UserError("embedding", f"{self.spec} cannot encode '{unknown[0]}'. It encodes: {known}.")
        found = self._made.encode(inputs)
        if not isinstance(found, Mapping):
            raise self._wrong(f"its encode gave {type(found).__name__} where a dict of rows was due")
        n = len(next(iter(inputs.values()), ()))
        return {name: self._checked_rows(name, found, n) for name in self._due(inputs)}

    def raw(self, inputs: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        """Rows before they are brought to unit length, as the user's own `raw` gives them.

        Args:
            inputs: As for `encode`.

        Returns:
            Embedding -> rows; nothing where the user shows none.
        """
        raw = getattr(self._made, "raw", None)
        found = raw(inputs) if callable(raw) else {}
        return found if isinstance(found, Mapping) else {}

    def _due(self, inputs: Mapping[str, Sequence[Any]]) -> list[str]:
        plain = [name for name in self.dims if name not in self.fused and name.partition("@")[0] in inputs]
        return plain + [name for name, made_of in self.fused.items() if set(made_of) <= set(inputs)]

    def _checked_rows(self, name: str, found: Mapping[str, Any], n: int) -> NDArray[np.float32]:
        if name not in found:
            raise self._wrong(f"its encode gave {', '.join(map(str, found)) or 'nothing'}, and no '{name}'")
        rows = self._as_array(name, found[name])
        wanted = (n, self.dims[name])
        if rows.shape != wanted:
            raise self._wrong(f"its encode gave '{name}' of shape {list(rows.shape)} where {list(wanted)} was due")
        if rows.dtype.kind != "f":
            raise self._wrong(f"its encode gave '{name}' as {rows.dtype} where floating-point numbers were due")
        if not np.isfinite(rows).all():
            raise self._wrong(f"its encode gave '{name}' with NaN or infinity")
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
        if n and (off := float(np.abs(lengths - 1).max())) > _TOLERANCE:
            length = lengths[int(np.abs(lengths - 1).argmax())]
            advice = "divide each row by its length" if length else "no direction can be read from zeros"
            raise self._wrong(f"its encode gave a '{name}' of length {length:.4g}, off 1 by {off:.2g}: {advice}")
        return rows.astype(np.float32)

    def _as_array(self, name: str, rows: Any) -> NDArray[Any]:  # noqa: ANN401 - whatever the user gives
        try:
            plain = rows.detach().float().cpu().numpy() if hasattr(rows, "detach") else rows
            return np.asarray(plain)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._wrong(f"its encode gave '{name}' as something that is no array of numbers ({error})") from error

    def _checked_dims(self) -> dict[str, int]:
        dims = getattr(self._made, "dims", None)
        if not isinstance(dims, Mapping) or not dims:
            raise self._wrong("it has no dims, such as {'text': 512, 'video': 512}")
        for name, dim in dims.items():
            if not isinstance(name, str) or not parts.is_whole(dim):
                raise self._wrong(f"its dims give {name!r} the dimension {dim!r}, which is no whole number from 1")
        return {name: int(dim) for name, dim in dims.items()}

    def _checked_modalities(self) -> tuple[str, ...]:
        own = {name.partition("@")[0]: None for name in self.dims if name not in self.fused}
        said: tuple[str, ...] = self._part("modalities", lambda given: parts.names_of(given) if given else tuple(own))
        if lacking := [
            name for name in said if name not in own and all(name not in one for one in self.fused.values())
        ]:
            raise self._wrong(f"it takes '{lacking[0]}', of which dims name no embedding")
        if unknown := [name for name in said if name not in LETTERS.values()]:
            raise self._wrong(f"it encodes '{unknown[0]}', which is none of {', '.join(LETTERS.values())}")
        return said

    def _checked_preprocessing(self, frames: int | None) -> Preprocessing:
        given = getattr(self._made, "preprocessing", None) or Preprocessing()
        try:
            found = Preprocessing(**given) if isinstance(given, Mapping) else given
        except TypeError:
            found = None
        if not isinstance(found, Preprocessing):
            known = ", ".join(Preprocessing.__dataclass_fields__)
            raise self._wrong(f"its preprocessing is {given!r} where a dict of {known} was due")
        if why := parts.wrong_with(found):
            raise self._wrong(f"its preprocessing has {why}")
        return replace(found, frames=frames) if frames else found

    def _checked_prepare(self) -> Prepare:
        prepare: Prepare = getattr(self._made, "prepare", as_decoded)
        if not callable(prepare):
            raise self._wrong(f"its prepare is {prepare!r} where a function of (modality, media) was due")
        try:
            pickle.loads(pickle.dumps(prepare))  # noqa: S301 - what this process made
        except Exception as error:
            raise self._wrong(
                "its prepare cannot be sent to the decoding processes; make it a function of the module, not a "
                f"lambda or a method that holds the model ({error})"
            ) from error
        return prepare

    def _part(self, name: str, read: Callable[..., Any], *more: Any) -> Any:  # noqa: ANN401 - what the part is
        """Read a part that may be left out.

        Raises:
            BrokenEncoderError: It is of another kind.
        """
        given = getattr(self._made, name, None)
        try:
            return read(given, *more)
        except (TypeError, ValueError) as error:
            raise self._wrong(f"its {name} is {given!r:.80}: {error}") from error

    def _wrong(self, what: str) -> BrokenEncoderError:
        return BrokenEncoderError("embedding", f"{self.spec} is no encoder: {what} ({_GUIDE}).")
