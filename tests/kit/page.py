"""The live page as a person uses it, in the system's Chromium: open it, wait for what it shows, click what it offers.

Elements are found by their `data-testid`, never by text or style. Whatever the page complains about on its console
fails the test that opened it; a test that takes the server away on purpose says so with `outage()`. The newcomer's
mistake is to call this inside a running event loop: Playwright's synchronous half refuses that.
"""

import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_S = 15.0
# The page's own development dependency; its text is handed in, for the page's security policy loads nothing foreign.
AXE = Path(__file__).parents[2] / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
AXE_SERIOUS = """axe.run().then(({ violations }) => violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(', ')}`))"""
# What Chromium says of a server that cannot be reached, or that answers with an error while it starts.
NETWORK_COMPLAINT = re.compile(r"WebSocket connection to|Failed to load resource|net::ERR_")


def browser_path() -> str:
    """Return the path of the system's Chromium; raises RuntimeError with what to install when there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise RuntimeError("no Chromium found: install the package `chromium` (Playwright's own download is not used)")


class LivePage:
    """One open page of the dashboard. Every wait takes seconds and raises AssertionError when it runs out."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self._outage = False
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type != "error" or (self._outage and NETWORK_COMPLAINT.search(message.text)):
            return
        self.complaints.append(message.text)

    def by_id(self, test_id: str) -> Locator:
        """Return the element, or elements, with this `data-testid`."""
        return self.page.get_by_test_id(test_id)

    def open(self) -> None:
        """Load the page and wait until it has drawn its header."""
        self.page.goto(self.url)
        self.by_id("connection-state").wait_for(timeout=WAIT_S * 1000)

    def connection_state(self) -> str:
        """Return `connecting`, `live`, `stale` or `offline`."""
        return self.by_id("connection-state").get_attribute("data-state") or ""

    def wait_connection(self, state: str, timeout_s: float = WAIT_S) -> None:
        """Wait until the connection is in this state."""
        expect(self.by_id("connection-state")).to_have_attribute("data-state", state, timeout=timeout_s * 1000)

    def wait_card(self, device_id: str, timeout_s: float = WAIT_S) -> Locator:
        """Wait for a device's card and return it."""
        card = self.by_id(f"device-card-{device_id}")
        card.wait_for(timeout=timeout_s * 1000)
        return card

    def sample_id(self, device_id: str, timeout_s: float = WAIT_S) -> str:
        """Return the id of the sample that a card shows, waiting for a first one."""
        return self.by_id(f"sample-id-{device_id}").inner_text(timeout=timeout_s * 1000)

    def wait_next_sample(self, device_id: str, after: str, timeout_s: float = WAIT_S) -> str:
        """Wait until a card shows another sample than `after`; returns the new id."""
        expect(self.by_id(f"sample-id-{device_id}")).not_to_have_text(after, timeout=timeout_s * 1000)
        return self.sample_id(device_id)

    def grade(self, device_id: str) -> str:
        """Return the grade that a card shows: A+, A, B, C or REJECT in any language."""
        return self.by_id(f"grade-{device_id}").get_attribute("data-grade", timeout=WAIT_S * 1000) or ""

    def alerts(self) -> Locator:
        """Return the rows of the alerts panel; `data-alert-id` and `data-severity` tell which."""
        return self.by_id("alert-row")

    def wait_alert(self, timeout_s: float = WAIT_S) -> str:
        """Wait until there is an alert; returns the id of the most urgent one."""
        first = self.alerts().first
        first.wait_for(timeout=timeout_s * 1000)
        return first.get_attribute("data-alert-id") or ""

    def acknowledge(self, alert_id: str, timeout_s: float = WAIT_S) -> None:
        """Acknowledge an alert and wait until it has left the list of those to handle."""
        row = self.page.locator(f'[data-testid="alert-row"][data-alert-id="{alert_id}"]')
        row.get_by_test_id("acknowledge").click(timeout=timeout_s * 1000)
        expect(row).to_have_count(0, timeout=timeout_s * 1000)

    def choose_language(self, language: str) -> None:
        """Switch to `fr` or `en` and wait until the document says so."""
        self.by_id(f"lang-{language}").click()
        expect(self.page.locator("html")).to_have_attribute("lang", language)

    def choose_site(self, site_code: str) -> None:
        """Show one site only; an empty text shows all."""
        self.by_id("site-filter").select_option(site_code)

    def choose_device(self, device_id: str) -> None:
        """Show one device only; an empty text shows all."""
        self.by_id("device-filter").select_option(device_id)

    def go(self, page: str) -> None:
        """Follow the navigation to a page (`live`, `sites`, `history` …) and wait until it has its answers."""
        self.by_id(f"nav-{page}").click()
        expect(self.by_id(f"nav-{page}")).to_have_attribute("aria-current", "page", timeout=WAIT_S * 1000)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing on the page is loading, and fail where an answer could not be had."""
        expect(self.page.locator("main [aria-busy], main.page > [role=status]")).to_have_count(0, timeout=WAIT_S * 1000)
        expect(self.by_id("query-error")).to_have_count(0)

    def accessibility_faults(self) -> list[str]:
        """Return what axe-core finds serious or critical in the page as it is now."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        return self.page.evaluate(AXE_SERIOUS)

    def overflow_px(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    @contextmanager
    def outage(self) -> Generator[None]:
        """Forgive what the browser says of an unreachable server until the block ends, which waits for live data."""
        self._outage = True
        yield
        self.wait_connection("live", timeout_s=30.0)
        self._outage = False

    def check(self) -> None:
        """Raise AssertionError when the page has complained."""
        assert not self.complaints, "the page complained:\n" + "\n".join(self.complaints)


@contextmanager
def open_live_page(url: str, *, width_px: int = 1440, height_px: int = 900, dark: bool = False) -> Generator[LivePage]:
    """Open the live page in a fresh browser; at the end close it and fail when the page complained.

    A block that raises keeps its own error: the page's complaints are added to it as a note.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path())
        try:
            context = browser.new_context(
                viewport={"width": width_px, "height": height_px},
                color_scheme="dark" if dark else "light",
                locale="fr-FR",
            )
            live = LivePage(context.new_page(), url)
            live.open()
            try:
                yield live
            except BaseException as error:
                if live.complaints:
                    error.add_note("the page complained: " + "; ".join(live.complaints))
                raise
            live.check()
        finally:
            browser.close()
