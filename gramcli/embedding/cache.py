"""Stores that `gram eval MODEL --dataset DATA` embeds once and finds again."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.errors import UserError
from gramcli.results.documents import dump_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gramcli.datasets import Dataset


def cache_folder() -> Path:
    """Return `GRAM_CACHE`, or `~/.cache/gram` when it is not set.

    Raises:
        UserError: It would be below a home folder that is not known, as in a container of a user without an entry.
    """
    named = os.environ.get("GRAM_CACHE") or "~/.cache/gram"
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise UserError(
            "failed", f"There is no home folder for the cache {named}: set HOME, or GRAM_CACHE to a folder."
        ) from None


def cached_store_path(model: Mapping[str, Any], dataset: Dataset) -> Path:
    """Return where the store of a model and a dataset is cached.

    Args:
        model: `encoder.describe()`.
        dataset: The items to embed, after `--split` and `--limit`.

    Returns:
        A folder whose name changes with the model, its preprocessing, the items, their texts and the
        size and modification time of their media.
    """
    files = [[_stamp(file) for file in item.media.values()] for item in dataset.items]
    texts = [[item.id, item.captions, item.subtitle, item.label, item.split] for item in dataset.items]
    document = {"model": model, "dataset": [dataset.id, dataset.protocol], "texts": texts, "files": files}
    key = hashlib.sha256(dump_json(document).encode()).hexdigest()[:16]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{model['id']}-{dataset.id}").strip("-")
    return cache_folder() / "stores" / f"{name[:80]}-{key}"


def _stamp(file: Path) -> list[str | int]:
    try:
        found = file.stat()
    except OSError:
        return [str(file)]
    return [str(file), found.st_size, found.st_mtime_ns]
