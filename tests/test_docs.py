"""The documentation: it builds, holds the whole API, and a broken link fails it; the README's answer is the grid's."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlpnb

ROOT = Path(__file__).parents[1]


def build(source, out):
    """As `make docs` does, but without running the notebooks."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    return subprocess.run(
        [*command, "-D", "nb_execution_mode=off", str(source), str(out)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture
def sources(tmp_path):
    """What the documentation is made from, to be broken."""
    ignored = shutil.ignore_patterns("_build", "reference", "notebooks", "__pycache__")
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=ignored)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "mlpnb" / "static").mkdir(parents=True)
    shutil.copy(ROOT / "mlpnb" / "static" / "noto-sans-math.woff2", tmp_path / "mlpnb" / "static")
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def test_it_builds_and_every_public_name_has_its_page(sources):
    done = build(sources / "docs", sources / "out")
    assert done.returncode == 0, done.stderr
    reference = {path.stem.removeprefix("mlpnb.") for path in (sources / "out" / "reference").glob("*.html")}
    assert reference == set(mlpnb.__all__)
    notebooks = {path.stem for path in (sources / "out" / "notebooks").glob("*.html")}
    assert notebooks == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    fit_grid = (sources / "out" / "reference" / "mlpnb.fit_grid.html").read_text()
    assert "n_jobs" in fit_grid
    assert "Parameters" in fit_grid
    page = (sources / "out" / "notebooks" / "02_the_differences.html").read_text()
    assert "<math" in page
    assert 'src="https://' not in page  # no script from elsewhere


@pytest.mark.parametrize(
    ("file", "link"),
    [
        ("docs/tutorial.md", "[there](not_there.md)"),
        ("docs/tutorial.md", "[there](your_model.md#not-there)"),
        ("docs/reference.md", "```{eval-rst}\n.. autosummary::\n   :toctree: reference\n\n   not_there\n```"),
        ("README.md", "![a picture](docs/not_there.png)\n<!-- /lead -->"),
    ],
)
def test_a_broken_link_fails_it(sources, file, link):
    text = (sources / file).read_text()
    broken = text.replace("<!-- /lead -->", link) if file == "README.md" else f"{text}\n{link}\n"
    (sources / file).write_text(broken)
    done = build(sources / "docs", sources / "out")
    assert done.returncode != 0
    assert "not-there" in done.stderr or "not_there" in done.stderr


def test_the_readmes_answer_is_what_the_command_makes():
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    grid = pictures.grid()
    assert pictures.ANSWER.search(pictures.README.read_text())[0] == pictures.answer(grid)
