"""The page in a real browser: nothing overflows a phone, and every picture is drawn."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from tests.commands import CHECKOUT

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROBE = """<!doctype html><iframe id="f" width="{width}" height="900" src="{page}"></iframe>
<pre id="said"></pre><script>
document.getElementById("f").onload = function () {{
  const page = this.contentDocument, images = [...page.images];
  const boxes = kinds => [...page.querySelectorAll(kinds)].map(e => e.getBoundingClientRect());
  const shown = boxes("svg.heat, svg.drawing");
  page.getElementById("heat").click();
  document.getElementById("said").textContent = JSON.stringify({{
    wide: page.documentElement.scrollWidth,
    images: images.length,
    broken: images.filter(i => !i.complete || !i.naturalWidth).length,
    drawings: shown.length,
    flat: shown.filter(r => r.width < 5 || r.height < 5).length,
    heat: boxes("svg.heat").filter(r => r.width).length,
    scripts: page.scripts.length,
  }});
}};
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    from saecli.cli.app import main

    out = tmp_path_factory.mktemp("report") / "page.html"
    words = ["report", "clip:282", "dinov2:333", "experiment:5", "--out", str(out), "-q"]
    assert main([*words, "--catalog", str(CHECKOUT / "catalog.example.db")]) == 0
    return out


def run(page, *options):
    """What headless Chromium prints; its every way to the network leads nowhere."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert browser, "these tests need Chromium: install it, or run without -m browser"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9"]
    done = subprocess.run(
        [*command, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1100])
def test_a_page_fits_and_shows_everything(page, width):
    frame = page.with_name(f"frame{width}.html")
    frame.write_text(PROBE.format(width=width, page=page.name))
    out = run(frame, "--allow-file-access-from-files", "--virtual-time-budget=8000", "--dump-dom")
    said = json.loads(unescape(re.search(r'<pre id="said">(.+?)</pre>', out)[1]))
    assert said["wide"] <= width
    assert said["images"] > 20
    assert (said["broken"], said["flat"], said["scripts"]) == (0, 0, 0)
    assert said["drawings"] > 20
    assert said["heat"] == 0, "the box switches the heat maps off"


@pytest.mark.browser
def test_it_prints_on_pages(page):
    out = page.with_suffix(".pdf")
    run(page, f"--print-to-pdf={out}")
    printed = out.read_bytes()
    assert printed.startswith(b"%PDF")
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 20
