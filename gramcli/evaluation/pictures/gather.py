"""Which pictures of a store are made: of which tasks, and under which methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar

from gramcli.errors import UserError
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.pictures.blocks import block
from gramcli.evaluation.pictures.distributions import score_distribution
from gramcli.evaluation.pictures.occurrences import occurrences
from gramcli.evaluation.pictures.projection import modality_map
from gramcli.evaluation.pictures.spectra import spectrum
from gramcli.evaluation.selection import Selection, default_tasks, select_directions
from gramcli.methods import METHODS, get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.modalities import Task
from gramcli.results.pictures import Pictures
from gramcli.store.reader import Store
from gramcli.store.splits import chosen_items

PictureKind = Literal["scores", "spectra", "maps", "hubs", "matrices"]
KINDS: Final[tuple[PictureKind, ...]] = ("scores", "spectra", "maps", "hubs", "matrices")

MOST_PANELS: Final = 8
"""Pictures of one kind, unless tasks and methods were named."""

MOST_MATRICES: Final = 4
FoundT = TypeVar("FoundT")
Chosen = tuple[str, AlignmentMethod]


def pictures_of(
    store: Store,
    *,
    tasks: Sequence[Task] = (),
    methods: Sequence[str] = (),
    options: EvalOptions | None = None,
    kinds: Sequence[PictureKind] = KINDS,
) -> Pictures:
    """Compute what figures show of a store's vectors.

    Args:
        store: An open store.
        tasks: Tasks, each in its own direction; none means the one of most modalities.
        methods: Method names; none means every one that fits.
        options: Split, limit, policy for missing modalities, seed.
        kinds: Which pictures.

    Raises:
        UserError: As `gramcli.evaluation.measure.measure`.
    """
    options = options or EvalOptions()
    items = chosen_items(store, options.split, options.limit)
    wanted = list(dict.fromkeys(tasks)) or _widest(store)
    found = [select_directions(store, task, items, options.missing, options.relevant)[0] for task in wanted]
    named = [(name, get_method(name)) for name in dict.fromkeys(methods) or METHODS.names()]
    seed = options.seed

    def under_each(
        kind: PictureKind, make: Callable[[Selection, str, AlignmentMethod, int], FoundT], most: int
    ) -> tuple[FoundT, ...]:
        """One picture per task and method that takes it."""
        runs = [(s, n, m) for s in found for n, m in named if methods or _accepts(m, s)] if kind in kinds else []
        return tuple(make(s, n, m, seed) for s, n, m in runs[: len(runs) if methods else most])

    return Pictures(
        scores=under_each("scores", score_distribution, MOST_PANELS),
        spectra=tuple(spectrum(one, seed) for one in found) if "spectra" in kinds else (),
        maps=tuple(modality_map(one, seed) for one in found) if "maps" in kinds else (),
        hubs=under_each("hubs", occurrences, MOST_PANELS),
        matrices=under_each("matrices", block, MOST_MATRICES),
    )


def _widest(store: Store) -> list[Task]:
    """The default task of most modalities, the first of them."""
    return [max(default_tasks(store), key=lambda task: len(task.modalities))]


def _accepts(method: AlignmentMethod, selection: Selection) -> bool:
    try:
        method.check(len(selection.queries), len(selection.candidates), next(iter(selection.queries.values())).shape[1])
    except UserError:
        return False
    return not (method.name == "triangle" and selection.present.queries is not None)
