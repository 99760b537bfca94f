"""The whole examination of an encoder: every modality by itself, what is fused, another precision, raw lengths."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from gramcli.encoders.soundness.checks import AGAIN, BESIDE, COMPARISONS, PRECISION, Examination
from gramcli.encoders.soundness.difference import array_of, tolerance
from gramcli.encoders.soundness.probes import N, Probes, probes_of
from gramcli.encoders.soundness.runner import Fault, Items, Subject, prepared, rows_of, whole
from gramcli.errors import UserError
from gramcli.modalities import base_of
from gramcli.results.soundness import Soundness, SoundnessCheck, Verdict
from gramcli.results.watch import Progress

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder
    from gramcli.encoders.soundness.elsewhere import SecondProcess

NORMS: Final = "raw length"
Reload = Callable[[str], "Encoder"]
"""Loads the encoder again in another precision."""


def examine(
    encoder: Encoder,
    reload: Reload | None = None,
    *,
    second: SecondProcess | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    progress: Progress | None = None,
) -> Soundness:
    """Ask whether an encoder is deterministic, independent of the batch, and of the form it promises.

    Only `prepare`, `encode` and what the protocol says of them are used, on inputs that are made here.

    Args:
        encoder: The encoder. One with a method `raw`, which takes what `encode` takes and gives rows before they are
            brought to unit length, has their lengths told.
        reload: Makes the same encoder in another precision; None leaves that check out.
        second: Loads it again in another process; None leaves that check out.
        device: Where it runs: decides which differences rounding explains.
        precision: Of its arithmetic, likewise.
        progress: Called with (done, total), and with what is loaded again, before and after each check.

    Returns:
        One record for each check of each embedding; nothing that the encoder does is raised.

    Example:
        >>> from gramcli.encoders import load_encoder
        >>> examine(load_encoder("signal")).sound
        True
    """
    start = time.monotonic()
    work = _Work(encoder, reload, second, device, precision)
    checks: list[SoundnessCheck] = []
    steps = list(work.steps())
    for done, step in enumerate(steps):
        if progress:
            progress(done, len(steps), _LOADS.get(getattr(step, "__name__", ""), ""))
        checks += step()
    if progress:
        progress(len(steps), len(steps))
    due = tolerance(device, precision)
    seconds = time.monotonic() - start
    return Soundness(encoder.spec, device, precision, due.same_bits, due.cosine, tuple(checks), seconds)


Step = Callable[[], Iterator[SoundnessCheck]]

_LOADS: Final = {"_again": "loading it again in a second process", "_precision": "loading it in another precision"}


@dataclass
class _Work:
    encoder: Encoder
    reload: Reload | None
    second: SecondProcess | None
    device: str
    precision: str

    def __post_init__(self) -> None:
        how = self.encoder.preprocessing
        made = {name: probes_of(name, how) for name in self.encoder.modalities}
        self.probes: dict[str, Probes] = {name: found for name, found in made.items() if found is not None}
        self.unknown = [name for name, found in made.items() if found is None]
        self.due = tolerance(self.device, self.precision)
        self.single = [self._examination((name,), self._made_of(name)) for name in self.probes]
        self.fused = [self._examination(parts, names) for parts, names in self._fused().items()]

    def steps(self) -> Iterator[Step]:
        """What is to be done, in order."""
        for one in (*self.single, *self.fused):
            yield one.form
            yield from (partial(one.compare, how) for how in COMPARISONS)
            yield from (one.threads, one.time)
        yield from (one.odd for one in self.single)
        yield self._beside
        if self.second:
            yield self._again
        if self.reload:
            yield self._precision
        yield self._norms
        yield self._left_out

    def _examination(self, inputs: tuple[str, ...], names: tuple[str, ...]) -> Examination:
        return Examination(self.encoder, Subject(inputs, names), self.probes, self.due)

    def _made_of(self, modality: str) -> tuple[str, ...]:
        found = [name for name in self.encoder.dims if name not in self.encoder.fused and base_of(name) == modality]
        return tuple(found) or (modality,)

    def _fused(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Inputs -> the embeddings made of them: all media together give every fused embedding that they can."""
        media = self._media()
        found: dict[tuple[str, ...], tuple[str, ...]] = {}
        for name, parts in self.encoder.fused.items():
            if set(parts) <= set(self.probes):
                inputs = media if set(parts) <= set(media) else tuple(parts)
                found[inputs] = (*found.get(inputs, ()), name)
        return found

    def _media(self) -> tuple[str, ...]:
        """What `gram embed` encodes together: all of an item but its captions."""
        return tuple(name for name in self.probes if name != "text")

    def _beside(self) -> Iterator[SoundnessCheck]:
        media = self._media()
        every = [one for one in self.single if one.subject.inputs[0] in media]
        if len(media) < 2:
            return
        names = tuple(name for one in every for name in one.subject.names)
        items: Items = {name: self.probes[name].even for name in media}
        try:
            together = rows_of(self.encoder, Subject(media, names), items, whole(N))
        except (Fault, UserError) as error:
            verdict: Verdict = "note" if isinstance(error, UserError) else "failed"
            yield from (SoundnessCheck(BESIDE, name, verdict, detail=str(error)) for name in names)
            return
        for one in every:
            yield from one.beside(together)

    def _again(self) -> Iterator[SoundnessCheck]:
        every = (*self.single, *self.fused)
        try:
            answers = self.second.ask([one.subject for one in every]) if self.second else {}
        except UserError as error:
            yield SoundnessCheck(
                AGAIN, "all", "note", detail=f"not tried, for a second process cannot load it: {error}"
            )
            return
        for one in every:
            yield from one.again(answers)

    def _precision(self) -> Iterator[SoundnessCheck]:
        other = "bf16" if self.precision == "fp32" else "fp32"
        words = f"{other} against {self.precision}"
        try:
            loaded = self.reload(other) if self.reload else self.encoder
        except UserError as error:
            yield SoundnessCheck(PRECISION, "all", "note", detail=f"{words}: {error}")
            return
        for one in (*self.single, *self.fused):
            yield from one.precision(loaded, words)

    def _norms(self) -> Iterator[SoundnessCheck]:
        raw: Callable[[Items], Mapping[str, object]] = getattr(self.encoder, "raw", None) or _nothing
        shown: dict[str, object] = {}
        for one in self.single:
            with suppress(Exception):  # what it raises here, it raised above
                shown |= raw(
                    {name: [prepared(self.encoder, name, x) for x in given] for name, given in one.items().items()}
                )
        yield from _lengths(shown)
        hidden = [name for one in self.single for name in one.subject.names if name not in shown]
        for name in hidden if shown else ["all"]:
            said = "rows come at unit length; this encoder shows no others"
            yield SoundnessCheck(NORMS, name, "note", detail=said)

    def _left_out(self) -> Iterator[SoundnessCheck]:
        said = "no inputs of this modality are made here; try it on your own with gram embed"
        yield from (SoundnessCheck("encodes", name, "note", detail=said) for name in self.unknown)


def _nothing(inputs: Items) -> dict[str, object]:
    return {}


def _lengths(found: Mapping[str, object]) -> Iterator[SoundnessCheck]:
    for name, rows in found.items():
        lengths = np.sqrt((array_of(rows).astype(np.float64) ** 2).sum(axis=1))
        said = f"{lengths.min():.4g} to {lengths.max():.4g}"
        yield SoundnessCheck(NORMS, name, "note", detail=said)
