"""Which of several vectors of one modality a task takes: the one that the model made for its other side.

A model may make several vectors of a text: PE-AV one to be compared with video, one with audio, one with both; a
prompted model one of a query and one of a document. A store holds each under its name (`text@video`, `text@query`),
and a task names the modality only.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gramcli.errors import UserError
from gramcli.modalities import DOCUMENT, QUERY, Task, base_of, view_against
from gramcli.store.reader import Store


def bases(names: Sequence[str]) -> tuple[str, ...]:
    """What embeddings are of, each once, in their order: the name itself, or that before a view's `@`."""
    return tuple(dict.fromkeys(map(base_of, names)))


def plain(task: Task) -> Task:
    """The task by its modalities, where it names views."""
    return Task(*(tuple(map(base_of, side)) for side in (task.query, task.candidates)))


def is_sided(store: Store, task: Task) -> bool:
    """Whether asking and answering take different vectors, so that the two directions are two rankings."""
    return taken(store, task, forward=True) != taken(store, task, forward=False)


def as_asked(store: Store, task: Task, *, forward: bool = True) -> Store:
    """The store with one vector of each modality of a task, under the modality's name.

    In this order: the view that the task itself names; the one made for all that stands on the other side; the one made
    for its own side, `@query` or `@document`; the one that is made for nothing in particular.

    Args:
        store: An open store.
        task: Whose names may be views.
        forward: Whether its query side asks.

    Returns:
        The store itself where no view is concerned.

    Raises:
        UserError: There are views of a modality, but none of these.
    """
    used = taken(store, task, forward=forward)
    if all(name == stored for name, stored in used.items()):
        return store
    for name, stored in used.items():
        if stored not in store.modalities:
            views = [one for one in store.modalities if base_of(one) == name]
            raise UserError(
                "store",
                f"Task {task.name}: {store.path} holds no {stored} and no plain {name}, but {', '.join(views)}. "
                f"Name one of these, by --query and --candidates.",
            )
    others = {name: name for name in store.modalities if base_of(name) not in used}
    return store.under({**{name: used[name] for name in bases(store.modalities) if name in used}, **others})


def can_ask(store: Store, task: Task) -> bool:
    """Whether there is a vector of every modality of a task."""
    return all(stored in store.modalities for stored in taken(store, task, forward=True).values())


def dims_of(store: Store) -> dict[str, int]:
    """Modality -> dimension: of several vectors that of the plain one, else of the first."""
    dims = store.dims
    return {base_of(name): dims.get(base_of(name), d) for name, d in reversed(dims.items())}


def fits(store: Store, task: Task) -> bool:
    """Whether there is a vector of every modality of a task, all of one dimension."""
    return can_ask(store, task) and len({store.dims[stored] for stored in taken(store, task).values()}) == 1


def views_note(store: Store, task: Task, directions: Sequence[bool]) -> str:
    """Name the vectors that a task takes where its modalities have several; empty where they have one."""
    said = []
    for forward in directions:
        used = taken(store, task, forward=forward)
        views = [stored for name, stored in used.items() if sum(base_of(one) == name for one in store.modalities) > 1]
        if views:
            said.append(f"{(task if forward else task.reversed()).name} takes {' and '.join(views)}")
    return f"{'; '.join(dict.fromkeys(said))}, of the several vectors of one modality." if said else ""


def taken(store: Store, task: Task, *, forward: bool = True) -> dict[str, str]:
    """Modality -> the embedding that the task takes, in its order; one that is not held at all stands for itself."""
    held, found = store.modalities, {}
    for asks, side, others in ((forward, task.query, task.candidates), (not forward, task.candidates, task.query)):
        for name in side:
            lacking = view_against(name, others) if any(base_of(one) == name for one in held) else name
            found[base_of(name)] = name if "@" in name else fitting(name, others, held, asks=asks) or lacking
    return found


def fitting(name: str, others: Sequence[str], held: Collection[str], *, asks: bool) -> str | None:
    """The embedding of a modality that stands against others, of those that are held; None where there is none.

    Args:
        name: The modality.
        others: What stands on the other side.
        held: Names of embeddings.
        asks: Whether its own side asks.
    """
    wanted = (view_against(name, others), f"{name}@{QUERY if asks else DOCUMENT}", name)
    return next((one for one in wanted if one in held), None)
