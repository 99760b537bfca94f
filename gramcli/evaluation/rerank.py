"""Second-stage scores: a matching head over the best few of a first stage, from the media themselves.

What a text attends to (thousands of tokens an item) is too much to keep for every item, so it is made again: each
item is decoded and goes through the towers once, is matched with the texts that have it on their shortlist or that
it has on its own, and is forgotten. Memory is that of one item and one chunk of pairs, whatever the dataset.

What decodes is imported when a head is asked: every evaluation imports this file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from gramcli.encoders.base import Encoder
from gramcli.errors import UserError
from gramcli.evaluation.selection import Selection
from gramcli.files.reading import NOWHERE, stamp
from gramcli.methods.base import AlignmentMethod
from gramcli.metrics.figures import Standing, Uncertainty, direction_rows, rank_vector
from gramcli.modalities import LETTERS, Task
from gramcli.results.records import RankVector, ResultRow
from gramcli.scoring.positives import read_positives
from gramcli.scoring.ranking import Ranks, top_k
from gramcli.scoring.reranking import rerank
from gramcli.scoring.ties import placed, placed_positions
from gramcli.store.layout import ABSENT, TEXT, input_digest, read_inputs, reason_of, state
from gramcli.store.reader import Store

if TYPE_CHECKING:
    from gramcli.datasets.items import Dataset, Item
    from gramcli.embedding.reading import Had, Missing
    from gramcli.embedding.workers import Lost

_ORDER = "vasd"
Wanted = dict[str, dict[int, set[int]]]
"""Condition letters -> item -> text rows to be matched with it; positions in the store."""

Found = dict[str, dict[tuple[int, int], float]]
"""Condition letters -> (item, text row) -> probability that they belong together."""


class Matcher(Encoder, Protocol):
    """An encoder with a matching head."""

    def conditions(self, inputs: Mapping[str, Any], letters: Sequence[str]) -> dict[str, Tensor]:
        """What texts attend to, for several sets of modalities: [B, tokens, width] each."""

    def match(self, condition: Tensor, texts: Sequence[str]) -> Tensor:
        """Probabilities [B, n]."""


@dataclass(frozen=True)
class Reranker:
    """The matching head of a model over a dataset.

    Attributes:
        dataset: The items that were embedded, with their media.
        encoder: The model that embedded them; it has a matching head.
        top: Length of the shortlist.
        workers: Processes that decode.
        time_limit: Seconds a file may take.
        progress: Called with (items done, items in all).
    """

    dataset: Dataset
    encoder: Matcher
    top: int = 50
    workers: int = 1
    time_limit: float = 60.0
    progress: Callable[[int, int], None] | None = field(default=None, compare=False)

    @property
    def stage(self) -> str:
        """What figures of this stage are called."""
        return f"rerank({self.top})"

    def scores(self, store: Store, wanted: Wanted) -> Found:
        """Match items with texts.

        Args:
            store: The dataset's store; its rows are what `wanted` names.
            wanted: Which pairs.

        Returns:
            A probability for every pair.

        Raises:
            UserError: A file that was embedded cannot be read again, or captions are not those of the store.
        """
        items = {item.id: item for item in self.dataset.items}
        texts = _captions(store, items)
        found: Found = {letters: {} for letters in wanted}
        positions = sorted({item for rows in wanted.values() for item in rows})
        needed = {letters: _modalities(letters) for letters in wanted}
        for done, (position, inputs) in enumerate(self._read(store, items, positions, wanted, needed), 1):
            asked = [letters for letters, rows in wanted.items() if position in rows]
            conditions = self.encoder.conditions(inputs, asked)
            for letters in asked:
                rows = sorted(wanted[letters][position])
                values = self.encoder.match(conditions[letters], [texts[row] for row in rows])[0]
                found[letters] |= {(position, row): value for row, value in zip(rows, values.tolist(), strict=True)}
            if self.progress:
                self.progress(done, len(positions))
        return found

    def _read(
        self,
        store: Store,
        items: Mapping[str, Item],
        positions: Sequence[int],
        wanted: Wanted,
        needed: Mapping[str, Sequence[str]],
    ) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        """Read and prepare what the items need, some ahead of the model."""
        from gramcli.embedding.reading import Reader  # noqa: PLC0415 - see above
        from gramcli.embedding.workers import open_pool  # noqa: PLC0415

        reader = Reader(self.encoder.preprocessing, self.encoder.prepare, self.dataset.media_root)
        with open_pool(reader, self.workers, self.time_limit) as pool:
            waiting: deque[tuple[int, dict[str, Any]]] = deque()
            recorded = read_inputs(store.path, len(store.rows)) or [{}] * len(store.rows)
            rest = iter(positions)
            while True:
                while len(waiting) <= 2 * self.workers and (position := next(rest, None)) is not None:
                    item = items[store.ids[position]]
                    names = {n for letters, rows in wanted.items() if position in rows for n in needed[letters]}
                    for name in sorted(names & item.media.keys()):
                        self._check_unchanged(item, name, recorded[position].get(name))
                    waiting.append((position, {name: _asked(item, name, pool) for name in sorted(names)}))
                if not waiting:
                    return
                position, asked = waiting.popleft()
                yield position, {name: [self._answer(store.ids[position], name, one)] for name, one in asked.items()}

    def _check_unchanged(self, item: Item, name: str, recorded: str | None) -> None:
        from gramcli.embedding.reading import identity  # noqa: PLC0415 - see above

        now = identity(item.media[name], self.dataset.media_root)
        if recorded not in (None, input_digest(now)) and now[1:] != NOWHERE:  # else the reader says it is gone
            raise UserError(
                "media",
                f"Re-ranking needs the {name} of item {item.id!r} again, but its file changed after it was embedded. "
                "Run the command again.",
            )

    def _answer(self, item: str, name: str, asked: Any) -> Any:  # noqa: ANN401 - whatever the encoder takes
        from gramcli.embedding.reading import Had, Missing  # noqa: PLC0415 - see above
        from gramcli.embedding.workers import Lost  # noqa: PLC0415

        result: Had | Missing | Lost = asked if isinstance(asked, Had | Missing) else asked.result()
        if isinstance(result, Had):
            return result.value
        if isinstance(result, Missing) and state(result.status) == ABSENT and name in self.encoder.stand_ins:
            return self.encoder.stand_ins[name]
        reason = result.reason if isinstance(result, Lost) else reason_of(result.status)
        raise UserError("media", f"Re-ranking needs the {name} of item {item!r} again, but {reason}")


def condition_letters(task: Task) -> str | None:
    """The modalities a text is matched with: those of the other side, as letters; None where the head has none.

    Args:
        task: A task with text alone on one side.

    Example:
        >>> condition_letters(Task(("text",), ("audio", "video"))), condition_letters(Task(("vas",), ("text",)))
        ('va', 'vas')
        >>> condition_letters(Task(("text",), ("image",)))
    """
    others = task.candidates if task.query == (TEXT,) else task.query if task.candidates == (TEXT,) else ()
    letter_of = {name: letter for letter, name in LETTERS.items()}
    letters = {letter for name in others for letter in letter_of.get(name, name)}
    if not letters or not letters <= set(_ORDER):
        return None
    return "".join(letter for letter in _ORDER if letter in letters)


@dataclass(frozen=True)
class Ranked:
    """A task under a method, as the first stage ranked it."""

    selection: Selection
    name: str
    method: AlignmentMethod
    ranks: Ranks


@dataclass(frozen=True)
class _Shortlisted:
    """A ranked task, what its texts are matched with, and the shortlists of both directions."""

    ranked: Ranked
    letters: str
    forward: Tensor
    backward: Tensor


def _exhaustive_notes(selections: Sequence[Selection], reranker: Reranker) -> list[str]:
    """Say where the shortlist is the whole gallery: then the first stage, and so the method, decides nothing."""
    galleries = {
        selection.label(forward=forward): len(gallery)
        for selection in selections
        for forward, gallery in ((True, selection.candidate_ids), (False, selection.query_ids))
    }
    return [
        f"{label}: {reranker.stage} re-ranks all {size} candidates, so every method ends with the same order; a "
        "smaller --rerank-top tells them apart."
        for label, size in galleries.items()
        if size <= reranker.top
    ]


def rerank_all(
    store: Store, reranker: Reranker, ranked: Sequence[Ranked], device: str, uncertainty: Uncertainty | None = None
) -> tuple[list[ResultRow], list[RankVector], list[str]]:
    """Figures and ranks of the second stage, for every task that has one.

    Args:
        store: What was ranked.
        reranker: The matching head.
        ranked: The first stage.
        device: Where shortlists are computed.
        uncertainty: As for `gramcli.metrics.figures.direction_rows`.

    Returns:
        Result rows, rank vectors named `METHOD rerank(K)`, and notes on tasks that were left as they are.

    Raises:
        UserError: As `Reranker.scores`.
    """
    wanted: Wanted = {}
    lists, notes = [], []
    for one in ranked:
        letters = condition_letters(one.selection.task)
        if letters is None or one.selection.present.queries is not None:
            rule = "texts are matched with video, audio, subtitles and depth, none of them absent"
            notes.append(f"{one.selection.label()}: not re-ranked: {rule}.")
            continue
        found = _Shortlisted(one, letters, *_shortlists(one.selection, one.method, reranker.top, device))
        want(wanted, letters, one.selection, (found.forward, found.backward))
        lists.append(found)
    notes += _exhaustive_notes([one.ranked.selection for one in lists], reranker)
    scores = reranker.scores(store, wanted) if wanted else {}
    results: list[ResultRow] = []
    vectors: list[RankVector] = []
    for shortlisted in lists:
        for forward in shortlisted.ranked.selection.directions:
            found_scores = scores[shortlisted.letters]
            vector, rows = _second_figures(shortlisted, found_scores, reranker.stage, forward, uncertainty)
            results += rows
            vectors.append(vector)
    return results, vectors, notes


def _shortlists(selection: Selection, method: AlignmentMethod, top: int, device: str) -> tuple[Tensor, Tensor]:
    """The best candidates of each query, and the best queries of each candidate."""
    sides = (selection.queries, selection.candidates), (selection.candidates, selection.queries)
    sizes = len(selection.candidate_ids), len(selection.query_ids)
    forward, backward = (
        top_k(method, *side, min(top, size), device=device)[1] for side, size in zip(sides, sizes, strict=True)
    )
    return forward, backward


def _second_figures(
    shortlisted: _Shortlisted,
    scores: Mapping[tuple[int, int], float],
    stage: str,
    forward: bool,
    uncertainty: Uncertainty | None,
) -> tuple[RankVector, list[ResultRow]]:
    selection, ranks = shortlisted.ranked.selection, shortlisted.ranked.ranks
    pairs = read_positives(selection.positives, len(selection.query_ids), len(selection.candidate_ids))
    if forward:
        first: Tensor | None = ranks.forward
        places, shortlist = ranks.forward_positions, shortlisted.forward
        ids, n = selection.query_ids, len(selection.candidate_ids)
    else:
        first, places, shortlist = ranks.backward, ranks.backward_positions, shortlisted.backward
        pairs = pairs.reversed()
        ids, n = selection.candidate_ids, len(selection.query_ids)
    if first is None or places is None:
        raise ValueError("rank was asked for both directions and every positive")
    looked_up = _looked_up(selection, scores, shortlist, forward)
    second = rerank(pairs, first, places, shortlist, looked_up)
    answers = selection.candidate_ids if forward else selection.query_ids
    order = shortlist.gather(1, looked_up.argsort(dim=1, descending=True, stable=True))
    vector = rank_vector(
        (selection.label(forward=forward), shortlisted.ranked.name),
        ids,
        placed(second.best, second.ties, second.right, "mean"),
        n,
        tuple(tuple(answers[k] for k in row) for row in order.tolist()),
    )
    places, spread = placed_positions(second.positions, second.position_ties, pairs.query, "mean")
    rows = direction_rows(vector, stage, Standing(second.ties, places, pairs.query.numpy(), spread), uncertainty)
    return replace(vector, method=f"{vector.method} {stage}"), rows


def _looked_up(
    selection: Selection, scores: Mapping[tuple[int, int], float], shortlist: Tensor, forward: bool
) -> Tensor:
    """Scores of a shortlist [n, k], as the matcher gave them by item and text row."""
    text_asks = (selection.task.query == (TEXT,)) == forward
    asking, answering = (selection.query_rows, selection.candidate_rows)[:: 1 if forward else -1]
    keys = [
        [(other, row) if text_asks else (row, other) for other in others]
        for row, others in zip(asking.tolist(), answering[shortlist].tolist(), strict=True)
    ]
    return torch.tensor([[scores[key] for key in row] for row in keys])


def want(wanted: Wanted, letters: str, selection: Selection, shortlists: Sequence[Tensor]) -> None:
    """Add the pairs of both directions' shortlists.

    Args:
        wanted: What is asked for so far; added to.
        letters: Modalities of the condition.
        selection: The task's rows.
        shortlists: For queries [n, k] of candidates, for candidates [N, k] of queries.
    """
    rows = wanted.setdefault(letters, {})
    text_asks = selection.task.query == (TEXT,)
    sides = selection.query_rows.tolist(), selection.candidate_rows.tolist()
    for forward, shortlist in zip((True, False), shortlists, strict=True):
        for asking, answers in enumerate(shortlist.tolist()):
            for answering in answers:
                query, candidate = (asking, answering) if forward else (answering, asking)
                text, item = (
                    (sides[0][query], sides[1][candidate]) if text_asks else (sides[1][candidate], sides[0][query])
                )
                rows.setdefault(item, set()).add(text)


def _modalities(letters: str) -> tuple[str, ...]:
    return tuple(LETTERS[letter] for letter in letters)


def _captions(store: Store, items: Mapping[str, Item]) -> list[str]:
    """The text of every text row, from the dataset; the store keeps vectors only."""
    texts: list[str] = []
    for row in store.rows:
        captions = items[row.id].captions if row.id in items else ()
        if row.captions and len(captions) != row.captions:
            raise UserError(
                "input",
                f"Item {row.id!r} has {row.captions} embedded captions and {len(captions)} in the dataset: "
                "they cannot be matched. Embed the dataset again.",
            )
        texts += captions[: row.captions]
    return texts


def _asked(item: Item, name: str, pool: Any) -> Any:  # noqa: ANN401 - a future, or a text
    from gramcli.embedding.reading import Had, Missing  # noqa: PLC0415 - see above

    if name == "subtitle":
        return Had(item.subtitle) if item.subtitle is not None else Missing("absent: no subtitle")
    if name not in item.media:
        return Missing(f"absent: no {name} file")
    return pool.submit(name, item.media[name], stamp(item.media[name]))
