"""The doctor: what is there, what is missing, and how to get it."""

import importlib.metadata

from mlpnb import doctor


def test_here_everything_is_there_and_tensorflow_trains():
    findings = {finding.name: finding for finding in doctor.examine()}
    assert all(finding.ok for finding in findings.values() if finding.needed)
    assert "works: TensorFlow" in findings["training a network with TensorFlow"].detail


def test_what_is_missing_is_named_with_how_to_get_it(monkeypatch):
    """A distribution that is not there can't be had where the tests run: its look-up is made to fail."""
    version = importlib.metadata.version

    def without_papermill(name):
        if name in ("papermill", "voila"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor.metadata, "version", without_papermill)
    findings = {finding.name: finding for finding in doctor.examine(try_tensorflow=False)}
    assert findings["papermill"].install.startswith("papermill>=")
    assert not findings["papermill"].ok
    assert findings["voila (extra 'app')"].needed is False


def test_the_gpu_build_of_tensorflow_will_do(monkeypatch):
    version = importlib.metadata.version

    def gpu_build(name):
        if name == "tensorflow-cpu":
            raise importlib.metadata.PackageNotFoundError(name)
        return version("tensorflow-cpu") if name == "tensorflow" else version(name)

    monkeypatch.setattr(doctor.metadata, "version", gpu_build)
    findings = [finding for finding in doctor.examine(try_tensorflow=False) if "tensorflow" in finding.name]
    assert [finding.ok for finding in findings] == [True]
