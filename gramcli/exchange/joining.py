"""The `join` verb: stores of the same items, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.exchange.captions import Captions, caption_rows, match_captions
from gramcli.exchange.common_items import Items, Matched, match_items
from gramcli.exchange.operands import Operand, Part, open_operands
from gramcli.exchange.provenance import joined_dataset, joined_model
from gramcli.results.runs import Joined
from gramcli.results.watch import NOBODY, Watch
from gramcli.store.layout import Plan, absent, digest, is_text, read_inputs
from gramcli.store.notes import keep_notes
from gramcli.store.reader import open_store
from gramcli.store.rows import DIGESTS, StoreRows
from gramcli.store.shards import ShardContent
from gramcli.store.writer import StoreWriter

NOT_THERE: Final = absent("the item is not in the store that this embedding comes from")


def join_stores(
    *parts: Part, output: str | Path, items: Items = "same", overwrite: bool = False, watch: Watch = NOBODY
) -> Joined:
    """Put the embeddings of several stores of the same items side by side, as `gram join` does.

    A stopped run resumes. Vectors are read shard by shard, so memory does not grow with the stores' dimensions.

    Args:
        parts: Stores: paths, open stores, `STORE:OLD=NEW,OLD=NEW`, or pairs of a store and {old: new}.
        output: The store to write.
        items: `same`: all stores hold the same ids, in any order; `intersection` or `union` where they do not.
        overwrite: Replace a store that stands there.
        watch: Sees the progress.

    Returns:
        What was written; items stand in the order of the first store.

    Raises:
        UserError: Two embeddings of one name, other items, captions, splits or labels, a part that is no store or is
            damaged, or an output that is one of the parts.
    """
    operands = open_operands(parts)
    output = Path(output)
    _refuse_part(operands, output)
    matched = match_items(operands, items)
    rows = [StoreRows(operand.store) for operand in operands]
    captions = match_captions(operands, rows, matched)
    plan = _plan(operands, matched)
    work = _Work(operands, rows, matched, captions)
    progress = watch.stage("Joining", "shards")
    found = {
        f"part {k}, {about}": one for k, operand in enumerate(operands) for about, one in operand.store.findings.items()
    }
    with StoreWriter.open(output, plan, overwrite=overwrite) as writer:
        keep_notes(writer.path, found)
        for index in writer.missing_shards():
            writer.write_shard(index, work.content(plan.shard_range(index)))
            progress(index + 1, plan.n_shards)
        writer.finish()
        reused = writer.reused
    joined = open_store(output)
    shared = None if joined.space_unknown else joined.shared_space
    notes = (*matched.notes, *captions.notes, _space_note(operands, shared))
    return Joined(output, len(matched.items), {o.label: tuple(o.names) for o in operands}, shared, reused, notes)


class _Work:
    """The content of any shard of the joined store."""

    def __init__(
        self, operands: Sequence[Operand], rows: Sequence[StoreRows], matched: Matched, captions: Captions
    ) -> None:
        self._operands, self._rows, self._matched, self._captions = operands, rows, matched, captions

    def content(self, positions: range) -> ShardContent:
        """What the shard of these items holds."""
        embeddings: dict[str, NDArray[np.float32]] = {}
        status: dict[str, list[str]] = {}
        for k, operand in enumerate(self._operands):
            places = self._matched.places[k][positions.start : positions.stop]
            for new, old in operand.names.items():
                embeddings[new] = self._vectors(k, old, places)
                held = operand.store.rows
                status[new] = [held[at].status[old] if at >= 0 else NOT_THERE for at in places.tolist()]
        counts = self._captions.counts[positions.start : positions.stop]
        owners = np.repeat(np.arange(positions.start, positions.stop), counts)
        return ShardContent(embeddings, status, owners, self._digests(positions) if self._captions.known else None)

    def _vectors(self, k: int, name: str, places: NDArray[np.int64]) -> NDArray[np.float32]:
        there = places >= 0
        if is_text(name):
            rows = caption_rows(self._rows[k].caption_starts, places[there])
            order = self._captions.order.get(k)
            found: NDArray[np.float32] = self._rows[k].take(name, rows if order is None else order[rows])
            return found
        out = np.zeros((len(places), self._operands[k].store.dims[name]), np.float32)
        out[there] = self._rows[k].take(name, places[there])
        return out

    def _digests(self, positions: range) -> NDArray[np.int64]:
        here = np.arange(positions.start, positions.stop)
        counts, source = self._captions.counts[here], self._captions.source[here]
        owner = np.repeat(source, counts)
        out = np.empty(int(counts.sum()), np.int64)
        for k in np.unique(owner).tolist():
            places = self._matched.places[k][here[(source == k) & (counts > 0)]]
            out[owner == k] = self._rows[k].take(DIGESTS, caption_rows(self._rows[k].caption_starts, places))
        return out


def _plan(operands: Sequence[Operand], matched: Matched) -> Plan:
    fingerprints = [[operand.store.fingerprint(), dict(operand.names)] for operand in operands]
    return Plan(
        model=joined_model(operands),
        dataset=joined_dataset(operands),
        dims={new: operand.store.dims[old] for operand in operands for new, old in operand.names.items()},
        items=matched.items,
        shard_size=operands[0].store.manifest["shard_size"],
        sources={"stores": digest(fingerprints)},
        digests=_inputs(operands, matched),
    )


def _inputs(operands: Sequence[Operand], matched: Matched) -> list[dict[str, str]]:
    """What the items were made from, as far as the stores say it, and none says something else."""
    found: list[dict[str, str]] = [{} for _ in matched.items]
    other: set[tuple[int, str]] = set()
    for k, operand in enumerate(operands):
        held = read_inputs(operand.store.path, len(operand.store.ids))
        for place, at in enumerate(matched.places[k].tolist() if held else ()):
            for name, mark in held[at].items() if at >= 0 else ():
                if found[place].setdefault(name, mark) != mark:
                    other.add((place, name))
    for place, name in other:
        del found[place][name]
    return found if any(found) else []


def _refuse_part(operands: Sequence[Operand], output: Path) -> None:
    """Refuse to write into what is read: with `overwrite` it would be emptied first.

    Raises:
        UserError: The output is one of the stores, or lies in one.
    """
    there = output.resolve()
    for operand in operands:
        store = operand.store.path.resolve()
        if there == store or there.is_relative_to(store):
            raise UserError("usage", f"-o {output} is {operand.label}, which is read, or lies in it; name another.")


def _space_note(operands: Sequence[Operand], shared: bool | None) -> str:
    if shared is None:
        return (
            "Whether the parts share one space is not known. If one model made them, import each with --model NAME and "
            "--shared-space yes."
        )
    if shared:
        return "All parts are of one model, which puts its modalities in one space."
    names = list(dict.fromkeys(str(operand.store.manifest["model"].get("id")) for operand in operands))
    if len(names) == 1:
        return "The model does not put its modalities in one space, or not in the same way for each part."
    return (
        f"The parts are of {len(names)} models ({', '.join(names)}): scores across them are chance until they are "
        "aligned (gram align)."
    )
