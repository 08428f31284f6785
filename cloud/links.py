"""Which links behind the live view stand (database, broker, an ingester that stores), told on every change."""

from collections.abc import Callable

from cloud.live import StatusPayload


class Links:
    """The state of the links; `on_change` is called with the new state whenever it differs from the old one."""

    def __init__(self, on_change: Callable[[StatusPayload], None]) -> None:
        self._on_change = on_change
        self._database = False
        self._broker = False
        self._hosts: dict[str, bool] = {}  # as many as there are ingesters

    @property
    def status(self) -> StatusPayload:
        """The state as it was last heard of. Without a broker nobody can be known to store."""
        return StatusPayload(self._database, self._broker, self._broker and any(self._hosts.values()))

    def set_database(self, *, connected: bool) -> None:
        """The database answered, or did not."""
        before = self.status
        self._database = connected
        self._tell(before)

    def set_broker(self, *, connected: bool) -> None:
        """The broker accepted us, or is away."""
        before = self.status
        self._broker = connected
        if not connected:
            self._hosts.clear()  # retained: they are told again at the next connect
        self._tell(before)

    def set_host(self, host: str, *, online: bool) -> None:
        """An ingester came or went."""
        before = self.status
        self._hosts[host] = online
        self._tell(before)

    def _tell(self, before: StatusPayload) -> None:
        if self.status != before:
            self._on_change(self.status)
