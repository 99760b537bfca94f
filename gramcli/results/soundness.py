"""What `gram doctor MODEL` found: one record for each check of each embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gramcli.errors import EXIT_DONE, EXIT_FAILED
from gramcli.results.readable import Readable

Verdict = Literal["ok", "note", "differs", "failed"]
VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "note", "differs", "failed")
"""From the best to the worst."""


@dataclass(frozen=True)
class SoundnessCheck:
    """One thing that was tried of one embedding.

    Attributes:
        check: What was tried, for instance `same input twice`.
        embedding: Of which embedding, for instance `text@video`; of an odd input, which modality.
        verdict: `ok`; `failed`; `differs`: by rounding alone, where the same bits were due; `note`: a fact.
        cosine_difference: Largest 1 - cos of a row to itself, 0 for the same bits; None where nothing was compared.
        rank_difference: By how many places at most an item moved among the probes; None as above.
        detail: What is wrong, or what the fact is.
    """

    check: str
    embedding: str
    verdict: Verdict
    cosine_difference: float | None = None
    rank_difference: int | None = None
    detail: str = ""


@dataclass(frozen=True, repr=False)
class Soundness(Readable):
    """Whether an encoder is deterministic, independent of the batch, and keeps what it promises.

    Attributes:
        model: The spec.
        device: Where it ran.
        precision: Of its arithmetic.
        same_bits: Whether the same bits were due: on a CPU in fp32.
        tolerance: Largest 1 - cos that rounding explains.
        checks: In the order in which they were tried.
        seconds: How long they took.
    """

    model: str
    device: str
    precision: str
    same_bits: bool
    tolerance: float
    checks: tuple[SoundnessCheck, ...]
    seconds: float = 0.0

    @property
    def failed(self) -> tuple[SoundnessCheck, ...]:
        """The checks that failed."""
        return tuple(one for one in self.checks if one.verdict == "failed")

    @property
    def sound(self) -> bool:
        """Whether none failed."""
        return not self.failed

    @property
    def exit_code(self) -> int:
        """0 where it is sound, else 1."""
        return EXIT_DONE if self.sound else EXIT_FAILED
