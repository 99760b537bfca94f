"""Work in processes that may hang or crash: each piece has a time limit, and costs no more than itself.

A worker is a fresh interpreter (never a fork: decoders that are open in a parent hang in its children), joined to this
process by one socket. It works on one piece at a time. A piece that exceeds its limit, or that takes the interpreter
down (a signal, an abort, the kernel's out-of-memory killer), ends as a `Lost`; the worker is replaced by a new one.
Workers end by themselves when this process does, however it ends.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import IO, Any, Final, Protocol, Self

from gramcli.errors import UserError

Function = Callable[..., Any]

_STARTS: Final = 3  # a worker may be killed before it is ready; one that never gets ready is our mistake
_STALLED: Final = struct.pack("ll", 20, 0)  # seconds without a byte in the middle of a message
_START_LIMIT: Final = 120.0  # seconds for a worker's imports; a cold network file system can take many
_LAST_WORDS: Final = 2.0  # seconds from a closed socket to the end of its process
_DEADLY: Final = "out of memory, or killed by the system"


@dataclass(frozen=True)
class Lost:
    """Stands for the result of a piece of work that took its process with it.

    Attributes:
        reason: One phrase for the user.
    """

    reason: str


class Pool(Protocol):
    """Something that works on pieces in the background, or pretends to."""

    def submit(self, *arguments: Any) -> Future[Any]:  # noqa: ANN401 - whatever the function takes
        """Work on one piece; the future's result is the function's, or a `Lost`."""

    def __enter__(self) -> Self:
        """Give the pool itself."""

    def __exit__(self, *_: object) -> None:
        """Drop what waits, end what runs."""


def open_pool(function: Function, workers: int, time_limit: float) -> Pool:
    """Return a pool that calls `function` with the arguments of each piece.

    Args:
        function: Importable by name in a fresh interpreter, or an object that pickles to that.
        workers: Processes; 0 works in this process, where nothing limits the time.
        time_limit: Seconds a piece may take.

    Returns:
        A pool, to be used as a context; its processes start with the first pieces.
    """
    return ProcessPool(function, workers, time_limit) if workers else InlinePool(function)


class InlinePool:
    """Works at once, in this process: for debugging."""

    def __init__(self, function: Function) -> None:
        self._function = function

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def submit(self, *arguments: Any) -> Future[Any]:  # noqa: ANN401 - whatever the function takes
        """Call the function."""
        future: Future[Any] = Future()
        future.set_result(self._function(*arguments))
        return future


Piece = tuple[Future[Any], tuple[Any, ...]]


class ProcessPool:
    """One thread per worker process: it hands over pieces, and waits for results or for the time to run out.

    A worker has the next piece at hand while it works on one, so that it need not wait for a thread of this process,
    which the model keeps busy. The limit of a piece counts from when the one before it was answered.
    """

    def __init__(self, function: Function, workers: int, time_limit: float) -> None:
        self._function, self._time_limit = function, time_limit
        self._waiting: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._lock, self._closed = threading.Lock(), False
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def submit(self, *arguments: Any) -> Future[Any]:  # noqa: ANN401 - whatever the function takes
        """Queue one piece."""
        future: Future[Any] = Future()
        self._waiting.put((future, arguments))
        return future

    def _serve(self) -> None:
        worker: _Worker | None = None
        mine: deque[Piece] = deque()  # handed over or about to be, the oldest first
        while not self._closed and self._take(mine):
            try:
                worker = worker or self._hire()
                worker.hand_over(mine)
                result = worker.answer(self._time_limit)
            except Exception as error:  # it belongs to whoever waits for the result
                worker = None
                mine.popleft()[0].set_exception(error)
                continue
            if isinstance(result, Lost):
                worker = None
            mine.popleft()[0].set_result(result)
        self._waiting.put(None)  # for the next thread

    def _take(self, mine: deque[Piece]) -> bool:
        """Fill up to two pieces; wait for one only when there is none. False when there will be no more."""
        while len(mine) < 2:
            try:
                entry = self._waiting.get(block=not mine)
            except queue.Empty:
                break
            if entry is None:
                self._waiting.put(None)
                break
            mine.append(entry)
        return bool(mine)

    def _hire(self) -> _Worker:
        complaint = ""
        for _ in range(_STARTS):
            with self._lock:
                if self._closed:
                    break
                self._workers = [worker for worker in self._workers if worker.alive]
                worker = _Worker()
                self._workers.append(worker)
            complaint = worker.prepare(self._function)
            if not complaint:
                return worker
        reason = complaint or "the run was stopped"
        raise UserError("failed", f"A worker process could not start: {reason}. Use --workers 0 to do without.")


def _scratch() -> IO[bytes]:
    """A file without a name for what a process complains of; in memory where no temporary folder can be written."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        if not hasattr(os, "memfd_create"):
            raise UserError("failed", "No temporary folder can be written: set TMPDIR, or use --workers 0.") from None
        return os.fdopen(os.memfd_create("complaints"), "w+b")


