"""What the ingester looks at without being told: conditions that time alone brings about, and their alerts."""

from collections.abc import Sequence

from cloud.commit import Rules
from cloud.store.alerts import apply_observations
from cloud.store.session import Connection
from cloud.store.studies import due

WATCH_S = 30.0  # calibrations and challenge tests are due by the day


async def watch_studies(connection: Connection, rules: Rules, sites: Sequence[str]) -> int:
    """Raise and end the alerts of calibrations and challenge tests at `sites` (`*`: all); how many moved."""
    async with connection.transaction():
        seen = await due(connection, rules.queries, now=rules.now(), language=rules.language)
        mine = [each for each in seen if "*" in sites or each.site_code in sites]
        if not mine:
            return 0
        return len(await apply_observations(connection, rules.queries, live=mine, old=[], new_id=rules.new_id))
