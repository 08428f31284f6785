"""Live messages to many viewers: each is encoded once, each viewer has its own bounded queue and knows what it missed.

A viewer that cannot keep up loses its oldest messages, never anybody else's; the next thing it reads is a `gap` with
the count. One that takes nothing at all for STALL_S raises ViewerStalledError and is put out. What a message says is
not the hub's business (cloud/live.py), nor where it comes from (cloud/relay.py), nor the socket.

HubError
├── HubFullError         too many viewers at once
└── ViewerStalledError   the viewer's connection takes no bytes
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from contract.bounds import GRADES, Grade

VIEWERS_MAX = 10_000  # twice the 5,000 dashboards that the line is built for
BACKLOG_MAX = 256  # bundles; 2.5 s at 100 samples/s. The texts are shared, so a full backlog costs its viewer 2 kB
STALL_S = 20.0  # a connection that takes no byte for so long is dead or hopeless

Kind = Literal["sample", "alert", "status"]
Send = Callable[[str], Awaitable[None]]
# Writes prepared frames to a connection; what it returns is waited for where the connection takes no more for now.
Feed = Callable[[bytes], Awaitable[object] | None]
_RANK = {grade: rank for rank, grade in enumerate(GRADES)}


class HubError(Exception):
    """What the hub refuses."""


class HubFullError(HubError):
    """VIEWERS_MAX viewers are connected already."""


class ViewerStalledError(HubError):
    """A viewer took nothing for longer than it may."""


class Filters(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a viewer wants to see; absent means all. `min_grade` B means B or better and never hides an alert."""

    device_id: str | None = None
    site_code: str | None = None
    min_grade: Grade | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """Encoded messages that belong together: a sample's three, or one alert. Dropped or sent as a whole."""

    kind: Kind
    texts: tuple[str, ...]
    device_id: str | None = None
    site_code: str | None = None
    grade: Grade | None = None
    _prepared: list[bytes] = field(default_factory=list[bytes], compare=False, repr=False)

    @property
    def frames(self) -> bytes:
        """The texts as WebSocket frames, made once however many viewers there are."""
        if not self._prepared:
            self._prepared.append(b"".join(map(_frame, self.texts)))
        return self._prepared[0]

    def passes(self, filters: Filters) -> bool:
        """Whether a viewer with `filters` gets it. What belongs to no device or site passes those filters."""
        return passes(filters, self.device_id, self.site_code, self.grade)


def passes(filters: Filters, device_id: str | None, site_code: str | None, grade: Grade | None) -> bool:
    """Whether what has these properties passes `filters`; None is a property that it does not have."""
    if filters.device_id is not None and device_id is not None and device_id != filters.device_id:
        return False
    if filters.site_code is not None and site_code is not None and site_code != filters.site_code:
        return False
    return filters.min_grade is None or grade is None or _RANK[grade] <= _RANK[filters.min_grade]


class Gap(msgspec.Struct, frozen=True):
    """Tells a slow viewer how many messages it did not get, and how many of those were alerts."""

    missed: int
    missed_alerts: int
    type: Literal["gap"] = "gap"


@dataclass(slots=True)
class Counters:
    """Totals since the hub was made, in messages (not bundles)."""

    published: int = 0
    delivered: int = 0
    missed: int = 0
    coalesced: int = 0  # replaced by a newer one of its device, at the viewer's wish
    evicted: int = 0


