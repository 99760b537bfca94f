"""Which items and queries the figures of a page cover, as far as the record says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gramcli.results.records import ComparisonRow

UNLISTED: Final = "This result does not list what was left out of it."
_NARROWED: Final = ("split", "limit")


def covered(provenance: Mapping[str, Any], *, nothing: bool, rows: Sequence[ComparisonRow] = ()) -> tuple[str, ...]:
    """Return sentences on what was evaluated, and on queries that a comparison drops.

    Args:
        provenance: Of an evaluation; or of several, under `evaluations` or `runs`.
        nothing: Whether it is known that nothing of it was left out.
        rows: Of a comparison.
    """
    parts = parts_of(provenance)
    dropped = _dropped(parts, rows)
    if not nothing or dropped:
        more = " Of the items evaluated nothing else was left out." if nothing else ""
        return tuple(f"{one}." for one in _evaluated(parts)) + dropped + ((more.strip(),) if more else ())
    if parts and all(_whole(one) for one in parts):
        items = {one["n"] for one in parts}
        return (f"Nothing: all {', '.join(f'{n:,}' for n in sorted(items))} items of the store were evaluated, "
                "and every one is in the figures.",)  # fmt: skip
    found = _evaluated(parts)
    if not found:
        return ("Of the items evaluated nothing was left out.",)
    return (*(f"{one}." for one in found[:-1]), f"{found[-1]}; of these nothing was left out.")


def parts_of(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The provenances of the evaluations behind a result: its own, or those that it lists."""
    for name in ("evaluations", "runs"):
        if isinstance(found := provenance.get(name), Sequence):
            return [one for one in found if isinstance(one, Mapping)]
    return [provenance]


def _evaluated(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(filter(None, map(_sentence, parts))))


def _sentence(one: Mapping[str, Any]) -> str:
    n, items = one.get("n"), _items(one)
    how = ", ".join(f"{name} {one[name]}" for name in _NARROWED if one.get(name) is not None)
    if not isinstance(n, int):
        return f"Evaluated were the items of {how}" if how else ""
    of = f" of the store's {items:,} items" if items else " items"
    return f"Evaluated were {n:,}{of}{f' ({how})' if how else ''}"


def _whole(one: Mapping[str, Any]) -> bool:
    return isinstance(one.get("n"), int) and one["n"] == _items(one)


def _items(one: Mapping[str, Any]) -> int | None:
    store = one.get("store")
    found = store.get("items") if isinstance(store, Mapping) else None
    return found if isinstance(found, int) else None


def _dropped(parts: Sequence[Mapping[str, Any]], rows: Sequence[ComparisonRow]) -> tuple[str, ...]:
    asked: dict[str, int] = {}
    for one in parts:
        tasks = one.get("tasks")
        for task, facts in tasks.items() if isinstance(tasks, Mapping) else ():
            queries = facts.get("queries") if isinstance(facts, Mapping) else None
            if isinstance(queries, int):
                asked[str(task)] = max(queries, asked.get(str(task), 0))
    return tuple(
        dict.fromkeys(
            f"The comparison of {row.task} covers {row.n:,} of {asked[row.task]:,} queries."
            for row in rows
            if row.n < asked.get(row.task, 0)
        )
    )
