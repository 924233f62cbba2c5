"""What several test modules share."""

import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def handouts(tmp_path_factory):
    """The folder of all notebooks' handouts, made by the command as a teacher runs it."""
    folder = tmp_path_factory.mktemp("handouts")
    command = [sys.executable, "-m", "mlpnb", "handout", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr
    return folder
