"""From exceptions to one sentence on stderr, an exit code and, when asked for, a JSON document."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from gramcli.cli.session import Session, emit
from gramcli.errors import EXIT_FAILED, EXIT_INTERRUPTED, UserError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
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
        yield
    except UserError as error:
        _show_traceback(session)
        raise _failed(session, error.kind, error.message, error.exit_code) from None
    except KeyboardInterrupt:
        raise _failed(session, "interrupted", f"Interrupted. {session.on_interrupt}", EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        _discard_stdout()
        raise typer.Exit(EXIT_PIPE_CLOSED) from None
    except OSError as error:
        if error.errno in _NO_ROOM:
            _discard_stdout()
            session.complain(f"The answer could not be written: {error.strerror}. Make room, or send it elsewhere.")
            raise typer.Exit(EXIT_FAILED) from None
        if error.filename is None:
            _document(session, "failed", str(error))
            raise
        _show_traceback(session)
        message = f"{os.fsdecode(error.filename)}: {error.strerror}. Use --debug to see where."
        raise _failed(session, "failed", message, EXIT_FAILED) from None
    except typer.Exit:
        raise
    except Exception as error:
        _document(session, "failed", f"{type(error).__name__}: {error}")
        raise


def _failed(session: Session, kind: str, message: str, code: int) -> typer.Exit:
    session.complain(message)
    _document(session, kind, message)
    return typer.Exit(code)


def _document(session: Session, kind: str, message: str) -> None:
    if session.wants_json:
        from gramcli.results.documents import dump_json

        with suppress(BrokenPipeError):
            emit(dump_json({"error": {"kind": kind, "message": message}}))


def _show_traceback(session: Session) -> None:
    if session.debug:
        import traceback

        traceback.print_exc()


def _discard_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's last flush cannot complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
