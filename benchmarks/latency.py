"""From a key press to the changed picture in a real Chromium: in JupyterLab, the app, a handout; what visitors cost.

Needs Debian's chromium. ``python benchmarks/latency.py [VISITORS]``; ten, if left out.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
import psutil
from measuring import report
from playwright.sync_api import Browser, Page, sync_playwright

TOKEN = "benchmark"
MOVES = 7
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WORDS = "[...document.querySelectorAll('.widget-html-content')].map(e => e.textContent)"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start(command: list[str], folder: str, url: str) -> subprocess.Popen[bytes]:
    """A server, once it answers."""
    environment = os.environ | {"JUPYTER_TOKEN": TOKEN}
    with Path(folder, "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return server
        except OSError:
            time.sleep(0.3)
    server.terminate()
    raise SystemExit(Path(folder, "log").read_text())


def ready(page: Page) -> None:
    """Wait until the picture is whole."""
    page.wait_for_function(f"{WORDS}.some(t => t.includes('Prediction against truth'))", timeout=300_000)
    page.locator(".noUi-handle").first.scroll_into_view_if_needed()


def moves(page: Page) -> dict[str, float]:
    """Medians over key presses that move alpha on to values not seen before, and then back over them."""
    page.evaluate(
        """() => {
            const image = document.querySelector('img.widget-image');
            window.changes = [];
            image.addEventListener('load', () => window.changes.push(performance.now()));
            const pressed = () => { window.pressed = performance.now(); window.changes = []; };
            document.addEventListener('keydown', pressed, true);
        }"""
    )
    page.locator(".noUi-handle").first.focus()
    found: dict[str, list[float]] = {"first new columns": [], "whole picture": [], "already seen": []}
    for move in range(2 * MOVES):
        back = move >= MOVES
        before = page.evaluate(f"{WORDS}.find(t => t.includes('Prediction against truth'))")
        page.keyboard.press("ArrowRight" if back else "ArrowLeft")
        page.wait_for_function(
            f"before => window.changes.length && {WORDS}.some(t => t.includes('Prediction against') && t !== before)",
            arg=before, timeout=60_000, polling=20,
        )  # fmt: skip
        page.wait_for_timeout(700)  # whatever is drawn late belongs to this move
        pressed, changes = page.evaluate("[window.pressed, window.changes]")
        seconds = [(change - pressed) / 1000 for change in changes]
        if back:
            found["already seen"].append(seconds[0])
        else:
            found["first new columns"].append(seconds[0])
            found["whole picture"].append(seconds[-1])
    return {name: statistics.median(values) for name, values in found.items()}


def in_lab(browser: Browser) -> dict[str, float]:
    """The explorer in JupyterLab."""
    with tempfile.TemporaryDirectory() as folder:
        cell = nbformat.v4.new_code_cell("import mlpnb\nmlpnb.explore()")
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
        nbformat.write(notebook, Path(folder, "explorer.ipynb"))
        port = free_port()
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
        server = start(command, folder, f"http://127.0.0.1:{port}/api")
        try:
            page = browser.new_context(viewport={"width": 1300, "height": 1400}).new_page()
            page.goto(f"http://127.0.0.1:{port}/lab/tree/explorer.ipynb?reset&token={TOKEN}")
            page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", timeout=120_000)
            page.locator(".jp-Notebook .cm-content").first.click()
            page.keyboard.press("Shift+Enter")
            ready(page)
            return moves(page)
        finally:
            server.terminate()
            server.wait(30)


def in_app(browser: Browser, visitors: int) -> dict[str, float]:
    """The app: one visitor's latencies, then all of them at once, and what they cost."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "mlpnb", "app", f"--port={port}", "--no-browser", f"--visitors={visitors}"]
        server = start(command, folder, f"http://127.0.0.1:{port}/login")
        url = f"http://127.0.0.1:{port}/?token={TOKEN}"
        try:
            pages: list[Page] = []
            found: dict[str, float] = {}
            errors: list[str] = []
            for n in range(visitors):
                page = browser.new_context(viewport={"width": 1300, "height": 1400}).new_page()
                page.on("pageerror", lambda error: errors.append(str(error)))
                page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
                page.goto(url, timeout=300_000)
                ready(page)
                pages.append(page)
                if n == 0:
                    found |= {f"app: {name}": value for name, value in moves(page).items()}
            started = time.perf_counter()
            for move in range(5):  # everybody moves on, nobody waits for the others
                for page in pages:
                    page.locator(".noUi-handle").first.focus()
                    page.keyboard.press("ArrowRight" if move % 2 else "ArrowLeft")
            for page in pages:
                # all began at alpha 1, and moved one step to the left on the whole
                page.wait_for_function(f"{WORDS}.some(t => t.includes('at alpha 0.5:'))", timeout=300_000)
            found[f"app: {visitors} visitors, five moves each, all done"] = time.perf_counter() - started
            kernels = [child for child in psutil.Process(server.pid).children(recursive=True) if "ipykernel" in
                       " ".join(child.cmdline())]  # fmt: skip
            each = [kernel.memory_full_info().pss / 2**30 for kernel in kernels]
            found["app: visitors' processes"] = len(kernels)
            found["app: memory a visitor [GiB], median"] = statistics.median(each)
            found["app: memory of all visitors [GiB]"] = sum(each)
            answer = browser.new_context().new_page().goto(url)
            found["app: HTTP status of the visitor too many"] = answer.status if answer else 0
            found["app: errors of all visitors"] = len(errors)
            print(json.dumps(errors[:5]))
            return found
        finally:
            server.terminate()
            server.wait(60)


def in_handout(browser: Browser) -> dict[str, float]:
    """A page opened from disk: from a key press to the frame that is painted with the changed panels."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mlpnb", "handout", "--out", folder], check=True, capture_output=True)
        seconds = time.perf_counter() - started
        page = browser.new_context(viewport={"width": 1300, "height": 1400}).new_page()
        page.goto(Path(folder, "01_the_question.html").as_uri())
        page.evaluate(
            """() => document.addEventListener('keydown', () => {
                const pressed = performance.now();
                const painted = () => { window.seconds = (performance.now() - pressed) / 1000 };
                requestAnimationFrame(() => setTimeout(painted));
            }, true)"""
        )
        slider, panel = page.get_by_role("slider"), page.locator(".mlpnb-frames .points").last
        slider.focus()
        slider.scroll_into_view_if_needed()
        taken = []
        for _ in range(MOVES):
            before = panel.get_attribute("d")
            page.evaluate("window.seconds = null")
            page.keyboard.press("ArrowLeft")
            page.wait_for_function("window.seconds !== null")
            assert panel.get_attribute("d") != before
            taken.append(page.evaluate("window.seconds"))
        return {"handout: whole picture": statistics.median(taken), "handouts: all notebooks, made": seconds}


def main(arguments: list[str]) -> None:
    """Measure, print, write."""
    visitors = int(arguments[0]) if arguments else 10
    results: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        results |= {f"JupyterLab: {name}": value for name, value in in_lab(browser).items()}
        results |= in_handout(browser)
        results |= in_app(browser, visitors)
        browser.close()
    report("latency", results, {})


if __name__ == "__main__":
    main(sys.argv[1:])