class _Worker:
    """One process, and our end of the socket to it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _STALLED)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _STALLED)
        self._complaints = _scratch()
        with theirs:
            # A process group of its own: Ctrl-C on the terminal reaches us, and we end the workers.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "gramcli.embedding.workers", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},  # noqa: PTH109
                process_group=0,
            )
        self._pipe = Connection(ours.detach())
        self._held = 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def prepare(self, function: Function) -> str:
        """Send the function and wait until it is loaded; returns what went wrong, nothing when it is ready."""
        reason = f"it did not answer within {_START_LIMIT:.0f} s"
        try:
            self._pipe.send(function)
            if self._pipe.poll(_START_LIMIT) and self._pipe.recv() is True:
                return ""
        except (EOFError, OSError):
            reason = self._cause_of_death()
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        self._bury()
        return said[-1] if said else reason

    def hand_over(self, pieces: Iterable[Piece]) -> None:
        """Send the pieces that this worker does not have yet."""
        for _, arguments in islice(pieces, self._held, None):
            with suppress(BrokenPipeError, ConnectionResetError):  # the answer that does not come says why
                self._pipe.send(arguments)
            self._held += 1

    def answer(self, time_limit: float) -> Any:  # noqa: ANN401 - whatever the function returns
        """Wait for the oldest piece; a `Lost` when the process does not survive it."""
        try:
            if self._pipe.poll(time_limit):
                result = self._pipe.recv()
                self._held -= 1
                return result
            reason = f"it took longer than {time_limit:g} s (--timeout)"
        except (EOFError, OSError):
            reason = self._cause_of_death()
        self._bury()
        return Lost(reason)

    def _cause_of_death(self) -> str:
        try:
            return _cause_of_death(self._process.wait(_LAST_WORDS))
        except subprocess.TimeoutExpired:
            return "it stopped in the middle of its answer"

    def _bury(self) -> None:
        self.kill()
        self._process.wait()
        self._pipe.close()
        self._complaints.close()

    def kill(self) -> None:
        """End the process at once."""
        if self.alive:
            self._process.kill()


def _cause_of_death(code: int) -> str:
    """Say in words how a process ended.

    Example:
        >>> _cause_of_death(-11), _cause_of_death(-9)
        ('it crashed the decoder (SIGSEGV)', 'it crashed the decoder (SIGKILL: out of memory, or killed by the system)')
    """
    if code >= 0:
        return f"it ended the decoder (exit code {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"it crashed the decoder ({name}{f': {_DEADLY}' if code == -signal.SIGKILL else ''})"


def _main(handle: int) -> None:
    """Serve one pool until its socket closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _be_the_first_to_go()
    pipe = Connection(handle)
    work = pipe.recv()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    pipe.send(True)
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(work(*arguments))


def _be_the_first_to_go() -> None:
    """Ask Linux's out-of-memory killer to choose this process before the one that holds the results."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - a device, not a path of ours
            file.write("500")
    except OSError:
        return


def _end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, also in the middle of a piece that would never end."""
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(1.0)
    os._exit(1)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
