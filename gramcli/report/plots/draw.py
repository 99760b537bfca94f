"""From a subject to its figures: all that it can serve, or one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gramcli.errors import UserError
from gramcli.report.plots.catalog import KINDS
from gramcli.report.plots.picture import Drawing, Picture

if TYPE_CHECKING:
    from gramcli.report.plots.subject import Subject

Maker = Callable[["Subject"], Picture | None]


def drawings(subject: Subject) -> list[Drawing]:
    """Draw every kind of figure that a subject can serve, in the order of the catalog.

    Args:
        subject: What there is; pictures of its store are computed where they are not there yet.

    Returns:
        Figures with names and captions; kinds for which nothing is there are left out.
    """
    subject = completed(subject)
    found = []
    for kind in KINDS:
        make: Maker = KINDS.load(kind.name)
        picture = make(subject)
        if picture is not None:
            found.append(picture.drawing())
    return found


def picture(subject: Subject, kind: str) -> Picture:
    """Draw one kind of figure.

    Args:
        subject: What there is.
        kind: Its name in the catalog.

    Raises:
        UserError: Not in the catalog, or the subject has nothing for it.
    """
    row = KINDS.row(kind)
    make: Maker = KINDS.load(kind)
    found = make(completed(subject) if row.needs == "vectors" else subject)
    if found is None:
        asked = ", ".join([*subject.tasks, *subject.methods])
        narrowed = f" (of {asked})" if asked else ""
        raise UserError("input", f"There is nothing to draw as {kind}{narrowed}: it takes {row.source}.")
    return found


def completed(subject: Subject) -> Subject:
    """The subject with pictures of its store, of the tasks and methods of its evaluation."""
    if subject.pictures is not None or subject.store is None:
        return subject
    from gramcli.report.plots.sources import pictures_for  # noqa: PLC0415 - torch loads here

    return replace(subject, pictures=pictures_for(subject))
