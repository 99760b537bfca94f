"""A model as a folder on this machine: its JSON, its tokenizer and its weights, all of them untrusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.encoders.huggingface.limits import check_config
from gramcli.errors import UserError
from gramcli.files.reading import read_regular
from gramcli.results.schema import Source as Document
from gramcli.results.schema import parse_json

if TYPE_CHECKING:
    from gramcli.encoders.base import EncoderOptions

INSTALL: Final = "pip install 'gramcli[hf]'"
VOCABULARIES: Final = (
    "tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip
"""Files that a tokenizer is made of; any one of them."""
_LARGEST_JSON: Final = 16 * 2**20
_REMEDY: Final = "Download the model again, or give another one."
# Where a processor's settings lie, the newest layout first: a part of one file, or a file of its own.
_PROCESSORS: Final[dict[str, tuple[str, ...]]] = {
    "image_processor": ("preprocessor_config.json",),
    "video_processor": ("video_preprocessor_config.json", "preprocessor_config.json"),
    "feature_extractor": ("preprocessor_config.json",),
}


@dataclass(frozen=True)
class Source:
    """A snapshot of a model.

    Attributes:
        folder: Where it lies.
        options: What the user asked for: device, precision, pickled weights, compilation.
        name: How messages and stores call it: `org/name`, or the folder's own name.
        revision: The commit of the hub; None of a folder of no hub.
    """

    folder: Path
    options: EncoderOptions
    name: str = ""
    revision: str | None = None
    _memory: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """config.json, checked: no code of its own, no size that no model has.

        Raises:
            UserError: There is none, or it cannot be used.
        """
        return check_config(self.json("config.json"), self.folder / "config.json")

    def json(self, name: str) -> Mapping[str, Any]:
        """Read a JSON file of the folder.

        Raises:
            UserError: It is not there, or holds no object.
        """
        return read_object(self.folder / name)

    def has(self, name: str) -> bool:
        """Whether a file of that name is there."""
        return (self.folder / name).is_file()

    def processor(self, kind: str, *, needed: bool = False) -> Mapping[str, Any]:
        """Return the settings of a processor.

        Args:
            kind: `image_processor`, `video_processor` or `feature_extractor`.
            needed: Whether nothing else says how inputs are prepared: guessed at, vectors would be wrong unnoticed.

        Returns:
            Its JSON: that part of processor_config.json, else video_preprocessor_config.json or
            preprocessor_config.json; empty where there is none.

        Raises:
            UserError: A file cannot be read, or is needed and not there.
        """
        if self.has("processor_config.json"):
            part = self.json("processor_config.json").get(kind)
            if isinstance(part, dict):
                return check_config(part, self.folder / "processor_config.json")
        for name in _PROCESSORS[kind]:
            if self.has(name):
                return check_config(self.json(name), self.folder / name)
        if needed:
            raise UserError(
                "checkpoint",
                f"{self.folder} has no {_PROCESSORS[kind][0]}, which says how the model's inputs are prepared. Copy it "
                "from where the model comes from, or save its processor beside it (save_pretrained).",
            )
        return {}

    def load(self, name: str | type) -> Any:  # noqa: ANN401 - a model of transformers
        """Load the model, in eval mode, in the dtype of the precision, on the device.

        Args:
            name: Of a class of transformers, such as `CLIPModel`; or a class that derives from one.

        Returns:
            The module. Every tensor it has comes from the files.

        Raises:
            UserError: transformers is not installed or has no such class; the weights are pickled, damaged, lack
                tensors or are of another shape.
        """
        from gramcli.encoders.huggingface.loading import load_model  # noqa: PLC0415 - torch and transformers

        return load_model(self, name)

    def tokenizer(self) -> Any:  # noqa: ANN401 - a tokenizer of transformers
        """Return the tokenizer, loaded once.

        Raises:
            UserError: There is none, or it cannot be read.
        """
        from gramcli.encoders.huggingface.loading import load_tokenizer  # noqa: PLC0415 - as above

        if "tokenizer" not in self._memory:
            self._memory["tokenizer"] = load_tokenizer(self)
        return self._memory["tokenizer"]


def read_object(path: Path) -> Mapping[str, Any]:
    """Read a JSON object of a model's folder.

    Raises:
        UserError: It cannot be read, or holds something else.
    """
    document = Document(path, "checkpoint", _REMEDY, ours=False)
    try:
        data = read_regular(path, _LARGEST_JSON)
    except FileNotFoundError as error:
        raise UserError("checkpoint", f"{path.parent} has no {path.name}: it is no model of transformers.") from error
    except OSError as error:
        raise UserError("checkpoint", f"{path} cannot be read: {error.strerror or error}.") from error
    found = parse_json(data, document)
    if not isinstance(found, dict):
        raise document.wrong(" must hold an object")
    return found
