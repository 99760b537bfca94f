"""What a path offers to draw, and how it becomes a subject: only what a kind of figure needs is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.encoders import looks_like_heads
from gramcli.errors import UserError
from gramcli.report.plots.subject import History, Subject, breadth
from gramcli.report.trainings import Trained, trainings_between, trainings_of
from gramcli.results.comparisons import comparison_from, is_comparison
from gramcli.results.documents import is_evaluation, load_evaluation, read_document
from gramcli.results.records import Comparison, Evaluation
from gramcli.results.runs import Epoch

if TYPE_CHECKING:
    from gramcli.evaluation.options import EvalOptions
    from gramcli.evaluation.pictures.gather import PictureKind
    from gramcli.modalities import Task
    from gramcli.report.plots.catalog import Kind, Need
    from gramcli.results.pictures import Pictures
    from gramcli.store.reader import Store

Target = str | Path | Evaluation | Comparison | Any
_PICTURES: Final[dict[str, PictureKind]] = {
    "scores": "scores", "spectra": "spectra", "map": "maps", "matrix": "matrices", "hubness": "hubs",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What there is to draw from.

    Attributes:
        subject: What was read; a store is open, and nothing is measured yet.
        offers: What kinds of figures it can serve as it is.
    """

    subject: Subject
    offers: frozenset[Need]

    def with_store(self) -> tuple[Source, str]:
        """The source with the store that its evaluation was made from; else as it is, and why there is none."""
        if self.subject.evaluation is None or self.subject.store is not None:
            return self, ""
        store, why = store_of(self.subject.evaluation)
        if store is None:
            return self, why
        return Source(replace(self.subject, store=store), self.offers | {"vectors"}), ""


def open_source(targets: Sequence[Target], model: str | None = None) -> Source:
    """Find out what targets are.

    Args:
        targets: One store, evaluation, comparison or folder of heads, opened or by its path; or evaluations to compare.
        model: `heads:DIR`, to see a store through heads.

    Raises:
        UserError: No target, none of these, damaged, or several that cannot be compared.
    """
    if len(targets) > 1:
        return _compared(targets, model)
    found = _opened(targets[0]) if targets else None
    if found is None:
        raise UserError("usage", "There is nothing to draw from. Name a store, an evaluation's JSON or a comparison's.")
    if model is not None and found.store is None:
        raise UserError("usage", f"--model {model}: a STORE is seen through heads, and {targets[0]} is none.")
    if found.store is not None:
        from gramcli.evaluation.target import seen_through  # noqa: PLC0415 - torch loads here

        store = seen_through(found.store, model)
        found = replace(found, store=store, histories=_histories(trainings_of(store.manifest)))
        return Source(found, _offered_by_store(store) | _trained(found))
    if found.evaluation is not None:
        return Source(found, _offered_by(found.evaluation) | _trained(found))
    return Source(found, _trained(found) | ({"comparison"} if found.comparison else set()))


def subject_for(source: Source, kind: Kind, subject: Subject, options: EvalOptions) -> Subject:
    """The subject with what one kind of figure needs: measured, or computed, now.

    Args:
        source: What there is.
        kind: The kind of figure.
        subject: What was asked for: tasks, methods, title.
        options: Of a store: split, limit.

    Raises:
        UserError: The source has nothing for the kind.
    """
    source, why = source.with_store() if kind.needs == "vectors" else (source, "")
    if kind.needs not in source.offers:
        raise UserError("usage", f"{kind.name} is drawn from {kind.source}. {why}".rstrip())
    there = source.subject
    found = replace(there, tasks=subject.tasks, methods=subject.methods, title=subject.title, captions=subject.captions)
    if kind.needs == "vectors" and there.store is not None:
        tasks, methods, how = asked_of(found, options)
        if kind.name == "map":
            found = replace(found, captions=found.captions or captions_of(there.store))
        from gramcli.evaluation.pictures.gather import pictures_of  # noqa: PLC0415 - torch loads here

        pictures = pictures_of(there.store, tasks=tasks, methods=methods, options=how, kinds=[_PICTURES[kind.name]])
        return replace(found, pictures=pictures)
    if there.evaluation is None and there.store is not None:
        return replace(found, evaluation=_measured(there.store, kind, found, options))
    return found


