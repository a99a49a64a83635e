"""Payloads with one mistake each, by the part that it is in."""

from tests.api.wrong_payloads import descents, models, problems, requests

CASES = problems.CASES | models.CASES | descents.CASES | requests.CASES
