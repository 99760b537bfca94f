"""A shared pool: queries of each modality among the candidates of all, and which modalities the answers have.

Right is the query's item in any other modality. A query's own rows (itself, and the other texts of its item) are in
no gallery of it: they are neither right nor wrong. A model whose modalities are one space answers in each modality as
often as it stands in the gallery; most answer in the query's own (OmniSET, arXiv:2604.23321; OmniRetriever-Bench,
arXiv:2605.26641).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.directions import single_modalities
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.questions import Rows, pool_questions
from gramcli.evaluation.ranking_notes import TIE_RULES
from gramcli.evaluation.selection import TEXT, align_first
from gramcli.evaluation.views import dims_of, fitting
from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.figures import Standing, Uncertainty, cluster_index, direction_rows, interval_of, rank_vector
from gramcli.modalities import LETTERS
from gramcli.results.records import Figures, LeftOut, Questions, RankVector, ResultRow
from gramcli.scoring.ties import placed, placed_positions
from gramcli.scoring.without_own import OwnLeftOut, best_without_own, ranks_without_own
from gramcli.store.layout import reason_of
from gramcli.store.reader import Store

METHODS: Final = ("cosine", "gram")
"""With one vector on each side every method orders as one of these: signs count, or only how parallel two are."""

CUTOFFS: Final = (1, 10)
POOL: Final = "pool"


@dataclass(frozen=True)
class Part:
    """The rows of one modality.

    Attributes:
        name: The modality.
        vectors: Embeddings [n, d].
        owners: Position in the store of the item of each row, int64 [n].
        rows: What each row is in the store: a text row, else an item's position; int64 [n].
    """

    name: str
    vectors: Tensor
    owners: Tensor
    rows: Tensor

    def listed(self, ids: Sequence[str]) -> Rows:
        """The rows by the ids of their items."""
        return self.name, tuple(ids[k] for k in self.owners.tolist()), self.rows


@dataclass(frozen=True)
class Gallery:
    """All candidates.

    Attributes:
        parts: Of each modality.
        vectors: Of all, shape [N, d].
        owners: Shape [N], int64.
        modality: Number of the part of each, shape [N], int64.
    """

    parts: tuple[Part, ...]
    vectors: Tensor
    owners: Tensor
    modality: Tensor


def pool_figures(
    store: Store, items: Tensor, tasks: Sequence[object], methods: Sequence[str], options: EvalOptions
) -> Figures:
    """Rank the queries of each modality among the candidates of all.

    Args:
        store: An open store.
        items: Positions of the items to use, int64.
        tasks: None: a pool has no sides to choose.
        methods: Methods that take one vector against one; none means `METHODS`.
        options: Policy for missing modalities, device, ties, intervals.

    Returns:
        Figures of tasks `t2pool`, `v2pool` and so on, with `share@K:MODALITY`, and their chance levels.

    Raises:
        UserError: Fewer than two modalities of one dimension, or `--missing zero`.
    """
    names, notes = _modalities(store)
    items, left_out = _kept(store, names, items, options.missing)
    gallery = _gallery(store, names, items)
    found = Figures([], left_out=left_out, notes=notes)
    for name in names:
        asking = _part(store, name, names, items, asks=True)
        for method in dict.fromkeys(methods) or METHODS:
            _add(found, store, asking, gallery, method, options)
        found.questions.append(_questions(store, asking, gallery))
    found.notes.append(
        f"Shared pool of {len(gallery.owners)} candidates ({_counts(gallery)}); right is the query's item in any other "
        "modality, and no query finds itself or another text of its item."
    )
    found.notes.extend(_bias_notes(found.results, names))
    found.provenance.update(_provenance(gallery, options))
    return found


def task_of(name: str) -> str:
    """What the queries of a modality among a shared pool are called: `t2pool`."""
    letter = next((letter for letter, known in LETTERS.items() if known == name), name)
    return f"{letter}2{POOL}"


def _modalities(store: Store) -> tuple[list[str], list[str]]:
    """The modalities of the dimension of text, or of the first; and that there are others."""
    dims, names = dims_of(store), single_modalities(store)
    if not names:
        raise UserError("store", f"{store.path} holds no embedding of a single modality: no shared pool.")
    first = TEXT if TEXT in names else names[0]
    kept = [name for name in names if dims[name] == dims[first]]
    if len(kept) < 2:
        raise UserError(
            "store", f"{store.path} holds no two modalities of one dimension, so no shared pool: {align_first(store)}"
        )
    apart = [f"{name} ({dims[name]})" for name in names if name not in kept]
    return kept, [f"Not in the shared pool, for other dimensions: {', '.join(apart)}."] if apart else []


def _kept(store: Store, names: Sequence[str], items: Tensor, missing: str) -> tuple[Tensor, list[LeftOut]]:
    """Items that have every modality, or under `present` at least two; and the others."""
    if missing == "zero":
        raise UserError("usage", "--pool shared leaves no zero vectors: --missing drop, present or error.")
    stored = {name: _stored(store, name, names, asks=False) for name in names}
    has = torch.stack([store.present(one)[items] for one in stored.values()])
    keep = has.sum(dim=0) >= (2 if missing == "present" else len(names))
    left_out = [
        LeftOut(store.ids[k], name, reason_of(store.status(stored[name])[k]))
        for place, k in enumerate(items.tolist())
        if not keep[place]
        for row, name in enumerate(names)
        if not has[row, place]
    ]
    if left_out and missing == "error":
        one = left_out[0]
        raise UserError(
            "store",
            f"Shared pool: item '{one.id}' has no {one.modality} ({one.reason}). Use --missing drop or present.",
        )
    if not bool(keep.any()):
        why = f" First reason: {left_out[0].reason}." if left_out else ""
        raise UserError("store", f"Shared pool: no item of {store.path} has two modalities.{why}")
    return items[keep], left_out


def _stored(store: Store, name: str, names: Sequence[str], *, asks: bool) -> str:
    """The embedding that stands for a modality; of several vectors the one made for all others, or for its side."""
    found = fitting(name, [one for one in names if one != name], store.modalities, asks=asks)
    if found is None:
        raise UserError(
            "store", f"Shared pool: {store.path} holds several vectors of {name}, none of which stands for all others."
        )
    return found


def _part(store: Store, name: str, names: Sequence[str], items: Tensor, *, asks: bool) -> Part:
    stored = _stored(store, name, names, asks=asks)
    here = items[store.present(stored)[items]]
    if name != TEXT:
        return Part(name, store.embeddings(stored)[here], here, here)
    owners = store.caption_items()
    rows = torch.isin(owners, here).nonzero().flatten()
    return Part(name, store.embeddings(stored)[rows], owners[rows], rows)


def _gallery(store: Store, names: Sequence[str], items: Tensor) -> Gallery:
    parts = tuple(_part(store, name, names, items, asks=False) for name in names)
    sizes = torch.tensor([len(part.owners) for part in parts])
    return Gallery(
        parts,
        torch.cat([part.vectors for part in parts]),
        torch.cat([part.owners for part in parts]),
        torch.repeat_interleave(torch.arange(len(parts)), sizes),
    )


def _answers(asking: Part, gallery: Gallery) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """All rows of each query's item as (indptr, indices), and which of them are of its own modality."""
    order = torch.argsort(gallery.owners, stable=True)
    size = int(max(gallery.owners.max(), asking.owners.max())) + 1
    counts = torch.bincount(gallery.owners, minlength=size)
    first = torch.cumsum(counts, 0) - counts
    per_query = counts[asking.owners]
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), torch.cumsum(per_query, 0)])
    within = torch.arange(int(indptr[-1])) - torch.repeat_interleave(indptr[:-1], per_query)
    indices = order[torch.repeat_interleave(first[asking.owners], per_query) + within]
    return (indptr, indices), gallery.modality[indices] == _number(asking, gallery)


