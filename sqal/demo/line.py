"""A whole line on this machine: starts every part in order, keeps them running, takes them down together."""

import fcntl
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import psycopg

from cloud.store.migrate import MigrationError, migrate
from cloud.store.queries import Queries
from sqal.access import Access
from sqal.demo.plan import Plan, Site, free_port, port_is_taken
from sqal.demo.seed import seed
from sqal.demo.supervisor import Supervisor
from sqal.parts.broker import RunningBroker, start_broker
from sqal.parts.child import Child, PartError, dies_with_us, spawn
from sqal.parts.postgres import RunningPostgres, start_postgres
from sqal.resources import resource_path

DATABASE, BROKER, INGEST, SERVE, LEDGER, RAW = "database", "broker", "ingest", "server", "ledger", "raw"
ADMIN = "admin"
DISK_FREE_BYTES_MIN = 512 * 1024 * 1024  # a cluster of 110 MB, its log, and a day of three devices
SERVE_TIMEOUT_S = 60.0
STAGE_STORE, STAGE_CLOUD, STAGE_EDGE = 1, 2, 3


def _silent(_: str) -> None:
    return None


@dataclass(slots=True)
class Line:
    """The parts of one demo; `say` gets one short line for each step that a person may want to see."""

    plan: Plan
    say: Callable[[str], None] = _silent
    quick: bool = False  # tests: the database need not survive a power cut
    extra: Mapping[str, str] = field(default_factory=dict[str, str])  # environment of the processes, over our own
    agents: bool = True  # False: nobody measures; a bench or a test sends by itself
    supervisor: Supervisor = field(init=False)
    broker_port: int = field(init=False)
    postgres: RunningPostgres | None = field(init=False, default=None)
    _postgres_port: int = field(init=False)
    _lock: TextIO | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.say)
        self.broker_port = free_port()
        self._postgres_port = free_port()

    @property
    def dsn(self) -> str:
        """Connection string of the demo's database."""
        return f"postgresql://postgres@127.0.0.1:{self._postgres_port}/postgres"

    def start(self) -> None:
        """Bring up every part; on any failure take down what is up. Raises PartError: one sentence for a person."""
        try:
            self._claim()
            self._start_store()
            lots = self._prepare()
            self._start_cloud()
            if self.agents:
                self._start_edge(lots)
        except BaseException:
            self.stop()
            raise

    def login_link(self) -> str:
        """A link that logs the demo's one admin in once."""
        access = Access(self.dsn, Queries(resource_path("sql") / "queries"))
        if not any(user["name"] == ADMIN for user in access.users()):
            access.add_user(ADMIN, "admin")
        return access.login_link(ADMIN, self.plan.url)

    def stop(self) -> None:
        """Take everything down; safe to repeat."""
        self.supervisor.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _claim(self) -> None:
        data = self.plan.data
        try:
            data.mkdir(parents=True, exist_ok=True)
            self._lock = (data / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PartError(
                f"a demo already runs on {data}: stop it, or choose another folder with --data and another --port"
            ) from None
        except OSError as error:
            raise PartError(f"the folder {data} cannot be used: {error.strerror}") from error
        free = shutil.disk_usage(data).free
        if free < DISK_FREE_BYTES_MIN:
            raise PartError(
                f"the disk that holds {data} is full: the demo needs {DISK_FREE_BYTES_MIN >> 20} MiB,"
                f" {free >> 20} are free"
            )
        if port_is_taken(self.plan.port):
            raise PartError(
                f"port {self.plan.port} is taken by another program: stop it, or choose another port with --port"
            )

    def _start_store(self) -> None:
        self.say("starting the database")
        self.supervisor.run(DATABASE, STAGE_STORE, self._database)
        self.say("starting the broker")
        self.supervisor.run(BROKER, STAGE_STORE, self._broker)

    def _database(self) -> Child:
        self.postgres = start_postgres(data=self.plan.data / "postgres", port=self._postgres_port, sync=not self.quick)
        return self.postgres.child

    def _broker(self) -> Child:
        broker: RunningBroker = start_broker(port=self.broker_port, directory=self.plan.data / "broker")
        if broker.damaged_store is not None:
            self.say(f"the broker could not read its store and began a new one; the old one is {broker.damaged_store}")
        return broker.child

    def _prepare(self) -> dict[str, int]:
        self.say("preparing the tables")
        try:
            migrate(self.dsn, resource_path("sql") / "migrations")
            return seed(self.dsn, self.plan.all_sites())
        except (MigrationError, psycopg.Error) as error:
            raise PartError(f"the database cannot be prepared: {error}") from error

    def _start_cloud(self) -> None:
        self.say("starting ingest and server")
        self.supervisor.run(INGEST, STAGE_CLOUD, lambda: self._sqal(INGEST, "cloud", "ingest"))
        self.supervisor.run(LEDGER, STAGE_CLOUD, lambda: self._sqal(LEDGER, "ledger", "run", "--create-key"))
        self.supervisor.run(SERVE, STAGE_CLOUD, lambda: self._sqal(SERVE, "cloud", "serve"))
        self.supervisor.child(SERVE).wait_ready(self.is_served, timeout_s=SERVE_TIMEOUT_S)
        self.supervisor.run(RAW, STAGE_CLOUD, lambda: self._sqal(RAW, "cloud", "raw"))

    def _start_edge(self, lots: dict[str, int]) -> None:
        sites = self.plan.all_sites()
        self.say(f"starting {len(sites)} edge agents on simulated sensors")
        if self.plan.stage is not None:
            self.say(f"{self.plan.stage} plays {self.plan.faults}: its events say what goes wrong, and when it is over")
        for site in sites:
            self.supervisor.run(site.device, STAGE_EDGE, lambda site=site: self._edge(site, lots[site.device]))

    def is_served(self) -> bool:
        """Whether the server answers."""
        try:
            with urllib.request.urlopen(f"{self.plan.url}/api/sqal/health", timeout=2):  # noqa: S310  # our own loopback
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _edge(self, site: Site, lot_id: int) -> Child:
        state = self.plan.data / "edge" / site.device
        state.mkdir(parents=True, exist_ok=True)
        options = {
            "bus": "sim",
            "device": site.device,
            "site": site.code,
            "line": "line1",
            "broker": f"127.0.0.1:{self.broker_port}",
            "state-dir": str(state),
            "rate-hz": f"{self.plan.rate_hz:g}",
            "mode": self.plan.mode,
            "speed": f"{self.plan.speed:g}",
            "seed": str(site.seed),
            "stock-lean": f"{site.lean:g}",
            "lot": str(lot_id),
        }
        if site.device == self.plan.stage and self.plan.faults is not None:
            options["faults"] = self.plan.faults
        words = ["--stage", *(word for key, value in options.items() for word in (f"--{key}", value))]
        return self._sqal(site.device, "edge", "run", *words)

    def _sqal(self, name: str, *words: str) -> Child:
        command = [*dies_with_us("TERM"), sys.executable, "-m", "sqal", *words]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("SQAL_", "DATABASE_URL"))}
        environment |= {
            "DATABASE_URL": self.dsn,
            "SQAL_BROKER_PORT": str(self.broker_port),
            "SQAL_LEDGER_KEY_FILE": str(self.plan.data / "ledger" / "key"),
            "SQAL_LEDGER_CHECKPOINT_FILE": str(self.plan.data / "ledger" / "checkpoint"),
            "SQAL_LEDGER_PUBLIC_URL": self.plan.url,
            "SQAL_API_PORT": str(self.plan.port),
            "SQAL_API_DEMO": "true",
        }
        environment |= self.extra
        log = self.plan.data / "logs" / f"{name}.log"
        return spawn(name, command, log=log, stop_signal=signal.SIGTERM, environment=environment)


def default_data() -> Path:
    """Where a demo keeps its data unless told otherwise: `var/demo` below the current folder."""
    return Path.cwd() / "var" / "demo"
