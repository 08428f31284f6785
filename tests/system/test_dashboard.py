"""The live page in the system's Chromium against a whole running line, as a person uses it."""

import pytest

from sqal.demo.line import SERVE
from tests.kit.fix_line import LineUnderTest
from tests.kit.page import open_live_page

pytestmark = pytest.mark.timeout(240)


def test_a_new_sample_and_an_alert_appear_and_the_page_survives_the_server(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        live.wait_connection("live")
        for device in ("ESP32_LL_01", "ESP32_LS_01", "ESP32_MT_01"):
            live.wait_card(device)
        first = live.sample_id("ESP32_LL_01")
        live.wait_next_sample("ESP32_LL_01", first)
        assert live.grade("ESP32_LL_01") in {"A+", "A", "B", "C", "REJECT"}

        alert = live.wait_alert(timeout_s=60)
        live.acknowledge(alert)

        live.choose_language("en")
        live.choose_site("MT")
        live.wait_card("ESP32_MT_01")
        assert live.by_id("device-card-ESP32_LL_01").count() == 0
        live.choose_site("")
        live.choose_language("fr")

        with live.outage():
            before = live.sample_id("ESP32_LL_01")
            shared_line.kill(SERVE)
            live.wait_connection("offline", timeout_s=20)
            shared_line.wait(shared_line.line.is_served, "the server back")
        live.wait_next_sample("ESP32_LL_01", before)


@pytest.mark.parametrize("width_px", [390, 3840])
def test_nothing_overflows_on_a_phone_or_a_wall(shared_line: LineUnderTest, width_px: int):
    with open_live_page(shared_line.line.plan.url, width_px=width_px, dark=True) as live:
        live.wait_card("ESP32_LL_01")
        live.sample_id("ESP32_LL_01")
        overflow = live.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0
