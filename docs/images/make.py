"""Take the pictures of the documentation: `make pictures` starts a line of its own and photographs its page."""

import tempfile
import time
from pathlib import Path

from sqal.demo.line import Line
from sqal.demo.plan import Plan, free_port
from tests.kit.page import open_live_page

HERE = Path(__file__).parent
RUN_S = 45.0  # until the strips are full and the first alerts are there


def main() -> None:
    """Write live.png (light, French) and live-dark.png (dark, English)."""
    with tempfile.TemporaryDirectory() as folder:
        line = Line(Plan(data=Path(folder) / "line", port=free_port()))
        line.start()
        try:
            ready = time.monotonic() + RUN_S
            while time.monotonic() < ready:
                line.supervisor.tend()
                time.sleep(0.25)
            for name, dark, language in (("live", False, "fr"), ("live-dark", True, "en")):
                _photograph(line.plan.url, HERE / f"{name}.png", dark=dark, language=language)
        finally:
            line.stop()


def _photograph(url: str, path: Path, *, dark: bool, language: str) -> None:
    with open_live_page(url, width_px=1440, height_px=1180, dark=dark) as live:
        live.choose_language(language)
        for device in ("ESP32_LL_01", "ESP32_LS_01", "ESP32_MT_01"):
            live.wait_next_sample(device, live.sample_id(device, timeout_s=30))
        live.page.screenshot(path=path)


if __name__ == "__main__":
    main()
