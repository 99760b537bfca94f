"""What a task asks of a store: query rows, candidate rows, who answers whom, and who is left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import combinations
from shlex import quote
from typing import Literal, get_args

import torch
from torch import Tensor

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.evaluation.views import as_asked, bases, dims_of, fits, is_sided, plain
from gramcli.modalities import LETTERS, Task
from gramcli.results.records import LeftOut
from gramcli.scoring.screening import Presence
from gramcli.store.layout import OK, STAND_IN, has_row, reason_of, state
from gramcli.store.reader import Store

Missing = Literal["drop", "present", "zero", "error"]
Relevant = Literal["item", "label"]
TEXT = "text"
TRAIN = "train"


@dataclass(frozen=True)
class Selection:
    """The rows of one task.

    Attributes:
        task: The task.
        queries: Modality name to embeddings [n, d].
        candidates: Modality name to embeddings [N, d].
        positives: (indptr, indices) of the candidates that answer each query.
        present: Which modalities exist.
        query_ids: Item of each query.
        candidate_ids: Item of each candidate.
        query_rows: What each query is in the store, int64: a text row where text asks, else an item's position.
        candidate_rows: The same for candidates.
        left_out: Items the task does not cover, and why.
        whole: The task that was asked for, where this is the part of its items that have just `task.modalities`.
        relevant: Whether a query is answered by its own `item` only or by every item of its `label`.
        directions: Which of forward and backward these vectors are for; where a model embeds what asks otherwise than
            what answers, a task has one selection for each.
        source: The store, where it holds several vectors of a modality.
        named: The task in the words it was asked in, where it names views.
    """

    task: Task
    queries: dict[str, Tensor]
    candidates: dict[str, Tensor]
    positives: tuple[Tensor, Tensor]
    present: Presence
    query_ids: tuple[str, ...]
    candidate_ids: tuple[str, ...]
    query_rows: Tensor
    candidate_rows: Tensor
    left_out: tuple[LeftOut, ...]
    whole: Task | None = None
    relevant: Relevant = "item"
    directions: tuple[bool, ...] = (True, False)
    source: Store | None = None
    named: Task | None = None

    def label(self, *, forward: bool = True) -> str:
        """What the task is called in results: `t2va`, `va2t`; `t2va/t2v` for its items that have no audio."""
        tasks = [task for task in (self.whole, self.named or self.task) if task is not None]
        return "/".join((task if forward else task.reversed()).name for task in tasks)

    def pair(self, query: str, candidate: str) -> Selection:
        """A pair of a joint task, over its items; it stays a part of that task, whose querybank is its own.

        Args:
            query: A modality of the query side.
            candidate: One of the candidate side.
        """
        queries, candidates = self.queries, self.candidates
        if self.source is not None:
            seen = as_asked(self.source, Task((query,), (candidate,)), forward=self.directions[0])
            queries = {query: _vectors(seen, query, self.query_ids, self.query_rows)}
            candidates = {candidate: _vectors(seen, candidate, self.candidate_ids, self.candidate_rows)}
        return replace(self, queries={query: queries[query]}, candidates={candidate: candidates[candidate]})

    def gallery_sha256(self) -> str:
        """Hash of the query and candidate ids in order: equal only for the same items and right answers."""
        asked = ("", "relevant: label") if self.relevant == "label" else ()
        text = "\n".join((*self.query_ids, "", *self.candidate_ids, *asked))
        return hashlib.sha256(text.encode()).hexdigest()


def select(
    store: Store, task: Task, items: Tensor, missing: str, relevant: Relevant = "item", *, forward: bool | None = None
) -> Selection:
    """Gather a task's rows.

    Args:
        store: The store.
        task: Query and candidate modalities.
        items: Positions of the items to use.
        missing: `drop` leaves out items that lack a modality of the task; `present` and `zero` those that
            have none on a side; `error` refuses. Stand-ins count as lacking, except under `zero`.
        relevant: `item`: a query is answered by its own item; `label`: by all items of its label.
        forward: Whether the query side asks, where it matters for which vectors are taken (`views`); None: it does,
            and the selection is for both directions.

    Raises:
        UserError: A modality is not in the store, dimensions differ, the policy is unknown or is `error` and
            something is missing, nothing is left, or labels decide and there are none.
    """
    if missing not in get_args(Missing):
        raise UserError("usage", f"--missing '{missing}' is not one of {', '.join(get_args(Missing))}.")
    source, named, task = store, task, plain(task)
    store = as_asked(store, named, forward=forward is not False)
    check_modalities(store, task)
    zero = missing == "zero"
    has = {name: store.present(name, stand_ins=zero)[items] for name in task.modalities}
    keep = kept_items(task, has, missing)
    left_out = lacking_items(store, task, items[~keep], missing)
    items = items[keep]
    if len(items) == 0:
        raise UserError(
            "store", f"Task {task.name}: no item of {store.path} has what it needs. First reason: {left_out[0].reason}."
        )
    queries, query_items, query_present, query_rows = _side(store, task.query, items, stand_ins=zero)
    candidates, candidate_items, candidate_present, candidate_rows = _side(
        store, task.candidates, items, stand_ins=zero
    )
    masks = [*query_present.values(), *candidate_present.values()]
    partial = missing in ("present", "zero") and not all(bool(mask.all()) for mask in masks)
    return Selection(
        task=task,
        queries=queries,
        candidates=candidates,
        positives=_positives(query_items, candidate_items, groups_of(store, relevant)),
        present=Presence(query_present, candidate_present, zero) if partial else Presence(),
        query_ids=tuple(store.ids[k] for k in query_items.tolist()),
        candidate_ids=tuple(store.ids[k] for k in candidate_items.tolist()),
        query_rows=query_rows,
        candidate_rows=candidate_rows,
        left_out=left_out,
        relevant=relevant,
        directions=(True, False) if forward is None else (forward,),
        source=None if bases(source.modalities) == source.modalities else source,
        named=None if named == task else named,
    )


def groups_of(store: Store, relevant: Relevant) -> Tensor:
    """A number per item, equal for those that are right answers to each other.

    Args:
        store: The store.
        relevant: `item`, or `label`; an item without label answers itself only.

    Raises:
        UserError: Labels decide and no item has one.
    """
    own = torch.arange(len(store.ids))
    if relevant == "item":
        return own
    if not any(store.labels):
        raise UserError("usage", f"{store.path} has no labels, so they cannot say what is relevant. Leave it to items.")
    names = {name: place for place, name in reversed(list(enumerate(store.labels))) if name}
    return torch.tensor([names.get(name or "", place) for place, name in enumerate(store.labels)])


def select_directions(
    store: Store, task: Task, items: Tensor, missing: str, relevant: Relevant = "item"
) -> list[Selection]:
    """Gather a task's rows: once for both directions, or once for each where asking takes another vector.

    Args:
        store: The store.
        task: Query and candidate modalities.
        items: Positions of the items to use.
        missing: As for `select`; under `present` in groups of items that have the same.
        relevant: As for `select`.

    Raises:
        UserError: As `select`.
    """
    found = []
    for forward in (True, False) if is_sided(store, task) else (None,):
        if missing == "present":
            found += select_by_presence(store, task, items, relevant, forward=forward)
        else:
            found.append(select(store, task, items, missing, relevant, forward=forward))
    return found


def select_by_presence(
    store: Store, task: Task, items: Tensor, relevant: Relevant = "item", *, forward: bool | None = None
) -> list[Selection]:
    """Gather a task's rows in groups of items that have the same of its modalities.

    Scores over different numbers of modalities are not on one scale, so each group is ranked by itself, by the measure
    of the modalities that its items have.

    Args:
        store: The store.
        task: Query and candidate modalities.
        items: Positions of the items to use.
        relevant: As for `select`.
        forward: As for `select`.

    Returns:
        The items that have everything first; items that have nothing on a side are in `left_out`.

    Raises:
        UserError: As `select`.
    """
    found = select(store, task, items, "present", relevant, forward=forward)
    if found.present.queries is None:
        return [found]
    seen, task = as_asked(store, task, forward=forward is not False), plain(task)
    has = {name: seen.present(name)[items] for name in task.modalities}
    kept = kept_items(task, has, "present")
    patterns = torch.stack(list(has.values()), dim=1)[kept]
    groups = []
    for pattern in sorted(set(map(tuple, patterns.tolist())), reverse=True):
        names = {name for name, there in zip(has, pattern, strict=True) if there}
        part = Task(*(tuple(name for name in side if name in names) for side in (task.query, task.candidates)))
        rows = items[kept][(patterns == torch.tensor(pattern)).all(dim=1)]
        chosen = select(store, part, rows, "drop", relevant, forward=forward)
        groups.append(replace(chosen, whole=None if part == task else task))
    return [replace(groups[0], left_out=found.left_out), *groups[1:]]


def default_tasks(store: Store) -> list[Task]:
    """Every set of other modalities against text (or against the first modality where there is no text).

    Only modalities of the query's dimension count; with more than three others, the single ones and all together.

    Raises:
        UserError: The store holds fewer than two modalities of one dimension.
    """
    names = bases(store.modalities)
    query = TEXT if TEXT in names else names[0]
    others = [name for name in names if name != query and fits(store, Task((query,), (name,)))]
    if not others:
        dims = dims_of(store)
        found = ", ".join(f"'{name}' {dims[name]}" for name in dims if name != query)
        why = (
            f"'{query}' has {dims[query]} dimensions, and {found}: {align_first(store)}"
            if found
            else "nothing to align."
        )
        raise UserError("store", f"{store.path} holds no second modality of the dimension of '{query}': {why}")
    letters = list(LETTERS.values())
    others.sort(key=lambda name: letters.index(name) if name in letters else len(letters))
    plain = [name for name in others if name in letters]
    sizes = range(2, len(plain) + 1) if len(plain) <= 3 else (len(plain),)
    singles = [Task((query,), (name,)) for name in others]
    joint = [Task((query,), chosen) for size in sizes for chosen in combinations(plain, size)]
    return [task for task in singles + joint if fits(store, task)]


def zero_note(store: Store, selection: Selection) -> str:
    """What stood for the modalities that a task's items lack under `--missing zero`."""
    places = {name: k for k, name in enumerate(store.ids)}
    items = [places[name] for name in selection.candidate_ids]
    by_model, zeros = [], []
    seen = as_asked(store, selection.named or selection.task, forward=selection.directions[0])
    for name in (name for name in selection.task.modalities if name != TEXT):
        status = seen.status(name)
        stand_ins = sum(state(status[k]) == STAND_IN for k in items)
        lacking = sum(not has_row(status[k]) for k in items)
        by_model += [f"{name} {stand_ins}"] if stand_ins else []
        zeros += [f"{name} {lacking}"] if lacking else []
    said = []
    if by_model:
        said.append(f"as what the model makes of silence or no words (items: {', '.join(by_model)})")
    if zeros:
        said.append(f"as zero vectors (items: {', '.join(zeros)}), with which a volume is 0, the best there is")
    if not said:
        return f"{selection.label()}: no item lacks a modality, so --missing zero changed nothing."
    advice = " gram embed --stand-ins makes encodings for them where the model can." if zeros else ""
    return f"{selection.label()}: absent modalities were scored {' and '.join(said)}.{advice}"


