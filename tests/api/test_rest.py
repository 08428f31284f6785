"""The REST API against real PostgreSQL."""

from tests.kit.fix_serve import Served


async def test_health(served: Served) -> None:
    answer = await served.get("health")
    print(answer.text)
    assert answer.status_code == 200
    for path in (
        "devices",
        "devices/ESP32_LL_01",
        "samples/latest",
        "samples",
        "samples/x",
        "stats/hourly",
        "stats/sites",
        "stats/grade-distribution",
        "alerts",
        "dashboard/overview",
        "integration/lot/1",
        "integration/lots-aggregated",
        "dead-letters",
        "gaps",
        "events",
    ):
        answer = await served.get(path)
        print(path, answer.status_code, answer.text[:600])
    assert 0
