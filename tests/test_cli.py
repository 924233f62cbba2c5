"""The command line: what cannot be used is one sentence, exit code 2, and nothing written."""

import subprocess
import sys
from dataclasses import fields

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


def test_every_setting_has_an_option():
    options = {parameter.name for parameter in cli.commands["report"].params}
    assert {field.name for field in fields(Settings)} - options == {"nesterovs_momentum"}
