"""The notebooks in a folder of the user's own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from mlpnb.errors import InputError
from mlpnb.lab import copy_notebooks, notebook_path

NAMES = [
    "01_the_question.ipynb",
    "02_the_differences.ipynb",
    "03_divergence.ipynb",
    "04_your_own_model.ipynb",
    "05_sweeps.ipynb",
]

# Also where the tests run in a background that is deaf to Ctrl-C, as a shell's is.
LISTENING = {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}


def test_notebooks_are_copied_once_and_edits_are_kept(tmp_path):
    copied, kept = copy_notebooks(tmp_path)
    assert [path.name for path in copied] == NAMES
    assert kept == []
    assert copy_notebooks(tmp_path) == ([], [])
    copied[0].write_text("mine")
    assert copy_notebooks(tmp_path) == ([], copied[:1])
    assert copied[0].read_text() == "mine"


def test_a_folder_in_the_way_of_a_notebook_is_kept(tmp_path):
    (tmp_path / "01_the_question.ipynb").mkdir()
    copied, kept = copy_notebooks(tmp_path)
    assert [path.name for path in copied] == NAMES[1:]
    assert kept == [tmp_path / "01_the_question.ipynb"]


def test_unknown_notebooks_are_named():
    with pytest.raises(InputError, match="did you mean '01_the_question'"):
        notebook_path("01_the_qestion")


def test_the_command_starts_jupyterlab_in_the_folder_and_ends_it_on_ctrl_c(tmp_path):
    """As a new user does, but for the browser."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlpnb", "lab", "--dir", "mine", "--no-browser", f"--port={port}", "--allow-root"]
    log = tmp_path / "log"
    with log.open("w") as file:
        lab = subprocess.Popen(command, cwd=tmp_path, stdout=file, stderr=file, **LISTENING)
    try:
        url = f"http://127.0.0.1:{port}/api/contents"
        for _ in range(600):
            time.sleep(0.1)
            token = re.search(r"token=(\w+)", log.read_text())
            if token and reachable(port):
                break
        with urllib.request.urlopen(f"{url}?token={token[1]}", timeout=30) as answer:
            names = [entry["name"] for entry in json.load(answer)["content"]]
        assert "01_the_question.ipynb" in names
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:  # nobody without the token
            urllib.request.urlopen(url, timeout=30)
        refused.value.close()
        os.killpg(lab.pid, signal.SIGINT)  # as a terminal does
        lab.wait(60)
    finally:
        lab.kill()
        lab.wait()
    said = log.read_text()
    assert said.startswith(f"Notebooks in {tmp_path / 'mine'}: ")
    assert "Traceback" not in said


def reachable(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
