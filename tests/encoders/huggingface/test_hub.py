"""Names of the hub: from the cache as it lies on disk, pinned to a commit; a download is announced, or said to fail."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.hub import announcement, chosen
from gramcli.errors import UserError
from tests.encoders.huggingface.conftest import Made
from tests.forks import Forks

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLDER = "89abcdef0123456789abcdef0123456789abcdef"
CODE = """
import sys
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
class Watch:
    def stage(self, *_): return lambda *_: None
    def say(self, message): print("SAID", message)
for spec in sys.argv[1:]:
    try:
        encoder = load_encoder(spec, watch=Watch())
        found = encoder.describe()
        print("LOADED", found["id"], found["revision"])
    except UserError as error:
        print("REFUSED", error)
"""


Run = Callable[..., list[str]]


@pytest.fixture
def run(forks: Forks) -> Run:
    """Load models in a process of its own, as the hub's switches are read when it is imported."""

    def load(specs: list[str], home: Path, **environment: str) -> list[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        kept |= {"HF_HOME": str(home), "NO_PROXY": "*", "no_proxy": "*"}
        done = forks.run(CODE, specs, environment={**kept, **environment}, imports=("torch", "torch._dynamo"))
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return load


@pytest.fixture
def home(tmp_path: Path, made: Made) -> Path:
    """A cache with two commits of org/tiny as huggingface_hub lays it out: blobs, snapshots of links, refs."""
    model = tmp_path / "hf" / "hub" / "models--org--tiny"
    for commit in (COMMIT, OLDER):
        snapshot = model / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (model / "blobs").mkdir(exist_ok=True)
        for file in made("clip").iterdir():
            blob = model / "blobs" / f"{commit[:8]}{file.name}"
            shutil.copy(file, blob)
            (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    return tmp_path / "hf"


def test_models_of_the_cache_are_pinned_to_a_commit_and_need_no_network(home: Path, run: Run) -> None:
    said = run(["hf:org/tiny", f"hf:org/tiny@{OLDER}", "hf:org/other"], home, HF_HUB_OFFLINE="1")
    assert said == [
        f"LOADED hf:org/tiny {COMMIT}",
        f"LOADED hf:org/tiny {OLDER}",
        f"REFUSED org/other is not in {home}/hub, and offline mode is on. Where there is a network: hf download "
        "org/other --local-dir DIR; then give hf:DIR.",
    ]


def test_the_switch_of_transformers_counts_and_a_snapshot_that_is_not_whole_is_said(home: Path, run: Run) -> None:
    (home / "hub/models--org--tiny/snapshots" / OLDER / "model.safetensors").unlink()
    whole, part = run(["hf:org/tiny", f"hf:org/tiny@{OLDER}"], home, TRANSFORMERS_OFFLINE="1")
    assert whole == f"LOADED hf:org/tiny {COMMIT}"
    assert part.startswith("REFUSED ") and "has no weights: no model.safetensors" in part


@contextmanager
def _hub(folder: Path, extra: dict[str, bytes]) -> Iterator[str]:
    """A hub of one model, on this machine."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()} | extra

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self, body: bytes, **headers: str) -> None:
            self.send_response(200)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self) -> None:
            """Answer what huggingface_hub asks."""
            path = self.path.partition("?")[0]
            if path.startswith("/api/models/org/tiny/tree/"):
                listed = [
                    {"type": "file", "path": name, "size": len(data), "oid": f"{index:040x}"}
                    for index, (name, data) in enumerate(files.items())
                ]
                return self._answer(json.dumps(listed).encode(), Content_Type="application/json")
            if path.startswith("/api/models/org/tiny"):
                found = {"id": "org/tiny", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
                return self._answer(json.dumps(found).encode(), Content_Type="application/json")
            name = path.rpartition(f"/resolve/{COMMIT}/")[2]
            if path.startswith("/org/tiny/resolve/") and name in files:
                index = list(files).index(name)
                return self._answer(files[name], ETag=f'"{index:040x}"', X_Repo_Commit=COMMIT)
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None

        do_HEAD = do_GET  # noqa: N815 - as the library calls it

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_download_says_what_and_how_large_first_and_takes_what_is_needed(
    made: Made, tmp_path: Path, run: Run
) -> None:
    extra = {"pytorch_model.bin": b"p" * 5000, "onnx/model.onnx": b"o" * 5000, "model.fp16.safetensors": b"h" * 900}
    with _hub(made("clip"), extra) as endpoint:
        *said, unknown = run(["hf:org/tiny", "hf:org/none"], tmp_path, HF_ENDPOINT=endpoint)
    size = sum(path.stat().st_size for path in made("clip").iterdir())
    count = len(list(made("clip").iterdir()))
    assert said == [
        f"SAID Downloading org/tiny (revision {COMMIT[:12]}): {count} files, {size / 1000:.1f} kB, into "
        f"{tmp_path}/hub.",
        f"LOADED hf:org/tiny {COMMIT}",
    ]
    snapshot = tmp_path / "hub/models--org--tiny/snapshots" / COMMIT
    assert {path.name for path in snapshot.iterdir()} == {path.name for path in made("clip").iterdir()}
    # From then on it is there, without any hub.
    there, other = run(["hf:org/tiny", "hf:org/other"], tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert there == f"LOADED hf:org/tiny {COMMIT}" and "and the hub cannot be reached." in other
    assert "REFUSED The hub has no model org/none, or it is private" in unknown


def test_what_is_downloaded() -> None:
    plain, trusting = EncoderOptions(), EncoderOptions(allow_pickle=True)
    names = [
        "config.json", "tokenizer.json", "README.md", "preprocessor_config.json", "merges.txt", "vocab.txt",
        "model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/config.json",
        "model.fp16.safetensors", "run.py", "training_args.bin", ".gitattributes",
    ]  # fmt: skip
    small = {"config.json", "tokenizer.json", "README.md", "preprocessor_config.json", "merges.txt", "vocab.txt"}
    assert chosen(names, "n", plain, weights=True) == {*small, "model.safetensors"}
    assert chosen(names, "n", trusting, weights=True) == {*small, "model.safetensors"}
    assert chosen(names, "n", plain, weights=False) == small
    pickled = [name for name in names if name != "model.safetensors"]
    assert chosen(pickled, "n", trusting, weights=True) == {*small, "pytorch_model.bin"}
    with pytest.raises(UserError, match="n has its weights only as pickles, which can run code"):
        chosen(pickled, "n", plain, weights=True)
    with pytest.raises(UserError, match="n has no weights"):
        chosen(sorted(small), "n", plain, weights=True)
    with pytest.raises(UserError, match=r"n has no config\.json"):
        chosen(["model.safetensors"], "n", plain, weights=True)


def test_sizes_are_told_in_words() -> None:
    assert (
        announcement("o/m", COMMIT, [999], "c") == "Downloading o/m (revision 0123456789ab): 1 file, 999 bytes, into c."
    )
    assert "2 files, 3.5 GB" in announcement("o/m", COMMIT, [3_400_000_000, 100_000_000], "c")


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("", "Name a model: hf:org/name, or hf:FOLDER"),
        ("/no/such/folder", "There is no folder /no/such/folder, and it is no name of the hub"),
        ("./nothing", "There is no folder ./nothing"),
        ("org/name/more", "it is no name of the hub"),
        ("org/na me", "it is no name of the hub"),
        ("org/name@../../../other", "it is no name of the hub"),
        ("/tmp@v1", r"hf:/tmp@v1: /tmp is a folder, which has no revisions; give hf:/tmp\."),
    ],
)
def test_what_is_neither_a_folder_nor_a_name(argument: str, says: str) -> None:
    from gramcli.encoders import load_encoder

    with pytest.raises(UserError, match=says):
        load_encoder(f"hf:{argument}")
