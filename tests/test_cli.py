"""The command line: what cannot be used is one sentence, exit code 2, and nothing written."""

import json
import runpy
import subprocess
import sys
from dataclasses import fields

import joblib
import pytest

from mlpnb.cli import cli, main
from mlpnb.settings import Settings

GOOD_ROWS = "".join(f"{i},{i % 3},{2 * i + i % 5}\n" for i in range(20))


def refused(arguments, capsys):
    """Run the command line and return the one sentence that it ends with."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    captured = capsys.readouterr()
    assert exit_.value.code == 2
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("mlpnb: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--alpha", "-1"], "alpha is -1"),
        (["--alpha", "nan"], "alpha is nan"),
        (["--alpha", "inf"], "alpha is inf"),
        (["--alpha", "much"], "alpha is 'much'"),
        (["--dtype", "float16"], "dtype 'float16' is not known: choose one of float32, float64"),
        (["--activation", "sigmoid"], "did you mean 'logistic'?"),
        (["--activation", "rellu"], "did you mean 'relu'?"),
        (["--data", "fridman1"], "did you mean 'friedman1'?"),
        (["--notebook", "01"], "notebook '01' is not known"),
        (["--max-iter", "0"], "max_iter is 0"),
        (["--max-iter", "2.5"], "max_iter is 2.5"),
        (["--learning-rate-init", "0"], "learning_rate_init is 0"),
        (["--learning-rate-init", "-0.1"], "learning_rate_init is -0.1"),
        (["--momentum", "1.5"], "momentum is 1.5"),
        (["--momentum", "-0.5"], "momentum is -0.5"),
        (["--batch-size", "751"], "batch_size is 751, above the 750 training rows"),
        (["--batch-size", "0"], "batch_size is 0"),
        (["--hidden-layer-sizes", "5,x"], "hidden_layer_sizes is 'x'"),
        (["--seed", "-1"], "random_state is -1"),
        (["--target", "y"], "--csv"),
        (["--csv", "table.csv"], "--target"),
        (["--csv", "table.csv", "--target", "y", "--data", "diabetes"], "exclude each other"),
        (["--csv", "nowhere.csv", "--target", "y"], "'nowhere.csv' is not a file"),
    ],
)
def test_bad_options(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in refused(["report", *arguments, "--out", "out"], capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a,b,y\n", "has 0 row(s)"),
        (b"a,b,y\n1,2,3\n", "has 1 row(s)"),
        (b"a,b,z\n" + GOOD_ROWS.encode(), "column 'y' is not known"),
        (b"a,b,y\n" + GOOD_ROWS.encode() + b"1,2,three\n", "is not numeric (for example "),
        (b"a,b,y\n" + GOOD_ROWS.encode() + b"1,2,inf\n", "infinite"),
        (b"a,b,y\n" + b"".join(b"%d,%d,7\n" % (i, i % 3) for i in range(20)), "is constant"),
        (b"a,b,y\n" + b"".join(b"%d,1,%d\n" % (i, i) for i in range(20)), "column 'b' in 'table.csv' is constant"),
        (b"a,a,y\n" + GOOD_ROWS.encode(), "more than one column named 'a'"),
        (b"a,b,y\n" + GOOD_ROWS.encode() + "1,ä,3\n".encode("latin-1"), "is not UTF-8"),
        (b"a;b;y\n1;2;3\n", "separated by semicolons"),
    ],
)
def test_bad_tables(content, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_bytes(content)
    assert words in refused(["report", "--csv", "table.csv", "--target", "y", "--out", "out"], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_an_output_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "cannot be written to" in refused(["report", "--out", str(tmp_path / "file" / "out")], capsys)
    assert "cannot be written to" in refused(["report", "--out", str(tmp_path / "file")], capsys)
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_exit_code_and_the_sentence_as_a_shell_sees_them():
    command = [sys.executable, "-m", "mlpnb", "report", "--alpha", "-1"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "Traceback" not in run.stderr


QUESTION = """
import keras
from sklearn.neural_network import MLPRegressor
estimator = MLPRegressor(hidden_layer_sizes=(3,), activation="logistic", solver="sgd", alpha=1.0, max_iter=3)
model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(3, "sigmoid"), keras.layers.Dense(1)])
model.compile(keras.optimizers.SGD(0.001, momentum=0.9, nesterov=True), "mse")
if __name__ == "__main__":
    raise RuntimeError("compare does not train")
"""


def test_compare_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(QUESTION)
    options = ["--batch-size", "200", "--epochs", "3", "--data", "friedman1", "--out", "a.html", "--out", "a.json"]
    with pytest.raises(SystemExit) as exit_:
        main(["compare", "mine.py", *options])
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert "penalty scale" in printed
    assert "closed alone" in printed
    found = json.loads((tmp_path / "a.json").read_text())
    assert {"data term", "start weights", "batch order"} <= {row["difference"] for row in found["differences"]}
    assert "penalty scale" in (tmp_path / "a.html").read_text()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, when it saves
def test_compare_saved_models_and_never_unpickle_unasked(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope = runpy.run_path(str(_written(tmp_path / "mine.py", QUESTION)))
    scope["model"].save("model.keras")
    joblib.dump(scope["estimator"], "estimator.joblib")
    assert "give --unpickle" in refused(["compare", "estimator.joblib", "model.keras"], capsys)
    with pytest.raises(SystemExit) as exit_:
        main(["compare", "estimator.joblib", "model.keras", "--unpickle"])
    assert exit_.value.code == 0
    assert "penalty scale" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("estimator = 1", [], "defines no 'model'"),
        ("x = 1 / 0", [], "stopped in line 1 with ZeroDivisionError"),
        ("x = (", [], "stopped with SyntaxError"),
        ("import sys; sys.exit(3)", [], "SystemExit"),
        ("estimator = model = 1", [], "model is a int"),
        (QUESTION.replace('"mse"', '"mae"'), [], "loss is 'mae'"),
        (QUESTION, ["--epochs", "some"], "epochs is 'some'"),
        (QUESTION, ["--out", "table.txt"], "must end in .html or .json"),
        (QUESTION, ["--out", "nowhere/table.html"], "can't be written"),
        (QUESTION, ["--target", "y"], "--csv"),
        (QUESTION.replace("3,)", "0,)"), [], "hidden_layer_sizes"),
    ],
)
def test_what_compare_cannot_use(content, arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _written(tmp_path / "mine.py", content)
    assert words in refused(["compare", "mine.py", *arguments], capsys)
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["mine.py"]


def test_compare_needs_files_that_it_can_read(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.keras").write_text("not a model")
    (tmp_path / "bad.pkl").write_text("not a pickle")
    assert "is not a file" in refused(["compare", "nowhere.py"], capsys)
    assert "give one .py file" in refused(["compare", "bad.keras"], capsys)
    assert "can't be loaded" in refused(["compare", "bad.pkl", "bad.keras", "--unpickle"], capsys)


def _written(path, content):
    path.write_text(content)
    return path


def test_every_setting_has_an_option():
    options = {parameter.name for parameter in cli.commands["report"].params}
    assert {field.name for field in fields(Settings)} - options == {"nesterovs_momentum"}
