"""The agent of one device: wires spool, sampler and uplink together and takes them apart again; holds no logic.

Two threads beside the event loop: the bus's, which measures and analyses, and the spool's, which owns the disk. They
meet the loop through `call_soon_threadsafe` only.
"""

import asyncio
import math
import os
import random
import signal
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from contract.bounds import Severity
from contract.codec import encode
from contract.messages import (
    CommandResult,
    DesiredConfiguration,
    Event,
    EventKind,
    ReportedConfiguration,
    SamplingMode,
)
from contract.sample import Reason
from edge.assembly import Assembly
from edge.calibration import CalibrationError
from edge.clock import StepWatch, SystemClock
from edge.commands import FAILED, CommandError, Commands
from edge.errands import Errands
from edge.health import Reporter
from edge.identity import Identity, agent_version
from edge.notify import Notifier
from edge.onlooker import Onlooker
from edge.page import LocalPage, open_page
from edge.power import power_cycle
from edge.rows import Kind, Row, Stamp, utc_from_ns
from edge.sampler import Sampler, Trouble
from edge.settings import Settings
from edge.spool import Spool, SpoolLimits
from edge.twin import Twin
from edge.uplink import Uplink
from edge.world import World, open_world
from quality.recipe import DEFAULT_RECIPE

if TYPE_CHECKING:
    from drivers.sim.timeline import Preset

SAMPLER_STOP_S = 1.5  # the longest a read of a sensor may hold up a stop
HEALTH_PERIODS = 3  # for so long the last word of a device is believed
FLUSH_S = 0.5  # for the last measurements before a stop; what the disk does not take by then, close() tries again
ANSWER_S = 300  # how long the answer to a command is kept by the broker

log = structlog.get_logger("agent")


