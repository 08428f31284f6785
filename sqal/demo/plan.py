"""What a demo consists of: sites, devices, ports, folders. Values only; nothing is started here."""

import socket
from dataclasses import dataclass
from pathlib import Path

from contract.messages import SamplingMode
from drivers.sim.timeline import names

SITES_MAX = 99  # a site code has two characters; further sites are numbered
SPEED_MAX = 100.0  # two cores carry about 200 samples/s; more speed only makes ticks be missed, and counted
ITM_MIDDLE, ITM_STEP = 14.9, 0.35
LEAN_PER_ITM = 1.25  # 0.44 of the pieces one class better a step of ITM: seen in a minute, and far from a straight line
NAMED_SITES = (("LL", "Bretagne"), ("LS", "Pays de Loire"), ("MT", "Maubourguet"))  # the customer's three


@dataclass(frozen=True, slots=True)
class Site:
    """One site with one line and one device; `seed` makes its world the same in every run."""

    code: str
    name: str
    device: str
    seed: int

    @property
    def itm(self) -> float:
        """ITM of the site's lot (indice technique mulard); the three named sites have 14.55, 14.9 and 15.25."""
        return round(ITM_MIDDLE + ITM_STEP * (self.seed % 5 - 2), 3)

    @property
    def lean(self) -> float:
        """How the animals of that lot turned out (drivers.sim.stock): a better ITM goes with larger, paler livers."""
        return round((self.itm - ITM_MIDDLE) * LEAN_PER_ITM, 3)


@dataclass(frozen=True, slots=True)
class Plan:
    """A demo: how many sites, how fast, where it listens and keeps its data.

    speed: simulated seconds a second, above 0 to 100. mode: `belt` gives one sample a piece, 0.9 a simulated second and
    device; `timed` gives rate_hz of them, of pieces at rest. faults: what goes
    wrong on the last device while the others run on: a name of drivers.sim.timeline, None for nothing.
    """

    data: Path
    port: int = 8000
    sites: int = 3
    speed: float = 1.0
    rate_hz: float = 1.0
    mode: SamplingMode = "belt"
    faults: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.sites <= SITES_MAX:
            raise ValueError(f"--sites is {self.sites}, must be 1 to {SITES_MAX}")
        if not 0 < self.speed <= SPEED_MAX:
            raise ValueError(f"--speed is {self.speed:g}, must be above 0 and at most {SPEED_MAX:g}")
        if self.faults is not None and self.faults not in names():
            raise ValueError(f"--faults is {self.faults!r}, must be one of {', '.join(names())}")

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://localhost:{self.port}"

    @property
    def stage(self) -> str | None:
        """The device that plays the faults, None where nothing goes wrong."""
        return None if self.faults is None else self.all_sites()[-1].device

    def all_sites(self) -> list[Site]:
        """The customer's three sites first, then numbered ones."""
        named = list(NAMED_SITES[: self.sites])
        named += [(f"{number:02d}", f"Site {number}") for number in range(len(NAMED_SITES) + 1, self.sites + 1)]
        return [Site(code, name, f"ESP32_{code}_01", seed) for seed, (code, name) in enumerate(named, start=1)]


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_taken(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1:`port` (or it may not be bound)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
