"""`gram embed DATA --model heads:HEADS --from STORE`: a store through heads, nothing decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gramcli.errors import EXIT_LEFT_OUT, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gramcli.cli.session import Session
    from gramcli.store import Store


def embed_through_heads(
    session: Session,
    data: str,
    items: Mapping[str, Any],
    through: tuple[str, Path],
    output: tuple[Path, bool],
    idle: Mapping[str, object],
) -> None:
    """Write the dataset's items of a store through heads.

    Args:
        session: The run.
        data: Whose items: a dataset, or the store itself.
        items: `root`, `split`, `limit` and `protocol`.
        through: `heads:DIR`, and the store of the base model's embeddings.
        output: The store to write, and whether to replace another one.
        idle: Options that mean nothing here -> what was given.

    Raises:
        UserError: `--from` without heads, a store of other data, an option without effect.
    """
    from gramcli.heads.files import PREFIX, load_heads
    from gramcli.heads.projection import write_projected
    from gramcli.inspection.inspect import inspect
    from gramcli.report.listings import description_answer
    from gramcli.store import open_store

    (model, source), (path, overwrite) = through, output
    if not model.startswith(PREFIX):
        raise UserError("usage", f"--from goes with --model heads:DIR; got --model {model}. Leave --from out.")
    if given := next((option for option, value in idle.items() if value), None):
        raise UserError("usage", f"{given} has no effect with --from, where nothing is decoded. Leave it out.")
    store = open_store(source)
    write_projected(store, load_heads(model), _ids(store, data, items), path, overwrite=overwrite)
    found = inspect(path)
    session.show(description_answer(found))
    session.finish(EXIT_LEFT_OUT if found.missing else 0)


def _ids(store: Store, data: str, items: Mapping[str, Any]) -> Sequence[str]:
    """The ids of the items that are asked for; DATA may be the store itself.

    Raises:
        UserError: The store is of other data.
    """
    if (Path(data) / "manifest.json").is_file() and Path(data).resolve() == store.path.resolve():
        from gramcli.store.splits import chosen_items

        return [store.ids[k] for k in chosen_items(store, items["split"] or "all", items["limit"]).tolist()]
    from gramcli.datasets import open_dataset

    dataset = open_dataset(data, items["root"], split=items["split"], limit=items["limit"], protocol=items["protocol"])
    known = store.manifest["dataset"].get("id")
    if known != dataset.id:
        raise UserError("usage", f"{store.path} holds embeddings of '{known}', not of '{dataset.id}'. Name its data.")
    return [item.id for item in dataset.items]