def _number(asking: Part, gallery: Gallery) -> int:
    return [part.name for part in gallery.parts].index(asking.name)


def _add(found: Figures, store: Store, asking: Part, gallery: Gallery, name: str, options: EvalOptions) -> None:
    """The figures of one modality's queries under one method."""
    method, task = get_method(name), task_of(asking.name)
    answers, own = _answers(asking, gallery)
    sides = {asking.name: asking.vectors}, {POOL: gallery.vectors}
    method.check(1, 1, gallery.vectors.shape[1])
    ranks = ranks_without_own(method, *sides, answers, own, device=options.device, progress=options.progress)
    own_counts = _per_query(own, answers[0])
    best = _best(method, sides, asking, gallery, own_counts, options)
    ids = tuple(store.ids[k] for k in asking.owners.tolist())
    shown = tuple(tuple(store.ids[k] for k in row) for row in gallery.owners[best[:, : options.best]].tolist())
    vector = rank_vector(
        (task, name), ids, placed(ranks.ranks, ranks.ties, ranks.right, options.ties),
        len(gallery.owners) - int(own_counts.min()), shown if options.best else (),
    )  # fmt: skip
    found.ranks.append(vector)
    found.results.extend(direction_rows(vector, "raw", _standing(ranks, options), Uncertainty(options.intervals)))
    found.results.extend(_shares(vector, best, asking, gallery, own_counts, options))


