"""What is installed here, whether it works, and how to get what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

# Two names of one package: the build for a CPU, and the one that knows GPUs too.
TENSORFLOW = ("tensorflow-cpu", "tensorflow")

_TRIAL = """
import json, time
started = time.perf_counter()
from mlpnb import Settings, load_data, MATCHED, training
import tensorflow as tf
imported = time.perf_counter()
training.train(load_data("diabetes"), [(Settings(max_iter=2), MATCHED)])
print(json.dumps({
    "import": imported - started, "train": time.perf_counter() - imported, "version": tf.__version__,
    "gpus": len(tf.config.list_physical_devices("GPU")),
}))
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        A package, or what was tried.
    ok : bool
        Whether it is there and works.
    needed : bool
        Whether mlpnb needs it, or only one of its extras does.
    detail : str
        Its version, or what is wrong.
    install : str
        What to give to ``pip install`` to put it right; empty where nothing is to be done.
    """

    name: str
    ok: bool
    needed: bool
    detail: str
    install: str = ""


def examine(*, try_tensorflow: bool = True) -> list[Finding]:
    """Look at Python, at every package that mlpnb asks for, and at whether TensorFlow trains a network."""
    findings = [Finding("Python", True, True, sys.version.split()[0])]
    seen = set()
    for requirement in map(Requirement, metadata.requires("mlpnb") or []):
        extra = next((e for e in _extras() if requirement.marker and f'"{e}"' in str(requirement.marker)), "")
        if requirement.name in TENSORFLOW:
            requirement = Requirement(f"{requirement.name}{requirement.specifier}")
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        name = "tensorflow" if requirement.name in TENSORFLOW else requirement.name
        if applies and name not in seen:
            seen.add(name)
            findings.append(_package(requirement, extra))
    if try_tensorflow:
        findings.append(_trial())
    return findings


def _extras() -> list[str]:
    return metadata.metadata("mlpnb").get_all("Provides-Extra") or []


def _package(requirement: Requirement, extra: str) -> Finding:
    names = TENSORFLOW if requirement.name in TENSORFLOW else (requirement.name,)
    asked = f"{requirement.name}{requirement.specifier}"
    use = f" (extra {extra!r})" if extra else ""
    for name in names:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if requirement.specifier.contains(version, prereleases=True):
            return Finding(name + use, True, not extra, version)
        return Finding(
            name + use, False, not extra, f"{version} is installed, {requirement.specifier} is needed", asked
        )
    return Finding(requirement.name + use, False, not extra, "not installed", asked)


def _trial() -> Finding:
    """Train a small network in a process of its own: a crash there is a finding too."""
    name = "training a network with TensorFlow"
    try:
        run = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return Finding(name, False, True, "not done after 300 s")
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        return Finding(name, False, True, lines[-1])
    result = json.loads(run.stdout.strip().splitlines()[-1])
    detail = (
        f"works: TensorFlow {result['version']}, {result['gpus']} GPUs, imported in {result['import']:.1f} s, "
        f"compiled and trained in {result['train']:.1f} s"
    )
    return Finding(name, True, True, detail)
