"""Goal: a stranger with a public key verifies a certificate, on paper and as a file, and finds every change of it.

Method: a real server and a real writer issue certificates; files are changed byte by byte; the page runs in Chromium.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.async_api import async_playwright

from cloud.certificate import CertificateError, check, check_code, code_url
from cloud.certificate_file import check_appearance, read_file, write_file
from cloud.ledger_keys import check_signature, read_keys
from cloud.ledger_service import Writing, run_ledger
from cloud.settings import BrokerSettings, DatabaseSettings, Settings
from contract.checkpoint import PublicKey
from sqal.commands.certificate import certificate as command
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_ledger import NOW, QUERIES, LedgerKit
from tests.kit.fix_messaging import rng
from tests.kit.fix_serve import Serve, Served


def trusted(ledger: LedgerKit) -> list[PublicKey]:
    return [signer.public for signer in read_keys(Path(ledger.settings.key_file))]


def prove(data: bytes, keys: list[PublicKey]) -> None:
    """All that the command does. Raises CertificateError."""
    document, kind = read_file(data)
    check(document, keys, check_signature)
    check_appearance(document, kind, data)


@pytest.fixture
async def writer(ledger: LedgerKit, mosquitto: OwnBroker) -> AsyncIterator[OwnBroker]:
    """The ledger's process, in this one."""
    settings = Settings(
        database=DatabaseSettings(url=ledger.dsn), broker=BrokerSettings(port=mosquitto.port), ledger=ledger.settings
    )
    stop = asyncio.Event()
    signers = read_keys(Path(ledger.settings.key_file))
    task = asyncio.create_task(run_ledger(Writing(settings, QUERIES, signers, rng(), lambda: NOW), stop))
    yield mosquitto
    stop.set()
    await task


async def served(new_server: Serve, ledger: LedgerKit) -> Served:
    return await new_server(dsn=ledger.dsn)


async def fetch(server: Served, ledger: LedgerKit, **params: str) -> bytes:
    answer = await server.http.get(f"/api/gaveurs/lots/{ledger.lot_id}/certificat", params=params)
    assert answer.status_code == 200, answer.text
    return answer.content


def some(size: int) -> Iterable[int]:
    return sorted({0, size - 1, *range(5, size, 29)})


@pytest.mark.parametrize(
    "places", [some, pytest.param(range, marks=(pytest.mark.proof, pytest.mark.timeout(1800)))], ids=["some", "all"]
)
async def test_a_certificate_is_proven_and_every_changed_byte_is_found(
    new_server: Serve,
    ledger: LedgerKit,
    writer: OwnBroker,
    tmp_path: Path,
    places: Callable[[int], Iterable[int]],
) -> None:
    ledger.put(4)
    server = await served(new_server, ledger)
    keys = trusted(ledger)
    files = {kind: await fetch(server, ledger, format=kind, lang="en") for kind in ("json", "html", "pdf")}
    for kind, data in files.items():
        prove(data, keys)
        path = tmp_path / f"certificate.{kind}"
        path.write_bytes(data)
        ran = CliRunner().invoke(command, ["verify", str(path), "--key", str(keys[0])])
        assert ran.exit_code == 0, ran.output
        assert "4 samples recomputed" in ran.output
    said = tmp_path / "keys.json"
    said.write_text((await server.http.get("/api/sqal/ledger/keys")).text)  # as a stranger saves it
    assert CliRunner().invoke(command, ["verify", str(path), "--key", str(said)]).exit_code == 0
    data = files["json"]
    for at in places(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            prove(changed, keys)
        except CertificateError:
            continue
        pytest.fail(f"the change at {at} was not found: {changed[at - 30 : at + 30]!r}")
    draw = rng()
    for kind in ("html", "pdf"):
        data = files[kind]
        for at in range(len(data)) if places is range and kind == "html" else draw.sample(range(len(data)), 30):
            with pytest.raises(CertificateError):
                prove(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], keys)
    with pytest.raises(CertificateError, match="no signature is of a key"):
        prove(files["json"], [PublicKey(keys[0].name, bytes(32))])


async def test_the_printed_code_alone_is_enough(new_server: Serve, ledger: LedgerKit, writer: OwnBroker) -> None:
    ledger.put(300)
    server = await served(new_server, ledger)
    document, _ = read_file(await fetch(server, ledger))
    url = code_url(document)
    assert len(url) < 2900  # what a code can hold
    summary, _ = check_code(url, trusted(ledger), check_signature)
    assert (summary.samples, summary.total, summary.grade) == (200, 300, "A")
    start = url.index("#1.") + 3
    for at in range(start, len(url)):
        other = "B" if url[at] == "A" else "A"
        try:
            said, _ = check_code(url[:at] + other + url[at + 1 :], trusted(ledger), check_signature)
        except CertificateError:
            continue
        assert said == summary  # a bit of the packing that means nothing: the same bytes are inside
    assert read_file(await fetch(server, ledger))[0] == document  # nothing changed: stated once


async def test_the_page_verifies_in_the_browser(
    new_server: Serve, ledger: LedgerKit, writer: OwnBroker, tmp_path: Path
) -> None:
    ledger.put(5)
    server = await served(new_server, ledger)
    key = str(trusted(ledger)[0])
    data = await fetch(server, ledger, format="html")
    document, _ = read_file(data)
    good, bad, pdf = tmp_path / "good.html", tmp_path / "bad.html", tmp_path / "good.pdf"
    good.write_bytes(data)
    pdf.write_bytes(write_file(document, "pdf"))
    at = data.index(document.records[2].encode()) + 300
    bad.write_bytes(data[:at] + (b"B" if data[at : at + 1] == b"A" else b"A") + data[at + 1 :])
    fragment = code_url(document).partition("#")[2]
    base = f"http://localhost:{server.port}/verify"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(base)
        await page.fill("#key", key)
        for path, verdict in ((good, ".good"), (bad, ".bad"), (pdf, ".good")):
            await page.set_input_files("#file", str(path))
            await page.wait_for_selector(f"#verdict{verdict}")
        await page.goto("about:blank")
        await page.goto(f"{base}#{fragment}")
        await page.fill("#key", key)
        await page.wait_for_selector("#verdict.good")
        assert "LL-1" in await page.inner_text("#facts")
        await page.goto("about:blank")
        await page.goto(f"{base}#{fragment[:60]}{'B' if fragment[60] == 'A' else 'A'}{fragment[61:]}")
        await page.fill("#key", key)
        await page.wait_for_selector("#verdict.bad")
        await browser.close()
