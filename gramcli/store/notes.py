"""What was found of a model while a store was made: notes.json, for whoever evaluates the store.

It is no part of the store's identity. What a look at the encoder finds is known only once the plan is written and
shards are being made; the plan, and the bytes of every other file, are the same with it and without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gramcli.files.reading import read_regular
from gramcli.files.writing import write_atomic
from gramcli.results.schema import Source, read_json

NOTES: Final = "notes.json"


def read_notes(store: Path) -> dict[str, str]:
    """Read what was found.

    Args:
        store: The store's directory.

    Returns:
        What it is about, the last word of which is the embedding -> one sentence; empty where nothing was found.

    Raises:
        UserError: The file is damaged.
    """
    source = Source(store / NOTES, "store", "Remove it: no figure depends on it, but look at the model (gram doctor).")
    try:
        data = read_regular(store / NOTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise source.wrong(f" cannot be read ({error.strerror})") from error
    return read_json(data, dict[str, str], source)


def keep_notes(store: Path, found: Mapping[str, str]) -> None:
    """Add to what was found; of one thing the last word counts.

    Args:
        store: The store's directory, which the caller is writing.
        found: What it is about -> one sentence.

    Raises:
        UserError: The file that is there is damaged, or the disk refuses.
    """
    before = read_notes(store) if found else {}
    if (now := {**before, **found}) != before:
        write_atomic(store / NOTES, (json.dumps(now, indent=2, sort_keys=True) + "\n").encode("ascii"))
