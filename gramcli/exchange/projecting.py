"""Points in the plane for the vectors of a store: `x` and `y` of an exported table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.store.layout import has_row, is_text
from gramcli.store.reader import Store

PROJECTIONS: Final = ("pca", "umap")
_FEWEST: Final = 5  # of fewer vectors umap-learn finds no neighbours


def projected(store: Store, names: Sequence[str], how: str) -> tuple[dict[str, NDArray[np.float32]], str]:
    """Project vectors of unit length: all together where they share a space, else each embedding by itself.

    Args:
        store: The store; its vectors are held in memory.
        names: Which embeddings.
        how: `pca`, or `umap` where umap-learn is installed.

    Returns:
        Embedding -> [rows, 2], NaN where the row has no vector; and one sentence on what was projected.

    Raises:
        UserError: Another word, or umap-learn is not there.
    """
    if how not in PROJECTIONS:
        raise UserError("usage", f"--project '{how}' is none of {', '.join(PROJECTIONS)}.")
    plane = _pca if how == "pca" else _umap()
    together = store.shared_space and len({store.dims[name] for name in names}) == 1
    groups = [list(names)] if together else [[name] for name in names]
    points: dict[str, NDArray[np.float32]] = {}
    for group in groups:
        points |= _of_group(store, group, plane)
    what = "all embeddings together" if together else "each embedding by itself, as they share no space"
    return points, f"x and y are {how.upper()} of vectors of unit length, of {what}."


def _of_group(
    store: Store, names: Sequence[str], plane: Callable[[NDArray[Any]], NDArray[Any]]
) -> dict[str, NDArray[np.float32]]:
    present = {name: _present(store, name) for name in names}
    rows = [store.embeddings(name).numpy()[present[name]].astype(np.float64) for name in names]
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in rows]
    unit = np.concatenate([one / np.where(length > 0, length, 1) for one, length in zip(rows, lengths, strict=True)])
    found = np.split(plane(unit).astype(np.float32), np.cumsum([len(one) for one in rows])[:-1])
    points = {}
    for name, part in zip(names, found, strict=True):
        points[name] = np.full((len(present[name]), 2), np.nan, np.float32)
        points[name][present[name]] = part
    return points


def _present(store: Store, name: str) -> NDArray[np.bool_]:
    if is_text(name):
        return np.ones(len(store.embeddings(name)), dtype=bool)
    return np.array([has_row(status) for status in store.status(name)], dtype=bool)


def _pca(rows: NDArray[Any]) -> NDArray[Any]:
    """The two leading principal components; each points to where its largest loading is positive."""
    if not len(rows):
        return np.zeros((0, 2))
    centred = rows - rows.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    found: NDArray[Any] = centred @ (axes * signs)
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def _umap() -> Callable[[NDArray[Any]], NDArray[Any]]:
    try:
        umap: Any = import_module("umap")  # slow to load, and of no extra of ours
    except ImportError:
        raise UserError(
            "usage", "--project umap needs umap-learn: pip install umap-learn. Or use --project pca."
        ) from None

    def plane(rows: NDArray[Any]) -> NDArray[Any]:
        """UMAP by cosine, with a fixed seed."""
        if len(rows) < _FEWEST:
            raise UserError("usage", f"UMAP needs {_FEWEST} vectors, here are {len(rows)}; use --project pca.")
        found: NDArray[Any] = umap.UMAP(n_components=2, metric="cosine", random_state=0).fit_transform(rows)
        return found

    return plane
