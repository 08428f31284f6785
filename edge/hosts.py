"""What the uplink counts, and what it hears of those who store."""

from dataclasses import dataclass, field

from contract.messages import HostState


@dataclass(slots=True)
class UplinkCounters:
    """Totals since the start."""

    live_sent: int = 0
    live_left_to_backlog: int = 0
    backlog_sent: int = 0
    refused: int = 0
    unanswered: int = 0
    receipts: int = 0
    rejected: int = 0
    errors_received: int = 0
    unreadable_received: int = 0


@dataclass(slots=True)
class Hosts:
    """Who stores, by what the ingesters say of themselves."""

    site: str
    states: dict[str, HostState] = field(default_factory=dict[str, HostState])
    since_ns: int | None = None  # since when somebody stores this site, None while nobody does

    def hear(self, host: str, state: HostState | None, now_ns: int) -> None:
        """Take in what `host` says, or that its word was withdrawn."""
        if state is None:
            self.states.pop(host, None)
        else:
            self.states[host] = state
        stored = any(each.online and not {self.site, "*"}.isdisjoint(each.sites) for each in self.states.values())
        self.since_ns = (self.since_ns or now_ns) if stored else None
