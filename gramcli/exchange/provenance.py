"""What a joined store says of the models and the data it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from gramcli.exchange.operands import Operand

JOINED: Final = "joined"
_TELLING: Final = ("id", "architecture", "weights_sha256", "step", "preprocessing", "precision")


def joined_model(operands: Sequence[Operand]) -> dict[str, Any]:
    """The model of a joined store: what made each part, and one space only where one model made all of them.

    Returns:
        `parts`, one for each store, with its fingerprint, model, dataset and embeddings; `id`; `shared_space`, None
        where it is not known; what heads were trained on, and what was assumed, by any part. Of one model, that model
        with its `parts`.
    """
    models: list[dict[str, Any]] = [operand.store.manifest["model"] for operand in operands]
    parts = [
        {
            "fingerprint": operand.store.fingerprint(),
            "embeddings": dict(operand.names),
            "dataset": operand.store.manifest["dataset"],
            "model": model,
        }
        for operand, model in zip(operands, models, strict=True)
    ]
    assumptions = list(dict.fromkeys(one for model in models for one in model.get("assumptions", ())))
    said = {"assumptions": assumptions} if assumptions else {}
    if all(same_model(models[0], model) for model in models[1:]):
        return {**models[0], **said, "parts": parts}
    names = dict.fromkeys(str(model.get("id")) for model in models)
    heads = _heads(models)
    return {
        "id": ", ".join(names),
        "architecture": JOINED,
        "shared_space": False if _known_apart(operands) else None,
        **said,
        **({"heads": heads} if heads else {}),
        "parts": parts,
    }


def same_model(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two stores were embedded by the same weights in the same way, whatever modalities they were asked for.

    What made imported features is not known, whatever their files are called: two imports are of one model only where
    the user gave both its name.

    Example:
        >>> same_model({"id": "a", "tokenizer_sha256": None}, {"id": "a"}), same_model({"id": "a"}, {"id": "b"})
        (True, False)
    """
    telling = (*_TELLING, "heads", "shared_space")
    named = _is_named(one) and _is_named(other) and ("imported" in one) == ("imported" in other)
    return named and all(one.get(key) == other.get(key) for key in telling)


def _is_named(model: Mapping[str, Any]) -> bool:
    """Whether it is known what made a store: it was embedded, or imported under the name of a model."""
    imported = model.get("imported")
    if imported is not None:
        return isinstance(imported, Mapping) and bool(imported.get("model"))
    return all(_is_named(part["model"]) for part in model.get("parts", ()))


def _known_apart(operands: Sequence[Operand]) -> bool:
    """Whether the parts are known to share no space, rather than not known to share one."""
    models = [operand.store.manifest["model"] for operand in operands]
    if any(_says_no(model) for model in models):
        return True
    if len({operand.store.dims[old] for operand in operands for old in operand.names.values()}) > 1:
        return True
    told = [model for model in models if _is_named(model)]
    return any(_differ(first, second) for first, second in combinations(told, 2))


def _says_no(model: Mapping[str, Any]) -> bool:
    return model.get("shared_space", False) is False


def _differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if "imported" in one and "imported" in other:
        return one.get("id") != other.get("id")
    return not same_model(one, other)


def joined_dataset(operands: Sequence[Operand]) -> dict[str, Any]:
    """The dataset of a joined store: what all parts say; the parts keep what only some say."""
    found: list[Mapping[str, Any]] = [operand.store.manifest["dataset"] for operand in operands]
    agreed = {key: value for key, value in found[0].items() if all(one.get(key) == value for one in found[1:])}
    names = ", ".join(dict.fromkeys(str(one.get("id")) for one in found))
    return {"id": names, "protocol": None, "annotation_sha256": None, **agreed}


def _heads(models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What any part's heads saw, so that evaluations still refuse it: of the first dataset that heads name."""
    found = [heads for model in models if (heads := model.get("heads"))]
    if not found:
        return {}
    dataset = found[0].get("dataset")
    seen = {
        kind: list(dict.fromkeys(name for heads in found for name in heads.get(kind, ())))
        for kind in ("trained", "selected")
    }
    return {"dataset": dataset, **seen}
