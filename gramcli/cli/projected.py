"""`gram embed DATA --model heads:HEADS --from STORE`: a store through heads, nothing decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.errors import EXIT_LEFT_OUT, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gramcli.cli.session import Session
    from gramcli.datasets import Dataset


def embed_through_heads(
    session: Session,
    dataset: Dataset,
    model: str,
    source: Path,
    output: tuple[Path, bool],
    idle: Mapping[str, object],
) -> None:
    """Write the dataset's items of a store through heads.

    Args:
        session: The run.
        dataset: Whose items.
        model: `heads:DIR`.
        source: The store of the base model's embeddings.
        output: The store to write, and whether to replace another one.
        idle: Options that mean nothing here -> what was given.

    Raises:
        UserError: `--from` without heads, a store of other data, an option without effect.
    """
    from gramcli.describe import describe
    from gramcli.heads.files import PREFIX, load_heads
    from gramcli.projection import write_projected
    from gramcli.report.listings import description_answer
    from gramcli.store import open_store

    if not model.startswith(PREFIX):
        raise UserError("usage", f"--from goes with --model heads:DIR; got --model {model}. Leave --from out.")
    if given := next((option for option, value in idle.items() if value), None):
        raise UserError("usage", f"{given} has no effect with --from, where nothing is decoded. Leave it out.")
    store, (path, overwrite) = open_store(source), output
    known = store.manifest["dataset"].get("id")
    if known != dataset.id:
        raise UserError("usage", f"{source} holds embeddings of '{known}', not of '{dataset.id}'. Name its data.")
    write_projected(store, load_heads(model), [item.id for item in dataset.items], path, overwrite=overwrite)
    found = describe(path)
    session.show(description_answer(found))
    session.finish(EXIT_LEFT_OUT if found.missing else 0)
