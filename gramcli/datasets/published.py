"""Figures that papers and re-runs published, to stand beside measured ones: `gram eval ... --reference`.

Each row says under which protocol and at which stage it was taken, as far as that is known; `?` where it is not. The
loaders of VAST, GRAM, PMRL and TRIANGLE keep only clips with a sound file, so their MSR-VTT figures are of
msrvtt-1k-av; their headline figures are of the second stage, the matching head over the 50 best. What chose the 50 is
the row's task and method: VAST and PMRL ask by cosine with the fused head (`text2vas`), also where the paper trains
another measure; GRAM by its volume (`t2vas`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gramcli.results.records import Reference

_ITM: Final = "rerank(50)"
_UNKNOWN: Final = "?"
_CONFIDENCE: Final = {"P": "primary", "3": "third party", "M": "from memory"}

_FUSED: Final = "shortlist by cosine with the fused head"
_GRAM: Final = "P", "GRAM paper, arXiv:2412.11959, tables 1 and 2"
_GRAM_VAST: Final = "P", f"GRAM paper, arXiv:2412.11959, tables 1 and 2; {_FUSED}"
_ZOO: Final = "P", "GRAM repository, list of checkpoints"
_GRAM_3: Final = "3", "GRAM paper, arXiv:2412.11959, as transcribed"
_PMRL: Final = "3", f"PMRL paper, arXiv:2507.17343, as transcribed; {_FUSED}"
_TRIANGLE: Final = "3", "TRIANGLE paper, arXiv:2509.24734, as transcribed"
_SCALAR: Final = "3", "SCALAR preprint, released checkpoint run again"
_SCALAR_PMRL: Final = "3", f"SCALAR preprint, released checkpoint run again; likely {_FUSED}"
_HYVOL: Final = "3", "HYVOL preprint, released checkpoint run again"
_HYPER: Final = "3", "HyperGRAM, CVPR 2026, in its own environment"
_CALMRL: Final = "3", "CalMRL paper, arXiv:2511.12034, as transcribed"
_BIND: Final = "P", "LanguageBind repository, result tables"
_VIDVEC: Final = "3", "VidVec paper, arXiv:2602.08099, table 4"
_INTERN: Final = "P", "InternVideo repository, retrieval README"
_PE: Final = "P", "perception_models repository, PE README"
_VAST15: Final = "3", "VAST issue 15, a user's run; by cosine with the fused head (itc_tvas)"
_CLIP4CLIP: Final = "3", "CLIP4Clip issue 63"

_MV, _MVAV, _DD, _AN = "msrvtt-1k", "msrvtt-1k-av", "didemo-paragraph", "activitynet-paragraph"
_VT, _VT431, _VTX = "vatex-first-caption", "vatex-first-caption of 431 clips", "vatex, captions not stated"
_AC, _AC700, _ACX = "audiocaps-first-caption", "audiocaps-first-caption of 700 clips", "audiocaps, captions not stated"
_VGG, _VGGX = "vggsound-5k", "vggsound, clips not stated"
_MSVD, _CLO = "msvd, captions not stated", "clotho, captions not stated"


class _Row(NamedTuple):
    """One published line, in per cent (ranks as they are).

    Attributes:
        protocol: Where it was measured.
        task: Forward direction; `text2vas` of the fused head, `va2class` where classes are ranked for each clip.
        model: Model and setting.
        method: Which method ranks at the stage before a matching head.
        stage: As results have it.
        metric: As results have it.
        values: Forward, and backward where published.
        source: Confidence and words.
    """

    protocol: str
    task: str
    model: str
    method: str
    stage: str
    metric: str
    values: tuple[float, ...]
    source: tuple[str, str]


# fmt: off
_ROWS: Final = (
    # GRAM paper: T2V / V2T, R@1
    _Row(_MVAV, "text2va", "VAST zero-shot", "cosine", _ITM, "R@1", (49.3, 43.7), _GRAM_VAST),
    _Row(_DD, "text2va", "VAST zero-shot", "cosine", _ITM, "R@1", (49.5, 48.2), _GRAM_VAST),
    _Row(_AN, "text2va", "VAST zero-shot", "cosine", _ITM, "R@1", (51.4, 46.8), _GRAM_VAST),
    _Row(_VT, "text2va", "VAST zero-shot", "cosine", _ITM, "R@1", (80.0, 77.3), _GRAM_VAST),
    _Row(_MVAV, "text2vas", "VAST zero-shot", "cosine", _ITM, "R@1", (50.7, 49.0), _GRAM_VAST),
    _Row(_VT, "text2vas", "VAST zero-shot", "cosine", _ITM, "R@1", (82.1, 78.7), _GRAM_VAST),
    _Row(_MVAV, "t2v", "GRAM zero-shot", "gram", _ITM, "R@1", (52.8, 49.5), _GRAM),
    _Row(_DD, "t2v", "GRAM zero-shot", "gram", _ITM, "R@1", (54.0, 52.3), _GRAM),
    _Row(_AN, "t2v", "GRAM zero-shot", "gram", _ITM, "R@1", (58.9, 50.9), _GRAM),
    _Row(_VT, "t2v", "GRAM zero-shot", "gram", _ITM, "R@1", (81.1, 79.0), _GRAM),
    _Row(_MVAV, "t2va", "GRAM zero-shot", "gram", _ITM, "R@1", (54.2, 50.5), _GRAM),
    _Row(_DD, "t2va", "GRAM zero-shot", "gram", _ITM, "R@1", (54.2, 52.2), _GRAM),
    _Row(_AN, "t2va", "GRAM zero-shot", "gram", _ITM, "R@1", (59.0, 50.4), _GRAM),
    _Row(_VT, "t2va", "GRAM zero-shot", "gram", _ITM, "R@1", (83.9, 79.2), _GRAM),
    _Row(_MVAV, "t2vas", "GRAM zero-shot", "gram", _ITM, "R@1", (54.8, 52.9), _GRAM),
    _Row(_VT, "t2vas", "GRAM zero-shot", "gram", _ITM, "R@1", (83.5, 82.7), _GRAM),
    _Row(_MVAV, "t2vasd", "GRAM zero-shot", "gram", _ITM, "R@1", (55.3,), _ZOO),
    _Row(_MV, "t2v", "UMT-L zero-shot", "cosine", _UNKNOWN, "R@1", (40.7, 37.1), _GRAM),
    _Row(_DD, "t2v", "UMT-L zero-shot", "cosine", _UNKNOWN, "R@1", (48.6, 49.9), _GRAM),
    _Row(_AN, "t2v", "UMT-L zero-shot", "cosine", _UNKNOWN, "R@1", (41.9, 39.4), _GRAM),
    _Row(_MV, "t2v", "ViCLIP zero-shot", "cosine", _UNKNOWN, "R@1", (42.4, 41.3), _GRAM),
    _Row(_DD, "t2v", "ViCLIP zero-shot", "cosine", _UNKNOWN, "R@1", (18.4, 27.9), _GRAM),
    _Row(_AN, "t2v", "ViCLIP zero-shot", "cosine", _UNKNOWN, "R@1", (15.1, 24.0), _GRAM),
    _Row(_MV, "t2v", "InternVideo-L zero-shot", "cosine", _UNKNOWN, "R@1", (40.7, 39.6), _GRAM),
    _Row(_DD, "t2v", "InternVideo-L zero-shot", "cosine", _UNKNOWN, "R@1", (31.5, 33.5), _GRAM),
    _Row(_AN, "t2v", "InternVideo-L zero-shot", "cosine", _UNKNOWN, "R@1", (30.7, 31.4), _GRAM),
    _Row(_VTX, "t2v", "InternVideo-L zero-shot", "cosine", _UNKNOWN, "R@1", (49.5, 69.5), _GRAM),
    _Row(_MV, "t2v", "LanguageBind zero-shot", "cosine", _UNKNOWN, "R@1", (44.8, 40.9), _GRAM),
    _Row(_DD, "t2v", "LanguageBind zero-shot", "cosine", _UNKNOWN, "R@1", (39.9, 39.8), _GRAM),
    _Row(_AN, "t2v", "LanguageBind zero-shot", "cosine", _UNKNOWN, "R@1", (41.0, 39.1), _GRAM),
    _Row(_MV, "t2v", "VideoPrism-b zero-shot", "cosine", _UNKNOWN, "R@1", (51.4, 50.2), _GRAM),
    _Row(_AN, "t2v", "VideoPrism-b zero-shot", "cosine", _UNKNOWN, "R@1", (49.6, 47.9), _GRAM),
    _Row(_VTX, "t2v", "VideoPrism-b zero-shot", "cosine", _UNKNOWN, "R@1", (62.5, 77.1), _GRAM),
    _Row(_MVAV, "text2va", "VAST finetuned", "cosine", _ITM, "R@1", (55.8, 57.6), _GRAM_VAST),
    _Row(_DD, "text2va", "VAST finetuned", "cosine", _ITM, "R@1", (65.6, 62.0), _GRAM_VAST),
    _Row(_AN, "text2va", "VAST finetuned", "cosine", _ITM, "R@1", (68.8, 66.7), _GRAM_VAST),
    _Row(_VT, "text2va", "VAST finetuned", "cosine", _ITM, "R@1", (86.9, 84.1), _GRAM_VAST),
    _Row(_MVAV, "text2vas", "VAST finetuned", "cosine", _ITM, "R@1", (56.6, 57.6), _GRAM_VAST),
    _Row(_VT, "text2vas", "VAST finetuned", "cosine", _ITM, "R@1", (87.5, 84.0), _GRAM_VAST),
    _Row(_MVAV, "t2v", "GRAM finetuned", "gram", _ITM, "R@1", (55.7, 56.4), _GRAM),
    _Row(_DD, "t2v", "GRAM finetuned", "gram", _ITM, "R@1", (66.4, 63.2), _GRAM),
    _Row(_AN, "t2v", "GRAM finetuned", "gram", _ITM, "R@1", (66.5, 64.6), _GRAM),
    _Row(_VT, "t2v", "GRAM finetuned", "gram", _ITM, "R@1", (84.4, 81.6), _GRAM),
    _Row(_MVAV, "t2va", "GRAM finetuned", "gram", _ITM, "R@1", (58.4, 59.0), _GRAM),
    _Row(_DD, "t2va", "GRAM finetuned", "gram", _ITM, "R@1", (67.3, 63.5), _GRAM),
    _Row(_AN, "t2va", "GRAM finetuned", "gram", _ITM, "R@1", (69.9, 66.9), _GRAM),
    _Row(_VT, "t2va", "GRAM finetuned", "gram", _ITM, "R@1", (87.0, 84.6), _GRAM),
    _Row(_MVAV, "t2vas", "GRAM finetuned", "gram", _ITM, "R@1", (64.0, 64.8), _GRAM),
    _Row(_VT, "t2vas", "GRAM finetuned", "gram", _ITM, "R@1", (87.7, 84.2), _GRAM),
    _Row(_MVAV, "t2vas", "GRAM zero-shot", "gram", _ITM, "R@10", (82.9,), _GRAM_3),
    _Row(_DD, "t2va", "GRAM zero-shot", "gram", _ITM, "R@10", (79.3,), _GRAM_3),
    _Row(_AN, "t2va", "GRAM zero-shot", "gram", _ITM, "R@10", (91.1,), _GRAM_3),
    _Row(_VT, "t2vas", "GRAM zero-shot", "gram", _ITM, "R@10", (98.8,), _GRAM_3),
    _Row(_AC, _UNKNOWN, "GRAM zero-shot", "gram", _ITM, "R@1", (33.2,), _GRAM_3),
    _Row(_AC, _UNKNOWN, "GRAM zero-shot", "gram", _ITM, "R@10", (75.3,), _GRAM_3),
    _Row(_MVAV, "t2vas", "GRAM finetuned", "gram", _ITM, "R@10", (89.3,), _GRAM_3),
    _Row(_DD, "t2va", "GRAM finetuned", "gram", _ITM, "R@10", (90.1,), _GRAM_3),
    _Row(_AN, "t2va", "GRAM finetuned", "gram", _ITM, "R@10", (96.1,), _GRAM_3),
    _Row(_VT, "t2vas", "GRAM finetuned", "gram", _ITM, "R@10", (100.0,), _GRAM_3),
    _Row(_VGG, "va2class", "GRAM zero-shot", "gram", "raw", "accuracy", (40.6,), _GRAM_3),
    _Row(_VGG, "va2class", "GRAM zero-shot", "gram", "raw", "top10", (78.1,), _GRAM_3),
    # PMRL and TRIANGLE papers
    _Row(_MVAV, "text2vas", "PMRL zero-shot", "cosine", _ITM, "R@1", (54.5, 52.4), _PMRL),
    _Row(_DD, "text2va", "PMRL zero-shot", "cosine", _ITM, "R@1", (50.6, 48.4), _PMRL),
    _Row(_AN, "text2va", "PMRL zero-shot", "cosine", _ITM, "R@1", (56.0, 49.6), _PMRL),
    _Row(_VT, "text2vas", "PMRL zero-shot", "cosine", _ITM, "R@1", (80.5, 75.2), _PMRL),
    _Row(_AC, _UNKNOWN, "PMRL zero-shot", "cosine", _ITM, "R@1", (36.1,), _PMRL),
    _Row(_AC, _UNKNOWN, "PMRL zero-shot", "cosine", _ITM, "R@10", (75.9,), _PMRL),
    _Row(_MVAV, "text2vas", "PMRL finetuned", "cosine", _ITM, "R@1", (61.2,), _PMRL),
    _Row(_DD, "text2va", "PMRL finetuned", "cosine", _ITM, "R@1", (70.2,), _PMRL),
    _Row(_AN, "text2va", "PMRL finetuned", "cosine", _ITM, "R@1", (68.2,), _PMRL),
    _Row(_VT, "text2vas", "PMRL finetuned", "cosine", _ITM, "R@1", (84.1,), _PMRL),
    _Row(_MVAV, "t2va", "TRIANGLE zero-shot", "triangle", _ITM, "R@1", (55.2, 52.5), _TRIANGLE),
    _Row(_DD, "t2va", "TRIANGLE zero-shot", "triangle", _ITM, "R@1", (54.9, 53.1), _TRIANGLE),
    _Row(_AN, "t2va", "TRIANGLE zero-shot", "triangle", _ITM, "R@1", (59.7, 54.1), _TRIANGLE),
    _Row(_VT, "t2va", "TRIANGLE zero-shot", "triangle", _ITM, "R@1", (83.9,), _TRIANGLE),
    _Row(_AC, _UNKNOWN, "TRIANGLE zero-shot", "triangle", _ITM, "R@10", (77.1,), _TRIANGLE),
    _Row(_VGG, "va2class", "TRIANGLE zero-shot", "triangle", _UNKNOWN, "accuracy", (44.8,), _TRIANGLE),
    # Released checkpoints, each study in one environment
    _Row(_MVAV, "t2vas", "GRAM released", "gram", _ITM, "R@1", (52.5, 50.5), _SCALAR),
    _Row(_MVAV, "t2vas", "GRAM released", "gram", _ITM, "R@10", (82.5,), _SCALAR),
    _Row(_DD, "t2va", "GRAM released", "gram", _ITM, "R@1", (50.7, 49.0), _SCALAR),
    _Row(_DD, "t2va", "GRAM released", "gram", _ITM, "R@10", (76.5,), _SCALAR),
    _Row(_AN, "t2va", "GRAM released", "gram", _ITM, "R@1", (56.3, 49.7), _SCALAR),
    _Row(_AN, "t2va", "GRAM released", "gram", _ITM, "R@10", (87.0,), _SCALAR),
    _Row(_VT431, "t2vas", "GRAM released", "gram", _ITM, "R@1", (90.0, 86.5), _SCALAR),
    _Row(_VT431, "t2vas", "GRAM released", "gram", _ITM, "R@10", (100.0,), _SCALAR),
    _Row(_AC700, _UNKNOWN, "GRAM released", "gram", _ITM, "R@1", (32.2,), _SCALAR),
    _Row(_AC700, _UNKNOWN, "GRAM released", "gram", _ITM, "R@10", (74.3,), _SCALAR),
    _Row(_MVAV, "text2vas", "PMRL released", "cosine", _ITM, "R@1", (54.3,), _SCALAR_PMRL),
    _Row(_MVAV, "text2vas", "PMRL released", "cosine", _ITM, "R@10", (79.5,), _SCALAR_PMRL),
    _Row(_DD, "text2va", "PMRL released", "cosine", _ITM, "R@1", (52.5,), _SCALAR_PMRL),
    _Row(_DD, "text2va", "PMRL released", "cosine", _ITM, "R@10", (79.9,), _SCALAR_PMRL),
    _Row(_AN, "text2va", "PMRL released", "cosine", _ITM, "R@1", (54.1,), _SCALAR_PMRL),
    _Row(_AN, "text2va", "PMRL released", "cosine", _ITM, "R@10", (85.3,), _SCALAR_PMRL),
    _Row(_VT431, "text2vas", "PMRL released", "cosine", _ITM, "R@1", (89.6,), _SCALAR_PMRL),
    _Row(_VT431, "text2vas", "PMRL released", "cosine", _ITM, "R@10", (98.8,), _SCALAR_PMRL),
    _Row(_AC700, _UNKNOWN, "PMRL released", "cosine", _ITM, "R@1", (34.4,), _SCALAR_PMRL),
    _Row(_AC700, _UNKNOWN, "PMRL released", "cosine", _ITM, "R@10", (76.3,), _SCALAR_PMRL),
    _Row(_MVAV, "t2vas", "GRAM released", "gram", "raw", "R@1", (38.7,), _SCALAR),
    _Row(_MVAV, "t2va", "GRAM released", "gram", "raw", "R@1", (39.7,), _SCALAR),
    _Row(_MVAV, "t2v", "GRAM released", "gram", "raw", "R@1", (42.1,), _SCALAR),
    _Row(_DD, "t2va", "GRAM released", "gram", "raw", "R@1", (28.2,), _SCALAR),
    _Row(_AN, "t2va", "GRAM released", "gram", "raw", "R@1", (31.0,), _SCALAR),
    _Row(_VT431, "t2vas", "GRAM released", "gram", "raw", "R@1", (75.6,), _SCALAR),
    _Row(_AC700, _UNKNOWN, "GRAM released", "gram", "raw", "R@1", (22.9,), _SCALAR),
    _Row(_MVAV, _UNKNOWN, "GRAM released, best single pair", "cosine", "raw", "R@1", (42.1,), _SCALAR),
    _Row(_DD, _UNKNOWN, "GRAM released, best single pair", "cosine", "raw", "R@1", (32.0,), _SCALAR),
    _Row(_AN, _UNKNOWN, "GRAM released, best single pair", "cosine", "raw", "R@1", (36.8,), _SCALAR),
    _Row(_VT431, _UNKNOWN, "GRAM released, best single pair", "cosine", "raw", "R@1", (77.5,), _SCALAR),
    _Row(_AC700, _UNKNOWN, "GRAM released, best single pair", "cosine", "raw", "R@1", (29.0,), _SCALAR),
    _Row(_MVAV, "t2vas", "PMRL released", "pmrl", "raw", "R@1", (31.5,), _SCALAR),
    _Row(_DD, "t2va", "PMRL released", "pmrl", "raw", "R@1", (28.7,), _SCALAR),
    _Row(_AN, "t2va", "PMRL released", "pmrl", "raw", "R@1", (30.0,), _SCALAR),
    _Row(_VT431, "t2vas", "PMRL released", "pmrl", "raw", "R@1", (53.6,), _SCALAR),
    _Row(_AC700, _UNKNOWN, "PMRL released", "pmrl", "raw", "R@1", (33.4,), _SCALAR),
    _Row(_MVAV, _UNKNOWN, "PMRL released, best single pair", "cosine", "raw", "R@1", (43.7,), _SCALAR),
    _Row(_DD, _UNKNOWN, "PMRL released, best single pair", "cosine", "raw", "R@1", (38.3,), _SCALAR),
    _Row(_AN, _UNKNOWN, "PMRL released, best single pair", "cosine", "raw", "R@1", (39.8,), _SCALAR),
    _Row(_VT431, _UNKNOWN, "PMRL released, best single pair", "cosine", "raw", "R@1", (81.2,), _SCALAR),
    _Row(_AC700, _UNKNOWN, "PMRL released, best single pair", "cosine", "raw", "R@1", (32.0,), _SCALAR),
    _Row(_VGG, "va2class", "GRAM released", "gram", "raw", "accuracy", (40.5,), _SCALAR),
    _Row(_MVAV, "t2vas", "GRAM released", "gram", _ITM, "R@1", (51.8, 50.1), _HYVOL),
    _Row(_MVAV, "t2vas", "GRAM released", "gram", _ITM, "R@10", (81.9,), _HYVOL),
    _Row(_DD, "t2va", "GRAM released", "gram", _ITM, "R@1", (50.6,), _HYVOL),
    _Row(_DD, "t2va", "GRAM released", "gram", _ITM, "R@10", (77.7,), _HYVOL),
    _Row(_AN, "t2va", "GRAM released", "gram", _ITM, "R@1", (56.4,), _HYVOL),
    _Row(_AN, "t2va", "GRAM released", "gram", _ITM, "R@10", (87.7,), _HYVOL),
    _Row(_VT431, "t2vas", "GRAM released", "gram", _ITM, "R@1", (88.4,), _HYVOL),
    _Row(_VT431, "t2vas", "GRAM released", "gram", _ITM, "R@10", (99.3,), _HYVOL),
    _Row(_AC700, _UNKNOWN, "GRAM released", "gram", _ITM, "R@1", (33.4,), _HYVOL),
    _Row(_AC700, _UNKNOWN, "GRAM released", "gram", _ITM, "R@10", (74.4,), _HYVOL),
    _Row(_MVAV, "t2va", "TRIANGLE released", "triangle", _ITM, "R@1", (50.5,), _HYVOL),
    _Row(_MVAV, "t2va", "TRIANGLE released", "triangle", _ITM, "R@10", (79.4,), _HYVOL),
    _Row(_DD, "t2va", "TRIANGLE released", "triangle", _ITM, "R@1", (51.0,), _HYVOL),
    _Row(_DD, "t2va", "TRIANGLE released", "triangle", _ITM, "R@10", (75.5,), _HYVOL),
    _Row(_AN, "t2va", "TRIANGLE released", "triangle", _ITM, "R@1", (56.0,), _HYVOL),
    _Row(_AN, "t2va", "TRIANGLE released", "triangle", _ITM, "R@10", (83.8,), _HYVOL),
    _Row(_VT431, "t2va", "TRIANGLE released", "triangle", _ITM, "R@1", (88.9,), _HYVOL),
    _Row(_VT431, "t2va", "TRIANGLE released", "triangle", _ITM, "R@10", (99.8,), _HYVOL),
    _Row(_AC700, "t2va", "TRIANGLE released", "triangle", _ITM, "R@1", (37.4,), _HYVOL),
    _Row(_AC700, "t2va", "TRIANGLE released", "triangle", _ITM, "R@10", (71.9,), _HYVOL),
    _Row(_VGG, "va2class", "GRAM released", "gram", _UNKNOWN, "accuracy", (41.0,), _HYVOL),
    _Row(_VGG, "va2class", "GRAM released", "gram", _UNKNOWN, "top10", (77.8,), _HYVOL),
    _Row(_VGG, "va2class", "PMRL released", "pmrl", _UNKNOWN, "accuracy", (42.8,), _HYVOL),
    _Row(_VGG, "va2class", "PMRL released", "pmrl", _UNKNOWN, "top10", (80.0,), _HYVOL),
    _Row(_VGG, "va2class", "TRIANGLE released", "triangle", _UNKNOWN, "accuracy", (45.1,), _HYVOL),
    _Row(_VGG, "va2class", "TRIANGLE released", "triangle", _UNKNOWN, "top10", (81.5,), _HYVOL),
    _Row(_VGG, "va2class", "VAST released", "cosine", _UNKNOWN, "accuracy", (39.6,), _HYVOL),
    _Row(_VGG, "va2class", "VAST released", "cosine", _UNKNOWN, "top10", (74.5,), _HYVOL),
    # Later papers, whose tasks and stages are not stated where we read them
    _Row(_MVAV, _UNKNOWN, "HyperGRAM zero-shot", "hypergram", _UNKNOWN, "R@1", (56.6, 53.6), _HYPER),
    _Row(_DD, _UNKNOWN, "HyperGRAM zero-shot", "hypergram", _UNKNOWN, "R@1", (51.3, 49.5), _HYPER),
    _Row(_AN, _UNKNOWN, "HyperGRAM zero-shot", "hypergram", _UNKNOWN, "R@1", (58.2, 51.8), _HYPER),
    _Row(_VT, _UNKNOWN, "HyperGRAM zero-shot", "hypergram", _UNKNOWN, "R@1", (79.9, 75.7), _HYPER),
    _Row(_MVAV, _UNKNOWN, "GRAM zero-shot", "gram", _UNKNOWN, "R@1", (54.8, 52.1), _HYPER),
    _Row(_DD, _UNKNOWN, "GRAM zero-shot", "gram", _UNKNOWN, "R@1", (49.8, 48.5), _HYPER),
    _Row(_AN, _UNKNOWN, "GRAM zero-shot", "gram", _UNKNOWN, "R@1", (56.2, 49.6), _HYPER),
    _Row(_VT, _UNKNOWN, "GRAM zero-shot", "gram", _UNKNOWN, "R@1", (77.0, 74.9), _HYPER),
    _Row(_MVAV, _UNKNOWN, "CalMRL", "pmrl", _UNKNOWN, "R@1", (61.1, 61.1), _CALMRL),
    _Row(_AC, _UNKNOWN, "CalMRL", "pmrl", _UNKNOWN, "R@1", (50.1, 51.0), _CALMRL),
    _Row(_MVAV, _UNKNOWN, "PMRL, calibrated", "pmrl", _UNKNOWN, "R@1", (60.1, 59.2), _CALMRL),
    _Row(_AC, _UNKNOWN, "PMRL, calibrated", "pmrl", _UNKNOWN, "R@1", (50.4, 52.0), _CALMRL),
    _Row(_MVAV, _UNKNOWN, "GRAM, calibrated", "gram", _UNKNOWN, "R@1", (59.7, 57.2), _CALMRL),
    _Row(_AC, _UNKNOWN, "GRAM, calibrated", "gram", _UNKNOWN, "R@1", (49.1, 51.7), _CALMRL),
    _Row(_MVAV, _UNKNOWN, "VAST", "cosine", _UNKNOWN, "R@1", (50.5, 49.0), _CALMRL),
    _Row(_AC, _UNKNOWN, "VAST", "cosine", _UNKNOWN, "R@1", (33.7, 32.2), _CALMRL),
    # One stage, one pair
    _Row(_CLO, "t2a", "LanguageBind zero-shot", "cosine", "raw", "R@1", (12.1,), _BIND),
    _Row(_CLO, "t2a", "LanguageBind zero-shot", "cosine", "raw", "R@10", (44.0,), _BIND),
    _Row(_CLO, "t2a", "LanguageBind finetuned", "cosine", "raw", "R@1", (16.7,), _BIND),
    _Row(_CLO, "t2a", "LanguageBind finetuned", "cosine", "raw", "R@10", (52.0,), _BIND),
    _Row(_ACX, "t2a", "LanguageBind zero-shot", "cosine", "raw", "R@1", (12.2,), _BIND),
    _Row(_ACX, "t2a", "LanguageBind zero-shot", "cosine", "raw", "R@10", (53.2,), _BIND),
    _Row(_ACX, "t2a", "LanguageBind finetuned", "cosine", "raw", "R@1", (19.7,), _BIND),
    _Row(_ACX, "t2a", "LanguageBind finetuned", "cosine", "raw", "R@10", (67.6,), _BIND),
    _Row(_CLO, "t2a", "ImageBind zero-shot", "cosine", "raw", "R@1", (6.0,), _BIND),
    _Row(_CLO, "t2a", "ImageBind zero-shot", "cosine", "raw", "R@10", (28.4,), _BIND),
    _Row(_ACX, "t2a", "ImageBind zero-shot", "cosine", "raw", "R@1", (9.3,), _BIND),
    _Row(_ACX, "t2a", "ImageBind zero-shot", "cosine", "raw", "R@10", (42.3,), _BIND),
    _Row(_VGGX, "a2class", "LanguageBind zero-shot", "cosine", "raw", "accuracy", (28.9,), _BIND),
    _Row(_VGGX, "a2class", "LanguageBind finetuned", "cosine", "raw", "accuracy", (38.6,), _BIND),
    _Row(_VGGX, "a2class", "ImageBind zero-shot", "cosine", "raw", "accuracy", (27.8,), _BIND),
    _Row(_MV, "t2v", "InternVideo2-6B zero-shot, with DSL", "cosine", _UNKNOWN, "R@1", (55.9, 53.7), _VIDVEC),
    _Row(_MSVD, "t2v", "InternVideo2-6B zero-shot, with DSL", "cosine", _UNKNOWN, "R@1", (59.3, 83.1), _VIDVEC),
    _Row(_VTX, "t2v", "InternVideo2-6B zero-shot, with DSL", "cosine", _UNKNOWN, "R@1", (71.5, 85.3), _VIDVEC),
    _Row(_DD, "t2v", "InternVideo2-6B zero-shot, with DSL", "cosine", _UNKNOWN, "R@1", (57.9, 57.1), _VIDVEC),
    _Row(_MV, "t2v", "PE-Core-G zero-shot", "cosine", "raw", "R@1", (51.2, 49.9), _VIDVEC),
    _Row(_MSVD, "t2v", "PE-Core-G zero-shot", "cosine", "raw", "R@1", (59.7, 85.4), _VIDVEC),
    _Row(_MV, "t2v", "VideoPrism-g zero-shot", "cosine", "raw", "R@1", (52.7, 51.7), _VIDVEC),
    _Row(_VTX, "t2v", "VideoPrism-g zero-shot", "cosine", "raw", "R@1", (62.5, 77.1), _VIDVEC),
    _Row(_MV, "t2v", "VidVec zero-shot", "cosine", _UNKNOWN, "R@1", (56.2, 54.9), _VIDVEC),
    _Row(_MSVD, "t2v", "VidVec zero-shot", "cosine", _UNKNOWN, "R@1", (60.9, 85.7), _VIDVEC),
    _Row(_VTX, "t2v", "VidVec zero-shot", "cosine", _UNKNOWN, "R@1", (70.0, 89.6), _VIDVEC),
    _Row(_DD, "t2v", "VidVec zero-shot", "cosine", _UNKNOWN, "R@1", (61.8, 56.5), _VIDVEC),
    _Row(_MV, "t2v", "LamRA zero-shot", "cosine", _UNKNOWN, "R@1", (48.9,), _VIDVEC),
    _Row(_MV, "t2v", "LamRA zero-shot", "cosine", _UNKNOWN, "R@5", (71.6,), _VIDVEC),
    _Row(_MV, "t2v", "LamRA zero-shot", "cosine", _UNKNOWN, "R@10", (79.5,), _VIDVEC),
    _Row(_MV, "t2v", "VLM2Vec-V2 zero-shot", "cosine", "raw", "R@1", (41.0,), _VIDVEC),
    _Row(_MV, "t2v", "VLM2Vec-V2 zero-shot", "cosine", "raw", "R@5", (63.6,), _VIDVEC),
    _Row(_MV, "t2v", "VLM2Vec-V2 zero-shot", "cosine", "raw", "R@10", (71.9,), _VIDVEC),
    _Row(_MV, "t2v", "UNITE zero-shot", "cosine", "raw", "R@1", (46.5,), _VIDVEC),
    _Row(_MV, "t2v", "UNITE zero-shot", "cosine", "raw", "R@5", (69.4,), _VIDVEC),
    _Row(_MV, "t2v", "UNITE zero-shot", "cosine", "raw", "R@10", (78.0,), _VIDVEC),
    _Row(_MV, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@1", (40.0, 37.5), _INTERN),
    _Row(_MV, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@5", (65.3, 63.3), _INTERN),
    _Row(_MV, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@10", (74.1, 71.3), _INTERN),
    _Row(_MV, "t2v", "InternVideo zero-shot", "cosine", "raw", "MedR", (2.0, 3.0), _INTERN),
    _Row(_MV, "t2v", "InternVideo zero-shot", "cosine", "raw", "MeanR", (23.9, 24.2), _INTERN),
    _Row(_AN, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@1", (30.7,), _INTERN),
    _Row(_AN, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@5", (57.4,), _INTERN),
    _Row(_AN, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@10", (70.2,), _INTERN),
    _Row(_MSVD, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@1", (43.4,), _INTERN),
    _Row(_MSVD, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@5", (69.9,), _INTERN),
    _Row(_MSVD, "t2v", "InternVideo zero-shot", "cosine", "raw", "R@10", (79.1,), _INTERN),
    _Row(_ACX, "t2a", "PE-AV L", "cosine", "raw", "R@1", (45.8,), _PE),
    _Row(_ACX, "t2v", "PE-AV L", "cosine", "raw", "R@1", (20.8,), _PE),
    _Row(_ACX, "v2a", "PE-AV L", "cosine", "raw", "R@1", (88.3,), _PE),
    _Row(_CLO, "t2a", "PE-AV L", "cosine", "raw", "R@1", (23.0,), _PE),
    _Row(_VGGX, "v2a", "PE-AV L", "cosine", "raw", "R@1", (48.3,), _PE),
    _Row(_ACX, "t2a", "PE-AV B", "cosine", "raw", "R@1", (42.7,), _PE),
    _Row(_ACX, "t2v", "PE-AV B", "cosine", "raw", "R@1", (19.6,), _PE),
    _Row(_ACX, "v2a", "PE-AV B", "cosine", "raw", "R@1", (83.7,), _PE),
    _Row(_CLO, "t2a", "PE-AV B", "cosine", "raw", "R@1", (23.8,), _PE),
    _Row(_VGGX, "v2a", "PE-AV B", "cosine", "raw", "R@1", (40.7,), _PE),
    _Row(_ACX, "t2a", "PE-AV S", "cosine", "raw", "R@1", (41.8,), _PE),
    _Row(_ACX, "t2v", "PE-AV S", "cosine", "raw", "R@1", (18.8,), _PE),
    _Row(_ACX, "v2a", "PE-AV S", "cosine", "raw", "R@1", (77.4,), _PE),
    _Row(_CLO, "t2a", "PE-AV S", "cosine", "raw", "R@1", (23.9,), _PE),
    _Row(_VGGX, "v2a", "PE-AV S", "cosine", "raw", "R@1", (35.4,), _PE),
    _Row(_MV, "t2v", "PE-Core-G zero-shot", "cosine", "raw", "R@1", (51.2,), _PE),
    _Row(_MV, "t2v", "PE-Core-L zero-shot", "cosine", "raw", "R@1", (50.3,), _PE),
    _Row(_MV, "t2v", "PE-Core-B zero-shot", "cosine", "raw", "R@1", (47.6,), _PE),
    _Row(_MVAV, "text2vas", "VAST finetuned", "cosine", "raw", "R@1", (52.7,), _VAST15),
    _Row(_MVAV, "text2vas", "VAST finetuned", "cosine", "raw", "R@5", (78.1,), _VAST15),
    _Row(_MVAV, "text2vas", "VAST finetuned", "cosine", "raw", "R@10", (86.9,), _VAST15),
    _Row(_MVAV, "text2vas", "VAST finetuned", "cosine", _ITM, "R@1", (63.2,), _VAST15),
    _Row(_MVAV, "text2vas", "VAST finetuned", "cosine", _ITM, "R@5", (83.3,), _VAST15),
    _Row(_MVAV, "text2vas", "VAST finetuned", "cosine", _ITM, "R@10", (89.3,), _VAST15),
    _Row(_MV, "t2v", "CLIP4Clip meanP zero-shot", "cosine", "raw", "R@1", (32.0,), _CLIP4CLIP),
)
# fmt: on


def published(dataset: str) -> tuple[Reference, ...]:
    """Return the published figures of a dataset, of whatever protocol.

    Args:
        dataset: Name of a registered dataset.

    Returns:
        One record per figure, fractions where results have fractions; none where nothing is known.

    Example:
        >>> [f.value for f in published("msrvtt") if f.model == "GRAM released" and f.stage == "raw"]
        [0.387, 0.397, 0.421]
    """
    return tuple(figure for row in _ROWS if _dataset(row) == dataset for figure in _figures(row))


def _dataset(row: _Row) -> str:
    return row.protocol.partition(",")[0].partition("-")[0]


def _figures(row: _Row) -> list[Reference]:
    query, _, candidates = row.task.partition("2")
    tasks = [row.task, f"{candidates}2{query}" if candidates else f"{row.task} reversed"]
    scale = 1 if row.metric in {"MedR", "MeanR"} else 100
    return [
        Reference(
            dataset=_dataset(row),
            protocol=row.protocol,
            task=task,
            model=row.model,
            method=row.method,
            stage=row.stage,
            metric=row.metric,
            value=round(value / scale, 6),
            source=row.source[1],
            confidence=_CONFIDENCE[row.source[0]],
        )
        for task, value in zip(tasks, row.values, strict=False)
    ]
