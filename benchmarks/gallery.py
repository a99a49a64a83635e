"""Pictures of the presets, and `docs/gallery.md`: `python -m benchmarks.gallery [NAME ...]`.

Runs the named presets, or the short ones that have no picture yet, on a service with an empty database, and draws their
figures.
"""

import argparse
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.service_speed import Service
from service.presets import THEMES, all_presets, has_pictures, picture_name

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "service" / "presets" / "pictures"
PAGE = ROOT / "docs" / "gallery.md"
WIDTH = 640
LONG = ("tensor_order_4_rank_1", "tensor_order_4_rank_3")
"""Presets that take tens of minutes."""
COLORS = 192
"""Of a picture's palette: half of the bytes. By octrees, which keep the colours of lines apart."""


def page() -> str:
    """The gallery as Markdown."""
    cards = [_card(name) for name in all_presets()]
    return (
        "\n\n".join(["# Gallery", "Every preset, and what came out. `rankward run NAME` runs it again.", *cards]) + "\n"
    )


def _card(name: str) -> str:
    preset = all_presets()[name]
    about = f"## {preset.title}\n\n`{name}` · {preset.source}\n\n{' '.join(preset.about.split())}"
    picture = f"../service/presets/pictures/{picture_name(name, 'light')}"
    undrawn = f"*Without a picture, as it takes tens of minutes: `rankward run {name} --figure {name}.svg` draws it.*"
    return f"{about}\n\n{f'![{preset.title}]({picture})' if has_pictures(name) else undrawn}"


def draw(service: Service, name: str) -> None:
    """Run a preset and write its pictures."""
    seconds, done = service.run(service.client.preset(name))
    for theme in THEMES:
        figure = service.client.figure(done["id"], all_presets()[name].figure, width=WIDTH, scale=1, theme=theme)
        smaller = Image.open(BytesIO(figure)).convert("RGB").quantize(COLORS, Image.Quantize.FASTOCTREE)
        smaller.save(PICTURES / picture_name(name, theme), optimize=True)
    print(f"{name}: {done['status']}, {seconds:.0f} s", flush=True)


def main() -> None:
    """Run, draw, write; presets that take tens of minutes only where they are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="presets; those without a picture when left out")
    names = parser.parse_args().names or [name for name in all_presets() if not has_pictures(name) and name not in LONG]
    if unknown := set(names) - set(all_presets()):
        parser.error(f"there is no preset {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        try:
            for name in names:
                draw(service, name)
        finally:
            service.stop()
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
