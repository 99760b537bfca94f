"""Alignment methods: one file each, listed here as data; nothing heavy loads until one is used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gramcli.catalog import Catalog
from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.methods.base import AlignmentMethod


@dataclass(frozen=True)
class Method:
    """What the tool knows of a method before loading it.

    Attributes:
        name: The word used on the command line, in JSON and as file name.
        target: `module:class`.
        summary: One line for tables.
        formula: In plain text, q query and m_k candidate vectors.
        higher_is_better: Orientation of the score.
        low: Smallest possible score of unit vectors, as text where it depends on m.
        high: Largest possible score.
        min_modalities: Fewest modalities, both sides together.
        max_modalities: Most modalities, None for any number.
        options: Option names with their values, as text.
        paper: Where it comes from.
        sign_blind: Whether an item can have the best score there is while two of its three modalities point opposite
            ways. Training by such a loss does not bring signs together, so heads start from a stage of cosines.
    """

    name: str
    target: str
    summary: str
    formula: str
    higher_is_better: bool
    low: str
    high: str
    min_modalities: int
    max_modalities: int | None
    options: str
    paper: str
    sign_blind: bool = False


METHODS = Catalog(
    "method",
    [
        Method(
            "cosine", "gramcli.methods.cosine:Cosine", "mean of the pairwise cosines across the two sides",
            "mean q_a . m_b", True, "-1", "1", 2, None, "", "arXiv:2103.00020",
        ),
        Method(
            "centroid", "gramcli.methods.centroid:Centroid", "cosine to the unit mean of the candidate's modalities",
            "q . mean(m) / |mean(m)|", True, "-1", "1", 2, None, "weights=uniform|query, tau=0.1", "CentroBind; SCALAR",
        ),
        Method(
            "gram", "gramcli.methods.gram:Gram", "volume spanned by all modality vectors",
            "sqrt(det G(q, m_1..m_p))", False, "0", "1", 2, None, "log=true|false", "arXiv:2412.11959",
            sign_blind=True,
        ),
        Method(
            "span", "gramcli.methods.span:Span", "distance from the query to the span of the candidate's modalities",
            "sqrt(det G(q, m) / (det G(q) det G(m)))", False, "0", "1", 2, None, "log=true|false, ridge=0",
            "arXiv:2605.29900", sign_blind=True,
        ),
        Method(
            "pmrl", "gramcli.methods.pmrl:Pmrl", "leading singular value of all modality vectors",
            "sigma_1([q, m_1..m_p])", True, "1", "sqrt(m)", 2, None, "value=sigma|share|softmax, tau=0.1",
            "arXiv:2507.17343", sign_blind=True,
        ),
        Method(
            "triangle", "gramcli.methods.triangle:Triangle", "area of the triangle of three modality vectors",
            "1/2 sqrt(|t-v|^2 |t-a|^2 - ((t-v).(t-a))^2)", False, "0", "3 sqrt(3)/4", 3, 3, "squared=true|false",
            "arXiv:2509.24734", sign_blind=True,
        ),
        Method(
            "symile", "gramcli.methods.symile:Symile", "multilinear inner product of all modality vectors",
            "sum_d q_d m_1d .. m_pd", True, "-1", "1", 2, None, "", "arXiv:2411.01053",
            sign_blind=True,
        ),
    ],
    group="gramcli.methods",
)  # fmt: skip


def is_sign_blind(name: str) -> bool:
    """Say whether a method, named with its options or without, does not see whether modalities point opposite ways.

    Raises:
        UserError: Unknown name.

    Example:
        >>> is_sign_blind("gram:log=true"), is_sign_blind("cosine")
        (True, False)
    """
    return METHODS.row(name.partition(":")[0]).sign_blind


def get_method(name: str, /, **options: Any) -> AlignmentMethod:  # noqa: ANN401 - options differ by method
    """Build a method by name.

    Args:
        name: A catalog name, with options after a colon if wanted: `pmrl`, `pmrl:value=share`.
        **options: The same options as keywords; they win over those in the name.

    Returns:
        The method, ready for `gramcli.scoring.scores` and `gramcli.scoring.ranking`.

    Raises:
        UserError: Unknown name, unknown option or a value the method does not take.

    Example:
        >>> get_method("gram:log=true").log
        True
    """
    if not isinstance(name, str):
        raise UserError("usage", f"A method is given by its name, such as 'gram'; got {name!r}.")
    base, colon, text = name.partition(":")
    if colon and not text:
        raise UserError("usage", f"Method '{name}' ends in a colon: write options after it, or leave it out.")
    build = METHODS.load(base)
    fields = getattr(build, "__dataclass_fields__", {})
    allowed = {key: str(field.type) for key, field in fields.items() if key not in ("name", "higher_is_better")}
    merged = {**_named_options(name, text), **options}
    for key, value in merged.items():
        if key not in allowed:
            known = f"Known: {', '.join(allowed)}." if allowed else "It takes none."
            raise UserError("usage", f"Method '{base}' has no option '{key}'. {known}")
        merged[key] = _typed(f"{base}: {key}", value, allowed[key])
    method: AlignmentMethod = build(**merged)
    return method


def _named_options(name: str, text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in text.split(",") if text else ():
        key, separator, value = part.partition("=")
        if not separator:
            raise UserError("usage", f"Method '{name}': '{part}' is not option=value.")
        if key.strip() in options:
            raise UserError("usage", f"Method '{name}' gives '{key.strip()}' twice: leave one out.")
        options[key.strip()] = value.strip()
    return options


def _typed(where: str, value: Any, kind: str) -> Any:  # noqa: ANN401 - whatever the option takes
    """The option's value in the type its field declares; text as it comes from the command line is read."""
    if kind == "bool":
        if str(value).lower() not in ("true", "false"):
            raise UserError("usage", f"{where} is true or false; got '{value}'.")
        return str(value).lower() == "true"
    if kind == "float":
        try:
            if not isinstance(value, bool) and math.isfinite(float(value)):
                return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
        raise UserError("usage", f"{where} is a finite number; got '{value}'.")
    return value
