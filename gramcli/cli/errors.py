"""From exceptions to one sentence on stderr, an exit code and, when asked for, a JSON document."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gramcli.catalog import plug_in_of
from gramcli.cli.session import Session
from gramcli.cli.streams import discard, emit, lost_answer, tell_block
from gramcli.errors import ANEW_IN_A_SHELL, ANEW_IN_PYTHON, EXIT_FAILED, EXIT_INTERRUPTED, UserError

_LOOK = "Use --debug to see where."
_REMEDIES = {  # where a path is looked at before it is opened
    errno.EACCES: "Ask its owner, or change it, or the folder that holds it, with chmod.",
    errno.EPERM: "Ask its owner, or change it, or the folder that holds it, with chmod.",
    errno.ENAMETOOLONG: "Name it shorter.",
    errno.ELOOP: "It is a link that leads to itself: name a file.",
}
EXIT_PIPE_CLOSED = 141  # what a shell reports of any program that a closed pipe ended


@contextmanager
def report_errors(session: Session) -> Iterator[None]:
    """Report what goes wrong in the block, and end with the exit code of the contract.

    Args:
        session: Says whether a JSON document or a traceback is wanted.

    Raises:
        Exit: The block failed in a way that the user can mend, or was interrupted.
        Exception: Anything else is a bug and keeps its traceback.
    """
    try:
        _refuse_lost_folder()
        with _plug_ins_blamed():
            yield
    except UserError as error:
        _show_traceback(session)
        message = error.message.replace(ANEW_IN_PYTHON, ANEW_IN_A_SHELL)
        raise _failed(session, error.kind, message, error.exit_code) from None
    except KeyboardInterrupt:
        raise _failed(session, "interrupted", f"Interrupted. {session.on_interrupt}", EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        discard(sys.stdout)
        raise typer.Exit(EXIT_PIPE_CLOSED) from None
    except OSError as error:
        message = lost_answer(error)
        if message:
            session.complain(message)
            raise typer.Exit(EXIT_FAILED) from None
        if error.filename is None:
            _document(session, "failed", str(error))
            raise
        _show_traceback(session)
        message = f"{os.fsdecode(error.filename)}: {error.strerror}. {_REMEDIES.get(error.errno or 0, _LOOK)}"
        raise _failed(session, "failed", message, EXIT_FAILED) from None
    except typer.Exit:
        raise
    except Exception as error:
        _document(session, "failed", f"{type(error).__name__}: {error}")
        raise


@contextmanager
def _plug_ins_blamed() -> Iterator[None]:
    """Name the plug-in in whose code the block ends, even where that would end the program."""
    try:
        yield
    except (UserError, KeyboardInterrupt, typer.Exit):
        raise
    except BaseException as error:
        plug_in = plug_in_of(error)
        if plug_in is None:
            raise
        raise plug_in.failed(error) from error


def _refuse_lost_folder() -> None:
    """Refuse to begin in a working directory that was deleted: torch would end the process there."""
    try:
        os.getcwd()  # noqa: PTH109 - the system's own answer
    except OSError as error:
        message = f"The working directory cannot be found ({error.strerror}): change to one that is there."
        raise UserError("failed", message) from None


def _failed(session: Session, kind: str, message: str, code: int) -> typer.Exit:
    session.complain(message)
    _document(session, kind, message)
    return typer.Exit(code)


def _document(session: Session, kind: str, message: str) -> None:
    if session.wants_json:
        from gramcli.results.documents import dump_json

        try:
            emit(dump_json({"error": {"kind": kind, "message": message}}))
        except OSError:
            discard(sys.stdout)


def _show_traceback(session: Session) -> None:
    if session.debug:
        import traceback

        tell_block(traceback.format_exc())
