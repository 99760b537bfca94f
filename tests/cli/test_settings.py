"""`gram.toml`, `--settings` and `--print-config`: what a run uses, and what is said of a file that is wrong."""

from __future__ import annotations

import os
import tomllib

import pytest

from gramcli.cli.effects import idle_defaults
from gramcli.cli.main import COMMANDS
from gramcli.cli.settings import FILE, option_keys, toml_value

FAST = ("--method", "cosine")


def tasks_of(document):
    return {row["task"] for row in document["results"]}


def test_a_file_of_the_folder_gives_defaults_and_says_so(gram, store, tmp_path):
    (tmp_path / FILE).write_text('[eval]\ntask = ["t2v"]\nsplit = "train"\n')
    result = gram("eval", store, *FAST, "--format", "csv")
    assert result.exit_code == 0
    assert "t2v,cosine,raw,R@1" in result.stdout
    assert "t2a" not in result.stdout
    assert "Defaults from gram.toml: task, split." in result.stderr
    assert "Defaults" not in gram("eval", store, *FAST, "--quiet").stderr
    assert "Defaults" not in gram("methods").stderr


def test_the_command_line_wins(gram, store, tmp_path):
    (tmp_path / FILE).write_text('[eval]\ntask = "t2v"\nquiet = true\n')
    assert tasks_of(gram.json("eval", store, *FAST)) == {"t2v", "v2t"}
    assert tasks_of(gram.json("eval", store, *FAST, "--task", "t2a")) == {"t2a", "a2t"}
    assert "Defaults from gram.toml: task, quiet." not in gram("eval", store, *FAST).stderr
    assert "Defaults from gram.toml: task." in gram("eval", store, *FAST, "--no-quiet").stderr


def test_another_file_or_none(gram, store, tmp_path):
    (tmp_path / FILE).write_text('[eval]\ntask = "t2v"\n')
    (tmp_path / "other.toml").write_text('[eval]\ntask = "v2a"\n')
    assert tasks_of(gram.json("eval", store, *FAST, "--settings", "other.toml")) == {"v2a", "a2v"}
    assert len(tasks_of(gram.json("eval", store, *FAST, "--settings", "none"))) > 2


def test_keys_with_dashes_or_underscores_and_defaults_of_all_commands(gram, tmp_path):
    (tmp_path / FILE).write_text('[defaults]\nsplit = "val"\nlimit = 5\n[eval]\nrerank_top = 20\nlimit = 7\n')
    used = tomllib.loads(gram("eval", "--print-config").stdout)["eval"]
    assert (used["rerank-top"], used["split"], used["limit"]) == (20, "val", 7)
    assert tomllib.loads(gram("matrix", "--print-config").stdout)["matrix"]["limit"] == 5


def test_a_needed_option_may_stand_in_the_file(gram, store, tmp_path):
    (tmp_path / FILE).write_text('[align]\nloss = "gram"\noutput = "heads"\nepochs = 1\n')
    result = gram("align", store, "--print-config")
    assert tomllib.loads(result.stdout)["align"]["output"] == "heads"
    assert gram("align", store).exit_code == 0
    assert (tmp_path / "heads" / "heads.json").is_file()


def test_print_config_says_where_everything_is_from_and_runs_nothing(gram, tmp_path):
    (tmp_path / FILE).write_text('[defaults]\nsplit = "test"\n[eval]\nties = "optimistic"\n')
    result = gram("eval", "no store", "--print-config", "--task", "t2va", "--limit", "3")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:2] == ["# gram eval 'no store' --task t2va --limit 3", "[eval]"]
    assert 'task = ["t2va"]  # command line' in lines
    assert 'split = "test"  # gram.toml [defaults]' in lines
    assert 'ties = "optimistic"  # gram.toml' in lines
    assert 'intervals = "plus-four"  # default' in lines
    assert "# metrics is not set  # default" in lines
    assert result.stderr == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_printed_can_be_saved_and_gives_the_same_again(gram, tmp_path, name):
    first = gram(name, "--print-config", "--debug").stdout
    assert list(tomllib.loads(first)) == [name]
    (tmp_path / FILE).write_text(first)
    again = gram(name, "--print-config")
    assert again.exit_code == 0, again.stderr
    assert tomllib.loads(again.stdout) == tomllib.loads(first)