def _per_query(own: Tensor, indptr: Tensor) -> Tensor:
    """How many own rows each query has, shape [n]."""
    query = torch.repeat_interleave(torch.arange(len(indptr) - 1), indptr.diff())
    return torch.bincount(query[own], minlength=len(indptr) - 1)


def _standing(ranks: OwnLeftOut, options: EvalOptions) -> Standing:
    places, spread = placed_positions(ranks.positions, ranks.position_ties, ranks.query, options.ties)
    return Standing(ranks.ties, places, ranks.query.numpy(), spread)


def _best(
    method: AlignmentMethod,
    sides: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    asking: Part,
    gallery: Gallery,
    own_counts: Tensor,
    options: EvalOptions,
) -> Tensor:
    """The best few candidates of each query, its own rows left out, shape [n, k]."""
    number, most = _number(asking, gallery), int(own_counts.max())
    k = min(max(*CUTOFFS, options.best), len(gallery.owners) - most)

    def own(columns: Tensor) -> Tensor:
        """Which candidates are of the query's item and modality."""
        return (gallery.owners[columns] == asking.owners.unsqueeze(1)) & (gallery.modality[columns] == number)

    return best_without_own(method, *sides, own, k, most, device=options.device)


def _shares(
    vector: RankVector, best: Tensor, asking: Part, gallery: Gallery, own_counts: Tensor, options: EvalOptions
) -> list[ResultRow]:
    """Of every modality its share of the best answers, with what a random order gives."""
    rows, n, number = [], len(vector.ranks), _number(asking, gallery)
    clusters, modality = cluster_index(list(vector.query_ids)), gallery.modality[best]
    for k in (k for k in CUTOFFS if k <= best.shape[1]):
        found = {
            f"share@{k}:{part.name}": (modality[:, :k] == place).double().mean(dim=1).numpy()
            for place, part in enumerate(gallery.parts)
        }
        bounds = interval_of(found, clusters, vector.n_candidates, options.intervals)
        for place, (metric, values) in enumerate(found.items()):
            rows.append(ResultRow(vector.task, vector.method, "raw", metric, float(values.mean()), *bounds[metric], n))
            mine = own_counts if place == number else torch.zeros_like(own_counts)
            chance = (len(gallery.parts[place].owners) - mine).double() / (len(gallery.owners) - own_counts)
            rows.append(
                ResultRow(vector.task, vector.method, "raw", f"{metric}_chance", float(chance.mean()), None, None, n)
            )
    return rows


def _questions(store: Store, asking: Part, gallery: Gallery) -> Questions:
    answering = [part.listed(store.ids) for part in gallery.parts]
    return pool_questions(store, task_of(asking.name), asking.listed(store.ids), answering)


def _counts(gallery: Gallery) -> str:
    return ", ".join(f"{part.name} {len(part.owners)}" for part in gallery.parts)


def _bias_notes(results: Sequence[ResultRow], names: Sequence[str]) -> list[str]:
    """For each method how often the first answer has the query's own modality."""
    notes = []
    for method in dict.fromkeys(row.method for row in results):
        values = {(row.task, row.metric): row.value for row in results if row.method == method}
        said = []
        for name in names:
            share, chance = (values.get((task_of(name), f"share@1:{name}{end}")) or 0.0 for end in ("", "_chance"))
            said.append(f"{name} {100 * share:.0f} % (chance {100 * chance:.0f} %)")
        notes.append(f"First answers of the query's own modality, {method}: {', '.join(said)}.")
    return notes


def _provenance(gallery: Gallery, options: EvalOptions) -> dict[str, Any]:
    return {
        "relevant": options.relevant,
        "ties": TIE_RULES[options.ties],
        "pool": {part.name: len(part.owners) for part in gallery.parts},
        "intervals": {"level": 0.95, "method": options.intervals, "population": options.population},
    }
