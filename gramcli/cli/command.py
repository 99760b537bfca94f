"""What makes a function a command: the shared options, the look at where it starts, the error report."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

from gramcli.cli.errors import report_errors
from gramcli.cli.options import DebugOpt, FormatOpt, PrintConfigOpt, QuietOpt, SettingsOpt, VerboseOpt
from gramcli.cli.session import Session
from gramcli.cli.starts import check_start
from gramcli.cli.streams import tell

NOTHING_WRITTEN = "Nothing was written."


def _shared(
    output_format: FormatOpt = None, quiet: QuietOpt = False, verbose: VerboseOpt = False, debug: DebugOpt = False
) -> None:
    """Carry the signature of the options that every command has and its session knows."""


def _configuring(settings: SettingsOpt = None, print_config: PrintConfigOpt = False) -> None:
    """Carry the signature of the options that are done with once the command line is read."""


def command(function: Callable[..., None], on_interrupt: str = NOTHING_WRITTEN) -> Callable[..., None]:
    """Return `function` as Typer is to see it.

    Args:
        function: A command body whose first argument is the `Session`; the others are its options.
        on_interrupt: What Ctrl-C leaves behind, said when it happens.

    Returns:
        A function with the options of `function` and the shared ones, that reports errors.
    """
    shared, configuring = (inspect.signature(one, eval_str=True).parameters for one in (_shared, _configuring))
    own = [value for name, value in inspect.signature(function, eval_str=True).parameters.items() if name != "session"]
    every = (*own, *shared.values(), *configuring.values())
    parameters = [value.replace(kind=inspect.Parameter.KEYWORD_ONLY) for value in every]
    for value in every:  # a file that may not be read is no wrong command line: its reader says what is wrong
        for info in get_args(value.annotation)[1:]:
            info.readable = False

    @functools.wraps(function)
    def run(**arguments: Any) -> None:  # noqa: ANN401 - options of every type
        """Open the session, run the command, report its errors."""
        session = Session(**{name: arguments.pop(name) for name in shared}, on_interrupt=on_interrupt)
        for name in configuring:
            arguments.pop(name, None)
        with logged(session, function.__name__, arguments), report_errors(session):
            check_start(function.__name__.removesuffix("_command"), arguments)
            function(session, **arguments)

    del run.__wrapped__  # else Typer would look at the signature behind
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {value.name: value.annotation for value in parameters}
    return run


@contextmanager
def logged(session: Session, name: str, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Log the arguments before the block and the time it took after, for `--verbose` and `--debug`."""
    if not session.verbose and not session.debug:
        yield
        return
    import logging

    logging.basicConfig(handlers=[_handler()], force=True)
    logger = logging.getLogger("gramcli")
    logger.setLevel(logging.DEBUG if session.debug else logging.INFO)
    given = ", ".join(f"{key}={value}" for key, value in arguments.items() if value is not None)
    logger.info("%s with %s", name, given)
    start = time.perf_counter()
    try:
        yield
    finally:
        logger.info("%s took %.1f s", name, time.perf_counter() - start)


def _handler() -> Any:  # noqa: ANN401 - logging is imported where it is used
    """What writes log lines to stderr, as all sentences are."""
    import logging

    class Handler(logging.Handler):
        """A handler whose lines leave where all sentences do."""

        def emit(self, record: logging.LogRecord) -> None:
            """Write one line."""
            tell(f"{record.name}: {record.getMessage()}")

    return Handler()
