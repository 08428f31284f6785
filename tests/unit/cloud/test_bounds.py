"""Goal: taking over and ending fit into five seconds each by their own limits, whatever the machine does meanwhile.

Method: the limits are added up; how long it takes on a machine that is busy with other tests would show only that.
"""

import asyncio
import threading
import time

from cloud.channels import in_thread
from cloud.database import STANDBY_POLL_S
from cloud.ingest import DRAIN_S
from cloud.publish import GOODBYE_S
from cloud.store.session import CLOSE_S, DEAD_PEER_S, KEEPALIVES

PROMISED_S = 5.0


def test_a_stand_by_has_the_lock_of_a_machine_that_vanished_in_time() -> None:
    """The server ends the session of a peer that answers no probe; the stand-by looks whether the lock is free."""
    assert DEAD_PEER_S + STANDBY_POLL_S < PROMISED_S
    assert f"tcp_user_timeout={DEAD_PEER_S * 1000}" in KEEPALIVES["options"]


def test_an_end_that_is_asked_for_comes_in_time() -> None:
    assert DRAIN_S + GOODBYE_S + CLOSE_S < PROMISED_S


def test_a_thread_that_hangs_holds_up_no_end() -> None:
    never = threading.Event()

    async def wait_in_vain() -> None:
        try:
            async with asyncio.timeout(0.05):
                await in_thread(never.wait)
        except TimeoutError:
            return

    began = time.monotonic()
    asyncio.run(wait_in_vain())
    assert time.monotonic() - began < 60  # for ever otherwise
    never.set()
