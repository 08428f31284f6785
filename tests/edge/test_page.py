"""The local page: in a real browser beside a real agent without any broker, and against requests made of garbage."""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect, sync_playwright

from edge.page import CONNECTIONS_MAX, REQUEST_BYTES_MAX, LocalPage
from tests.kit.page import browser_path
from tests.kit.ports import free_port

ROOT = Path(__file__).parents[2]
DEADLINE_S = 40.0


@pytest.fixture
def lonely_agent(tmp_path: Path) -> Iterator[str]:
    """An agent whose broker does not exist: the WAN is down. Its page's address."""
    port = free_port()
    options = {
        "bus": "sim", "device": "PI_LL_01", "site": "LL", "broker": f"127.0.0.1:{free_port()}", "speed": "20",
        "state-dir": str(tmp_path / "state"), "seed": "3", "lot": "7", "faults": "absent-spectral",
    }  # fmt: skip
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    environment = {"SQAL_EDGE_PAGE_PORT": str(port), "PATH": "/usr/bin:/bin"}
    with (tmp_path / "agent.log").open("ab") as log:
        command = [sys.executable, "-m", "sqal", "edge", "run", *words]
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, env=environment)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def state_of(url: str) -> dict[str, object] | None:
    try:
        with urllib.request.urlopen(f"{url}/state.json", timeout=5) as answer:  # noqa: S310  # our own loopback
            return json.load(answer)
    except OSError:
        return None


def wait_for_piece(url: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while (state := state_of(url)) is None or state["piece"] is None:
        assert time.monotonic() < deadline, f"no piece: {state}"
        time.sleep(0.2)  # another process measures: there is nothing else to wait for


def test_a_person_sees_piece_alarms_spool_and_sensors_while_the_wan_is_down(lonely_agent: str):
    """Goal: what the issue asks of the page, read off a real browser, in both languages, without any network."""
    wait_for_piece(lonely_agent)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path())
        page = browser.new_page(locale="fr-FR")
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(lonely_agent)
        expect(page.locator("#grade")).to_have_text(re.compile(r"A\+|A|B|C|REJECT"), timeout=15_000)
        expect(page.locator("#who")).to_contain_text("PI_LL_01")
        expect(page.locator("#score")).to_contain_text("lot 7")
        expect(page.locator("#link")).to_contain_text("injoignable")
        expect(page.locator("#sensors")).to_contain_text("VL53L8CH")
        expect(page.locator("#machine")).to_contain_text("disque libre")
        kept = page.locator("#link dd").nth(2)
        assert int(re.sub(r"\D", "", kept.inner_text())) > 0
        expect(page.locator("#events")).to_contain_text("capteur en défaut: AS7341", timeout=40_000)
        page.click("#language")
        expect(page.locator("#link")).to_contain_text("unreachable")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        assert complaints == []
        browser.close()


@pytest.fixture
async def served() -> AsyncIterator[tuple[LocalPage, int]]:
    asked: list[int] = []

    def state() -> bytes:
        asked.append(1)
        return b'{"asked": %d}' % len(asked)

    page = LocalPage(state, monotonic_s=lambda: 0.0, name="pi.plant.example")
    port = await page.open("127.0.0.1", 0)
    yield page, port
    await page.close()


async def ask(port: int, request: bytes) -> bytes:
    """The whole answer to raw bytes."""
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def get(target: str = "/", host: str = "localhost", method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get(), 200),
        (get("/state.json?x=1"), 200),
        (get(method="HEAD"), 200),
        (get(host="127.0.0.1:8480"), 200),
        (get(host="[::1]:8480"), 200),
        (get(host="192.168.1.9"), 200),
        (get(host="PI.plant.example:8480"), 200),
        (get(host="evil.example"), 421),
        (get(host="localhost.evil.example"), 421),
        (get(host="127.0.0.1.evil.example"), 421),
        (get(host=""), 421),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (get(method="POST"), 405),
        (get(method="DELETE"), 405),
        (get("/../etc/passwd"), 404),
        (get("/page.html"), 404),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2 * REQUEST_BYTES_MAX + b"\r\n\r\n", 400),
    ],
)
async def test_only_the_page_and_its_state_are_given_and_only_under_our_names(
    served: tuple[LocalPage, int], request_bytes: bytes, status: int
):
    answer = await ask(served[1], request_bytes)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Security-Policy: default-src 'none'" in answer
    if b"HEAD" in request_bytes:
        assert answer.endswith(b"\r\n\r\n")


async def test_the_state_is_made_once_a_second_however_many_ask(served: tuple[LocalPage, int]):
    answers = await asyncio.gather(*[ask(served[1], get("/state.json")) for _ in range(8)])
    assert {answer.rpartition(b"\r\n")[2] for answer in answers} == {b'{"asked": 1}'}


async def test_idle_connections_do_not_pile_up(served: tuple[LocalPage, int]):
    page, port = served
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
    answer = await ask(port, get())
    assert answer == b"" or answer.startswith(b"HTTP/1.1 503 ")  # hung up on before it was read, or told
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    answers = [await ask(port, get()) for _ in range(CONNECTIONS_MAX)]
    assert answers[-1].startswith(b"HTTP/1.1 200 ")
    assert page.refused >= 1


@given(garbage=st.binary(max_size=400))
def test_garbage_gets_an_answer_or_none_and_the_next_one_is_served(garbage: bytes):
    async def run() -> None:
        page = LocalPage(lambda: b"{}", monotonic_s=lambda: 0.0)
        port = await page.open("127.0.0.1", 0)
        answer = await ask(port, garbage)
        assert answer == b"" or re.match(rb"HTTP/1\.1 [45]\d\d ", answer)
        assert (await ask(port, get())).startswith(b"HTTP/1.1 200 ")
        await page.close()

    asyncio.run(run())
