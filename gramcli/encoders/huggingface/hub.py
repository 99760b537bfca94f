"""From what the user wrote to a folder: a path, or a name of the hub, downloaded once and pinned to a commit."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.source import INSTALL, VOCABULARIES, Source
from gramcli.encoders.huggingface.weights import PICKLED, find_weights
from gramcli.errors import UserError
from gramcli.files.reading import read_regular

_NAME: Final = re.compile(r"(?:[\w.-]+/)?[\w.-]+")
_WEIGHTS: Final = re.compile(r"model(?:-\d+-of-\d+)?\.safetensors")
_PICKLES: Final = re.compile(r"pytorch_model(?:-\d+-of-\d+)?\.bin")
# What else of a model is looked at, all of it small.
_SMALL: Final = re.compile(
    r"README\.md|[\w.-]+\.json|vocab\.txt|merges\.txt|spiece\.model|sentencepiece\.bpe\.model|tokenizer\.model"
)
_LARGEST_REFERENCE: Final = 4096
_UNITS: Final = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


class Needs(Protocol):
    """Which files of a model are needed; those of transformers lie in its folder, others have folders of modules."""

    def complete(self, folder: Path, options: EncoderOptions) -> bool:
        """Whether a snapshot of the cache has all of them.

        Raises:
            UserError: It never will, as it is.
        """

    def whole(self, folder: Path) -> bool:
        """Whether a complete snapshot also has what only some uses need; the hub is asked for it, if it can be."""

    def chosen(self, names: Sequence[str], name: str, options: EncoderOptions) -> set[str]:
        """Choose from the files that a model `name` has on the hub.

        Raises:
            UserError: It has none that may be loaded.
        """


@dataclass(frozen=True)
class OfTransformers:
    """What a model of transformers needs.

    Attributes:
        weights: Whether the weights are among it.
    """

    weights: bool = True

    def complete(self, folder: Path, options: EncoderOptions) -> bool:
        """Whether its configuration is there, and its weights where they are needed."""
        if not (folder / "config.json").is_file():
            return False
        if self.weights:
            find_weights(folder, allow_pickle=options.allow_pickle)
        return True

    def whole(self, folder: Path) -> bool:
        """Whether it has a tokenizer."""
        return any((folder / one).is_file() for one in VOCABULARIES)

    def chosen(self, names: Sequence[str], name: str, options: EncoderOptions) -> set[str]:
        """See `chosen`."""
        return chosen(names, name, options, weights=self.weights)


def open_source(
    argument: str, options: EncoderOptions, *, weights: bool = True, needs: Needs | None = None, word: str = "hf"
) -> Source:
    """Return the folder of a model, downloaded where it is neither a path nor in the cache.

    Args:
        argument: A folder, or a name of the hub, `org/name` or `org/name@REVISION`.
        options: What the user asked for; `say` is told what is downloaded and how large it is, before.
        weights: Whether the weights are needed; without them only what describes a model is downloaded.
        needs: Which files are, where they are not those of transformers.
        word: What stands before the name in the spec, for messages.

    Returns:
        The snapshot, pinned to a commit where it is of the hub.

    Raises:
        UserError: There is nothing of that name, or it is not here and the hub cannot be reached.

    Note:
        What is in the cache is used as it is, without asking the hub: a model that changed there changes no figure
        here. A revision names another one.
    """
    if not argument:
        raise UserError("usage", f"Name a model: {word}:org/name, or {word}:FOLDER.")
    folder = Path(argument).expanduser()
    if folder.is_dir():
        return Source(folder, options, folder.resolve().name)
    if folder.is_file():
        raise UserError("input", f"{word}:{argument} is a file; name the folder that holds config.json.")
    name, _, revision = argument.partition("@")
    if revision and Path(name).expanduser().is_dir():
        raise UserError("input", f"{word}:{argument}: {name} is a folder, which has no revisions; give {word}:{name}.")
    if not _NAME.fullmatch(name) or argument.startswith((".", "/")) or ".." in revision:
        raise UserError("input", f"There is no folder {argument}, and it is no name of the hub (org/name); check it.")
    needs = needs or OfTransformers(weights)
    path = cached(name, revision or "main", options, needs)
    if path is None or not needs.whole(path):
        try:
            path = fetched(name, revision, options, needs, word)
        except UserError:
            if path is None:
                raise
    return Source(path, options, name, path.name)


def cached(name: str, revision: str, options: EncoderOptions, needs: Needs) -> Path | None:
    """Return the snapshot of the cache that a revision points at, None where it is not all there."""
    constants = _hub().constants
    store = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    reference = store / "refs" / revision
    commit = read_regular(reference, _LARGEST_REFERENCE).decode().strip() if reference.is_file() else revision
    folder = store / "snapshots" / commit
    if not re.fullmatch(r"[0-9a-f]{40}", commit) or not folder.is_dir():
        return None
    try:
        return folder if needs.complete(folder, options) else None
    except UserError:
        if constants.HF_HUB_OFFLINE:
            raise
        return None


def fetched(name: str, revision: str, options: EncoderOptions, needs: Needs, word: str = "hf") -> Path:
    """Download a snapshot, after saying what and how much.

    Raises:
        UserError: The hub cannot be reached or does not give the model, or has its weights as pickles only.
    """
    hub = _hub()
    with _mistakes(hub, name, word):
        listed = hub.snapshot_download(name, revision=revision or None, dry_run=True)
    wanted = needs.chosen([one.filename for one in listed], name, options)
    due = [one for one in listed if one.filename in wanted and one.will_download]
    commit = listed[0].commit_hash
    if due:
        options.say(announcement(name, commit, [one.file_size or 0 for one in due], hub.constants.HF_HUB_CACHE))
    with _mistakes(hub, name, word), _bars(hub):
        return Path(hub.snapshot_download(name, revision=commit, allow_patterns=sorted(wanted)))


def chosen(names: Sequence[str], name: str, options: EncoderOptions, *, weights: bool) -> set[str]:
    """Choose the files of a model that are needed: none in folders, and pickles only where they may be loaded.

    Raises:
        UserError: It is no model of transformers, or has no weights that may be loaded.
    """
    found = {one for one in names if _SMALL.fullmatch(one) and one not in PICKLED}
    if "config.json" not in found:
        raise UserError("input", f"{name} has no config.json: it is no model of transformers. Name another one.")
    tensors = {one for one in names if _WEIGHTS.fullmatch(one)}
    pickles = {one for one in names if _PICKLES.fullmatch(one) or one in PICKLED}
    if not weights:
        return found
    if not tensors and not (pickles and options.allow_pickle):
        what = "its weights only as pickles, which can run code (--allow-pickle)" if pickles else "no weights"
        raise UserError("checkpoint", f"{name} has {what}. Name another revision, name@REVISION, or another model.")
    return found | (tensors or pickles)


def announcement(name: str, commit: str, sizes: Sequence[int], cache: str) -> str:
    """Say what is about to be downloaded.

    Example:
        >>> announcement("org/tiny", "0123456789abcdef", [600_000_000, 5_000_000], "~/hub")
        'Downloading org/tiny (revision 0123456789ab): 2 files, 605.0 MB, into ~/hub.'
    """
    total = sum(sizes)
    unit, word = next(((unit, word) for unit, word in _UNITS if total >= unit), (1, "bytes"))
    size = f"{total / unit:.1f} {word}" if unit > 1 else f"{total} {word}"
    files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
    return f"Downloading {name} (revision {commit[:12]}): {files}, {size}, into {cache}."


def header_numbers(name: str, commit: str) -> dict[str, int]:
    """Parameters by number type, from the headers of the weights on the hub.

    Raises:
        UserError: The hub does not give them.
    """
    hub = _hub()
    with _mistakes(hub, name):
        found: dict[str, int] = dict(hub.get_safetensors_metadata(name, revision=commit).parameter_count)
    return found


def _hub() -> Any:  # noqa: ANN401 - a module
    try:
        import huggingface_hub  # noqa: PLC0415 - an extra
        import huggingface_hub.constants  # noqa: PLC0415
        import huggingface_hub.errors  # noqa: PLC0415
        import huggingface_hub.utils  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            "usage", f"Models of the hub need the package huggingface_hub ({error}). Install it: {INSTALL}"
        ) from error
    return huggingface_hub


@contextmanager
def _mistakes(hub: Any, name: str, word: str = "hf") -> Iterator[None]:  # noqa: ANN401 - a module
    """Say in one sentence why the hub gave nothing.

    Raises:
        UserError: It raised anything.
    """
    try:
        yield
    except Exception as error:  # of a network anything
        raise UserError("input", _why(hub, name, error, word)) from error


def _why(hub: Any, name: str, error: Exception, word: str) -> str:  # noqa: ANN401 - a module
    errors = hub.errors
    cause = error.__cause__ if isinstance(error, errors.DryRunError) and error.__cause__ else error
    if isinstance(cause, errors.GatedRepoError):
        return f"{name} is gated: accept its terms on the hub, then log in with: hf auth login."
    if isinstance(cause, errors.RepositoryNotFoundError):
        return f"The hub has no model {name}, or it is private: check the name, or log in with: hf auth login."
    if isinstance(cause, errors.RevisionNotFoundError):
        return f"The hub's {name} has no such revision; name another one, {name}@REVISION."
    why = "offline mode is on" if hub.constants.HF_HUB_OFFLINE else "the hub cannot be reached"
    return (
        f"{name} is not in {hub.constants.HF_HUB_CACHE}, and {why}. Where there is a network: hf download {name} "
        f"--local-dir DIR; then give {word}:DIR."
    )


@contextmanager
def _bars(hub: Any) -> Iterator[None]:  # noqa: ANN401 - a module
    """Show the hub's bars on a terminal only."""
    if not sys.stderr.isatty():
        hub.utils.disable_progress_bars()
    yield
