"""The live page in the system's Chromium against a whole running line, as a person uses it."""

import pytest
from playwright.sync_api import expect

from sqal.demo.line import SERVE
from tests.kit.fix_line import LineUnderTest
from tests.kit.page import open_live_page

pytestmark = pytest.mark.timeout(240)

PAGES = ("live", "sites", "history", "alerts", "lots", "devices", "admin")


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
        assert live.overflow_px() <= 0
        for page in PAGES[1:]:
            live.go(page)
            assert live.overflow_px() <= 0, page


@pytest.mark.parametrize(("language", "dark"), [("fr", False), ("en", True)])
def test_every_page_answers_and_has_no_serious_fault_of_access(
    shared_line: LineUnderTest, language: str, *, dark: bool
):
    with open_live_page(shared_line.line.plan.url, dark=dark) as live:
        live.choose_language(language)
        live.wait_card("ESP32_LL_01")
        live.sample_id("ESP32_LL_01")
        for page in PAGES:
            live.go(page)
            assert live.accessibility_faults() == [], page


def test_a_piece_is_frozen_compared_and_resumed_without_a_hole(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        live.wait_next_sample("ESP32_LL_01", live.sample_id("ESP32_LL_01"))
        strip = live.wait_card("ESP32_LL_01").get_by_test_id("strip-piece")
        strip.last.click()
        piece = live.by_id("piece")
        frozen = piece.get_attribute("data-sample")
        live.wait_next_sample("ESP32_LL_01", live.sample_id("ESP32_LL_01"))
        assert piece.get_attribute("data-sample") == frozen
        live.page.keyboard.press("ArrowLeft")
        expect(piece).not_to_have_attribute("data-sample", frozen or "")
        live.page.keyboard.press("ArrowRight")
        live.by_id("piece-compare").click()
        expect(piece).to_have_count(2)
        assert live.accessibility_faults() == []
        live.page.keyboard.press("Escape")
        expect(piece).to_have_count(0)
        ids = [each.get_attribute("data-sample") for each in strip.all()]
        assert frozen in ids, "what came while the piece was looked at follows it in the strip"
        assert ids.index(frozen) < len(ids) - 1


def test_a_stranger_finds_the_weakest_site_and_the_piece_behind_an_alert(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        live.wait_alert(timeout_s=60)
        live.go("sites")
        live.by_id("site-table").locator("tbody a").first.click()
        live.settle()
        expect(live.by_id("page-title")).to_contain_text("Site")
        live.go("alerts")
        live.by_id("see-sample").first.click()
        expect(live.by_id("piece")).to_be_visible(timeout=15_000)
        live.page.go_back()
        row = live.alerts().first
        alert = row.get_attribute("data-alert-id") or ""
        live.acknowledge(alert)
        live.by_id("state-every").click()
        live.page.locator(f'[data-testid="alert-row"][data-alert-id="{alert}"]').wait_for(timeout=15_000)
        live.go("history")
        live.by_id("summary").wait_for(timeout=15_000)
        live.by_id("compare-with").select_option("@before")
        with live.page.expect_download() as download:
            live.by_id("csv").click()
        assert download.value.path().read_text(encoding="utf-8-sig").startswith('time,"ESP32_')


def test_an_alert_is_shelved_with_a_reason_and_taken_back(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        live.wait_alert(timeout_s=60)
        live.go("alerts")
        live.by_id("shelve").first.click()
        live.by_id("shelf-reason").fill("nettoyage du tapis")
        live.by_id("shelf-confirm").click()
        live.by_id("state-shelved").click()
        row = live.alerts().first
        expect(row).to_contain_text("nettoyage du tapis", timeout=15_000)
        assert live.accessibility_faults() == []
        row.get_by_test_id("unshelve").click()
        expect(live.page.locator('[data-testid="alert-row"][data-state="shelved"]')).to_have_count(0, timeout=15_000)


def test_the_process_is_judged_by_a_control_chart(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        live.wait_alert(timeout_s=60)
        live.go("history")
        live.by_id("view-control").click()
        live.by_id("control-chart").wait_for(timeout=30_000)
        live.by_id("capability").wait_for(timeout=15_000)
        assert live.accessibility_faults() == []
        with live.page.expect_download() as download:
            live.by_id("control-csv").click()
        assert download.value.path().read_text(encoding="utf-8-sig").startswith("time,value,centre,lower,upper,rules")
        live.by_id("spc-kind").select_option("ewma")
        live.by_id("control-chart").wait_for(timeout=15_000)


def test_the_card_shows_the_recipes_band_the_colour_and_the_challenge(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        card = live.wait_card("ESP32_LL_01")
        expect(card.get_by_test_id("spectrum")).to_have_attribute("data-bands", "8", timeout=30_000)
        expect(card.get_by_test_id("colour")).to_be_visible()
        live.by_id("challenge-ESP32_LL_01").click()
        live.by_id("challenge").wait_for()
        assert live.accessibility_faults() == []
        live.by_id("challenge-close").click()
        lot = live.by_id("lot-filter").locator("option").nth(1).get_attribute("value") or ""
        live.by_id("lot-filter").select_option(lot)
        expect(live.page.locator(".device-card")).to_have_count(1)