class Agent:
    """One device. Raises what opening raises: SpoolError, BusUnavailableError, CalibrationError, SettingsError."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        trusted = settings.bus == "sim" if settings.trust_clock is None else settings.trust_clock
        self.clock = SystemClock(trusted=trusted)
        self.identity = Identity(settings.device, settings.site, settings.line, session=uuid.uuid4())
        self.recipe = DEFAULT_RECIPE
        self.assembly = Assembly(self, settings.lot_id)
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._introductions = asyncio.Event()
        self._failure: Exception | None = None
        self.world: World = open_world(settings)
        if self.assembly.calibrations is None and self.world.show is None:
            raise CalibrationError(f"no calibration in {settings.state_dir}: run `sqal edge calibrate` first")
        if self.world.player is not None:
            self.world.player.on_change = self._on_played
        self.spool = Spool(
            settings.state_dir,
            clock=self.clock,
            build_gap=self.identity.gap,
            limits=SpoolLimits(
                rows_max=settings.spool_rows_max,
                bytes_max=settings.spool_bytes_max,
                commit_interval_s=settings.commit_interval_s,
            ),
        )
        self.uplink = Uplink(
            spool=self.spool,
            identity=self.identity,
            settings=settings,
            clock=self.clock,
            chance=random.SystemRandom(),
        )
        self.sampler = Sampler(
            bus=self.world.bus,
            spectral_bus=None if self.world.spectral_bus is self.world.bus else self.world.spectral_bus,
            tof=self.world.tof,
            spectral=self.world.spectral,
            power_cycle=None
            if settings.power_command is None
            else power_cycle(settings.power_command, self.world.bus.clock),
            clock=self.clock,
            rate_hz=settings.rate_hz,
            prepare=self.assembly.calibrate if self.assembly.calibrations is None else None,
            on_measurement=self.assembly.measured,
            on_trouble=self.on_trouble,
            on_failure=self._on_failure,
        )
        self.twin = Twin(
            settings.state_dir,
            lot_id=settings.lot_id,
            rate_hz=settings.rate_hz,
            recipe=self.recipe,
            set_lot=self._set_lot,
            set_rate=self._set_rate,
            mode=settings.mode,
            modes=("free", "timed") if self.world.travel is None else ("free", "timed", "belt"),
            set_mode=self._set_mode,
        )
        self.reporter = Reporter(
            identity=self.identity,
            clock=self.clock,
            spool=self.spool,
            sampler=self.sampler,
            uplink=self.uplink,
            recipe=self.recipe,
            stage=settings.stage,
        )
        self.onlooker = Onlooker(
            identity=self.identity,
            reporter=self.reporter,
            spool=self.spool,
            sampler=self.sampler,
            uplink=self.uplink,
            twin=self.twin,
            folder=settings.state_dir,
        )
        self._page: LocalPage | None = None
        self.assembly.lot_id = self.twin.lot_id
        self.sampler.rate_hz, self.sampler.mode = self.twin.rate_hz, self.twin.mode
        if self.world.travel is not None:
            self.sampler.feed_with(travel=self.world.travel, meanwhile=self.world.meanwhile, taker=self.assembly)
        self.errands = Errands(
            self.world,
            in_bus=self.sampler.ask,
            calibrations=lambda: self.assembly.calibrations,
            calibrate=self.assembly.calibrate,
            adopt=self.assembly.adopt,
            collect=self.assembly.collect,
            tell=self.assembly.tell_challenge,
            identity=self.identity,
            now=self._now,
            configure=self._configure,
            revision=lambda: self.twin.revision,
            stage=settings.stage,
        )
        self.commands = Commands(self.errands.all(), now=self._now, answer=self._answer)
        self._notifier = Notifier(os.environ)
        self._steps = StepWatch(self.clock)

    # --- life

    def stop(self) -> None:
        """End cleanly; to be called on the event loop, more than once if need be."""
        self._stopping.set()

    async def run(self) -> None:
        """Measure and send until stopped. Raises what ended a part for good."""
        spool, uplink = self.spool, self.uplink
        spool.on_commit = lambda rows: self.post(self._committed, rows)
        spool.on_release = lambda: self.post(uplink.release)
        spool.on_failure = self._on_failure
        uplink.introduce = self._introduce
        uplink.on_taken_over = self._tell_taken_over
        uplink.on_desired = self._on_desired
        uplink.on_command = self.commands.take
        self._tell_restart()
        self.assembly.tell_left()
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self.stop)
        try:
            self.sampler.start()
            self._page = await open_page(self.settings, self._page_state, self._loop.time)
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(uplink.run(), name="agent.uplink")
                reporting = tasks.create_task(self._report_health(), name="agent.health")
                watching = tasks.create_task(self._keep_watchdog(), name="agent.watchdog")
                self._notifier.ready("measuring")
                await self._stopping.wait()
                self._notifier.stopping()
                log.info("agent.stopping")
                if not await asyncio.to_thread(self.sampler.stop, SAMPLER_STOP_S):
                    log.warning("agent.bus_hangs", bus=self.world.bus.name)
                await asyncio.to_thread(spool.flush, FLUSH_S)
                reporting.cancel()
                watching.cancel()
                await self.commands.close()
                sending.cancel()
        finally:
            if self._page is not None:
                await self._page.close()
            self.sampler.stop(SAMPLER_STOP_S)
            spool.close()
        if self._failure is not None:
            raise self._failure

    def post(self, call: Callable[..., object], *values: object) -> None:
        """From a thread to the loop; once the loop is gone nobody is left to listen."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *values)

    def _on_failure(self, error: Exception) -> None:
        self.post(self._fail, error)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._stopping.set()

    def _now(self) -> datetime | None:
        wall_ns = self.clock.wall_ns(self.clock.monotonic_ns())
        return None if wall_ns is None else utc_from_ns(wall_ns)

    # --- in the bus's thread

    def on_trouble(self, trouble: Trouble) -> None:
        kind: EventKind = "sensor_fault" if trouble.failed or trouble.hampered else "sensor_recovered"
        severity: Severity = "critical" if trouble.failed else "warning" if trouble.hampered else "info"
        data: dict[str, object] = {"chip": trouble.chip, "reason": trouble.reason, "ticks": trouble.ticks}
        data |= {
            name: value
            for name, value in (("kind", trouble.kind), ("advice", trouble.advice), ("rung", trouble.rung))
            if value
        }
        reason = None
        if severity == "info":
            data["failing"] = self.sampler.failing
        else:
            reason = Reason(code=trouble.code, params={"chip": trouble.chip})
        self.append_event(kind, trouble.taken_ns, severity=severity, data=data, reason=reason)
        self.introduce_soon()

    def _on_played(self, preset: "Preset", on: bool) -> None:
        """A simulated fault begins or ends: said, so that nobody takes it for a real one."""
        log.info("agent.simulated_fault", fault=preset.name, on=on)
        data: dict[str, object] = {"fault": preset.name, "words": preset.words, "on": on}
        self.append_event("simulated_fault", self.clock.monotonic_ns(), data=data)

    def append_event(
        self,
        kind: EventKind,
        taken_ns: int,
        *,
        severity: Severity = "info",
        data: dict[str, object],
        reason: Reason | None = None,
    ) -> None:
        def build(stamp: Stamp) -> Event:
            return self.identity.event(stamp, kind, severity=severity, data=data, reason=reason)

        self.spool.append(Kind.EVENT, taken_ns, build)

    def _tell_restart(self) -> None:
        """Every start is an event; one that found a damaged spool is a critical one."""
        stats = self.spool.stats()
        data: dict[str, object] = {"agent": agent_version(), "spool_rows": stats.rows}
        damage = self.spool.damage
        if damage is not None:
            data |= {"spool_damage": damage.reason, "spool_set_aside_as": self.spool.set_aside_as}
        if self.spool.torn:
            data["spool_log_torn"] = True
        severity: Severity = "info" if damage is None else "critical"
        self.append_event("restart", self.clock.monotonic_ns(), severity=severity, data=data)

    # --- on the loop

    def _committed(self, rows: list[Row]) -> None:
        self.uplink.offer(rows)
        self.onlooker.note(rows)

    def _page_state(self) -> bytes:
        now_ns = self.clock.monotonic_ns()
        return self.onlooker.state(now_ns, self.clock.wall_ns(now_ns))

    async def _keep_watchdog(self) -> None:
        """Tell systemd that the loop turns, but only while the bus's thread does: a hung bus must end in a restart."""
        if self._notifier.watchdog_s is None:
            return
        before = -1
        while True:
            ticks = self.sampler.counters.ticks
            if ticks != before or self.assembly.calibrations is None:
                self._notifier.alive(f"{ticks} measurements, {self.spool.stats().rows} messages kept")
            before = ticks
            await asyncio.sleep(self._notifier.watchdog_s)

    def _tell_taken_over(self, reason: str) -> None:
        now_ns = self.clock.monotonic_ns()
        self.append_event("taken_over", now_ns, severity="critical", data={"reason": reason})

    def introduce_soon(self) -> None:
        """Say anew who this is; from any thread."""
        self.post(self._introductions.set)

    async def _introduce(self) -> None:
        birth = self.reporter.birth()
        if birth is not None:
            await self.uplink.say("meta", encode(birth), retain=True)
        await self._say_health()

    async def _say_health(self) -> None:
        period_s = self.settings.health_period_s
        health = self.reporter.health(period_s, self.settings.state_dir)
        if health is not None:
            expiry_s = math.ceil(HEALTH_PERIODS * period_s)
            await self.uplink.say("health", encode(health), qos=0, retain=True, expiry_s=expiry_s)

    async def _report_health(self) -> None:
        """Health once a period, a new birth certificate when a sensor came or went, an event when the clock was set."""
        while True:
            try:
                async with asyncio.timeout(self.settings.health_period_s):
                    await self._introductions.wait()
            except TimeoutError:
                step_ns = self._steps.step_ns()
                if step_ns:
                    data: dict[str, object] = {"step_s": step_ns / 1e9}
                    self.append_event("clock_step", self.clock.monotonic_ns(), severity="warning", data=data)
                await self._say_health()
            else:
                self._introductions.clear()
                await self._introduce()

    async def _on_desired(self, desired: DesiredConfiguration) -> None:
        with suppress(CommandError):  # logged; the retained configuration comes again with the next connection
            await self._configure(desired)

    async def _configure(self, desired: DesiredConfiguration) -> ReportedConfiguration | None:
        """Apply and report; None for an old revision. Raises CommandError where the disk refuses."""
        try:
            reported = await asyncio.to_thread(self.twin.apply, desired)
        except OSError as error:
            log.warning("agent.twin_unkept", reason=str(error))
            raise CommandError(FAILED, f"it could not be kept: {error.strerror}") from None
        if reported is None:
            return None
        now_ns = self.clock.monotonic_ns()
        data: dict[str, object] = {"revision": reported.revision, "errors": reported.errors}
        self.append_event("cfg_applied", now_ns, severity="warning" if reported.errors else "info", data=data)
        await self.uplink.say("cfg", encode(reported), "reported", retain=True)
        return reported

    async def _answer(self, result: CommandResult) -> None:
        await self.uplink.say("res", encode(result), result.id, expiry_s=ANSWER_S)

    def _set_lot(self, lot_id: int) -> None:
        self.assembly.lot_id = lot_id

    def _set_mode(self, mode: SamplingMode) -> None:
        self.sampler.mode = mode

    def _set_rate(self, rate_hz: float) -> None:
        self.sampler.rate_hz = rate_hz


async def run_agent(settings: Settings) -> None:
    """Open everything, run until SIGTERM or SIGINT, close everything."""
    await Agent(settings).run()
