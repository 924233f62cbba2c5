"""The notebook in a real JupyterLab, and the report, in a real browser."""

import base64
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import TimeoutError as NotInTime

from mlpnb.lab import copy_notebooks

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OUTPUT = Path(__file__).parents[1] / "test-output"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]

SWITCHES = "mlpnb.switches(mlpnb.load_data('diabetes'), mlpnb.Settings(activation='identity', random_state=16))"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium, to run the browser tests"),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    OUTPUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page that remembers its errors and what it asked of the outside."""
    context = browser.new_context(viewport={"width": 1300, "height": 1400})
    page = context.new_page()
    page.errors, page.outside = [], []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    local = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "file:")
    page.on("request", lambda r: None if r.url.startswith(local) else page.outside.append(r.url))
    yield page
    context.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab over a copy of the notebooks, without news and without a person's own settings."""
    folder = tmp_path_factory.mktemp("lab")
    copy_notebooks(folder / "work")
    nbformat.write(only("import mlpnb", SWITCHES), folder / "work" / "switches.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    home["JUPYTERLAB_WORKSPACES_DIR"] = str(folder / "workspaces")
    # No news; a kernel without being asked; and cells that are out of sight stay in the page.
    for extension, settings in (
        ("apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False}),
        ("notebook-extension/tracker", {"autoStartDefaultKernel": True, "windowingMode": "none"}),
    ):
        path = folder / "settings" / "@jupyterlab" / f"{extension}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(settings))
    # Its debugger reports an error of its own when the machine is slow.
    config = folder / "config" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/debugger-extension": True}}))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True",
        f"--ServerApp.root_dir={folder / 'work'}",
    ]
    with (OUTPUT / "jupyterlab.log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | home, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "JupyterLab did not start"
                assert server.poll() is None, (OUTPUT / "jupyterlab.log").read_text()
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/lab/tree"
    finally:
        server.terminate()
        server.wait(30)


def only(*sources):
    """A notebook of these cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def run_all_cells(page, lab, notebook):
    start_kernel(lab, notebook)
    page.goto(f"{lab}/{notebook}?reset")
    page.wait_for_selector(".jp-CodeCell .cm-content", timeout=90_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", timeout=90_000)
    taken = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].every(p => /[*\\d]/.test(p.textContent))"
    for patience in (15_000, 30_000, 60_000):  # JupyterLab runs nothing, or one cell, while it is finding its kernel
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        with contextlib.suppress(NotInTime):
            page.wait_for_function(taken, timeout=patience)
            return
        if page.locator(".jp-Dialog .jp-mod-accept").count():
            page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_function(taken, timeout=1)


def start_kernel(lab, notebook):
    """Before the page is there, which then has no kernel to choose."""
    session = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
    url = lab.replace("/lab/tree", "/api/sessions")
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(session).encode()), timeout=90).close()


def run_all(page, lab):
    """Open the first notebook, run all its cells, and wait until the explorer's picture is whole."""
    run_all_cells(page, lab, "01_the_question.ipynb")
    page.wait_for_selector(".noUi-handle", state="attached", timeout=120_000)
    page.wait_for_function(
        "[...document.querySelectorAll('.widget-html-content')]"
        ".some(e => e.textContent.includes('Prediction against truth'))",
        timeout=120_000,
    )
    page.locator(".noUi-handle").first.scroll_into_view_if_needed()


def picture(page):
    return page.locator("img.widget-image").first


def words(page):
    return page.evaluate(
        "[...document.querySelectorAll('.widget-html-content')].map(e => e.textContent)"
        ".find(t => t.includes('Prediction against truth')) || ''"
    )


def wait_for_words(page, text):
    page.wait_for_function(
        "text => [...document.querySelectorAll('.widget-html-content')].some(e => e.textContent.includes(text))",
        arg=text,
        timeout=60_000,
    )


class Painted:
    """What the browser paints where the picture is, frame by frame.

    The element's own word is not asked: Chromium gives a picture no size in the frame in which its source changes,
    while it goes on showing the old one.
    """

    def __init__(self, page):
        self.box = picture(page).bounding_box()
        self.frames = []
        self.session = page.context.new_cdp_session(page)
        self.session.on("Page.screencastFrame", self.keep)

    def keep(self, frame):
        self.frames.append(base64.b64decode(frame["data"]))
        self.session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def __enter__(self):
        self.session.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
        return self

    def __exit__(self, *_):
        self.session.send("Page.stopScreencast")
        self.session.detach()

    def ink(self):
        """The share of each frame's picture that is not paper; of its upper half, since the page may end below."""
        left, top = self.box["x"], self.box["y"]
        corners = (left, top, left + self.box["width"], top + self.box["height"] / 2)
        pictures = [Image.open(io.BytesIO(frame)).convert("L").crop(corners) for frame in self.frames]
        return [np.mean(np.asarray(picture) < 250) for picture in pictures]


def test_alpha_moves_the_picture_by_keyboard_without_a_blank_frame_or_an_error(page, lab):
    run_all(page, lab)
    assert "at alpha 1:" in words(page)
    page.screenshot(path=OUTPUT / "lab-before.png")
    before = picture(page).get_attribute("src")
    page.locator(".noUi-handle").first.focus()
    with Painted(page) as painted:
        page.keyboard.press("ArrowRight")
        wait_for_words(page, "at alpha 2:")
        assert picture(page).get_attribute("src") != before
        page.keyboard.press("ArrowLeft")
        wait_for_words(page, "at alpha 1:")
        page.wait_for_timeout(500)  # the last frames
        drawn = len(painted.frames)
        picture(page).evaluate("image => image.style.visibility = 'hidden'")  # that a blank one would be seen
        page.wait_for_timeout(500)
        picture(page).evaluate("image => image.style.visibility = ''")
    ink = painted.ink()
    ink = painted.ink()
    assert drawn > 3
    assert min(ink[:drawn]) > 0.8 * max(ink)
    assert min(ink[drawn:]) < 0.1 * max(ink)
    assert picture(page).evaluate("image => image.naturalWidth") == 900
    page.screenshot(path=OUTPUT / "lab-after.png")

    page.get_by_role("button", name="relu", exact=True).click()
    wait_for_words(page, "relu")
    page.get_by_role("button", name="float64", exact=True).click()
    wait_for_words(page, "Keras in float64")

    page.locator(".jupyter-widget-Collapse-header", has_text="Export and load").click()
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as download:
        page.locator("a[download='grid.csv']").click()
    assert "Keras 2" in Path(download.value.path()).read_text()
    page.locator(".jupyter-widget-Collapse-header", has_text="Copy as code").click()
    assert "mlpnb.fit_grid(data, settings)" in page.locator(".widget-html-content pre").inner_text()
    page.screenshot(path=OUTPUT / "lab-share.png")
    assert page.errors == []
    assert page.outside == []


def test_a_switch_moves_the_panel_and_the_ladder(page, lab):
    run_all_cells(page, lab, "switches.ipynb")
    wait_for_words(page, "differences open: data term, penalty scale")
    before = picture(page).get_attribute("src")
    page.screenshot(path=OUTPUT / "switches-before.png")
    page.get_by_role("button", name="scikit-learn: half", exact=True).click()
    wait_for_words(page, "differences open: penalty scale, kernel start")
    assert picture(page).get_attribute("src") != before
    page.get_by_role("button", name="All scikit-learn", exact=True).click()
    wait_for_words(page, "differences open: none")
    page.screenshot(path=OUTPUT / "switches-after.png")
    assert page.errors == []
    assert page.outside == []


def test_the_report_opens_from_disk_and_asks_for_nothing(page, tmp_path):
    from mlpnb.report import write_report

    write_report({"data": "diabetes", "max_iter": 5}, tmp_path)
    page.goto((tmp_path / "report.html").as_uri())
    images = page.locator("img")
    assert images.count() >= 4
    for image in images.all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
        assert "alpha" in image.get_attribute("alt")
    page.screenshot(path=OUTPUT / "report.png", full_page=True)
    assert page.errors == []
    assert page.outside == []
