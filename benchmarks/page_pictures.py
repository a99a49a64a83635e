"""Pictures of the pages in docs/images: `python -m benchmarks.page_pictures`.

Runs the preset `first_look` on a service with an empty database, and shows its pages to Chromium.
"""

import shutil
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.service_speed import Service

IMAGES = Path(__file__).parent.parent / "docs" / "images"
COLORS = 192
"""Of a picture's palette."""
DRAWN = ".js-plotly-plot .main-svg"
"""What a page has once its figure is drawn."""
RUN = 6
"""Of the experiment: a run of depth 3 that ends near 70."""


@dataclass(frozen=True)
class Shot:
    """A picture of a page.

    Attributes:
        name: of the file.
        scheme: light or dark.
        width, height, scale: of the window, and pixels of the picture for each of its own.
    """

    name: str
    scheme: str
    width: int
    height: int
    scale: int = 1

    def take(self, browser: Browser, url: str) -> None:
        """Write the picture of a page."""
        window = browser.new_context(
            color_scheme="dark" if self.scheme == "dark" else "light",
            viewport={"width": self.width, "height": self.height},
            device_scale_factor=self.scale,
        )
        page = window.new_page()
        page.goto(url)
        page.wait_for_selector(DRAWN)
        page.wait_for_timeout(500)  # the last transitions
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(COLORS, Image.Quantize.FASTOCTREE)
        picture.save(IMAGES / self.name, optimize=True)
        window.close()


CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first draws pages as the others do, and has no windows, which take a fifth of the time."""
EXPERIMENT = (Shot("page_experiment.png", "light", 1280, 1180), Shot("page_phone.png", "light", 390, 844, 2))
OF_RUN = Shot("page_run_dark.png", "dark", 1280, 1240)


def main() -> None:
    """Run, show, write."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        raise SystemExit("There is no Chromium on this machine; install the package chromium-headless-shell.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        service = Service(Path(folder))
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            _, experiment = service.run(service.client.preset("first_look"))
            runs = service.client.runs(experiment_id=experiment["id"])
            for shot in EXPERIMENT:
                shot.take(browser, f"{service.client.url}/experiments/{experiment['id']}")
            (run,) = (one for one in runs if one["index"] == RUN)
            OF_RUN.take(browser, f"{service.client.url}/runs/{run['id']}")
        finally:
            browser.close()
            service.stop()


if __name__ == "__main__":
    main()
