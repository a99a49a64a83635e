"""/v1/experiments/{id}/figures"""

from fastapi import APIRouter, Response

from service.problems import RESPONSES
from service.routes.dependencies import DatabaseDependency, LimitsDependency
from service.use_cases.figures import (
    component_norms_figure,
    convergence_figure,
    observations_figure,
    unobserved_entry_figure,
)

router = APIRouter(prefix="/v1/experiments/{experiment_id}/figures", tags=["figures"], responses=RESPONSES)


@router.get("/unobserved_entry.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def unobserved_entry(database: DatabaseDependency, limits: LimitsDependency, experiment_id: str) -> Response:
    """Draw |unobserved entry| against loss for the runs of an experiment, coloured by steps."""
    return Response(unobserved_entry_figure(database, experiment_id, limits), media_type="image/png")


@router.get("/observations.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def observations(database: DatabaseDependency, limits: LimitsDependency, experiment_id: str) -> Response:
    """Draw error and rank against the number of observations, medians with quartiles, beside the linear baseline."""
    return Response(observations_figure(database, experiment_id, limits), media_type="image/png")


@router.get("/component_norms.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def component_norms(database: DatabaseDependency, limits: LimitsDependency, experiment_id: str) -> Response:
    """Draw the norms of the largest components against steps."""
    return Response(component_norms_figure(database, experiment_id, limits), media_type="image/png")


@router.get("/convergence.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def convergence(database: DatabaseDependency, limits: LimitsDependency, experiment_id: str) -> Response:
    """Draw the distance of descents to the flow from the same start, at equal time, against their learning rates."""
    return Response(convergence_figure(database, experiment_id, limits), media_type="image/png")