@dataclass(eq=False, slots=True)
class Viewer:
    """One connected dashboard and what waits for it."""

    filters: Filters
    counters: Counters
    sites: frozenset[str] | None = None  # those it has rights at, None for all
    backlog_max: int = BACKLOG_MAX
    coalesces: bool = False  # of each device only the newest sample waits
    _newest: dict[str, Bundle] = field(default_factory=dict[str, Bundle])
    _waiting: deque[Bundle] = field(default_factory=deque[Bundle])
    _missed: int = 0
    _missed_alerts: int = 0
    _something: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_something(self) -> bool:
        """Whether `take` would return at once."""
        return self._something.is_set()

    @property
    def sites_shown(self) -> list[str] | None:
        """The sites within its rights and its filter, None for all; a site that is not its own shows nothing."""
        wanted = self.filters.site_code
        if wanted is None:
            return None if self.sites is None else sorted(self.sites)
        return [wanted] if self.sites is None or wanted in self.sites else []

    def wants(self, bundle: Bundle) -> bool:
        """Whether `bundle` is within its rights and its filters."""
        is_ours = self.sites is None or bundle.site_code is None or bundle.site_code in self.sites
        return is_ours and bundle.passes(self.filters)

    def offer(self, bundle: Bundle) -> None:
        """Queue `bundle`; with BACKLOG_MAX waiting, the oldest makes room and is counted as missed.

        Of a viewer that coalesces, a newer sample takes the place of the one of its device that waits.
        """
        if self.coalesces and bundle.kind == "sample" and bundle.device_id is not None:
            is_waiting = bundle.device_id in self._newest
            self._newest[bundle.device_id] = bundle
            if is_waiting:
                self.counters.coalesced += len(bundle.texts)
                return
        if len(self._waiting) >= self.backlog_max:
            oldest = self._waiting.popleft()
            self._settle(oldest)
            self._missed += len(oldest.texts)
            self._missed_alerts += oldest.kind == "alert"
            self.counters.missed += len(oldest.texts)
        self._waiting.append(bundle)
        self._something.set()

    def post(self, text: str) -> None:
        """Queue an answer to this viewer alone; an empty one is none."""
        if text:
            self.offer(Bundle(kind="status", texts=(text,)))

    async def take(self) -> tuple[str, ...]:
        """The texts to send next, waiting for some. What was missed before them is told first, by a gap."""
        return (await self.take_bundle()).texts

    async def take_bundle(self) -> Bundle:
        """As `take`, but the bundle that holds them."""
        await self._something.wait()
        if self._missed:
            gap = Gap(missed=self._missed, missed_alerts=self._missed_alerts)
            self._missed = self._missed_alerts = 0
            return Bundle(kind="status", texts=(msgspec.json.encode(gap).decode(),))
        bundle = self._settle(self._waiting.popleft())
        if not self._waiting:
            self._something.clear()
        self.counters.delivered += len(bundle.texts)
        return bundle

    def _settle(self, bundle: Bundle) -> Bundle:
        """What stands for `bundle` now that it leaves the queue: the newest of its device where samples coalesce."""
        if self.coalesces and bundle.kind == "sample" and bundle.device_id is not None:
            return self._newest.pop(bundle.device_id, bundle)
        return bundle

    async def pump(self, send: Send, *, feed: Feed | None = None, stall_s: float | None = None) -> None:
        """Send what comes, for ever, by `feed` where there is one: prepared frames cost a third of a message's sending.

        Raises ViewerStalledError when the connection takes nothing in time (STALL_S).
        """
        limit_s = STALL_S if stall_s is None else stall_s
        while True:
            bundle = await self.take_bundle()
            try:
                if feed is None:
                    for text in bundle.texts:
                        async with asyncio.timeout(limit_s):
                            await send(text)
                elif (taken := feed(bundle.frames)) is not None:
                    async with asyncio.timeout(limit_s):
                        await taken
            except TimeoutError as error:
                self.counters.evicted += 1
                raise ViewerStalledError(f"took nothing for {limit_s:g} s") from error


def _frame(text: str) -> bytes:
    """One unmasked text frame (RFC 6455 section 5.2), uncompressed."""
    data = text.encode()
    size = len(data)
    if size < 126:
        return bytes((0x81, size)) + data
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + data
    return b"\x81\x7f" + size.to_bytes(8, "big") + data


class Hub:
    """All viewers of this process. Belongs to one event loop; `publish` never waits."""

    def __init__(self, *, viewers_max: int = VIEWERS_MAX, backlog_max: int = BACKLOG_MAX) -> None:
        self.counters = Counters()
        self._viewers: set[Viewer] = set()
        self._viewers_max = viewers_max
        self._backlog_max = backlog_max

    def __len__(self) -> int:
        return len(self._viewers)

    def join(self, filters: Filters, *, sites: frozenset[str] | None = None) -> Viewer:
        """A new viewer with rights at `sites` (None: all), who gets what is published from now on.

        Raises HubFullError; `leave` it when it goes.
        """
        if len(self._viewers) >= self._viewers_max:
            raise HubFullError(f"{self._viewers_max} viewers are connected already")
        viewer = Viewer(filters, self.counters, sites, self._backlog_max)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget `viewer` and what waits for it; twice is harmless."""
        self._viewers.discard(viewer)

    def publish(self, bundle: Bundle) -> None:
        """Offer `bundle` to every viewer whose filters it passes."""
        self.counters.published += len(bundle.texts)
        for viewer in self._viewers:
            if viewer.wants(bundle):
                viewer.offer(bundle)
