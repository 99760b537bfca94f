"""The checks of one subject: what is compared with what, and what the outcome means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.encoders.soundness.difference import UNIT, Tolerance, cosine_difference, rank_difference
from gramcli.encoders.soundness.probes import N, Probes, backwards
from gramcli.encoders.soundness.runner import (
    Batches,
    Fault,
    Found,
    Items,
    Subject,
    crowded,
    other_threads,
    pairs,
    permuted,
    rows_of,
    singles,
    whole,
)
from gramcli.errors import UserError
from gramcli.results.soundness import SoundnessCheck, Verdict

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder
    from gramcli.encoders.soundness.elsewhere import Answers

TWICE: Final = "same input twice"
ALONE: Final = "alone or in a batch"
PADDED: Final = "padded or not"
SIZE: Final = "another batch size"
PERMUTED: Final = "permuted batch"
THREADS: Final = "other threads"
BESIDE: Final = "beside others"
AGAIN: Final = "loaded again"
PRECISION: Final = "other precision"
REVERSED: Final = "frames reversed"
ENCODES: Final = "encodes"
DIMENSIONS: Final = "dimensions"
FLOAT32: Final = "float32"
FINITE: Final = "finite"
LENGTH: Final = "unit length"
APART: Final = "inputs told apart"


Judge = Callable[[str, NDArray[Any], NDArray[Any]], SoundnessCheck]


@dataclass(frozen=True)
class Comparison:
    """Two ways of encoding the same items that must give the same rows.

    Attributes:
        name: Of the check.
        mixed: Whether the items are of different lengths and sizes.
        before: The batches of the one.
        after: The batches of the other.
        means: What is wrong where they differ.
        unless: A check that says it already, where that failed.
    """

    name: str
    mixed: bool
    before: Callable[[int], Batches]
    after: Callable[[int], Batches]
    means: str
    unless: str = TWICE


COMPARISONS: Final = (
    Comparison(
        TWICE, True, whole, whole, "one input gives another vector each time: a crop, a flip or dropout is left on"
    ),
    Comparison(ALONE, False, singles, whole, "a row depends on what stands beside it in the batch"),
    Comparison(
        PADDED, True, singles, whole, "padding leaks into shorter inputs: a mask or a position is wrong", unless=ALONE
    ),
    Comparison(SIZE, False, pairs, crowded, "a row depends on how many are encoded together"),
    Comparison(PERMUTED, False, permuted, whole, "a row depends on its place in the batch"),
)


@dataclass
class Examination:
    """The checks of one subject of an encoder, each a method that yields records.

    Attributes:
        encoder: The encoder.
        subject: Which embeddings, made of which inputs.
        probes: The inputs, by modality.
        due: What rows may differ by.
    """

    encoder: Encoder
    subject: Subject
    probes: Mapping[str, Probes]
    due: Tolerance
    _made: dict[tuple[bool, str], Found] = field(default_factory=dict)
    _failed: dict[str, set[str]] = field(default_factory=dict)

    def items(self, *, mixed: bool = False) -> Items:
        """The probes of the subject."""
        return {name: self.probes[name].mixed if mixed else self.probes[name].even for name in self.subject.inputs}

    def rows(self, way: Callable[[int], Batches], *, mixed: bool = False) -> Found:
        """Rows of the probes in some batches; each way is encoded once."""
        key = (mixed, getattr(way, "__name__", ""))
        if key not in self._made:
            self._made[key] = rows_of(self.encoder, self.subject, self.items(mixed=mixed), way(N))
        return self._made[key]

    def form(self) -> Iterator[SoundnessCheck]:
        """Whether it encodes the probes in one batch, and gives rows of the form that the protocol asks for."""
        try:
            found = self.rows(whole)
        except (Fault, UserError) as error:
            yield from self._each(ENCODES, "failed", str(error))
            return
        yield from self._each(ENCODES, "ok", "")
        for name, rows in found.items():
            due = self.encoder.dims[name]
            wrong = {
                DIMENSIONS: f"dims says {due}, encode gives {rows.shape[1]}" if rows.shape[1] != due else "",
                FLOAT32: f"rows are {rows.dtype}" if rows.dtype != np.float32 else "",
                FINITE: "" if np.isfinite(rows).all() else "rows hold NaN or infinity",
                LENGTH: lengths_said(rows),
            }
            yield from (self._record(check, name, "failed" if said else "ok", said) for check, said in wrong.items())
            yield self._apart(name, rows)

    def compare(self, one: Comparison) -> Iterator[SoundnessCheck]:
        """One of `COMPARISONS`; the ways of the first one are encoded afresh."""

        def both() -> tuple[Found, Found]:
            before = self.rows(one.before, mixed=one.mixed)
            if one.name != TWICE:
                return before, self.rows(one.after, mixed=one.mixed)
            return before, rows_of(self.encoder, self.subject, self.items(mixed=one.mixed), one.after(N))

        yield from self._compared(one.name, both, partial(self._judged, one.name, one.means), unless=one.unless)

    def threads(self) -> Iterator[SoundnessCheck]:
        """Another number of threads, whose rounding may differ: no bits are due."""

        def both() -> tuple[Found, Found]:
            before = self.rows(whole)
            with other_threads():
                return before, rows_of(self.encoder, self.subject, self.items(), whole(N))

        means = "a row depends on the number of threads"
        yield from self._compared(THREADS, both, partial(self._judged, THREADS, means, bits=False))

    def precision(self, other: Encoder, words: str) -> Iterator[SoundnessCheck]:
        """Another precision: how far the rows move is told, not judged."""

        def told(name: str, before: NDArray[Any], after: NDArray[Any]) -> SoundnessCheck:
            moved = _moved(before, after)
            said = words if moved[0] else f"{words}: the same vectors"
            return SoundnessCheck(PRECISION, name, "note", *moved, detail=said)

        def both() -> tuple[Found, Found]:
            return self.rows(whole), rows_of(other, self.subject, self.items(), whole(N))

        yield from self._compared(PRECISION, both, told, unless=AGAIN, verdict="note")

    def again(self, answers: Answers) -> Iterator[SoundnessCheck]:
        """The same model loaded in another process, where each input is asked alone, the last one first.

        Args:
            answers: What that process gave, of every subject.
        """
        sets = [mixed for mixed in (False, True) if (mixed, singles.__name__) in self._made]

        def both() -> tuple[Found, Found]:
            if not sets:
                raise Fault("not told apart from what failed above")
            before = [self.rows(singles, mixed=mixed) for mixed in sets]
            return _joined(before), _joined([_answered(answers[self.subject, mixed]) for mixed in sets])

        means = (
            "another process, asked in another order, gives other vectors: weights are drawn where they should be "
            "loaded, text goes through hash(), or earlier inputs are remembered"
        )
        yield from self._compared(
            AGAIN, both, partial(self._judged, AGAIN, means), verdict="failed" if sets else "note"
        )

    def time(self) -> Iterator[SoundnessCheck]:
        """Frames in reverse: whether the order of frames reaches the vector at all."""
        if self.subject.inputs != ("video",):
            return
        if self.encoder.preprocessing.frames < 2:
            yield from self._each(REVERSED, "note", "sees one frame of each video")
            return

        def told(name: str, before: NDArray[Any], after: NDArray[Any]) -> SoundnessCheck:
            moved = _moved(before, after)
            said = "sees time" if moved[0] > self.due.cosine else "blind to the order of frames"
            return SoundnessCheck(REVERSED, name, "note", *moved, detail=said)

        def both() -> tuple[Found, Found]:
            clips = {"video": [backwards(one) for one in self.probes["video"].even]}
            return self.rows(whole), rows_of(self.encoder, self.subject, clips, whole(N))

        yield from self._compared(REVERSED, both, told)

    def odd(self) -> Iterator[SoundnessCheck]:
        """Nothing at all, and very much: a finite unit vector, the same each time, or one sentence."""
        for modality in self.subject.inputs:
            for what, media in self.probes[modality].odd.items():
                yield self._odd(what, modality, media)

    def beside(self, together: Found) -> Iterator[SoundnessCheck]:
        """Whether a row changes when other modalities of the item are encoded with it, as `gram embed` does.

        Args:
            together: Rows that were made so.
        """
        means = "a row depends on the other modalities that are encoded with it"
        yield from self._compared(BESIDE, lambda: (self.rows(whole), together), partial(self._judged, BESIDE, means))

    def _apart(self, name: str, rows: NDArray[Any]) -> SoundnessCheck:
        """Whether different inputs have different rows: one vector for all passes every comparison with itself."""
        if not np.isfinite(rows).all():
            return self._record(APART, name, "note", "not told apart from what failed above")
        if cosine_difference(rows, np.repeat(rows[:1], len(rows), axis=0)) <= self.due.cosine:
            return self._record(APART, name, "failed", "every input has the same vector: nothing of it is seen")
        alike = len(rows) - len(np.unique(rows, axis=0))
        said = f"{alike} of {len(rows)} different inputs have the vector of another one" if alike else ""
        return self._record(APART, name, "note" if alike else "ok", said)

    def _odd(self, what: str, modality: str, media: Any) -> SoundnessCheck:  # noqa: ANN401 - as the protocol
        record = partial(SoundnessCheck, what, modality)
        try:
            found, again = (rows_of(self.encoder, self.subject, {modality: [media]}, whole(1)) for _ in range(2))
        except UserError as error:
            return record("note", detail=f"said: {error}")
        except Fault as error:
            return record("failed", detail=str(error))
        said = next((f"{name}: {wrong}" for name, rows in found.items() if (wrong := _unusable(rows))), "")
        if (
            not said
            and not self._failed.get(TWICE)
            and any(_moved(rows, again[name])[0] > self.due.cosine for name, rows in found.items())
        ):
            said = "encoded twice it gives two vectors: a part of it is taken at random"
        return record("failed" if said else "ok", detail=said)

    def _compared(
        self,
        check: str,
        both: Callable[[], tuple[Found, Found]],
        judge: Judge,
        unless: str = TWICE,
        verdict: Verdict = "failed",
    ) -> Iterator[SoundnessCheck]:
        """Judge two makings of the rows; an embedding of which an earlier check says all there is to say is noted."""
        told = {name for earlier in (ENCODES, FINITE, TWICE, unless) for name in self._failed.get(earlier, ())}
        left = [name for name in self.subject.names if name not in told]
        try:
            before, after = both() if left else ({}, {})
        except (Fault, UserError) as error:
            yield from (self._record(check, name, verdict, str(error)) for name in left)
            return
        for name in self.subject.names:
            if name in told:
                yield SoundnessCheck(check, name, "note", detail="not told apart from what failed above")
            else:
                yield judge(name, before[name], after[name])

    def _judged(
        self, check: str, means: str, name: str, before: NDArray[Any], after: NDArray[Any], *, bits: bool = True
    ) -> SoundnessCheck:
        if np.array_equal(before, after):
            return SoundnessCheck(check, name, "ok", 0.0, 0)
        if not (np.isfinite(before).all() and np.isfinite(after).all()):
            return self._record(check, name, "failed", "rows hold NaN or infinity")
        if before.shape != after.shape:
            return self._record(check, name, "failed", f"{after.shape[1]} dimensions where {before.shape[1]} were")
        moved = _moved(before, after)
        if moved[0] > self.due.cosine:
            return replace(
                self._record(check, name, "failed", means), cosine_difference=moved[0], rank_difference=moved[1]
            )
        differs = bits and self.due.same_bits
        said = "by rounding alone" if differs else "rounding, and no bits are due here"
        return SoundnessCheck(check, name, "differs" if differs else "ok", *moved, detail=said)

    def _each(self, check: str, verdict: Verdict, detail: str) -> Iterator[SoundnessCheck]:
        yield from (self._record(check, name, verdict, detail) for name in self.subject.names)

    def _record(self, check: str, name: str, verdict: Verdict, detail: str) -> SoundnessCheck:
        """A record without figures; what failed is remembered."""
        if verdict == "failed":
            self._failed.setdefault(check, set()).add(name)
        return SoundnessCheck(check, name, verdict, detail=detail)


def lengths_said(rows: NDArray[Any]) -> str:
    """What is wrong with the lengths of rows; empty where nothing is."""
    lengths = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1))
    finite = lengths[np.isfinite(lengths)]
    if not len(finite) or np.abs(finite - 1).max() <= UNIT:
        return ""
    return f"rows have lengths from {finite.min():.4g} to {finite.max():.4g}"


def _moved(before: NDArray[Any], after: NDArray[Any]) -> tuple[float, int]:
    return cosine_difference(before, after), rank_difference(before, after)


def _answered(found: Found | str) -> Found:
    if isinstance(found, str):
        raise Fault(f"in another process: {found}")
    return found


def _joined(sets: Sequence[Found]) -> Found:
    return {name: np.concatenate([found[name] for found in sets]) for name in sets[0]}


def _unusable(rows: NDArray[Any]) -> str:
    if not np.isfinite(rows).all():
        return "NaN or infinity"
    return "a vector of zeros" if not rows.any() else lengths_said(rows)
