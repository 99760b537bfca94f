"""Which methods order alike: with one vector on each side most do, and some options only show scores otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gramcli.evaluation.selection import Selection
from gramcli.methods.base import AlignmentMethod

COSINE: Final = "cosine"
PARALLEL: Final = "gram"
PAIR_ORDERS: Final = (COSINE, PARALLEL)
"""With one vector on each side a method orders as one of these: signs count, or only how parallel two vectors are."""

_PAIR_ORDER: Final = {
    **dict.fromkeys((COSINE, "centroid", "symile"), COSINE),
    **dict.fromkeys((PARALLEL, "span", "pmrl"), PARALLEL),
}
_SHOWN_ONLY: Final = {"gram": {"log"}, "span": {"log"}}
PAIRS_NOTE: Final = (
    "Single pairs are shown under cosine: with one vector on each side centroid and symile are the cosine, span is the "
    "volume, and gram, span and pmrl all order by |cosine|. --method shows any."
)

Named = tuple[str, AlignmentMethod]
"""A method and its name, with its options."""


def is_pair(selection: Selection) -> bool:
    """Whether a task has one vector on each side, and is no part of a joint task."""
    return len(selection.task.modalities) == 2 and selection.whole is None


def shown_by_default(selection: Selection, named: Sequence[Named]) -> list[Named]:
    """Methods under which a task is shown where none was named: of a single pair the cosine alone, where it is there.

    Args:
        selection: The task's rows.
        named: Every method.
    """
    cosine = [one for one in named if one[0] == COSINE]
    return cosine if cosine and is_pair(selection) else list(named)


def pair_order(name: str) -> str:
    """The method that orders single pairs as a method does, up to the rounding of its last digit; else itself.

    Example:
        >>> pair_order("span"), pair_order("centroid"), pair_order("pmrl:value=softmax")
        ('gram', 'cosine', 'pmrl:value=softmax')
    """
    return _PAIR_ORDER.get(name, name)


def ordering(name: str, method: AlignmentMethod) -> tuple[object, ...]:
    """Equal for methods whose ranks are equal to the last tie, whatever the vectors.

    Those differ only in how a score is shown, as a volume and its logarithm do: keys and `ordered` are the same. gram,
    span and pmrl of one vector against one are not among them, though all order by |cosine|: each rounds on its way to
    the key, and what is a tie to the last digit of one is none to another.

    Args:
        name: Of the method, with its options.
        method: The method.
    """
    base = name.partition(":")[0]
    if base not in _SHOWN_ONLY:
        return (name,)
    options = sorted(set(getattr(method, "__dataclass_fields__", ())) - _SHOWN_ONLY[base])
    return (base, *((key, getattr(method, key)) for key in options))
