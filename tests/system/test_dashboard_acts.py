"""What people do on the pages of lots, devices and administration, in Chromium against a whole running line."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from cloud.store.queries import Queries
from sqal.access import Access
from sqal.resources import resource_path
from tests.kit.fix_line import LineUnderTest
from tests.kit.page import LivePage, browser_path, open_live_page

pytestmark = pytest.mark.timeout(240)

WAIT_MS = 45_000
DEVICE = "ESP32_MT_01"
PASSWORD = "correct horse battery"


def see(live: LivePage, path: str) -> None:
    """Open a page by its address and wait for its answers."""
    live.page.goto(live.url + path)
    live.by_id("page-title").wait_for(timeout=WAIT_MS)


def run_step(live: LivePage, step: str) -> None:
    """Say that the target of a calibration step is in place, and measure."""
    live.by_id(f"step-{step}").click()
    live.by_id("in-place").check()
    live.by_id("measure").click()


def ended(live: LivePage, progress: str) -> None:
    """Wait until the newest command has come to its end."""
    expect(live.by_id("command-progress").last).to_have_attribute("data-progress", progress, timeout=WAIT_MS)


@contextmanager
def stranger(url: str) -> Generator[Page]:
    """A browser behind a proxy: for the demo it is somebody from outside."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path())
        try:
            context = browser.new_context(locale="fr-FR", extra_http_headers={"X-Forwarded-For": "192.0.2.7"})
            page = context.new_page()
            page.goto(url)
            yield page
        finally:
            browser.close()