def check_modalities(store: Store, task: Task) -> None:
    """Refuse a task whose modalities a store does not hold, or holds in several dimensions.

    Raises:
        UserError: So it is.
    """
    for name in task.modalities:
        if name not in store.modalities:
            raise UserError(
                "store",
                f"Task {task.name} needs '{name}', which {store.path} does not hold."
                f"{did_you_mean(name, store.modalities)} It holds: {', '.join(store.modalities)}.",
            )
    first = task.modalities[0]
    for name in task.modalities:
        if store.dims[name] != store.dims[first]:
            raise UserError(
                "embedding",
                f"Task {task.name}: '{first}' has {store.dims[first]} dimensions and '{name}' {store.dims[name]}. "
                f"Measures need one space: {align_first(store)}",
            )


def align_first(store: Store) -> str:
    """The commands that bring the modalities of a store into one space, and show it."""
    path = quote(str(store.path))
    return f"align them first: gram align {path} -o HEADS --loss gram; then: gram eval {path} --model heads:HEADS"


def kept_items(task: Task, has: dict[str, Tensor], missing: str) -> Tensor:
    """Which items a task covers, of which `has` says what they have."""
    everything = torch.stack([has[name] for name in task.modalities]).all(dim=0)
    if missing in ("drop", "error"):
        return everything
    sides = []
    for side in (task.query, task.candidates):
        # A caption row cannot exist without its text, so text is never optional on its side.
        needed = [has[name] for name in side if name == TEXT]
        some = torch.stack([has[name] for name in side]).any(dim=0)
        sides.append(torch.stack([some, *needed]).all(dim=0))
    return sides[0] & sides[1]


