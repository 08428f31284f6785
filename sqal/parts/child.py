"""A server as a direct child: started detached from the terminal, tied to our life, always waited for.

Errors:

    Exception
    └── PartError   a part could not be started or stopped; its text is one sentence for a person
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.01  # between two looks at a starting server; the fastest of them is up in 20 ms
LOG_TAIL_BYTES = 4_096  # enough for the last words of a server that refuses to start
LOG_BYTES_MAX = 1_048_576  # at a start, a longer log makes room; one older log is kept
STOP_GRACE_S = 10.0  # a clean stop takes tens of milliseconds; ten seconds means that it hangs


class PartError(Exception):
    """A part could not be started or stopped; the text is one sentence for a person."""


class Child:
    """One running server process and its log."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], *, log: Path, log_start: int, stop_signal: signal.Signals
    ) -> None:
        """Take over `process`; its output goes to the end of `log`, from byte `log_start` on."""
        self.name = name
        self.process = process
        self.log = log
        self._log_start = log_start
        self._stop_signal = stop_signal

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives; reaps it when it does not, so that a zombie never counts as alive."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """Return the end of what this process wrote to its log, at most 4 KiB."""
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace")

    def wait_ready(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Block until `ready()`; raise PartError with the server's last words when it ends or stays silent."""
        deadline = time.monotonic() + timeout_s
        while self.running:
            if ready():
                return
            if time.monotonic() > deadline:
                self.kill()
                raise PartError(f"{self.name} did not become ready within {timeout_s:.0f} s; its log is {self.log}")
            time.sleep(POLL_S)
        raise PartError(f"{self.name} ended with code {self.process.returncode}: {_last_line(self.last_words())}")

    def ask_to_stop(self) -> None:
        """Send the signal that this server takes as a polite request to end; do not wait."""
        self.process.send_signal(self._stop_signal)

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` for the end; whether it came."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Ask the server to end and wait for it; one that has not ended after 10 s is killed. Safe to repeat."""
        if self.running:
            self.ask_to_stop()
            if not self.wait(STOP_GRACE_S):
                self.kill()

    def kill(self) -> None:
        """End the server with SIGKILL and wait for it, as a power cut would. Safe to repeat."""
        if self.running:
            self.process.kill()
        self.process.wait()


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    stop_signal: signal.Signals,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start `command` in its own session with closed input, `/` as working folder and its output in `log`.

    The own session keeps the terminal's Ctrl-C away from it: whoever started it stops it in the right order.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_name(f"{log.name}.1"))
        with log.open("ab") as output:  # appended: a second instance that is refused must not wipe the first one's log
            log_start = output.tell()
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
    except OSError as error:
        raise PartError(f"{name} cannot be started: {error.strerror or error}") from error
    return Child(name, process, log=log, log_start=log_start, stop_signal=stop_signal)


def dies_with_us(death_signal: str, *setpriv_options: str) -> list[str]:
    """Return the command prefix that ends the child with `death_signal` ("INT", "TERM") when this process dies.

    The signal comes only for a death after it was asked for, so a shell looks whether we still are the parent before it
    becomes the program. Empty where `setpriv` does not exist (not Linux): there a killed parent leaves its servers.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    still_ours = ["sh", "-c", 'test "$PPID" = "$0" || exit 1; exec "$@"', str(os.getpid())]
    return [setpriv, "--pdeathsig", death_signal, *setpriv_options, *still_ours]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
