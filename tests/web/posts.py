"""What the tests of the pages submit."""

from tests.helpers.specs import BASIC

FOUR = {"name": "four", "tags": {"paper": "2005.06398"}, "run": BASIC, "sweep": [{"seed": [0, 1, 2, 3]}]}


def posted(api, experiment=FOUR):
    """An experiment, as it was answered."""
    return api.post("/v1/experiments", json=experiment).json()