def pictures_for(subject: Subject) -> Pictures:
    """All pictures of a subject's store, of the widest task of its evaluation and of its methods.

    Raises:
        UserError: As `gramcli.evaluation.pictures.gather.pictures_of`.
    """
    from gramcli.evaluation.options import EvalOptions  # noqa: PLC0415 - torch loads here
    from gramcli.evaluation.pictures.gather import pictures_of  # noqa: PLC0415 - as above
    from gramcli.results.pictures import Pictures  # noqa: PLC0415 - as above

    if subject.store is None or (subject.evaluation is not None and not _retrieved(subject.evaluation)):
        return Pictures()
    tasks, methods, options = asked_of(subject, EvalOptions())
    return pictures_of(subject.store, tasks=tasks, methods=methods, options=options)


def asked_of(subject: Subject, options: EvalOptions) -> tuple[list[Task], tuple[str, ...], EvalOptions]:
    """Tasks, methods and options of pictures: those asked for, else the evaluation's widest task, as it was made."""
    evaluation = subject.evaluation
    if evaluation is None:
        return [_task(name) for name in subject.tasks], subject.methods, options
    facts = evaluation.provenance
    known = {name: facts.get(name) for name in ("split", "limit", "missing", "relevant")}
    split, missing = known["split"] or None, str(known["missing"] or "drop")
    limit = known["limit"] if isinstance(known["limit"], int) else None
    relevant = "label" if known["relevant"] == "label" else "item"
    options = replace(options, split=None if split is None else str(split), limit=limit, missing=missing)
    options = replace(options, relevant=relevant)  # type: ignore[arg-type]
    ranked = [one for one in evaluation.ranks if "/" not in one.task and "_" not in one.task]
    forward = [name for name in _retrieved(evaluation) if "/" not in name]
    tasks = subject.tasks or ((max(forward, key=breadth),) if forward else ())
    methods = subject.methods or tuple(dict.fromkeys(one.method for one in ranked if one.task in tasks))
    return [_task(name) for name in tasks], tuple(name for name in methods if " " not in name), options


def store_of(evaluation: Evaluation) -> tuple[Store | None, str]:
    """The store that an evaluation was made from, where it is still there and the same; else why not.

    Args:
        evaluation: As it was read.
    """
    from gramcli.heads.projection import seen_as  # noqa: PLC0415 - torch loads here
    from gramcli.store import open_store  # noqa: PLC0415 - as above

    recorded = evaluation.provenance.get("store")
    path = recorded.get("path") if isinstance(recorded, dict) else None
    if not isinstance(recorded, dict) or not isinstance(path, str):
        return None, "This evaluation does not say which store it was made from."
    try:
        store = seen_as(open_store(path), recorded)
    except (UserError, OSError, ValueError) as error:
        why = f" {error}" if recorded.get("through") else ""
        return None, f"The store of this evaluation, {path}, is not there, or it cannot be read.{why}"
    if store.fingerprint() == recorded.get("fingerprint"):
        return store, ""
    model = evaluation.provenance.get("model")
    through = " It was seen through heads: gram plot STORE KIND --model heads:DIR." if _has_heads(model) else ""
    return None, f"The store of this evaluation, {path}, does not hold what was evaluated.{through}"


def captions_of(store: Store) -> dict[str, str]:
    """Item id -> its first caption, as far as the captions of a store are found again."""
    from gramcli.embedding.origin import originals  # noqa: PLC0415 - datasets load here

    texts = originals(store).captions
    if not texts:
        return {}
    found: dict[str, str] = {}
    for row, item in enumerate(store.caption_items().tolist()):
        if row in texts:
            found.setdefault(store.ids[item], texts[row])
    return found


def _has_heads(model: object) -> bool:
    return isinstance(model, dict) and bool(model.get("heads"))


def _retrieved(evaluation: Evaluation) -> list[str]:
    """Tasks of retrieval, in their forward direction."""
    found = evaluation.provenance.get("tasks")
    return [str(name) for name in found] if isinstance(found, dict) else []


def _task(name: str) -> Task:
    """A task by its name in results: letters, or names of embeddings joined by `+`."""
    from gramcli.modalities import Task, parse_task  # noqa: PLC0415 - with the others

    try:
        return parse_task(name)
    except UserError:
        query, separator, candidates = name.partition("2")
        if not separator or not (len(query) > 1 or "+" in name or len(candidates) > 1) or query.isalpha() is False:
            raise
        sides = tuple(query.split("+")), tuple(candidates.split("+"))
        if all(all(side) for side in sides) and any(len(one) > 1 for one in (*sides[0],)):
            return Task(*sides)
        raise


