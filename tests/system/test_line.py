"""The whole line under murder.

Goal: whatever part dies, everything a device ever numbered ends in the database exactly once, or in a gap.
Method: three devices run on simulated sensors; broker, ingest, database and an agent are killed with SIGKILL, one after
the other, and what the spools hold is noted right before and after. In the end all of that, and every lower number of
the same boots, must be stored or told as a gap.
"""

from collections.abc import Callable

import pytest

from edge.spool_check import examine
from sqal.demo.line import BROKER, DATABASE, INGEST
from tests.kit.fix_line import LineUnderTest, Number

DRAINED_TIMEOUT_S = 90.0


@pytest.mark.timeout(300)
def test_rows_and_gaps_are_everything_ever_numbered_whatever_dies(line_at: Callable[..., LineUnderTest]):
    under = line_at(sites=3, speed=4.0)
    devices = [site.device for site in under.line.plan.all_sites()]
    under.wait(lambda: under.count() > 20, "the first rows")
    spooled: set[Number] = set()
    for victim in (BROKER, INGEST, DATABASE, devices[0]):
        spooled |= under.spooled()
        before = under.count()
        under.kill(victim)
        spooled |= under.spooled()
        under.wait(lambda before=before: under.count() > before + 20, f"new rows after the death of {victim}")
    under.wait(
        lambda: len({(device, boot) for device, boot, _ in under.account().rows}) > len(devices), "a second boot"
    )
    spooled |= under.spooled()
    under.wait(lambda: not under.account().missing(spooled), "everything spooled stored", timeout_s=DRAINED_TIMEOUT_S)
    account = under.account()
    assert not account.twice()
    boots = [device for device, _ in {(device, boot) for device, boot, _ in account.rows}]
    assert sorted(boots) == sorted([*devices, devices[0]]), "only the killed agent has a second boot"
    assert under.grades() == {"A+", "A", "B", "C", "REJECT"}, "a minute of the scene shows all of them"
    assert under.alerts() > 0
    for site in under.line.plan.all_sites():
        report = examine(under.line.plan.data / "edge" / site.device / "spool.db")
        assert not report.faults_total, report.faults
