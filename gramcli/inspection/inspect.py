"""What a path is: a store, an evaluation's JSON, or a dataset; what it holds and what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from gramcli.encoders import looks_like_checkpoint, looks_like_heads, looks_like_transformers
from gramcli.errors import UserError
from gramcli.results.descriptions import Description, ModalityCount
from gramcli.results.documents import is_evaluation, load_evaluation, read_document
from gramcli.results.records import Evaluation, LeftOut
from gramcli.results.watch import NOBODY, Watch
from gramcli.store.layout import ABSENT, FAILED, OK, STAND_IN, reason_of, state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gramcli.datasets import Dataset
    from gramcli.store import Store


_NAMED: Final = ("hf:", "st:")
_ARRAYS: Final = (".npz", ".npy", ".h5", ".hdf5", ".parquet", ".mat", ".pkl")
_CONFIGURATIONS: Final = ("hps.json", "arch.json")


def inspect(  # noqa: PLR0911 - one for each thing that a path may be
    path: str | Path | Store | Evaluation,
    *,
    verify: bool = False,
    checkpoint_step: int | None = None,
    config: str | Path | None = None,
    allow_pickle: bool = False,
    watch: Watch = NOBODY,
) -> Description:
    """Say what a path is, what it holds and what is missing.

    Args:
        path: A store, a checkpoint, `hf:NAME`, an evaluation's JSON, a media folder or a manifest; or an open store
            or evaluation.
        verify: Also read a store's shards and compare their checksums, or all tensors of a checkpoint.
        checkpoint_step: Which of a checkpoint's saved steps; None takes the last.
        config: A checkpoint's training configuration, where it is not beside the weights.
        allow_pickle: Look into a weight file that can run code.
        watch: Told before something is downloaded.

    Returns:
        What was found.

    Raises:
        UserError: There is nothing, or it is damaged, unfinished or none of these; `verify` of something else than a
            store or a checkpoint.
    """
    if not isinstance(path, (str, Path)):
        if isinstance(path, Evaluation):
            return describe_evaluation("an evaluation", path)
        return describe_store(path, verify=verify)
    if named := _model_named(path):
        return describe_transformers(named, verify=verify, allow_pickle=allow_pickle, watch=watch)
    path, config = Path(path), None if config is None else Path(config)
    _refuse_absent(path)
    if (path / "manifest.json").is_file():
        from gramcli.store import open_store  # noqa: PLC0415 - torch loads here, which an evaluation's JSON does without

        return describe_store(open_store(path), verify=verify)
    if looks_like_heads(path):
        return describe_heads(path)
    if looks_like_checkpoint(path):
        return describe_checkpoint_at(path, checkpoint_step, config, verify=verify, allow_pickle=allow_pickle)
    if verify:
        raise UserError("usage", f"--verify reads a store or a checkpoint whole; {path} is neither.")
    if path.suffix.lower() == ".json" and path.is_file():
        document = read_document(path)
        if is_evaluation(document):
            return describe_evaluation(path, load_evaluation(path))
        _refuse_configuration(path, document)
    if path.suffix.lower() in _ARRAYS and path.is_file():
        advice = f"If they are embeddings, make them a store: gram import {quote(str(path))} -o STORE"
        raise UserError("input", f"{path} holds arrays. {advice}, or in Python gramcli.store.write_store.")
    from gramcli.datasets import open_dataset  # noqa: PLC0415 - as above

    try:
        return describe_dataset(str(path), open_dataset(str(path), text_only=path.is_file()))
    except UserError:
        _refuse_folder_of_several(path)
        raise


def _refuse_absent(path: Path) -> None:
    if path.exists():
        return
    from gramcli.datasets.catalog import known_names, spelled  # noqa: PLC0415 - needed for this message only

    if (name := spelled(str(path))) in known_names():
        look = f"gram datasets {name} explains it, with --root DIR looks for it"
        raise UserError("input", f"{path} does not exist; it is the name of a dataset: {look}.")
    raise UserError(
        "input", f"{path} does not exist. Name a store, a checkpoint, an evaluation's JSON, a folder or a manifest."
    )


def _model_named(path: str | Path) -> str:
    """What follows `hf:` or `st:`, or a folder that transformers saved; else nothing."""
    if str(path).startswith(_NAMED) and not Path(path).exists():
        return str(path)[3:].partition(":truncate_dim=")[0]
    return str(path) if looks_like_transformers(Path(path)) else ""


def describe_transformers(
    argument: str, *, verify: bool = False, allow_pickle: bool = False, watch: Watch = NOBODY
) -> Description:
    """Say what a model of Hugging Face is: family, licence, commit and parameters; its weights are not loaded.

    Raises:
        UserError: `verify`, or see `gramcli.encoders.huggingface.description.describe_model`.
    """
    if verify:
        raise UserError(
            "usage", f"--verify reads a store or a checkpoint whole; {argument} is a model of transformers."
        )
    from gramcli.encoders.base import EncoderOptions  # noqa: PLC0415 - for this kind only
    from gramcli.encoders.huggingface.description import describe_model  # noqa: PLC0415 - as above

    found = describe_model(argument, EncoderOptions(allow_pickle=allow_pickle, say=watch.say))
    return Description("model", found.spec, tuple(found.facts.items()), (), (), found.notes)


def describe_heads(path: Path) -> Description:
    """Say what heads `gram align` wrote are for, how they were trained, what they have seen and what limits them.

    Raises:
        UserError: They are damaged.
    """
    from gramcli.heads.files import CONFIG, load_heads  # noqa: PLC0415 - torch loads here
    from gramcli.heads.remarks import outcome_of, remarks  # noqa: PLC0415 - as above

    if not (path / CONFIG).is_file():
        return describe_unfinished_heads(path)
    saved = load_heads(path)
    config, plan = saved.config, saved.config["plan"]
    shape = f"{saved.heads.hidden} hidden" if saved.heads.hidden else "linear"
    facts = {
        "loss": plan["loss"],
        "base model": config["model"].get("id"),
        "dataset": config["dataset"].get("id"),
        "heads": f"{shape}, into {saved.heads.dim} dimensions",
        "takes": ", ".join(f"{name} {d}" for name, d in saved.heads.dims.items()),
        "trained on": f"{len(config['trained'])} items of split '{plan.get('train')}'",
        "chosen on": f"{len(config['selected'])} items, by {plan.get('metric')} of {plan.get('task')} under "
        f"{plan.get('method')}",
        **_epoch(config),
        **_warm_up(config),
        "weights sha256": saved.sha256,
    }
    notes = tuple(remarks(outcome_of(config)))
    return Description("heads", str(path), tuple((name, str(value)) for name, value in facts.items()), (), (), notes)


def describe_unfinished_heads(path: Path) -> Description:
    """Say how far the training of heads has come, and how it goes on.

    Raises:
        UserError: Its state is damaged.
    """
    from gramcli.heads.unfinished import read_facts  # noqa: PLC0415 - numpy loads here

    found = read_facts(path)
    plan, done = found["plan"], len(found["history"])
    warming = found.get("stage") == "warm-up"
    stage = "warm-up by the cosine loss" if warming else f"training by the {plan.get('loss')} loss"
    facts = {
        "loss": plan.get("loss"),
        "state": "not finished",
        "stage": stage,
        "epochs done": f"{done} of at most {plan.get('warm_up' if warming else 'epochs')}",
        "modalities": ", ".join(plan.get("modalities", ())),
    }
    note = (
        "The training of these heads was stopped, so nothing can be seen through them yet. Run the gram align that "
        f"began it again, with the same options: it goes on after epoch {done} of the {stage}. With --overwrite it "
        "begins anew."
    )
    return Description("heads", str(path), tuple((name, str(value)) for name, value in facts.items()), (), (), (note,))


def _epoch(config: Mapping[str, Any]) -> dict[str, str]:
    """The epoch that was kept, where its heads say."""
    if not config.get("history"):
        return {}
    best = config["history"][config["best"] - 1]
    figures = f"loss {best['loss']:.4f}, R@1 {100 * best['measures']['R@1']:.1f}"
    return {"epoch": f"{config['best']} of {len(config['history'])}: {figures}"}


def _warm_up(config: Mapping[str, Any]) -> dict[str, str]:
    """The stage before, where there was one."""
    found = config.get("warm_up")
    return {"warm-up": f"epoch {found['best']} of {len(found['history'])}, by the cosine loss"} if found else {}


def _refuse_configuration(path: Path, document: object) -> None:
    if path.name in _CONFIGURATIONS or (isinstance(document, dict) and "model_cfg" in document):
        folder = path.absolute().parent
        folder = folder.parent if folder.name == "log" else folder
        raise UserError(
            "input",
            f"{path} is the configuration of a checkpoint. Inspect the checkpoint, such as {folder}; --config names a "
            "configuration that lies elsewhere.",
        )


def _refuse_folder_of_several(path: Path) -> None:
    """Say what to give instead of a folder above checkpoints, heads or stores."""
    children = [child for child in sorted(path.glob("[!.]*")) if child.is_dir()] if path.is_dir() else []
    held = [
        c.name for c in children if (c / "manifest.json").is_file() or looks_like_checkpoint(c) or looks_like_heads(c)
    ]
    if held:
        more = f" and {len(held) - 5} more" if len(held) > 5 else ""
        raise UserError(
            "input",
            f"{path} is a folder above checkpoints, heads or stores: {', '.join(held[:5])}{more}. Give one of them.",
        )


def describe_store(store: Store, *, verify: bool = False) -> Description:
    """Describe an open store, its checksums compared when asked for.

    Raises:
        UserError: `verify` found damaged shards; names them all.
    """
    if verify:
        store.verify()
    statuses = {name: store.status(name) for name in store.modalities}
    model, dataset = store.manifest["model"], store.manifest["dataset"]
    facts = {
        "model": model.get("id", "unknown"),
        "one space for all modalities": "not said" if store.space_unknown else "yes" if store.shared_space else "no",
        "dataset": dataset.get("id", "unknown"),
        "protocol": dataset.get("protocol", "unknown"),
        "items": len(store.ids),
        "captions": store.manifest["counts"]["captions"],
        **_split_facts(store.splits),
        "labels": _labels(store.labels),
        "shards": f"{len(store.manifest['shards'])}{', all checksums right' if verify else ''}",
        "fingerprint": store.fingerprint(),
    }
    return Description(
        kind="store",
        path=str(store.path),
        facts=_as_text(facts),
        counts=tuple(_count(name, store.dims[name], found) for name, found in statuses.items()),
        missing=tuple(
            LeftOut(item, name, reason_of(status))
            for name, found in statuses.items()
            for item, status in zip(store.ids, found, strict=True)
            if state(status) == FAILED
        ),
        notes=tuple(f"Found while it was embedded: {one}" for one in store.findings.values()),
    )


def describe_checkpoint_at(
    path: Path, step: int | None, config: Path | None, *, verify: bool, allow_pickle: bool
) -> Description:
    """Describe a checkpoint by the names and shapes of its tensors; with `verify` every number is read too.

    Raises:
        UserError: See `gramcli.encoders.vast.description.describe_checkpoint`.
    """
    from gramcli.encoders.vast.description import describe_checkpoint  # noqa: PLC0415 - torch loads here

    found = describe_checkpoint(path, step, config, verify=verify, allow_pickle=allow_pickle)
    facts = {
        "family": found.family,
        "modalities": ", ".join(found.modalities),
        "step": "not stated" if found.step is None else found.step,
        "numbers": _groups(found.dtypes),
        "evaluated with": f"{_number(found.sampling.frames, 'frame')}, "
        f"{_number(found.sampling.audio_slices, 'audio slice')}, "
        f"transform {found.sampling.transform}",
        **dict(found.rows),
        "parameters": f"{found.total_parameters:,}",
        **{f"parameters of {part}": f"{number:,}" for part, number in found.parameters.items()},
        "missing tensors": _groups(found.missing) or "none",
        "unexpected tensors": _groups(found.unexpected) or "none",
        "tensors of another shape": ", ".join(found.misshapen) or "none",
        **({"checked": f"{found.tensors} tensors whole, all numbers finite"} if verify else {}),
        "configuration": str(found.config_path or "none, or within the weight file"),
        **{f"sha256 of {name}": value for name, value in found.sha256.items()},
    }
    return Description("checkpoint", str(path), _as_text(facts), (), (), found.assumptions)


def _groups(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in counts.items())


def _count(modality: str, dim: int | None, statuses: Sequence[str]) -> ModalityCount:
    found = Counter(map(state, statuses))
    return ModalityCount(modality, dim, found[OK], found[ABSENT] + found[STAND_IN], found[FAILED])


def _split_facts(splits: Iterable[str | None]) -> dict[str, str]:
    counts = Counter(splits)
    if set(counts) == {None}:
        return {"splits": "none"}
    return {"splits": ", ".join(f"{split or 'no split'} {number}" for split, number in counts.items())}


def _labels(labels: Iterable[str | None]) -> str:
    classes = {label for label in labels if label is not None}
    return _number(len(classes), "class", "classes") if classes else "none"


def _number(n: int, noun: str, plural: str = "") -> str:
    return f"{n} {noun if n == 1 else plural or f'{noun}s'}"


def _as_text(facts: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in facts.items())


def describe_evaluation(path: Path | str, evaluation: Evaluation) -> Description:
    """Describe an evaluation that was read back."""
    rows = evaluation.results
    facts = {
        "model": _id(evaluation.provenance.get("model")),
        "dataset": _id(evaluation.provenance.get("dataset")),
        "tasks": ", ".join(dict.fromkeys(row.task for row in rows)) or "none",
        "methods": ", ".join(dict.fromkeys(row.method for row in rows)) or "none",
        "metrics": ", ".join(dict.fromkeys(row.metric for row in rows)) or "none",
        "figures": len(rows),
        "queries": ", ".join(str(n) for n in dict.fromkeys(row.n for row in rows)) or "none",
        "rank vectors": len(evaluation.ranks),
    }
    return Description("evaluation", str(path), _as_text(facts), (), evaluation.left_out, evaluation.notes)


def _id(value: object) -> str:
    found = value.get("id") if isinstance(value, dict) else value
    return str(found or "not recorded")


def describe_dataset(path: str, dataset: Dataset) -> Description:
    """Describe a dataset by what its items claim to have; no media file is opened, only looked for."""
    items = dataset.items
    facts = {
        "dataset": dataset.id,
        "protocol": dataset.protocol,
        "items": len(items),
        "captions": sum(len(item.captions) for item in items),
        **_split_facts(item.split for item in items),
        "labels": _labels(item.label for item in items),
        "annotations sha256": dataset.annotation_sha256 or "none",
    }
    missing = [LeftOut(item.id, name, why) for item in items for name, why in item.unreadable.items()]
    missing += [
        LeftOut(item.id, name, f"{file} does not exist")
        for item in items
        for name, file in item.media.items()
        if not file.exists()
    ]
    lost = Counter(entry.modality for entry in missing)
    claims = Counter(name for item in items for name in item.modalities)
    counts = tuple(
        ModalityCount(name, None, claims[name] - lost[name], len(items) - claims[name], lost[name])
        for name in dataset.modalities
    )
    notes = (*dataset.told, "Files were looked for, not decoded: ok means that there is one.")
    return Description("dataset", path, _as_text(facts), counts, (*dataset.left_out, *missing), notes)
