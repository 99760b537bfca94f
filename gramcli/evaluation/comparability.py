"""Whether two evaluations answered the same questions under the same rules: decided by what they recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.evaluation.ranking_notes import TIE_RULES
from gramcli.results.records import Evaluation, Questions, RankVector

RULES: Final = {
    "relevant": "what answers a query: its own item, or every item of its label",
    "stage": "raw scores, or how they are normalised or re-ranked",
    "ties": "where right answers stand that tie",
    "missing": "what becomes of items that lack a modality",
    "dataset": "the dataset, by its name",
    "protocol": "its protocol",
    "gallery": "the candidates that are ranked",
    "questions": "the queries, where an evaluation does not record them or items ask other texts",
}
"""What two evaluations must agree in -> what it is."""

_RULE_OF: Final = {sentence: name for name, sentence in TIE_RULES.items()}
_Key = tuple[str, int]
_RECORDED: Final = ("relevant", "ties", "missing", "protocol")  # in the provenance, under these names


@dataclass(frozen=True)
class Side:
    """One of two evaluations that are to be compared on a task.

    Attributes:
        label: What it is called.
        evaluation: The whole.
        vector: Its ranks.
    """

    label: str
    evaluation: Evaluation
    vector: RankVector

    @property
    def questions(self) -> Questions | None:
        """What it recorded of its questions.

        Raises:
            UserError: Not as many digests as ranks.
        """
        task = self.vector.task.removesuffix("_maxpool")  # items are ranked by the same captions
        found = next((one for one in self.evaluation.questions if one.task == task), None)
        if found is not None and len(found.digests) != len(self.vector.ranks):
            counts = f"{len(found.digests)} digests of queries for {len(self.vector.ranks)} ranks"
            raise UserError("input", f"{self.label} records {counts} of {self.vector.task}. Evaluate again.")
        return found

    def rules(self) -> dict[str, Any]:
        """Its rules, of those that are recorded by name."""
        found = {name: self.evaluation.provenance.get(name) for name in _RECORDED}
        dataset = self.evaluation.provenance.get("dataset")
        named = dataset.get("id") if isinstance(dataset, Mapping) else dataset
        return {"dataset": named, **found, "stage": self._stage()}

    def _stage(self) -> str:
        _, _, second = self.vector.method.partition(" ")
        stage = second or self.evaluation.provenance.get("stage") or "raw"
        how = self.evaluation.provenance.get("normalize")
        parameters = how.get("parameters") if isinstance(how, Mapping) else None
        if not isinstance(parameters, Mapping) or not parameters:
            return str(stage)
        named = ",".join(f"{name}={value:g}" for name, value in parameters.items())
        return f"{str(stage).partition(':')[0]}:{named}"


def check_allowed(allowed: Collection[str]) -> None:
    """Refuse names that are no rules.

    Raises:
        UserError: One of them is none of `RULES`.
    """
    for name in allowed:
        if name not in RULES:
            hint = did_you_mean(name, list(RULES))
            raise UserError("usage", f"--allow-different '{name}' is none of {', '.join(RULES)}.{hint}")


@dataclass(frozen=True)
class Aligned:
    """Rank vectors of the same queries in the same order.

    Attributes:
        vectors: One per side.
        places: Where each query stood in the first side, before.
        captions: Its number there among the queries of its item.
        notes: What differs all the same.
    """

    vectors: tuple[RankVector, ...]
    places: tuple[int, ...]
    captions: tuple[int, ...]
    notes: tuple[str, ...]


def aligned(sides: Sequence[Side], *, allowed: Collection[str] = (), intersect: bool = False) -> Aligned:
    """Bring rank vectors to the same queries in the same order.

    Args:
        sides: The baseline, and what is compared with it.
        allowed: `RULES` that may differ.
        intersect: Take the queries that all have; ranks keep their own galleries.

    Raises:
        UserError: They differ in a rule, in their questions or in their gallery; names the difference.
    """
    first, *others = sides
    places: list[dict[int, int]] = []
    notes: list[str] = []
    for other in others:
        found, said = _matched(first, other, allowed, intersect)
        places.append(found)
        notes += said
    common = [k for k in range(len(first.vector.ranks)) if all(k in found for found in places)]
    if not common:
        raise UserError("usage", f"{first.label} and {others[0].label} have no query of {first.vector.task} in common.")
    taken = [_taken(side.vector, [at[k] for k in common]) for side, at in zip(others, places, strict=True)]
    numbers = [number for _, number in _numbered(first.vector.query_ids)]
    captions = tuple(numbers[k] for k in common)
    return Aligned((_taken(first.vector, common), *taken), tuple(common), captions, tuple(notes))


def _matched(a: Side, b: Side, allowed: Collection[str], intersect: bool) -> tuple[dict[int, int], list[str]]:
    """Place of a query in A -> its place in B; and notes."""
    notes = _check_rules(a, b, allowed)
    labels_differ = a.rules()["relevant"] != b.rules()["relevant"]  # allowed, and labels are part of every digest
    keys, unsure = _keys(a, b, by_place=labels_differ or "questions" in allowed)
    notes += unsure
    there = {key: place for place, key in enumerate(keys[1])}
    found = {place: there[key] for place, key in enumerate(keys[0]) if key in there}
    same = len(found) == len(keys[0]) == len(keys[1])
    if not same and not intersect:
        raise _other_questions(a, b, keys, len(found))
    if not found:
        raise UserError("usage", f"{a.label} and {b.label} have no query of {a.vector.task} in common.")
    other = not labels_differ and _gallery_differs(a, b)
    if other and not intersect and "gallery" not in allowed:
        raise _refusal(a, b, f"the same queries were ranked among other candidates{_sizes(a, b)}", "gallery")
    if not same:
        notes.append(f"{a.vector.task}: compared on the {len(found)} queries in common{_galleries(a, b, other)}.")
    elif other:
        notes.append(f"{a.vector.task}: compared although the galleries differ{_sizes(a, b)}.")
    return found, notes


def _check_rules(a: Side, b: Side, allowed: Collection[str]) -> list[str]:
    first, second = a.rules(), b.rules()
    differing = [name for name in first if first[name] != second[name]]
    said = [f"{name} ({_shown(first[name])} against {_shown(second[name])})" for name in differing]
    refused = [(name, text) for name, text in zip(differing, said, strict=True) if name not in allowed]
    if refused:
        names, texts = zip(*refused, strict=True)
        raise _refusal(a, b, f"they differ in {', '.join(texts)}{_if_imported(a, b, names)}", *names)
    return [f"{a.vector.task}: compared although {text} differs, as --allow-different asks." for text in said]


def _if_imported(a: Side, b: Side, names: Collection[str]) -> str:
    """What to do about two imports whose items were named after their files."""
    if "dataset" not in names:
        return ""
    held = [side.evaluation.provenance.get("dataset") for side in (a, b)]
    imported = any(isinstance(one, Mapping) and one.get("protocol") == "imported" for one in held)
    return ". If they hold the same items, import both with --dataset NAME" if imported else ""


def _keys(a: Side, b: Side, *, by_place: bool) -> tuple[list[list[_Key]], list[str]]:
    """What each query of both sides is known by, and a note where that is only its item."""
    first, second = a.questions, b.questions
    lacking = [side.label for side, record in ((a, first), (b, second)) if record is None]
    if lacking and not by_place:
        what = f"{lacking[0]} does not record what was asked" if len(lacking) == 1 else "neither records what was asked"
        raise _refusal(a, b, f"{what} (an older gramcli wrote it). Evaluate again", "questions")
    if by_place or first is None or second is None:
        note = f"{a.vector.task}: queries are paired by item and place, whatever they say, as --allow-different asks."
    elif not _comparable(a, b, first.asked_by, second.asked_by):
        why = "since what they say was not known to whoever wrote the stores (write_store)"
        note = f"{a.vector.task}: queries are paired by item and place, {why}."
    else:
        return [_numbered(first.digests), _numbered(second.digests)], []
    return [_numbered(side.vector.query_ids) for side in (a, b)], [note]


def _comparable(a: Side, b: Side, first: str, second: str) -> bool:
    """Whether digests of both are of one kind: items, texts, or embeddings by one model."""
    models = [side.evaluation.provenance.get("model") for side in (a, b)]
    return first == second and (first != "rows" or models[0] == models[1])


def _numbered(names: Sequence[str]) -> list[_Key]:
    """(name, how many like it came before)."""
    seen: dict[str, int] = {}
    found: list[_Key] = []
    for name in names:
        found.append((name, seen.get(name, 0)))
        seen[name] = seen.get(name, 0) + 1
    return found


def _gallery_differs(a: Side, b: Side) -> bool:
    first, second = a.questions, b.questions
    if a.vector.n_candidates != b.vector.n_candidates:
        return True
    if first is None or second is None or not _comparable(a, b, first.answered_by, second.answered_by):
        return False
    return first.gallery != second.gallery


def _taken(vector: RankVector, places: Sequence[int]) -> RankVector:
    """The ranks at some places, in their order."""
    where = {old: new for new, old in enumerate(places)}
    return replace(
        vector,
        query_ids=tuple(vector.query_ids[k] for k in places),
        ranks=tuple(vector.ranks[k] for k in places),
        best=tuple(vector.best[k] for k in places) if vector.best else (),
        tied=tuple((where[k], *rest) for k, *rest in vector.tied if k in where),
    )


def _other_questions(a: Side, b: Side, keys: Sequence[Sequence[_Key]], common: int) -> UserError:
    counts = f"{len(keys[0])} and {len(keys[1])} queries, {common} of them the same"
    known = set(keys[1])
    strange = next((k for k, key in enumerate(keys[0]) if key not in known), None)
    example = ""
    if strange is not None:
        name = a.vector.query_ids[strange]
        there = "asks something else" if name in b.vector.query_ids else "is not"
        example = f"; for instance '{name}' of {a.label} {there} in {b.label}"
    settings = differing_settings(a, b)
    because = f" They differ in {settings}." if settings else ""
    remedy = f"Evaluate both on the same items{', or add --intersect' if common else ''}."
    if a.questions is not None and a.questions.asked_by == "rows":
        remedy = (
            "Their texts are known by their embeddings only (write_store without captions); "
            "--allow-different questions pairs them by item and place."
        )
    return UserError(
        "usage",
        f"{a.label} and {b.label} are not comparable on {a.vector.task}: {counts}{example}.{because} {remedy}",
    )


def differing_settings(a: Side, b: Side) -> str:
    """In which of the settings that choose items two sides differ, in words; empty where in none."""
    return ", ".join(
        f"{name} ({_shown(first)} against {_shown(second)})"
        for name in ("split", "limit")
        if (first := a.evaluation.provenance.get(name)) != (second := b.evaluation.provenance.get(name))
    )


def _sizes(a: Side, b: Side) -> str:
    sizes = a.vector.n_candidates, b.vector.n_candidates
    return f", {sizes[0]} against {sizes[1]}" if sizes[0] != sizes[1] else ""


def _galleries(a: Side, b: Side, other: bool) -> str:
    if not other:
        return ""
    sizes = a.vector.n_candidates, b.vector.n_candidates
    of = f"of {sizes[0]} and {sizes[1]}" if sizes[0] != sizes[1] else f"of {sizes[0]} that are not the same"
    return f"; the ranks come from galleries {of}"


def _refusal(a: Side, b: Side, why: str, *rules: str) -> UserError:
    options = " ".join(f"--allow-different {rule}" for rule in rules)
    return UserError(
        "usage",
        f"{a.label} and {b.label} are not comparable on {a.vector.task}: {why}. "
        f"With {options} they are compared all the same, and the output says so.",
    )


def _shown(value: object) -> str:
    return _RULE_OF.get(str(value), "none" if value is None else str(value))
