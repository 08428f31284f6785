"""What grades rest on, as one router: recipes, calibrations, challenge tests, charts, models, re-analysis."""

from litestar import Router

from cloud.api.calibrations import CalibrationsController
from cloud.api.challenges import ChallengesController, ReferencesController
from cloud.api.recipes import RecipesController


def science() -> Router:
    """All of it below `/api/sqal`."""
    return Router(
        path="/api/sqal",
        route_handlers=[RecipesController, CalibrationsController, ReferencesController, ChallengesController],
    )
