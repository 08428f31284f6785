"""What grades rest on, as one router: recipes, calibrations, challenge tests, charts, models, re-analysis."""

from litestar import Router
from litestar.di import Provide

from cloud.api.calibrations import CalibrationsController
from cloud.api.challenges import ChallengesController, ReferencesController
from cloud.api.models import ModelsController
from cloud.api.reanalysis import Reanalyses, reanalysis
from cloud.api.recipes import RecipesController
from cloud.api.spc import SpcController


def science() -> Router:
    """All of it below `/api/sqal`."""
    reanalyses = Reanalyses()
    return Router(
        path="/api/sqal",
        route_handlers=[
            RecipesController,
            CalibrationsController,
            ReferencesController,
            ChallengesController,
            ModelsController,
            SpcController,
            reanalysis,
        ],
        dependencies={"reanalyses": Provide(lambda: reanalyses, sync_to_thread=False)},
    )
