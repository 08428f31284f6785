"""An uplink on a real spool and a real broker, run on the test's event loop."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edge.clock import EdgeClock
from edge.identity import Identity
from edge.settings import Settings
from edge.spool import Spool
from edge.uplink import Uplink
from tests.kit.fix_spool import DEADLINE_S, DEVICE


@asynccontextmanager
async def running_uplink(
    spool: Spool,
    clock: EdgeClock,
    folder: Path,
    *,
    port: int,
    wait: bool = True,
    prepare: Callable[[Uplink], None] | None = None,
    **settings: Any,
) -> AsyncIterator[Uplink]:
    """An uplink of `spool` to the broker at `port`, ended cleanly."""
    chosen = Settings(device=DEVICE, site="LL", state_dir=folder, broker_port=port, **settings)
    identity = Identity(DEVICE, "LL", "line1", uuid.uuid4())
    chance = random.Random(3)  # noqa: S311 - delays of a test
    uplink = Uplink(spool=spool, identity=identity, settings=chosen, clock=clock, chance=chance)
    if prepare is not None:
        prepare(uplink)
    loop = asyncio.get_running_loop()
    spool.on_commit = lambda rows: post(loop, lambda: uplink.offer(rows))
    spool.on_release = lambda: post(loop, uplink.release)
    task = asyncio.create_task(uplink.run())
    try:
        if wait:
            async with asyncio.timeout(DEADLINE_S):
                await uplink.client.wait_connected()
        yield uplink
    finally:
        task.cancel()
        await asyncio.wait([task])


def post(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """From the spool's thread to the loop; once that is closed nobody listens."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


async def empty(spool: Spool, *, deadline_s: float = 60.0) -> None:
    """Until everything in `spool` is receipted and freed."""
    async with asyncio.timeout(deadline_s):
        while spool.stats().rows or spool.stats().waiting:
            await asyncio.wrap_future(spool.peek(0, 1))  # also makes the receipts count
