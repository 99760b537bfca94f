"""`gram join`."""

from __future__ import annotations

from gramcli.cli.options import JoinedArg, JoinItems, JoinItemsOpt, OverwriteOpt, StoreOut
from gramcli.cli.session import Session


def join_command(
    session: Session,
    operands: JoinedArg,
    *,
    output: StoreOut,
    items: JoinItemsOpt = JoinItems.same,
    overwrite: OverwriteOpt = False,
) -> None:
    """Put stores of the same items side by side, by id.

    Each may have been embedded by another model, in an environment of its own. STORE:OLD=NEW renames an embedding, with
    commas between several; a second text is called text@ with a word. A stopped run resumes.

    Example: gram join clip_emb sound_emb:video=video_b,text=text@b -o both
    """
    from gramcli.exchange.joining import join_stores
    from gramcli.report.exchange import joined_answer

    with session.watch() as watch:
        found = join_stores(*operands, output=output, items=items.value, overwrite=overwrite, watch=watch)
    session.show(joined_answer(found))