def test_a_lot_is_held_released_and_its_certificate_handed_over(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        live.go("lots")
        live.by_id("lot-table").locator("tbody a").first.click()
        live.by_id("lot-piece").first.wait_for(timeout=WAIT_MS)
        for act, reason in (("hold", "odeur suspecte"), ("release", "contrôlé, conforme")):
            live.by_id("decide-reason").fill(reason)
            live.by_id("decide-person").fill("Anne")
            live.by_id(f"lot-{act}").click()
            expect(live.by_id("decisions").locator("li").first).to_contain_text(reason, timeout=WAIT_MS)
            expect(live.by_id("held")).to_have_count(1 if act == "hold" else 0, timeout=WAIT_MS)
        expect(live.by_id("verdict")).to_have_attribute("data-valid", "true", timeout=WAIT_MS)
        assert live.accessibility_faults() == []
        live.by_id("grade-filter-REJECT").click()
        live.by_id("to-certificate").click()
        expect(live.by_id("qr")).to_have_js_property("complete", value=True, timeout=WAIT_MS)
        assert live.by_id("qr").evaluate("image => image.naturalWidth") > 0
        with live.page.expect_download(timeout=WAIT_MS) as download:
            live.by_id("certificate-pdf").click()
        assert download.value.path().read_bytes().startswith(b"%PDF")
        assert live.accessibility_faults() == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_device_is_asked_set_and_shown_a_fault(shared_line: LineUnderTest, language: str):
    with open_live_page(shared_line.line.plan.url) as live:
        live.choose_language(language)
        see(live, f"/devices/{DEVICE}")
        live.by_id("run-command").click()
        ended(live, "done")
        expect(live.by_id("command-result")).to_be_visible()
        live.by_id("twin-rate").fill("99")
        with live.outage():  # the browser's own word on the answer 400
            live.by_id("twin-save").click()
            expect(live.by_id("refused")).to_contain_text("rate_hz", timeout=WAIT_MS)
            live.page.goto(live.url)
        see(live, f"/devices/{DEVICE}")
        live.by_id("twin-rate").fill("2")
        live.by_id("twin-save").click()
        expect(live.by_id("agreement")).to_have_attribute("data-agreement", "agrees", timeout=WAIT_MS)
        live.by_id("fault").select_option("nak-burst")
        live.by_id("play-fault").click()
        ended(live, "done")
        expect(live.by_id("event-simulated_fault").first).to_be_visible(timeout=WAIT_MS)
        assert live.accessibility_faults() == []


def test_the_calibration_guide_refuses_what_is_no_gauge_and_passes_an_empty_belt(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        see(live, f"/devices/{DEVICE}")
        live.by_id("step-gauge1").click()
        live.by_id("gauge-volume").fill("500")
        run_step(live, "gauge1")  # livers pass, each of its own size
        ended(live, "refused")
        expect(live.by_id("step-gauge1")).to_have_attribute("data-passed", "false")
        run_step(live, "belt")
        ended(live, "done")
        expect(live.by_id("step-belt")).to_have_attribute("data-passed", "true")
        live.by_id("next-step").click()
        expect(live.by_id("step-dark")).to_have_attribute("aria-current", "step")
        assert live.accessibility_faults() == []


def test_an_administrator_makes_a_token_and_activates_a_recipe(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url) as live:
        with live.outage():  # an operator is refused, with words and a way in
            see(live, "/admin/tokens")
            live.by_id("forbidden-login").wait_for(timeout=WAIT_MS)
            assert live.accessibility_faults() == []
            live.page.goto(shared_line.line.login_link())
        expect(live.by_id("account")).to_contain_text("admin", timeout=WAIT_MS)
        see(live, "/admin/tokens")
        live.by_id("token-name").fill("mes")
        live.by_id("token-add").click()
        expect(live.by_id("token-secret").locator("code")).to_have_text(re.compile(r"\S{20,}"), timeout=WAIT_MS)
        live.page.reload()
        live.by_id("token-row").first.wait_for(timeout=WAIT_MS)
        expect(live.by_id("token-secret")).to_have_count(0)
        live.by_id("tab-recipes").click()
        values = live.by_id("recipe-values")
        expect(values).to_have_value(re.compile("weight_tof"), timeout=WAIT_MS)
        values.fill(values.input_value().replace('"density_g_cm3": 0.947', '"density_g_cm3": 0.95'))
        live.by_id("recipe-comment").fill("plus dense")
        live.by_id("recipe-add").click()
        recipe = live.by_id("recipe-foie-gras@2")
        recipe.locator("summary").click(timeout=WAIT_MS)
        expect(recipe.get_by_test_id("diff")).to_contain_text("density_g_cm3", timeout=WAIT_MS)
        recipe.get_by_test_id("activate-where").select_option("ESP32_LS_01")
        recipe.get_by_test_id("activate-why").fill("essai")
        recipe.get_by_test_id("activate").click()
        expect(live.by_id("activations")).to_contain_text("essai", timeout=WAIT_MS)
        for tab in ("letters", "users", "channels", "audit"):
            live.by_id(f"tab-{tab}").click()
            live.settle()
            assert live.accessibility_faults() == [], tab
        expect(live.by_id("audit")).to_contain_text("/api/sqal/tokens")


def test_a_stranger_logs_in_by_password_and_a_used_link_says_so(shared_line: LineUnderTest):
    line = shared_line.line
    access = Access(line.dsn, Queries(resource_path("sql") / "queries"))
    access.add_user("anne", "operator", password=PASSWORD)
    with stranger(f"{line.plan.url}/lots") as page:
        page.get_by_test_id("login-name").fill("anne")
        page.get_by_test_id("login-password").fill("wrong")
        page.get_by_test_id("login-submit").click()
        expect(page.get_by_test_id("refused")).to_be_visible(timeout=WAIT_MS)
        page.get_by_test_id("login-password").fill(PASSWORD)
        status = 0
        while status != 200:  # the name waits a second after a failure
            expect(page.get_by_test_id("login-submit")).to_be_enabled(timeout=WAIT_MS)
            with page.expect_response("**/api/sqal/login") as answer:
                page.get_by_test_id("login-submit").click()
            status = answer.value.status
        expect(page.get_by_test_id("lot-table")).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_test_id("account")).to_contain_text("anne")
        page.get_by_test_id("log-out").click()
        expect(page.get_by_test_id("login-name")).to_be_visible(timeout=WAIT_MS)
        link = line.login_link()
        page.goto(link)
        page.get_by_test_id("log-out").click(timeout=WAIT_MS)
        page.get_by_test_id("login-name").wait_for(timeout=WAIT_MS)
        page.goto(link)
        expect(page.get_by_test_id("link-used")).to_be_visible(timeout=WAIT_MS)


def worst_site(live: LivePage) -> str:
    """Open the sites and read which is the weakest of the day: the page says so in words."""
    live.go("sites")
    worst = live.by_id("site-table").locator("tbody tr", has=live.page.locator(".tag"))
    expect(worst).to_have_count(1, timeout=WAIT_MS)
    return worst.locator("th a").inner_text()


def last_critical_piece(live: LivePage) -> None:
    """Go to the critical alerts, acknowledge the newest that a piece caused, and open that piece."""
    live.go("alerts")
    live.by_id("severity-filter").select_option("critical")
    rows = live.alerts().filter(has=live.by_id("see-sample"))
    rows.first.wait_for(timeout=WAIT_MS)
    live.settle()
    times: list[str] = rows.evaluate_all("rows => rows.map(row => row.querySelector('time').dateTime)")
    assert times == sorted(times, reverse=True), "the newest stands first"  # read at once: the list is live
    alert = rows.first.get_attribute("data-alert-id") or ""
    live.acknowledge(alert)
    live.by_id("state-every").click()  # one that is over is cleared by the acknowledgement
    row = live.page.locator(f'[data-testid="alert-row"][data-alert-id="{alert}"]')
    row.get_by_test_id("see-sample").click(timeout=WAIT_MS)
    piece = live.by_id("piece")
    piece.wait_for(timeout=WAIT_MS)
    assert live.page.url.split("?")[0].endswith(f"/samples/{piece.get_attribute('data-sample')}")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_newcomer_goes_from_the_worst_site_to_a_certificate_in_hand(shared_line: LineUnderTest, language: str):
    with open_live_page(shared_line.line.plan.url) as live:
        live.choose_language(language)
        live.wait_alert(timeout_s=60)
        assert worst_site(live) in {"LL", "LS", "MT"}
        last_critical_piece(live)
        lot = live.by_id("to-lot")
        lot.click(timeout=WAIT_MS)
        live.by_id("lot-piece").first.wait_for(timeout=WAIT_MS)
        live.by_id("to-certificate").click()
        sealed = live.by_id("certificate").locator("time").first
        expect(sealed).to_have_attribute("title", re.compile("UTC$"), timeout=WAIT_MS)
        expect(live.by_id("certificate")).not_to_contain_text(" UTC")
        with live.page.expect_download(timeout=WAIT_MS) as download:
            live.by_id("certificate-pdf").click()
        assert download.value.path().read_bytes().startswith(b"%PDF")
        assert live.accessibility_faults() == []


def test_a_lot_of_many_pieces_stays_short_on_a_phone(shared_line: LineUnderTest):
    with open_live_page(shared_line.line.plan.url, width_px=390, height_px=844) as live:
        live.go("lots")
        live.by_id("lot-table").locator("tbody a").first.click()
        live.by_id("lot-piece").first.wait_for(timeout=WAIT_MS)
        assert live.by_id("lot-piece").count() <= 8
        assert live.page.evaluate("document.documentElement.scrollHeight") < 4_500
        assert live.overflow_px() == 0
        see(live, f"/devices/{DEVICE}")
        live.settle()
        assert live.overflow_px() == 0
