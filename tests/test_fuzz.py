"""The coverage-guided fuzz of what reads files, for a short time; `make fuzz` runs it for long."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz" / "fuzz.py"
SECONDS = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this system or this Python"),
]


@pytest.mark.parametrize("target", re.findall(r'^    "(\w+)": Target\(', FUZZ.read_text(), re.M))
def test_whatever_is_read_is_taken_rightly_or_refused_in_a_sentence(target, tmp_path):
    """No other exception, no warning, no hang, no bounds of memory passed, no wrong accept: see `fuzz.py`."""
    command = [sys.executable, str(FUZZ), target, str(SECONDS)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20 * SECONDS, check=False)
    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-3000:]
    assert [path.name for path in (tmp_path / ".fuzz" / target).iterdir()] == ["corpus"]
    # it was guided by coverage, and did not do nothing
    assert int(re.findall(r"\bcov: (\d+)", said)[-1]) > 50
    assert int(re.search(r"number_of_executed_units: (\d+)", said)[1]) > 500


def test_an_unknown_target_is_told(tmp_path):
    run = subprocess.run([sys.executable, str(FUZZ), "xls", "1"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("usage: fuzz.py {csv,parquet,settings")
