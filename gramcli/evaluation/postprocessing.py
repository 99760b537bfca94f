"""What `--normalize` does to an evaluation: how tasks are ranked, and what the result must say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gramcli.evaluation.querybank import querybank
from gramcli.evaluation.selection import TRAIN, Selection
from gramcli.scoring.normalize import Bank, Normalization, parse_normalization
from gramcli.store.reader import Store

RAW: Final = "raw"


@dataclass(frozen=True)
class PostProcessing:
    """Scores as they are, or normalised.

    Attributes:
        normalization: The normalisation without its bank, or None.
        banks: Task name to its querybank, where the normalisation needs one.
    """

    normalization: Normalization | None = None
    banks: Mapping[str, Selection] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """What the figures are: `raw`, `raw+dsl`, `raw+dsl:tau=20`."""
        return f"{RAW}+{self.normalization.label}" if self.normalization else RAW

    def normalization_of(self, selection: Selection) -> Normalization | None:
        """How scores of a task, or of a pair of its modalities, are normalised; None where they stay as they are."""
        if self.normalization is None:
            return None
        banked = self.banks.get(_key(selection))
        if banked and banked.source is not None and len(selection.queries) == len(selection.candidates) == 1:
            banked = banked.pair(*selection.queries, *selection.candidates)
        bank = Bank(banked.queries, banked.candidates, banked.present) if banked else None
        return replace(self.normalization, bank=bank)

    def notes(self) -> list[str]:
        """One sentence or two that every reader of the figures must see."""
        if self.normalization is None:
            return []
        row = self.normalization.row
        used = f"Stage '{self.stage}': every figure uses {row.title} ({row.paper}) with "
        used += f"{self.normalization.values}: {row.formula} (S is the score, or minus it where lower is better)"
        if not row.needs_bank:
            return [
                f"{used}. It is transductive: ranking one query uses the other test queries, which are not known when "
                "queries come one at a time. Compare only with figures that use it too."
            ]
        sizes = "; ".join(
            f"{name}: {len(bank.query_ids)} queries, {len(bank.candidate_ids)} candidates"
            for name, bank in self.banks.items()
        )
        return [f"{used}. The bank is split '{TRAIN}' ({sizes}); no other test query is used."]

    def provenance(self) -> dict[str, Any]:
        """Stage and normalisation, for the result's provenance."""
        how = self.normalization
        if how is None:
            return {"stage": self.stage, "normalize": None}
        banks = {
            name: {
                "split": TRAIN,
                "queries": len(bank.query_ids),
                "candidates": len(bank.candidate_ids),
                "gallery_sha256": bank.gallery_sha256(),
            }
            for name, bank in self.banks.items()
        }
        parameters = dict(how.parameters)
        transductive = not how.row.needs_bank
        return {
            "stage": self.stage,
            "normalize": {
                "name": how.name,
                "formula": how.row.formula,
                "parameters": parameters,
                "transductive": transductive,
                "banks": banks,
            },
        }


def open_postprocessing(
    store: Store, selections: Sequence[Selection], normalize: str | None, *, split: str | None, missing: str
) -> PostProcessing:
    """Read `--normalize`, and gather the querybanks it needs.

    Args:
        store: The store.
        selections: The tasks to be evaluated.
        normalize: Text for `parse_normalization`, or None for scores as they are.
        split: The split that is evaluated, as given.
        missing: Policy for missing modalities.

    Raises:
        UserError: The text cannot be read, or the store has no querybank for it.
    """
    if normalize is None:
        return PostProcessing()
    how = parse_normalization(normalize)
    if not how.row.needs_bank:
        return PostProcessing(how)
    bank = "drop" if missing == "present" else missing  # groups of items with the same modalities have no gaps
    return PostProcessing(how, {_key(s): querybank(store, s, split, bank) for s in selections})


def _key(selection: Selection) -> str:
    """The name of a task, or of the direction that its vectors are for."""
    asked = selection.named or selection.task
    return (asked if selection.directions[0] else asked.reversed()).name
