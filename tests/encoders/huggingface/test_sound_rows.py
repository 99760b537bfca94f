"""The rows of the families of sound say what their models take."""

import subprocess
import sys
from pathlib import Path

import pytest

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.encoder import load
from gramcli.encoders.huggingface.families import family_of
from tests.encoders.huggingface.tiny_sound import tiny_clap, tiny_pe_av
from tests.forks import Forks


@pytest.mark.parametrize("kind", ["clap", "pe_audio_video", "pe_audio", "pe_video"])
def test_a_row_names_the_modalities_of_its_models(kind: str, tmp_path: Path) -> None:
    folder = tiny_clap(tmp_path, fusion=False) if kind == "clap" else tiny_pe_av(tmp_path, kind)
    row = family_of({"model_type": kind})
    assert row is not None
    assert row.modalities == load(str(folder), EncoderOptions()).modalities


@pytest.mark.parametrize("kind", ["clap", "pe_audio_video"])
def test_without_transformers_a_sentence_says_how_to_install_it(kind: str, tmp_path: Path, forks: Forks) -> None:
    folder = tiny_clap(tmp_path, fusion=False) if kind == "clap" else tiny_pe_av(tmp_path, kind)
    code = f"""
import sys
sys.modules["transformers"] = None
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
try:
    load_encoder("hf:{folder}")
except UserError as error:
    print(error)
"""
    ran = forks.run(code)
    assert ran.stdout.startswith("Models of Hugging Face need the package transformers")
    assert ran.stdout.endswith("Install it: pip install 'gramcli[hf]'\n")


def test_what_the_workers_do_loads_no_torch() -> None:
    code = """
import sys
import gramcli.encoders.huggingface.clap_sound, gramcli.encoders.huggingface.pe_av_media
print(sorted({"torch", "transformers", "scipy"} & set(sys.modules)))
"""
    root = Path(__file__).parents[3]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