def lacking_items(store: Store, task: Task, dropped: Tensor, missing: str) -> tuple[LeftOut, ...]:
    """What the items at some positions lack of a task's modalities, and why.

    Raises:
        UserError: They lack something, and `missing` is `error`.
    """
    found = []
    for name in task.modalities:
        status = store.status(name)
        found += [
            (k, LeftOut(store.ids[k], name, reason_of(status[k]))) for k in dropped.tolist() if state(status[k]) != OK
        ]
    found.sort(key=lambda entry: entry[0])
    if found and missing == "error":
        first = found[0][1]
        raise UserError(
            "store",
            f"Task {task.name}: item '{first.id}' has no {first.modality} ({first.reason}), and {len(found) - 1} more. "
            "Use --missing drop or --missing present.",
        )
    return tuple(entry for _, entry in found)


def _side(
    store: Store, names: tuple[str, ...], items: Tensor, *, stand_ins: bool
) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor], Tensor]:
    """Embeddings, item of each row, masks and rows in the store of one side; one per caption where text is part."""
    captions = None
    rows = items
    if TEXT in names:
        owners = store.caption_items()
        place = torch.full((len(store.ids),), -1, dtype=torch.int64)
        place[items] = torch.arange(len(items))
        captions = (place[owners] >= 0).nonzero().flatten()
        captions = captions[torch.argsort(place[owners[captions]], stable=True)]
        rows = owners[captions]
    vectors = {name: store.embeddings(name)[captions if name == TEXT else rows] for name in names}
    present = {name: store.present(name, stand_ins=stand_ins)[rows] for name in names}
    return vectors, rows, present, rows if captions is None else captions


def _vectors(store: Store, name: str, ids: tuple[str, ...], rows: Tensor) -> Tensor:
    """Embeddings of chosen rows of one side: its text rows where text is part of it, else its items."""
    if name == TEXT:
        return store.embeddings(name)[rows]
    places = {item: place for place, item in enumerate(store.ids)}
    return store.embeddings(name)[torch.tensor([places[item] for item in ids], dtype=torch.int64)]


def _positives(query_items: Tensor, candidate_items: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    """Candidates of the same group, for every query, in order."""
    asking, answering = groups[query_items], groups[candidate_items]
    order = torch.argsort(answering, stable=True)
    counts = torch.bincount(answering, minlength=len(groups))
    first = torch.cumsum(counts, 0) - counts
    per_query = counts[asking]
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), torch.cumsum(per_query, 0)])
    offsets = torch.arange(int(indptr[-1])) - torch.repeat_interleave(indptr[:-1], per_query)
    return indptr, order[torch.repeat_interleave(first[asking], per_query) + offsets]
