"""Refuses to build a wheel without the dashboard: an unbuilt page would silently be missing from it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardMustBeBuilt(BuildHookInterface[Any]):
    """Build hook: a standard wheel needs `cloud/static/index.html`; an editable install does not."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fail with what to do when the page has not been built.

        `version` is "standard" or "editable"; `build_data` is left as it is.
        """
        del build_data
        page = Path(self.root, "cloud", "static", "index.html")
        if version == "standard" and not page.is_file():
            raise RuntimeError("cloud/static/index.html is missing: run `make page` before building a wheel")
