"""Where devices belong, kept in memory: who sends must be registered, and this must work while the database is away."""

from cloud.clock import Clock
from cloud.store.reader import DATABASE_AWAY, Store
from cloud.store.samples import Place

FRESH_S = 30.0  # a device that moved is found at its new site after this
MISS_FRESH_S = 1.0  # an unknown name asks the database no more often than this


class RegistryAwayError(Exception):
    """The device is not known here and the database cannot be asked."""


class Registry:
    """The device registry of this server."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._places: dict[str, Place] = {}
        self._read_at: float | None = None

    async def place_of(self, device_id: str) -> Place | None:
        """Where `device_id` stands, or None when nobody registered it. Raises RegistryAwayError."""
        age_s = None if self._read_at is None else self._clock.monotonic() - self._read_at
        known = self._places.get(device_id)
        if age_s is not None and age_s < (MISS_FRESH_S if known is None else FRESH_S):
            return known
        try:
            rows = await self._store.rows("api_registry")
        except DATABASE_AWAY as error:
            if known is not None:
                return known
            raise RegistryAwayError(
                f"device {device_id!r} is not known here and the database does not answer"
            ) from error
        self._places = {row["device_id"]: Place(**row) for row in rows}
        self._read_at = self._clock.monotonic()
        return self._places.get(device_id)
