"""A wrong start: an operand that is something else than the command takes, and the command that was meant."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from gramcli.errors import UserError

Kind = Literal["store", "heads", "checkpoint", "evaluation", "manifest", "media folder", "model", "folder of stores"]
_NAMES: Final[dict[Kind, str]] = {
    "store": "is a store",
    "heads": "is a folder of heads",
    "checkpoint": "looks like a checkpoint",
    "evaluation": "is an evaluation already",
    "manifest": "is a manifest",
    "media folder": "is a media folder",
    "model": "is a model",
    "folder of stores": "is a folder above stores",
}
_MEDIA: Final = ("media folder", "manifest")
_MODELS: Final = ("checkpoint", "model")
_HEADS: Final = "heads:"
_LOOKED_AT: Final = 1000
_NAMED: Final = 3


def kind_of(text: str, *, media_first: bool = False) -> Kind | None:
    """Say what an operand is by its looks; None for what is not there or not known.

    Args:
        text: A path, or the name of a model.
        media_first: Whether a folder with media and with weights counts as media.
    """
    from gramcli.encoders import looks_like_heads

    path = Path(text)
    try:
        if (path / "manifest.json").is_file():
            return "store"
        if looks_like_heads(path):
            return "heads"
        return _kind_of_path(path, media_first) if path.exists() else _kind_of_name(text)
    except (OSError, ValueError):
        return None


def _kind_of_name(text: str) -> Kind | None:
    from gramcli.encoders import CHECKPOINTS, ENCODERS

    name, colon, _ = text.partition(":")
    return "model" if name in ENCODERS.names() and (colon or name not in {CHECKPOINTS, "heads"}) else None


def _kind_of_path(path: Path, media_first: bool) -> Kind | None:
    from gramcli.encoders import looks_like_checkpoint
    from gramcli.media.kinds import holds_media

    if looks_like_checkpoint(path) and not (media_first and holds_media(path)):
        return "checkpoint"
    if path.is_file():
        from gramcli.datasets.tables import PARSERS

        if _is_evaluation(path):
            return "evaluation"
        return "manifest" if path.suffix.lower() in PARSERS else None
    return "folder of stores" if stores_in(path) else "media folder" if holds_media(path) else None


def stores_in(path: Path) -> list[str]:
    """Return the stores right below a folder, such as what `gram demo -o demo` leaves in `demo`."""
    found = sorted(path.glob("[!.]*/manifest.json")) if path.is_dir() else []
    return [str(one.parent) for one in found if one.is_file()]


def _is_evaluation(path: Path) -> bool:
    from gramcli.results.documents import is_evaluation, read_document

    try:
        return path.suffix.lower() == ".json" and is_evaluation(read_document(path))
    except UserError:
        return False


def check_start(command: str, arguments: Mapping[str, Any]) -> None:
    """Refuse an operand that is something else than the command takes.

    Args:
        command: Its name.
        arguments: What it was given.

    Raises:
        UserError: It is so; names the command that was probably meant.
    """
    check = _CHECKS.get(command)
    if check:
        check(arguments)


def _refuse(text: object, kind: Kind, belongs: str, *meant: Sequence[object], hint: str = "") -> NoReturn:
    commands = ", or ".join(command_line(*words) for words in meant)
    raise UserError("usage", f"{text} {_NAMES[kind]}, where {belongs} belongs. Did you mean: {commands}{hint}")


def command_line(*words: object) -> str:
    """Return `gram WORDS`, quoted for a shell.

    Example:
        >>> command_line("eval", "my clips", None, "--limit", 3)
        "gram eval 'my clips' --limit 3"
    """
    return shlex.join(["gram", *(str(word) for word in words if word is not None)])


def embeddings_of(data: str) -> str:
    """Return a name for the store of some media: `clips_emb` for `clips/` and for `clips.csv`.

    Example:
        >>> embeddings_of("media/clips/"), embeddings_of("clips.csv")
        ('clips_emb', 'clips_emb')
    """
    path = Path(data)
    return f"{path.stem if path.suffix else path.absolute().name}_emb"


def _check_eval(given: Mapping[str, Any]) -> None:
    target, dataset, model = given["target"], given["dataset"], given["model"]
    kind = kind_of(target)
    _suggest_near(target, kind if dataset is None else "model", lambda other: ("eval", other))
    if dataset is not None:
        _check_model_and_dataset(target, kind, dataset)
    elif kind == "folder of stores":
        _refuse(target, kind, "a store", *(("eval", one) for one in stores_in(Path(target))[:_NAMED]))
    elif kind in _MEDIA:
        other = model if model and not model.startswith(_HEADS) else "signal"
        _refuse(target, kind, "a store", ("eval", other, "--dataset", target))
    elif kind in _MODELS:
        loose = "; embeddings in a file become a store with gram import or gramcli.store.write_store"
        loose = loose if Path(target).is_file() else ""
        _refuse(target, kind, "a store", ("eval", target, "--dataset", "DATA"), hint=loose)
    elif kind == "heads":
        _refuse(target, kind, "a store", ("eval", "STORE", "--model", f"{_HEADS}{target}"))
    elif kind == "evaluation":
        _refuse(target, kind, "a store", ("inspect", target), ("compare", target, "OTHER.json"))
    elif model and kind_of(model) == "heads":
        _refuse(model, "heads", "heads:DIR", ("eval", target, "--model", f"{_HEADS}{model}"))


def _check_model_and_dataset(target: str, kind: Kind | None, dataset: str) -> None:
    if kind == "store":
        _refuse(target, kind, "a model", ("eval", target))
    other = kind_of(dataset, media_first=True)
    if kind in _MEDIA:
        model, data = (dataset, target) if other in _MODELS else ("signal", dataset)
        _refuse(target, kind, "a model", ("eval", model, "--dataset", data))
    if kind == "heads":
        _refuse(target, kind, "a model", ("eval", f"{_HEADS}{target}", "--dataset", dataset))
    if kind == "evaluation":
        _refuse(target, kind, "a model", ("eval", "signal", "--dataset", dataset))
    if other == "store":
        _refuse(dataset, other, "a dataset", ("eval", dataset))


def _check_embed(given: Mapping[str, Any]) -> None:
    data, model, output, source = given["data"], given["model"], given["output"], given["from_store"]
    kind = kind_of(data, media_first=True)
    if kind == "store" and source is None:
        through = ("embed", data, "--model", model, "--from", data, "-o", output)
        _refuse(data, kind, "media", through if model.startswith(_HEADS) else ("eval", data))
    other = kind_of(model)
    if kind in _MODELS or kind == "heads":
        spec = f"{_HEADS}{data}" if kind == "heads" else data
        base = ("--from", source or "STORE") if kind == "heads" else ()
        media = model if other in _MEDIA else "DATA"
        _refuse(data, kind, "media", ("embed", media, "--model", spec, *base, "-o", output))
    if kind == "evaluation":
        _refuse(data, kind, "media", ("inspect", data))
    if other == "store":
        through = ("embed", data, "--model", "heads:HEADS", "--from", model, "-o", output)
        _refuse(model, other, "a model", ("eval", model), through)
    if other == "heads":
        base = ("--from", source or "STORE")
        _refuse(model, other, "heads:DIR", ("embed", data, "--model", f"{_HEADS}{model}", *base, "-o", output))
    if other in _MEDIA:
        _refuse(model, other, "a model", ("embed", data, "--model", "signal", "-o", output))


def _check_matrix(given: Mapping[str, Any]) -> None:
    store, task = str(given["store"]), ("--task", given["task"]) if given["task"] else ()
    _need_store(store, lambda other: ("matrix", other, *task, "--method", given["method"]))


def _check_plot(given: Mapping[str, Any]) -> None:
    first, *rest = given["operands"]
    if kind_of(first) in {"media folder", "folder of stores", *_MODELS} and not first.startswith(_HEADS):
        _need_store(first, lambda other: ("plot", other, *rest))


def _check_score(given: Mapping[str, Any]) -> None:
    tasks = [word for task in given["task"] or () for word in ("--task", task)]
    _need_store(str(given["store"]), lambda other: ("score", other, *tasks))


def _check_align(given: Mapping[str, Any]) -> None:
    store, output, loss = str(given["store"]), given["output"], given["loss"]
    if kind_of(store) == "heads":
        _refuse(store, "heads", "a store", ("align", "STORE", "-o", output, "--loss", loss, "--init", store))
    _need_store(store, lambda other: ("align", other, "-o", output, "--loss", loss))


def _suggest_near(store: str, kind: Kind | None, command: Callable[[str], Sequence[object]]) -> None:
    """Refuse a store that is not there where one of nearly its name lies beside it."""
    path = Path(store)
    if kind is not None or path.exists():
        return
    import difflib

    beside = islice(path.parent.glob("[!.]*/manifest.json"), _LOOKED_AT)
    names = {found.parent.name: found.parent for found in beside}
    if near := difflib.get_close_matches(path.name, names, n=1):
        meant = command_line(*command(str(names[near[0]])))
        raise UserError("store", f"There is no store {store}. Did you mean: {meant}")


def _need_store(store: str, command: Callable[[str], Sequence[object]]) -> None:
    kind = kind_of(store)
    _suggest_near(store, kind, command)
    if kind == "folder of stores":
        _refuse(store, kind, "a store", *(command(one) for one in stores_in(Path(store))[:_NAMED]))
    if kind in _MEDIA:
        made = embeddings_of(store)
        first, then = command_line("embed", store, "-o", made), command_line(*command(made))
        raise UserError("usage", f"{store} {_NAMES[kind]}, where a store belongs. First: {first}; then: {then}")
    if kind in _MODELS:
        _refuse(store, kind, "a store", ("embed", "DATA", "--model", store, "-o", "STORE"))
    if kind == "heads":
        seen = ("embed", "STORE", "--model", f"{_HEADS}{store}", "--from", "STORE", "-o", "SEEN")
        _refuse(store, kind, "a store", seen)
    if kind == "evaluation":
        _refuse(store, kind, "a store", ("inspect", store))


def _check_compare(given: Mapping[str, Any]) -> None:
    operands = given["operands"]
    for text in operands:
        path = text if Path(text).exists() or "@" not in text else text.rpartition("@")[0]
        if Path(path).suffix.lower() == ".json":  # as it should be; it may be large, and is read but once
            continue
        kind, made = kind_of(path), f"{Path(path).resolve().stem}.json"
        if kind in _MEDIA:
            _refuse(path, kind, "a store or an evaluation", ("eval", "signal", "--dataset", path, "-o", made))
        if path.startswith(_HEADS) and given["dataset"] is None:
            if given["on"] is None:
                _refuse(path, "heads", "a store or an evaluation", ("compare", *operands, "--on", "STORE"))
        elif kind in _MODELS and given["dataset"] is None:
            _refuse(path, kind, "a store or an evaluation", ("compare", *operands, "--dataset", "DATA"))
        if kind == "folder of stores":
            _refuse(path, kind, "a store or an evaluation", ("compare", *stores_in(Path(path))[:_NAMED]))
        if kind == "heads":
            on = ("--on", given["on"]) if given["on"] else ()
            seen = [f"{'' if on else 'STORE+'}{_HEADS}{one}" if _is_heads(one) else one for one in operands]
            _refuse(path, kind, "a store or an evaluation", ("compare", *seen, *on))
    if len(operands) == 1 and "=" not in operands[0] and "*" not in operands[0]:
        one = operands[0]
        store = kind_of(one) == "store"
        meant = command_line("compare", *((f"{one}@cosine", f"{one}@gram") if store else (one, "OTHER")))
        raise UserError("usage", f"compare needs a baseline and at least one more; got only {one}. Such as: {meant}")


def _is_heads(operand: str) -> bool:
    """Whether an operand, apart from its method, is a folder of heads without `heads:` before it."""
    path = operand if Path(operand).exists() or "@" not in operand else operand.rpartition("@")[0]
    return not path.startswith(_HEADS) and kind_of(path) == "heads"


def _check_join(given: Mapping[str, Any]) -> None:
    from gramcli.exchange.operands import parse_operand

    operands, output = given["operands"], given["output"]
    for text in operands:
        path = parse_operand(text)[0]
        others = [one for one in operands if one != text]
        if kind_of(path) == "folder of stores":
            _refuse(path, "folder of stores", "a store", ("join", *stores_in(Path(path)), *others, "-o", output))

        def meant(other: str, text: str = text, path: str = path) -> tuple[object, ...]:
            """The same with another store in its place."""
            return ("join", *(other + one[len(path) :] if one == text else one for one in operands), "-o", output)

        _need_store(path, meant)


_OF_CHECKPOINTS: Final = ("half", "checkpoint_step", "config", "allow_pickle")
_OF_STORES: Final = ("to", "per_modality", "project")
_OF_RUNS: Final = ("qrels",)
_OF_TASKS: Final = ("task", "query", "candidates", "top", "split", "limit")


def _check_export(given: Mapping[str, Any]) -> None:
    from gramcli.cli.exports import is_run

    path, output = str(given["source"]), given["output"]
    kind = kind_of(path)
    if kind == "evaluation":
        _refuse_evaluation(path, output)
    if kind in _MEDIA:
        _refuse(path, kind, "a store or a checkpoint", ("inspect", path))
    if kind in {"heads", "folder of stores"}:
        _need_store(path, lambda other: ("export", other, "-o", output))
    if kind != "store":
        _suggest_near(path, kind, lambda other: ("export", other, "-o", output))
        if kind is None and not Path(path).exists():
            raise UserError("usage", f"{path} does not exist. Name a store, or a checkpoint.")
        _refuse_idle(given, (*_OF_STORES, *_OF_RUNS, *_OF_TASKS), f"is for stores, and {path} is none")
        return
    _refuse_idle(given, _OF_CHECKPOINTS, "is for checkpoints, and this is a store")
    if is_run(output, given["to"]):
        _refuse_idle(given, _OF_STORES[1:], "adds to a table, and this is a run")
        return
    _refuse_idle(given, _OF_RUNS, "goes with a run, such as -o run.trec")
    if not (given["task"] or given["query"] or given["candidates"]):
        _refuse_idle(given, ("top", "split", "limit"), "is about a task: name one, such as --task t2v")


def _refuse_idle(given: Mapping[str, Any], names: Sequence[str], why: str) -> None:
    """Refuse an option that would do nothing."""
    if idle := next((name for name in names if given[name]), None):
        raise UserError("usage", f"--{idle.replace('_', '-')} {why}. Leave it out.")


def _refuse_evaluation(path: str, output: Path) -> NoReturn:
    """Say which store a run comes from: an evaluation holds ranks, no lists."""
    from gramcli.results.documents import load_evaluation

    found = load_evaluation(Path(path))
    store = found.provenance.get("store")
    named = store.get("path", "STORE") if isinstance(store, dict) else "STORE"
    vector = found.ranks[0] if found.ranks else None
    task, method = (vector.task, vector.method) if vector else ("t2v", "cosine")
    meant = command_line("export", named, "--task", task, "--method", method, "-o", output)
    raise UserError("usage", f"{path} holds the ranks of an evaluation, not its lists. Export its store: {meant}")


def _check_datasets(given: Mapping[str, Any]) -> None:
    name = given["name"]
    from gramcli.datasets.catalog import known_names, spelled

    if name and spelled(name) not in known_names() and (kind := kind_of(name)):
        _refuse(name, kind, "the name of a dataset", ("inspect", name))


def _check_doctor(given: Mapping[str, Any]) -> None:
    model = given["model"]
    kind = kind_of(model) if model else None
    if kind == "heads":
        _refuse(model, kind, "heads:DIR", ("doctor", f"{_HEADS}{model}"))
    if kind in {"store", "evaluation", "manifest", "media folder", "folder of stores"}:
        _refuse(model, kind, "a model", ("inspect", model))


_CHECKS: Final = {
    "eval": _check_eval,
    "embed": _check_embed,
    "matrix": _check_matrix,
    "plot": _check_plot,
    "score": _check_score,
    "align": _check_align,
    "compare": _check_compare,
    "join": _check_join,
    "export": _check_export,
    "datasets": _check_datasets,
    "doctor": _check_doctor,
}
