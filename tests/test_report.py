"""The report: whole or not at all, and a page that asks for nothing from outside."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import pandas as pd
import psutil
import pytest

import mlpnb
from mlpnb.errors import ReportError
from mlpnb.report import write_report
from mlpnb.state import State

FILES = {"grid.csv", "grid.png", "grid.svg", "predictions.csv", "report.html", "report.ipynb", "settings.json"}


def visible(folder):
    return {path.name for path in folder.iterdir() if not path.name.startswith(".mlpnb.lock")}


class Page(HTMLParser):
    """What a page asks for, and what its pictures say."""

    def __init__(self, text):
        super().__init__()
        self.asked, self.alts, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        if tag in ("script", "img", "link", "iframe"):
            self.asked += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "img":
            self.alts.append(attributes["alt"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report({"data": "diabetes", "max_iter": 5, "alpha": 2.0}, folder)
    return folder


def test_all_files_are_there_and_nothing_else(folder):
    assert visible(folder) == FILES


def test_the_page_asks_for_nothing_from_outside_and_describes_its_pictures(folder):
    page = Page((folder / "report.html").read_text())
    assert [url for url in page.asked if not url.startswith("data:")] == []
    assert len(page.alts) >= 4
    assert all("alpha 2" in alt for alt in page.alts)


def test_the_numbers_are_those_of_fit_grid(folder):
    grid = mlpnb.fit_grid(mlpnb.load_data("diabetes"), mlpnb.Settings(max_iter=5, alpha=2.0))
    written = pd.read_csv(folder / "grid.csv")
    assert written["R²"].tolist() == pytest.approx(grid.to_frame()["R²"].tolist(), rel=1e-6)
    assert State.from_json((folder / "settings.json").read_text()) == State("diabetes", grid.settings)


def test_names_from_a_table_are_text_and_no_more(tmp_path):
    odd = "<script>alert('$x$')</script>"
    rows = pd.DataFrame({odd: range(20), "b": [i % 3 for i in range(20)], "y's \"\\n": [i * 1.5 for i in range(20)]})
    rows.to_csv(tmp_path / "odd 'name.csv", index=False)
    parameters = {"csv": str(tmp_path / "odd 'name.csv"), "target": "y's \"\\n", "max_iter": 3}
    write_report(parameters, tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;script&gt;alert" in text
    assert re.search(r"<script>\s*alert", text) is None


def test_a_report_that_fails_says_where_and_why_and_leaves_the_older_one(folder, tmp_path):
    before = {name: (folder / name).read_bytes() for name in FILES}
    with pytest.raises(ReportError, match=r"stopped at cell \d+ with InputError: activation 'nonsense'"):
        write_report({"activation": "nonsense"}, folder)
    assert visible(folder) == FILES | {"failed.ipynb"}
    assert {name: (folder / name).read_bytes() for name in FILES} == before
    assert "nonsense" in (folder / "failed.ipynb").read_text()
    (folder / "failed.ipynb").unlink()


def test_two_reports_at_once_leave_one_of_them_whole(tmp_path):
    command = [sys.executable, "-m", "mlpnb", "report", "--data", "diabetes", "--max-iter", "3", "--out", str(tmp_path)]
    runs = [subprocess.Popen([*command, "--alpha", alpha], stderr=subprocess.DEVNULL) for alpha in ("3", "4")]
    assert [run.wait(300) for run in runs] == [0, 0]
    assert visible(tmp_path) == FILES
    alpha = json.loads((tmp_path / "settings.json").read_text())["settings"]["alpha"]
    assert alpha in (3.0, 4.0)
    assert set(pd.read_csv(tmp_path / "grid.csv")["alpha"]) == {0.0, alpha}
    assert all(f"alpha {alpha:g}" in alt for alt in Page((tmp_path / "report.html").read_text()).alts)


def test_a_report_of_a_diverging_setting_says_so(tmp_path):
    more = {"learning_rate_init": 1.0}
    write_report({"data": "diabetes", "activation": "identity", "max_iter": 40, "more": more}, tmp_path)
    assert "diverged at epoch" in (tmp_path / "report.html").read_text()
    assert pd.read_csv(tmp_path / "grid.csv")["diverged at epoch"].notna().any()


def started(folder):
    """A report under way: its process, with a kernel of its own."""
    command = [sys.executable, "-m", "mlpnb", "report", "--data", "diabetes", "--out", str(folder)]
    # Also where the tests run in a background that is deaf to Ctrl-C, as a shell's is.
    listen = {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **listen)
    while run.poll() is None and not working_in(folder):
        time.sleep(0.05)
    time.sleep(2)
    return run


def working_in(folder):
    return [p for p in psutil.process_iter(["cwd"]) if (p.info["cwd"] or "").startswith(str(folder))]


def test_ctrl_c_leaves_nothing_behind_and_no_traceback(tmp_path):
    """Neither a half-written file nor a kernel that goes on."""
    run = started(tmp_path)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert said.endswith("Aborted!\n")
    assert "Traceback" not in said
    assert visible(tmp_path) == set()
    # A kernel that was only starting sees that its parent is gone, and ends, a moment later.
    assert psutil.wait_procs(working_in(tmp_path), timeout=10)[1] == []


def test_a_kernel_that_is_killed_is_told_in_a_sentence(tmp_path):
    run = started(tmp_path)
    for kernel in psutil.Process(run.pid).children():
        kernel.kill()
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert "01_the_question stopped at" in said
    assert "its kernel was killed" in said
    assert "Traceback" not in said
    assert visible(tmp_path) == {"failed.ipynb"}
