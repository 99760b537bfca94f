"""Options that would have no effect beside the others: said before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def refuse_without_effect(
    metrics: Sequence[str],
    classifying: Mapping[str, object],
    per_query: object,
    root: object,
    dataset: object,
) -> None:
    """Refuse options of `gram eval` that the others leave without effect.

    Args:
        metrics: Kinds of figures; none means retrieval.
        classifying: Options of classification -> what was given, empty where nothing was.
        per_query: The file of `--per-query`.
        root: The folder of `--root`.
        dataset: What is to be embedded; None for a store.

    Raises:
        UserError: One of them has no effect.

    Example:
        >>> refuse_without_effect(["classification"], {"--knn": 3}, None, None, None)
    """
    kinds = metrics or ("retrieval",)
    given = next((option for option, value in classifying.items() if value), None)
    if given and "classification" not in kinds:
        raise UserError("usage", f"{given} is about classification; add --metrics classification, or leave it out.")
    if per_query and "retrieval" not in kinds:
        raise UserError("usage", "--per-query is about retrieval; add --metrics retrieval, or leave it out.")
    if root and dataset is None:
        raise UserError("usage", "--root is where the files of --dataset lie; add --dataset DATA, or leave it out.")