def test_what_a_found_file_may_not_say_is_printed_as_a_comment(gram):
    result = gram("eval", "x", "--print-config", "--allow-pickle", "--report", "../r.html")
    assert "# allow-pickle = true  # command line, which a gram.toml may not set" in result.stdout
    assert '# report = "../r.html"  # command line, which a gram.toml may not set' in result.stdout


def test_a_wrong_value_on_the_command_line_is_refused_there_too(gram):
    result = gram("eval", "x", "--print-config", "--limit", "0")
    assert result.exit_code == 2
    assert "Invalid value for '--limit': It must be at least 1." in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[eval]\nbad\n", "not TOML: Expected '=' after a key in a key/value pair (at line 2, column 4)."),
        ("x = " + "[" * 5000, "gram.toml is not TOML"),
        ("x = " + "1" * 5000, "gram.toml is not TOML"),
        ("[evl]\ntask = 1", "gram.toml, line 1: [evl]: there is no command 'evl'. Did you mean 'eval'?"),
        ("[eval]\n\ntsk = 1", "gram.toml, line 3: [eval] tsk: gram eval has no option --tsk. Did you mean 'task'?"),
        ("[eval]\nepochs = 1", "[eval] epochs: gram eval has no option --epochs. gram align has it."),
        ("[embed]\nlimt = 1", "line 2: [embed] limt: gram embed has no option --limt. Did you mean 'limit'?"),
        ("[eval]\nsettings = 'x'", "[eval] settings: gram eval has no option --settings."),
        ("[defaults]\nlimt = 1", "[defaults] limt: no command has the option --limt. Did you mean 'limit'?"),
        ("task = 't2v'", "gram.toml, line 1: task stands in no table; put it below [defaults] or [COMMAND]."),
        ("[eval]\nlimit = 'ten'", 'line 2: [eval] limit: it must be a whole number; got "ten".'),
        ("[eval]\nlimit = true", "[eval] limit: it must be a whole number; got true."),
        ("[eval]\nlimit = 0", "gram.toml, line 2: [eval] limit: It must be at least 1."),
        ("[eval]\nreference = 'yes'", '[eval] reference: it must be true or false; got "yes".'),
        ("[eval]\ntask = [1]", "[eval] task: it must be text in quotes, or a list of such; got [1]."),
        ("[eval]\ntask = [['t2v']]", "[eval] task: it must be text in quotes, or a list of such"),
        ("[eval]\nsplit = {a = 1}", "[eval] split: it must be text in quotes; got"),
        ("[eval]\nties = 'men'", "got \"men\". Did you mean 'mean'?"),
        ("[align]\nlr = 'x'", '[align] lr: it must be a number; got "x".'),
        ("[eval]\nallow_pickle = true", "line 2: [eval] allow-pickle: a file that lies in the folder must not let"),
        ("[defaults]\nallow-pickle = true", "[defaults] allow-pickle: a file that lies in the folder must not let"),
        ("[eval]\nreport = '/x/r.html'", "[eval] report: a file that lies in the folder must not have files written"),
        ("[eval]\noutput = '../r.csv'", "[eval] output: a file that lies in the folder must not have files written"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence(gram, store, tmp_path, text, message):
    (tmp_path / FILE).write_text(text)
    result = gram("eval", store)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert gram.json("eval", store, code=2)["error"]["kind"] == "usage"


def test_help_needs_no_file_that_is_right(gram, tmp_path):
    (tmp_path / FILE).write_text("bad")
    assert gram("eval", "--help").exit_code == 0
    assert gram("--help").exit_code == 0


def test_a_file_that_is_named_may_say_more(gram, tmp_path):
    (tmp_path / "mine.toml").write_text('[eval]\nallow-pickle = true\nreport = "../r.html"\n')
    used = tomllib.loads(gram("eval", "x", "--settings", "mine.toml", "--print-config").stdout)["eval"]
    assert "allow-pickle" not in used  # said in a comment, for what is printed may be saved as gram.toml
    assert gram("eval", "no store", "--settings", "mine.toml").exit_code == 1


@pytest.mark.parametrize("kind", ["folder", "fifo", "large", "latin", "missing"])
def test_what_is_no_settings_file_is_refused(gram, store, tmp_path, kind):
    path = tmp_path / "s.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "large":
        path.write_bytes(b"#" * (1 << 20) + b"#")
    elif kind == "latin":
        path.write_bytes(b"# ok\n# \xe9\n")
    said = {
        "folder": "not a file",
        "fifo": "not a file",
        "large": "1 MiB",
        "latin": "line 2: not UTF-8",
        "missing": "no sett",
    }
    result = gram("eval", store, "--settings", path)
    assert result.exit_code == 2
    assert said[kind] in result.stderr


def test_defaults_for_other_runs_are_left_out_of_this_one(gram, store, tmp_path):
    (tmp_path / FILE).write_text('[eval]\nroot = "media"\ntemplates = "sound"\nknn = 3\nrerank = "itm"\ntask = "t2v"\n')
    found = gram.json("eval", store, *FAST, "--query", "video", "--candidates", "audio")
    assert tasks_of(found) == {"v2a", "a2v"}
    assert "--root is where" in gram("eval", store, *FAST, "--root", "media").stderr


def test_which_defaults_are_idle():
    given = {"metrics": ["geometry"], "dataset": "clips"}
    assert idle_defaults("eval", given, {"per_query", "templates", "root", "relevant"}, set()) == {
        "per_query",
        "templates",
        "relevant",
    }
    assert idle_defaults("matrix", {}, {"query", "candidates"}, {"task"}) == {"query", "candidates"}


def test_defaults_for_stores_and_models_are_idle_where_saved_evaluations_are_compared(gram, store, tmp_path):
    (tmp_path / "gram.toml").write_text('[defaults]\nframes = 4\nties = "pessimistic"\nroot = "media"\n')
    for method in ("cosine", "gram"):
        done = gram("eval", store, "--task", "t2v", "--method", method, "--ties", "mean", "-o", f"{method}.json")
        assert done.exit_code == 0, done.output
    assert gram("compare", "cosine.json", "gram.json").exit_code == 0
    assert gram("compare", f"{store}@cosine", f"{store}@gram").exit_code == 0
    mixed = gram("compare", "cosine.json", f"{store}@gram")
    assert "--ties pessimistic: cosine.json was evaluated with --ties mean" in mixed.stderr
    assert gram("compare", "cosine.json", "gram.json", "--frames", "4").exit_code == 2
    given = {"operands": ["signal", "a.json"], "dataset": "clips"}
    assert idle_defaults("compare", given, {"frames", "ties", "on"}, set()) == {"on"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_can_be_turned_off(gram, name):
    flags = [option.key for option in option_keys(COMMANDS[name]).values() if option.kind is bool]
    result = gram(name, "--print-config", *(f"--no-{flag}" for flag in flags))
    used = tomllib.loads(result.stdout)[name]
    assert flags
    assert all(used[flag] is False for flag in flags)


@pytest.mark.parametrize("value", ['a"b', "back\\slash", "new\nline", "\x7f\x01", "ü", 1, 1.5, 1e-9, True, ["a", "b"]])
def test_values_are_written_as_they_are_read(value):
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


def test_two_spellings_of_one_key_are_an_error(gram, store, tmp_path):
    (tmp_path / "gram.toml").write_text("[eval]\nrerank-top = 5\nrerank_top = 6\n")
    result = gram("eval", store)
    assert result.exit_code == 2
    assert "gram.toml, line 2: [eval] rerank-top: it is there in two spellings" in result.stderr
