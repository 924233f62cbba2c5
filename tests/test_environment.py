"""What the set-up files ask for is one and the same."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mlpnb

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements():
    # Not `bench`: PyTorch is a large download, used by one benchmark alone.
    extras = [listed for name, listed in PROJECT["optional-dependencies"].items() if name != "bench"]
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]]


def test_environment_asks_for_what_pyproject_asks_for():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (from_pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    conda = [Requirement(text) for text in [*(e for e in listed if isinstance(e, str)), *from_pip] if "-e" not in text]
    found = {canonicalize_name(r.name): r.specifier for r in conda if r.name not in ("python", "pip")}
    # conda takes the CPU build everywhere; `tensorflow` is for machines that have no wheel of it
    assert found == {canonicalize_name(r.name): r.specifier for r in requirements() if r.name != "tensorflow"}
    assert (
        next(r.specifier for r in conda if r.name == "python")
        == Requirement(f"x{PROJECT['requires-python']}").specifier
    )


def test_every_constraint_is_a_pin_without_an_address_and_fits_pyproject():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {}
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line
        name, _, version = line.partition("==")
        pins[canonicalize_name(name)] = version
    for requirement in requirements():
        if requirement.name != "tensorflow":
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_the_readme_lists_what_mlpnb_needs_beside_tensorflow():
    (line,) = [
        line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("pip install anywidget")
    ]
    needed = [Requirement(text).name for text in PROJECT["dependencies"]]
    assert line.split()[2:] == [name for name in needed if not name.startswith("tensorflow")]


def test_versions_agree():
    assert PROJECT["version"] == mlpnb.__version__
