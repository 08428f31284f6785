"""The routes of lots, ledger and certificates, and what strangers need to check them: keys, checkpoints, the page."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from cloud.api.blockchain import BlockchainController, Verifier
from cloud.api.euralis import EuralisController
from cloud.api.gaveurs import GaveursController
from cloud.api.lot_records import LotRecordsController
from cloud.api.problems import BadRequestError, NotFoundError
from cloud.api.rights import PUBLIC
from cloud.ledger_read import named_keys, tree_of
from cloud.settings import Settings
from cloud.store.reader import Row, Store
from contract.bounds import SEQ_MAX
from contract.chain import ChainError

PAGE = Path(__file__).resolve().parents[1] / "verify.html"
Size = Annotated[int, QueryParameter(ge=1, le=SEQ_MAX)]
Before = Annotated[int | None, QueryParameter(name="before", ge=1, le=SEQ_MAX)]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1000)]


@get("/api/sqal/ledger/checkpoint", summary="The newest checkpoint", opt=PUBLIC, tags=("ledger",))
async def checkpoint(store: NamedDependency[Store]) -> Response[str]:
    """The signed note as it was published. Keep it: it proves whatever is changed later. Raises NotFoundError."""
    found = await store.row("ledger_latest_checkpoint")
    if found is None:
        raise NotFoundError("the ledger has no checkpoint yet")
    return Response(found["note"], media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})


@get("/api/sqal/ledger/checkpoints", summary="Checkpoints, the newest first", opt=PUBLIC, tags=("ledger",))
async def checkpoints(store: NamedDependency[Store], before: Before = None, limit: Limit = 100) -> list[Row]:
    """A page of checkpoints; `before` is the smallest size of the page before it."""
    return await store.rows("ledger_checkpoints", before=before, limit=limit)


@get("/api/sqal/ledger/keys", summary="The public keys that the ledger names", opt=PUBLIC, tags=("ledger",))
async def keys(store: NamedDependency[Store]) -> list[str]:
    """The newest first. Compare them with what was published elsewhere: a server can name any key."""
    return await named_keys(store)


@get(
    "/api/sqal/ledger/consistency", summary="Proof that an earlier tree is in a later one", opt=PUBLIC, tags=("ledger",)
)
async def consistency(store: NamedDependency[Store], first: Size, second: Size) -> dict[str, Any]:
    """RFC 9162 consistency proof between two sizes, hashes in hexadecimal. Raises BadRequestError."""
    newest = await store.row("ledger_latest_checkpoint")
    if newest is None or second > newest["size"]:
        raise BadRequestError("second", "the ledger is not that large")
    try:
        proof = await tree_of(store, second).consistency(first)
    except ChainError as error:
        raise BadRequestError("first", str(error)) from error
    return {"first": first, "second": second, "proof": [step.hex() for step in proof]}


@get("/api/sqal/ledger/proof", summary="Proof that an entry is in the tree", opt=PUBLIC, tags=("ledger",))
async def inclusion(
    store: NamedDependency[Store], index: Annotated[int, QueryParameter(ge=0, le=SEQ_MAX)]
) -> dict[str, Any]:
    """Entry, RFC 9162 inclusion proof and the newest checkpoint. Raises NotFoundError."""
    newest = await store.row("ledger_latest_checkpoint")
    row = await store.row("ledger_entry", leaf_index=index)
    if newest is None or row is None or index >= newest["size"]:
        raise NotFoundError(f"the newest checkpoint covers no entry {index}")
    proof = await tree_of(store, newest["size"]).inclusion(index)
    return {
        "index": index,
        "entry": base64.b64encode(bytes(row["entry"])).decode(),
        "leaf_hash": bytes(row["leaf_hash"]).hex(),
        "proof": [step.hex() for step in proof],
        "checkpoint": newest["note"],
    }


@get("/verify", include_in_schema=False, opt=PUBLIC)
async def verify_page() -> Response[bytes]:
    """The page that a certificate's code points to: it verifies in the browser and asks nobody."""
    content, policy = _page()
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Response(content, media_type="text/html; charset=utf-8", headers=headers)


@cache
def _page() -> tuple[bytes, str]:
    """The page, and a policy that lets its one script run and nothing else."""
    content = PAGE.read_bytes()
    script = re.search(rb"<script>(.*?)</script>", content, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1]).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; base-uri 'none'"
    return content, policy + "; form-action 'none'; frame-ancestors 'none'"


def traceability(settings: Settings) -> Router:
    """All of it, with the dependencies that only these routes need."""
    verifier = Verifier()
    return Router(
        path="/",
        route_handlers=[
            BlockchainController,
            EuralisController,
            GaveursController,
            LotRecordsController,
            checkpoint,
            checkpoints,
            keys,
            consistency,
            inclusion,
            verify_page,
        ],
        dependencies={
            "ledger": Provide(lambda: settings.ledger, sync_to_thread=False),
            "ledger_dsn": Provide(lambda: settings.database.url, sync_to_thread=False),
            "verifier": Provide(lambda: verifier, sync_to_thread=False),
        },
    )
