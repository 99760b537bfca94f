"""`gram import`."""

from __future__ import annotations

from gramcli.cli.import_options import (
    FilesArg,
    FormatNameOpt,
    FormatsOpt,
    IdsOpt,
    ImportOut,
    ModelNameOpt,
    NameOpt,
    Pool,
    PoolOpt,
    RenameOpt,
    SharedSpaceOpt,
    TableOpt,
    TextsOpt,
    TimeAxisOpt,
)
from gramcli.cli.options import DryRunOpt, OverwriteOpt
from gramcli.cli.session import Session


def import_command(
    session: Session,
    files: FilesArg = None,
    *,
    output: ImportOut = None,
    from_format: FormatNameOpt = None,
    ids: IdsOpt = None,
    table: TableOpt = None,
    texts: TextsOpt = None,
    pool: PoolOpt = Pool.mean,
    time_axis: TimeAxisOpt = None,
    shared_space: SharedSpaceOpt = None,
    rename: RenameOpt = None,
    dataset: NameOpt = None,
    model: ModelNameOpt = None,
    overwrite: OverwriteOpt = False,
    dry_run: DryRunOpt = False,
    formats: FormatsOpt = False,
) -> None:
    """Turn features that other tools wrote into a store.

    The format is recognised from what the files hold; --dry-run says what was recognised. Vectors are kept as they
    are; an item without features is absent, never a zero vector.

    Example: gram import text.npy video.npy --ids ids.csv -o my_store

    Example: gram import features/ --pool max -o my_store

    Example: gram import mosei.pkl --dry-run

    Example: gram import --formats
    """
    from gramcli.report.imports import formats_answer, import_answer

    if formats:
        return session.show(formats_answer())
    from gramcli.exchange.import_features import import_features

    with session.watch() as watch:
        found = import_features(
            files or (), output, from_format=from_format, ids=ids, table=table, texts=texts, pool=pool.value,
            time_axis=time_axis, shared_space=None if shared_space is None else shared_space.value == "yes",
            rename=renamed(rename), dataset=dataset, model=model, overwrite=overwrite, dry_run=dry_run, watch=watch,
        )  # fmt: skip
    session.show(import_answer(found))


def renamed(pairs: list[str] | None) -> dict[str, str]:
    """Read `--rename OLD=NEW`.

    Raises:
        UserError: A pair is none.
    """
    from gramcli.errors import UserError

    found = {}
    for pair in pairs or ():
        old, equals, new = pair.partition("=")
        if not equals or not old or not new:
            raise UserError("usage", f"--rename '{pair}' is not OLD=NEW; write for example --rename clip=video.")
        found[old] = new
    return found
