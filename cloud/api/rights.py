"""What a known caller may do: the check before every handler, and the sites that a handler may show.

Denied by default: a route without an `opt` of its own needs `viewer` to read and `operator` to write, and a caller of
some sites is let in only where the handler takes `rights` (or says ANY_SITE), that is, where it was made to look.
"""

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from cloud.access import AccessScope, Principal, Role
from cloud.api.access import SAFE_METHODS
from cloud.api.params import text_without_nul
from cloud.api.problems import ForbiddenError, UnauthorizedError
from cloud.api.strict import require_single_parameters
from cloud.store.reader import Store

PUBLIC: dict[str, Any] = {"is_public": True}
ADMIN: dict[str, Any] = {"role": "admin"}
OPERATOR: dict[str, Any] = {"role": "operator"}
ANY_SITE: dict[str, Any] = {"any_site": True}  # holds nothing of a site, or what everybody may know
# WebSockets are refused before the upgrade, so their needs are known by path.
WEBSOCKETS: dict[str, tuple[Role, AccessScope]] = {
    "/ws/realtime": ("viewer", "read"),
    "/ws/mqtt": ("viewer", "read"),
    "/ws/sensors": ("operator", "ingest"),
}
WHO = "show who you are: a token as `Authorization: Bearer …`, or log in"


class Rights:
    """The sites that the caller of a request may see."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    @property
    def sites(self) -> list[str] | None:
        """All sites of the caller, None for every site; as the statements take it."""
        return None if self.principal.sites is None else sorted(self.principal.sites)

    def narrow(self, site_code: str | None) -> list[str] | None:
        """The sites to show where `site_code` was asked for. Raises BadRequestError, ForbiddenError."""
        text_without_nul(site_code, "site_code")
        if site_code is None:
            return self.sites
        self.require(site_code)
        return [site_code]

    def require(self, site_code: str | None) -> None:
        """Refuse what stands at a site that is not the caller's. Raises ForbiddenError."""
        if not self.principal.may_see(site_code):
            raise ForbiddenError(f"{self.principal.name} has no rights at the site {site_code}")


def provide_rights(request: Request[Any, Any, Any]) -> Rights:
    """The rights of a request that has passed `authorize`."""
    principal: Principal | None = request.scope["user"]
    if principal is None:
        raise UnauthorizedError(WHO)
    return Rights(principal)


async def require_lot(store: Store, rights: Rights, lot_id: int) -> None:
    """Refuse a lot that stands at no site of the caller, be it there or not. Raises ForbiddenError."""
    if rights.sites is None:
        return
    row = await store.row("lot_site", lot_id=lot_id)
    if row is None or not rights.principal.may_see(row["site_code"]):
        raise ForbiddenError(f"{rights.principal.name} has no rights at the site of lot {lot_id}")


def authorize(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Litestar guard of the whole application. Raises UnauthorizedError, ForbiddenError."""
    scope: Any = connection.scope
    if scope["type"] == "websocket" or scope["method"] == "OPTIONS":
        return  # WebSockets were judged before their upgrade
    if handler.opt.get("is_public"):
        require_single_parameters(connection)
        return
    principal: Principal | None = scope["user"]
    if principal is None:
        raise UnauthorizedError(WHO)
    require_single_parameters(connection)
    is_safe = scope["method"] in SAFE_METHODS
    role: Role = handler.opt.get("role", "viewer" if is_safe else "operator")
    reason = principal.lacks(role, "read" if is_safe or handler.opt.get("reads") else "write")
    if reason is not None:
        raise ForbiddenError(reason)
    takes_rights = "rights" in handler.parsed_fn_signature.parameters
    if principal.sites is not None and not takes_rights and not handler.opt.get("any_site"):
        raise ForbiddenError("this shows every site at once, and you have rights at some only")