def _measured(store: Store, kind: Kind, subject: Subject, options: EvalOptions) -> Evaluation:
    """What a kind of figure needs of an evaluation of a store."""
    from gramcli.evaluation.measure import measure  # noqa: PLC0415 - torch loads here

    classes = kind.needs == "classes" or kind.name == "accuracy"
    how = replace(options, kinds=("classification",) if classes else ("retrieval",))
    tasks = [_task(name) for name in subject.tasks]
    return measure(store, tasks=tasks, methods=() if classes else subject.methods, options=how)


def _histories(found: Sequence[Trained]) -> tuple[History, ...]:
    return tuple(one.history for one in found if one.history is not None)


def _trained(subject: Subject) -> frozenset[Need]:
    return frozenset({"training"} if subject.histories else ())


def _offered_by(evaluation: Evaluation) -> frozenset[Need]:
    found: set[Need] = set()
    if evaluation.results:
        found.add("figures")
    if evaluation.ranks:
        found.add("ranks")
    classified = evaluation.provenance.get("classification")
    if isinstance(classified, dict) and classified.get("confusion"):
        found.add("classes")
    return frozenset(found)


def _offered_by_store(store: Store) -> frozenset[Need]:
    every: set[Need] = {"figures", "ranks", "vectors"}
    return frozenset(every | ({"classes"} if any(store.labels) else set()))


def _compared(targets: Sequence[Target], model: str | None) -> Source:
    from gramcli.evaluation.compare import compare  # noqa: PLC0415 - torch loads here

    if model is not None:
        raise UserError("usage", "--model is of one STORE; to compare what heads make of it, evaluate through each.")
    operands: list[Any] = list(targets)
    found = _of_comparison(compare(*operands))
    return Source(found, _trained(found) | {"comparison"})


def _opened(target: Target) -> Subject:
    if isinstance(target, Evaluation):
        return _of_evaluation(target)
    if isinstance(target, Comparison):
        return _of_comparison(target)
    if not isinstance(target, (str, Path)):
        return Subject(store=target)
    path = Path(str(target).removeprefix("heads:")) if not Path(target).exists() else Path(target)
    if (path / "manifest.json").is_file():
        from gramcli.store import open_store  # noqa: PLC0415 - torch loads here

        return Subject(store=open_store(path))
    if path.is_dir() and looks_like_heads(path):
        return Subject(histories=(_history(path),))
    if path.suffix.lower() == ".json" and path.is_file():
        return _of_document(path)
    what = "is none of these" if path.exists() else "does not exist"
    raise UserError(
        "input",
        f"{target or 'An empty name'} {what}. Figures are drawn from a store, from heads that `gram align` wrote, or "
        "from the JSON that `gram eval` or `gram compare` wrote.",
    )


def _of_evaluation(found: Evaluation) -> Subject:
    return Subject(evaluation=found, histories=_histories(trainings_of(found.provenance)))


def _of_comparison(found: Comparison) -> Subject:
    return Subject(comparison=found, histories=_histories(trainings_between(found)))


def _of_document(path: Path) -> Subject:
    document = read_document(path)
    if is_comparison(document):
        return _of_comparison(comparison_from(document, path))
    if is_evaluation(document):
        return _of_evaluation(load_evaluation(path))
    raise UserError("input", f"{path} is JSON, but neither an evaluation's nor a comparison's.")


def _history(path: Path) -> History:
    """The training of heads, as heads.json tells it."""
    from gramcli.heads.files import load_heads  # noqa: PLC0415 - torch loads here

    config = load_heads(path).config
    told = config.get("history")
    if not told:
        raise UserError("input", f"{path} does not say how its heads were trained; an older version wrote them.")
    epochs = tuple(
        Epoch(one["epoch"], one["lr"], one["loss"], one.get("temperature"), one["measures"], one.get("validation_loss"))
        for one in told
    )
    before = len((config.get("warm_up") or {}).get("history", ()))
    return History(epochs, config["best"], str(config["plan"].get("metric") or "MRR"), before)
