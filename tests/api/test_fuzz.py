"""Goal: no answer that the description does not know, and never a 5xx, whatever is sent by whomever.

Method: schemathesis reads the description and draws requests, valid and invalid ones, alone and in sequences, with all
of its checks, for each role against a server with a real database, broker and ledger.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.kit.fix_closed import World

CONFIG = Path(__file__).with_name("schemathesis.toml")
DEADLINE_S = 900


async def fuzz(world: World, who: str, folder: Path, *, examples: int, seed: int, phases: str) -> tuple[int, str]:
    """Run schemathesis as `who`; its exit code and what it says. It keeps a cache where it runs: in `folder`."""
    base = str(world.closed.served.http.base_url).rstrip("/")
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(CONFIG),
        "run",
        f"{base}/schema/openapi.json",
    ]
    command += ["-H", f"Authorization: Bearer {world.closed.tokens[who]}", "--max-examples", str(examples)]
    command += ["--phases", phases]
    command += ["--seed", str(seed), "--no-color", "--generation-deterministic"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(DEADLINE_S):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.timeout(DEADLINE_S)
async def test_requests_drawn_from_the_description(world: World, tmp_path: Path) -> None:
    code, said = await fuzz(world, "admin", tmp_path, examples=1, seed=1, phases="examples,fuzzing,stateful")
    assert code == 0, said


@pytest.mark.proof
@pytest.mark.timeout(2 * DEADLINE_S)
@pytest.mark.parametrize("who", ["viewer", "operator", "admin", "admin at LL", "reader"])
async def test_many_requests_for_every_role(world: World, tmp_path: Path, who: str) -> None:
    code, said = await fuzz(world, who, tmp_path, examples=25, seed=2, phases="examples,coverage,fuzzing,stateful")
    assert code == 0, said
