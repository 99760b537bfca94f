"""Where items come from: a media folder, a manifest, or a dataset known by name.

What reads them is imported when something is opened: whoever evaluates a store asks only what is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gramcli.catalog import did_you_mean
from gramcli.datasets.benchmark import Benchmark
from gramcli.datasets.catalog import DATASETS, known_names, spelled
from gramcli.datasets.items import Dataset, Item, Origin
from gramcli.datasets.names import Finder
from gramcli.datasets.splits import of_split
from gramcli.errors import UserError
from gramcli.media.kinds import kind_of, shown

__all__ = ["DATASETS", "Dataset", "Item", "open_dataset"]


def open_dataset(
    data: str,
    root: Path | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    protocol: str | None = None,
    text_only: bool = False,
) -> Dataset:
    """Open a folder, a manifest file, or a registered dataset.

    Args:
        data: A folder, a manifest (.csv, .tsv, .json, .jsonl), or a name from the catalog.
        root: Folder the media paths of a manifest start from, or where a registered dataset lies.
        split: Keep the items of this split only; `all` for every item, of a registered dataset also those of the
            splits beside the evaluated one.
        limit: Keep the first so many items, after `split`; of each split, where several of a dataset are opened.
        protocol: Protocol of a registered dataset, its default for None; for a folder or manifest, a name to record.
        text_only: Accept items of a manifest that name no media.

    Returns:
        The dataset, with at least one item.

    Raises:
        UserError: Nothing of that name, unusable content (see `read_folder`, `read_manifest`), an unknown
            split or protocol, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise UserError("usage", f"--limit must be at least 1; got {limit}.")
    dataset = _open(data, root, protocol, split, text_only=text_only)
    named = data if root is not None and spelled(data) in known_names() else str(Path(data).absolute())
    origin = Origin(named, None if root is None else str(root.absolute()), split, protocol, text_only)
    items = dataset.items[:limit] if dataset.beside is None else _first_of_each(dataset, limit)
    return replace(dataset, items=items, origin=origin)


def _first_of_each(dataset: Dataset, limit: int | None) -> tuple[Item, ...]:
    """The first items of every split that was opened: of all of them together only the evaluated one would be left."""
    seen: Counter[str | None] = Counter()
    kept = []
    for item in dataset.items:
        seen[item.split] += 1
        if limit is None or seen[item.split] <= limit:
            kept.append(item)
    return tuple(kept)


def _open(data: str, root: Path | None, protocol: str | None, split: str | None, *, text_only: bool) -> Dataset:
    from gramcli.datasets.folder import read_folder  # noqa: PLC0415 - see above
    from gramcli.datasets.manifest import read_manifest  # noqa: PLC0415

    try:
        path = Finder(cases=False).find(Path(data))
        # A folder `msrvtt` in the working directory does not hide the dataset of that name once --root is given.
        if path.is_dir() and not (root is not None and spelled(data) in known_names()):
            _refuse_text_only(data, text_only=text_only)
            return of_split(_under(read_folder(path), protocol), split)
        if path.is_file():
            _check_manifest_name(path)
            return of_split(_under(read_manifest(path, root, text_only=text_only), protocol), split)
        there = path.exists()
    except OSError as error:
        raise UserError("input", f"{shown(path)} cannot be opened ({error.strerror}); check the path.") from error
    if there and not path.is_dir():
        raise UserError("input", f"{shown(path)} is a pipe or device; name a folder or a manifest file.")
    _refuse_text_only(data, text_only=text_only)
    return _registered(data, root, protocol, split)


def _refuse_text_only(data: str, *, text_only: bool) -> None:
    if text_only:
        raise UserError(
            "usage", f"--text-only goes with a manifest; the items of {data} are made of media. Leave it out."
        )


def _under(dataset: Dataset, protocol: str | None) -> Dataset:
    return dataset if protocol is None else replace(dataset, protocol=protocol)


def _check_manifest_name(path: Path) -> None:
    from gramcli.datasets.tables import PARSERS  # noqa: PLC0415 - see above

    if path.suffix.lower() not in PARSERS:
        kind = kind_of(path)
        what = f"a {kind} file" if kind != "other" else "no manifest by its suffix"
        raise UserError("input", f"{shown(path)} is {what}; name a folder, or a manifest ({', '.join(PARSERS)}).")


def _registered(data: str, root: Path | None, protocol: str | None, split: str | None) -> Dataset:
    from gramcli.datasets.opening import open_benchmark  # noqa: PLC0415 - see above
    from gramcli.datasets.tables import PARSERS  # noqa: PLC0415

    if Path(data).suffix.lower() in PARSERS or len(Path(data).parts) > 1:
        raise UserError("input", f"{shown(Path(data))}: no such file or folder; check the path.")
    known, data = known_names(), spelled(data)
    if data not in known:
        names = f" Known datasets: {', '.join(known)}."
        message = (
            f"'{shown(Path(data))}' is no folder, manifest file or dataset name.{did_you_mean(data, known)}{names}"
        )
        raise UserError("input", f"{message} Check the path.")
    if root is None:
        raise UserError("usage", f"The dataset '{data}' needs --root, the folder that holds its files.")
    found: Benchmark | Callable[[Path], Dataset] = DATASETS.load(data)
    if isinstance(found, Benchmark):
        return open_benchmark(found, root, protocol, split)
    return of_split(_under(found(root), protocol), split)
