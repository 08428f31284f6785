"""How the device is doing: the `health` message of every period and the birth certificate of every connection."""

import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

from contract.messages import BirthCertificate, Health, SensorInfo
from contract.sample import CalibrationIds
from edge.clock import SYNCED, UNSET, EdgeClock
from edge.identity import Identity, agent_version
from edge.recorder import AssemblerCounters
from edge.rows import utc_from_ns
from edge.sampler import Sampler, SamplerCounters
from edge.spool import Spool
from edge.uplink import Uplink, UplinkCounters
from quality.recipe import Recipe

THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")  # millidegrees of the processor, where the kernel tells
# The firmware's word on the supply, in hexadecimal; a Raspberry Pi alone has it. Bits 0 to 3 are now, 16 to 19 ever.
THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
THROTTLES = ("under_voltage", "frequency_capped", "throttled", "soft_temperature_limit")
CHIPS = (("VL53L8CH", "0x29"), ("AS7341", "0x39"))
CAPABILITIES = ["sample", "event", "receipt", "cfg", "timed", "free", "belt"]

Counters = SamplerCounters | AssemblerCounters | UplinkCounters


class Reporter:
    """Makes both messages; None while wall time is not known, for nothing is sent without a time."""

    def __init__(
        self,
        *,
        identity: Identity,
        clock: EdgeClock,
        spool: Spool,
        sampler: Sampler,
        uplink: Uplink,
        recipe: Recipe,
        stage: bool = False,
    ) -> None:
        self.calibration_ids: CalibrationIds | None = None
        self.belt_empty_since_ns: int | None = None
        self.assembler = AssemblerCounters()
        self._identity = identity
        self._clock = clock
        self._spool = spool
        self._sampler = sampler
        self._uplink = uplink
        self._recipe = recipe
        self._capabilities = [*CAPABILITIES, "stage"] if stage else CAPABILITIES
        self._started_ns = clock.monotonic_ns()

    def health(self, period_s: float, folder: Path) -> Health | None:
        """The state of things; `folder` is where the spool lies."""
        now_ns = self._clock.monotonic_ns()
        wall_ns = self._clock.wall_ns(now_ns)
        if wall_ns is None:
            return None
        stats = self._spool.stats()
        empty_ns = self.belt_empty_since_ns
        return Health(
            device_id=self._identity.device_id,
            boot_id=self._spool.boot_id,
            timestamp=utc_from_ns(wall_ns),
            period_s=period_s,
            uptime_s=self.uptime_s(now_ns),
            spool_rows=stats.rows,
            spool_bytes=stats.bytes,
            **self.condition(folder),
            belt_empty_since=None if empty_ns is None else utc_from_ns(wall_ns - (now_ns - empty_ns)),
            clock=SYNCED,
            counters=self._counters(),
        )

    def uptime_s(self, now_ns: int) -> float:
        """Since the agent started."""
        return round((now_ns - self._started_ns) / 1e9, 3)

    def condition(self, folder: Path) -> dict[str, Any]:
        """Disk, temperature and supply, where the machine tells; the fields of `Health` by their names."""
        return {
            "disk_free_bytes": _disk_free(folder),
            "temperature_c": temperature_c(),
            "throttled": throttled(),
        }

    def sensors(self) -> list[SensorInfo]:
        """Both chips as they are now."""
        return [self._sensor(chip, address) for chip, address in CHIPS]

    def birth(self) -> BirthCertificate | None:
        """What this device is."""
        wall_ns = self._clock.wall_ns(self._clock.monotonic_ns())
        if wall_ns is None:
            return None
        return BirthCertificate(
            device_id=self._identity.device_id,
            session=self._identity.session,
            boot_id=self._spool.boot_id,
            timestamp=utc_from_ns(wall_ns),
            agent=agent_version(),
            sensors=self.sensors(),
            calibration=self.calibration_ids,
            recipe=self._recipe.label,
            capabilities=self._capabilities,
            clock=SYNCED if wall_ns else UNSET,
            site_code=self._identity.site,
            line=self._identity.line,
        )

    def _sensor(self, chip: str, address: str) -> SensorInfo:
        healthy, detail = self._sampler.healthy(chip)
        return SensorInfo(chip=chip, address=address, healthy=healthy, detail=detail[:500])

    def _counters(self) -> dict[str, int]:
        stats = self._spool.stats()
        found: dict[str, int] = {}
        for prefix, counters in (
            ("sampler", self._sampler.counters),
            ("assembler", self.assembler),
            ("uplink", self._uplink.counters),
        ):
            found |= {f"{prefix}_{each.name}": getattr(counters, each.name) for each in fields(counters)}
        found |= self._sampler.troubles()
        found |= {
            "spool_appended": stats.appended,
            "spool_trimmed": stats.trimmed,
            "spool_dropped": stats.dropped,
            "spool_commits": stats.commits,
            "spool_commit_failures": stats.commit_failures,
            "uplink_in_flight": len(self._uplink.window.sent),
            "uplink_resent": self._uplink.window.resent,
            "connects": self._uplink.client.counters.connects_total,
            "takeovers": self._uplink.client.counters.takeovers_total,
        }
        return found


def _disk_free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def temperature_c(path: Path = THERMAL) -> float | None:
    """Of the processor; None where the machine does not tell."""
    try:
        return int(path.read_text()) / 1000.0
    except (OSError, ValueError):
        return None


def throttled(path: Path = THROTTLED) -> list[str]:
    """What slows the processor now, and `…_before` for what did since it started; empty where nobody tells."""
    try:
        bits = int(path.read_text(), 16)
    except (OSError, ValueError):
        return []
    now = [name for place, name in enumerate(THROTTLES) if bits >> place & 1]
    return now + [f"{name}_before" for place, name in enumerate(THROTTLES) if bits >> (place + 16) & 1]
