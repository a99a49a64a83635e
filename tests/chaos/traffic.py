"""Clients that go on asking while the service is disturbed, and remember what was acknowledged."""

import threading
import uuid

import httpx2

from tests.helpers.specs import BASIC

SMALL = {"run": BASIC | {"stop": {"max_steps": 50}}, "sweep": [{"seed": [0, 1]}]}


class Traffic(threading.Thread):
    """Submits small experiments, each until it is acknowledged, and cancels every third."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._over = threading.Event()
        self.submitted: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        with httpx2.Client(base_url=self._url, timeout=20) as http:
            while not self._over.wait(0.2):
                key = str(uuid.uuid4())
                posted = self._until_acknowledged(http, "/v1/experiments", json=SMALL, headers={"Idempotency-Key": key})
                self.submitted[key] = posted["id"]
                if len(self.submitted) % 3 == 0:
                    self._until_acknowledged(http, f"/v1/experiments/{posted['id']}/cancel")
                    self.cancelled.append(posted["id"])

    def finish(self) -> None:
        """Stop asking, once the last request was acknowledged."""
        self._over.set()
        self.join(60)
        assert not self.is_alive()

    def _until_acknowledged(self, http: httpx2.Client, path: str, **request):
        while True:
            try:
                answer = http.post(path, **request)
            except httpx2.TransportError:  # the API is gone; what it did of the request is unknown
                self._over.wait(0.1)
                continue
            if answer.status_code in (200, 202):
                return answer.json()
            if (answer.status_code, answer.headers["content-type"]) != (503, "application/problem+json"):
                self.wrong.append(f"{answer.status_code} {answer.text}")
            self._over.wait(0.1)
