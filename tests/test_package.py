"""The package as it is installed and imported."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import mlpnb

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "sklearn", "matplotlib", "pandas", "ipywidgets", "scipy")


@pytest.mark.parametrize(
    "code", ["import mlpnb", "from mlpnb.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"]
)
def test_importing_and_asking_for_help_are_light(code):
    code += f"\nimport sys; print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "heavy: []"


def test_every_public_name_is_there():
    for name in mlpnb.__all__:
        assert getattr(mlpnb, name) is not None


def test_the_wheel_carries_the_notebooks_and_works_outside_the_checkout(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {"mlpnb/notebooks/01_the_question.ipynb", "mlpnb/py.typed", "mlpnb/__init__.pyi"} <= set(names)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); from mlpnb.lab import copy_notebooks; "
        "import mlpnb; print(mlpnb.__file__); print(copy_notebooks('mine')[0])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert str(tmp_path / "site") in run.stdout
    assert (tmp_path / "mine" / "01_the_question.ipynb").is_file()
