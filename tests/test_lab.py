"""The notebooks in a folder of the user's own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from mlpnb.errors import InputError
from mlpnb.lab import copy_notebooks, notebook_path


def test_notebooks_are_copied_once_and_edits_are_kept(tmp_path):
    copied, kept = copy_notebooks(tmp_path)
    assert [path.name for path in copied] == ["01_the_question.ipynb"]
    assert kept == []
    assert copy_notebooks(tmp_path) == ([], [])
    copied[0].write_text("mine")
    assert copy_notebooks(tmp_path) == ([], copied)
    assert copied[0].read_text() == "mine"


def test_a_folder_in_the_way_of_a_notebook_is_kept(tmp_path):
    (tmp_path / "01_the_question.ipynb").mkdir()
    assert copy_notebooks(tmp_path) == ([], [tmp_path / "01_the_question.ipynb"])


def test_unknown_notebooks_are_named():
    with pytest.raises(InputError, match="did you mean '01_the_question'"):
        notebook_path("01_the_qestion")


def test_the_command_starts_jupyterlab_in_the_folder_and_ends_it_on_ctrl_c(tmp_path):
    """As a new user does, but for the browser."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = subprocess.Popen(
        [sys.executable, "-m", "mlpnb", "lab", "--dir", "mine", "--no-browser", f"--port={port}", "--allow-root"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said = []
        for line in lab.stdout:
            said.append(line)
            if url := re.search(rf"http://127\.0\.0\.1:{port}/lab\?token=(\w+)", line):
                break
        else:
            pytest.fail("".join(said))
        contents = f"http://127.0.0.1:{port}/api/contents?token={url[1]}"
        with urllib.request.urlopen(contents, timeout=30) as answer:
            names = [entry["name"] for entry in json.load(answer)["content"]]
        assert "01_the_question.ipynb" in names
        assert said[0].startswith(f"Notebooks in {tmp_path / 'mine'}: ")
        with pytest.raises(urllib.error.HTTPError, match="403"):  # nobody without the token
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents", timeout=30)
        os.killpg(lab.pid, signal.SIGINT)  # as a terminal does
        rest = lab.communicate(timeout=60)[0]
    finally:
        lab.kill()
    assert "Traceback" not in rest
