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
from axe_playwright_python.sync_playwright import Axe
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
EPOCHS = "mlpnb.explore(mlpnb.load_data('diabetes'), mlpnb.Settings(max_iter=20))"

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
    nbformat.write(only("import mlpnb", EPOCHS), folder / "work" / "epochs.ipynb")
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
    idle = ".jp-Notebook-ExecutionIndicator[data-status='idle']"  # out of sight on a phone
    page.wait_for_selector(idle, state="attached", timeout=90_000)
    prompts = ".jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)"  # a hidden cell has none
    taken = f"[...document.querySelectorAll('{prompts}')].every(p => /[*\\d]/.test(p.textContent))"
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
    page.wait_for_selector(".noUi-handle", state="attached", timeout=300_000)
    page.wait_for_function(
        "[...document.querySelectorAll('.widget-html-content')]"
        ".some(e => e.textContent.includes('Prediction against truth'))",
        timeout=300_000,
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


def serious(page, within):
    """What axe finds that is serious or critical, a line each."""
    found = Axe().run(page, context=within).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


class Frames:
    """What the screen shows of an element, frame by frame as Chromium paints them.

    Chromium tells a natural width of 0 while a new source is decoded, though it goes on painting the old picture: so
    the painted pixels are judged, not the element's properties.
    """

    def __init__(self, page, element):
        self.page, self.pngs, self.box = page, [], element.bounding_box()
        # something small that changes in every frame, so that every frame is painted and sent
        page.evaluate(
            """() => {
                const tick = document.body.appendChild(document.createElement('div'));
                tick.style = 'position:fixed; left:0; top:0; width:2px; height:2px; z-index:99999';
                const change = n => {
                    tick.style.background = n % 2 ? '#000' : '#fff';
                    window.ticking = requestAnimationFrame(() => change(n + 1));
                };
                change(0);
            }"""
        )
        self.client = page.context.new_cdp_session(page)
        self.client.on("Page.screencastFrame", self.keep)
        self.client.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
        self.wait_for(1)

    def keep(self, frame):
        self.pngs.append((frame["data"], frame["metadata"]["deviceWidth"]))
        self.client.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def wait_for(self, n):
        """Wait until `n` more frames are there."""
        n += len(self.pngs)
        deadline = time.monotonic() + 60
        while len(self.pngs) < n:
            assert time.monotonic() < deadline, "Chromium sends no frames"
            self.page.wait_for_timeout(20)

    def end(self):
        """The number of pixels that are not blank in the element's place, a frame each."""
        self.wait_for(2)  # the last change is painted too
        self.client.send("Page.stopScreencast")
        self.client.detach()
        self.page.evaluate("cancelAnimationFrame(window.ticking)")
        return [self.drawn(*frame) for frame in self.pngs]

    def drawn(self, data, device_width):
        screen = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
        scale = screen.width / device_width
        x, y, width, height = (self.box[name] for name in ("x", "y", "width", "height"))
        place = screen.crop([round(scale * edge) for edge in (x, y, x + width, y + height)])
        return int((np.asarray(place).min(axis=2) < 245).sum())  # the panels' lines are at 235, paper at 255


@pytest.mark.parametrize(
    "blank",
    [
        "image => { image.style.visibility = 'hidden' }",
        "image => { image.src = URL.createObjectURL(new Blob([]))  /* no picture at all */ }",
        "image => { const empty = document.createElement('canvas'); image.src = empty.toDataURL() }",
    ],
)
def test_a_blank_picture_would_be_seen_in_the_frames(page, blank):
    picture = base64.b64encode((Path(__file__).parents[1] / "docs" / "grid.png").read_bytes()).decode()
    page.set_content(f"<p>Words</p><img src='data:image/png;base64,{picture}' width='900' height='500'><p>More</p>")
    page.wait_for_function("document.querySelector('img').complete")
    frames = Frames(page, page.locator("img"))
    frames.wait_for(3)
    page.locator("img").evaluate(blank)
    frames.wait_for(3)
    drawn = frames.end()
    assert drawn[0] > 10_000
    assert drawn[-1] < 0.5 * drawn[0]


def test_alpha_moves_the_picture_by_keyboard_without_a_blank_frame_or_an_error(page, lab):
    run_all(page, lab)
    assert "at alpha 1:" in words(page)
    page.screenshot(path=OUTPUT / "lab-before.png")
    frames = Frames(page, picture(page))
    before = picture(page).get_attribute("src")
    page.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    wait_for_words(page, "at alpha 2:")
    assert picture(page).get_attribute("src") != before
    page.keyboard.press("ArrowLeft")
    wait_for_words(page, "at alpha 1:")
    drawn = frames.end()
    assert len(drawn) > 10
    assert min(drawn) > 0.5 * drawn[0]
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


@pytest.mark.parametrize(("name", "width"), [("desktop", 1300), ("phone", 390)])
def test_the_explorer_is_for_everybody_and_slides_through_its_epochs(page, lab, name, width):
    run_all_cells(page, lab, "epochs.ipynb")
    wait_for_words(page, "Prediction against truth")
    page.set_viewport_size({"width": width, "height": 1400})
    if name == "phone":
        page.keyboard.press("Control+b")  # puts JupyterLab's list of files away, as one does on a phone
        page.locator(".jp-DirListing").wait_for(state="hidden")
    assert serious(page, ".jp-OutputArea-child:has(img.widget-image)") == []
    page.locator(".jupyter-widget-Collapse-header", has_text="Epoch by epoch").click()
    page.get_by_role("button", name="Record the epochs").click()
    wait_for_words(page, "After epoch 20:")
    epochs = page.locator(".jupyter-widget-Collapse-open")
    epochs.locator("img.widget-image").first.wait_for()
    before = epochs.locator("img.widget-image").first.get_attribute("src")
    epochs.locator(".noUi-handle").last.focus()
    page.keyboard.press("ArrowLeft")
    wait_for_words(page, "After epoch 19:")
    assert epochs.locator("img.widget-image").first.get_attribute("src") != before
    assert serious(page, ".jp-OutputArea-child:has(img.widget-image)") == []
    page.screenshot(path=OUTPUT / f"lab-epochs-{name}.png")
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
