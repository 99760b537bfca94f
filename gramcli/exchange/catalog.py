"""The formats that `gram import` reads: plain rows, tried in this order where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gramcli.catalog import Catalog


@dataclass(frozen=True)
class FormatRow:
    """One format.

    Attributes:
        name: What `--from` calls it.
        target: `module:attribute` of a reader (operands) -> Recognised, or None where the files are of another format.
        summary: What is in the files, for help and docs.
        layout: How such a file is laid out: names, shapes, what stands where.
        recognised: What it is told by.
        source: Which tools write it.
        needs: The package that reads it; empty where none is needed but what gramcli installs.
    """

    name: str
    target: str
    summary: str
    layout: str
    recognised: str
    source: str
    needs: str = ""


FORMATS: Final = Catalog(
    "format",
    (
        FormatRow(
            "export",
            target="gramcli.exchange.import_own:read_own",
            summary="What gram export wrote of a store, which becomes the same store, bit for bit.",
            layout="What gram export wrote: nothing to prepare; its mark, gram.json, tells it.",
            recognised="gram.json in .npz, .safetensors, .h5, .parquet; the column gram in .csv",
            source="gram export",
        ),
        FormatRow(
            "gram",
            target="gramcli.exchange.stored_arrays:read_gram",
            summary="Features of GRAM's, VAST's or PMRL's evaluation: feat_t, feat_v, feat_a, ids, ids_txt.",
            layout=(
                "feat_t [N, d], feat_v [n, d], feat_a [n, d], ids [n] texts; ids_txt [N] names the item of each "
                "text row."
            ),
            recognised="keys feat_t, feat_v, ... in .pt, .npz, .safetensors",
            source="GRAM, VAST, PMRL",
        ),
        FormatRow(
            "clip-benchmark",
            target="gramcli.exchange.clip_benchmark:read_clip_benchmark",
            summary="features_{train,val,test}.pt and targets_{train,val,test}.pt of one model.",
            layout=(
                "A folder: features_test.pt [n, d], targets_test.pt [n] whole numbers; train and val alike. "
                "MODEL/PRETRAINED/ is named."
            ),
            recognised="these names",
            source="CLIP_benchmark, perception_models",
        ),
        FormatRow(
            "arrays",
            target="gramcli.exchange.stored_arrays:read_arrays",
            summary="One array [n, d] or [n, T, d] for each modality, or one array for each item.",
            layout=(
                "text.npy [n, d], video.npy [n, T, d]; or keys text, video, ids, labels, splits, captions, "
                "video_lengths, video_mask in one file. Text [n, k, d]: k captions of each, where --table has k."
            ),
            recognised=".npy, .npz, .safetensors, .pt by their first bytes; a folder of text.npy, video.npy, ...",
            source="numpy, safetensors, torch, sentence-transformers",
        ),
        FormatRow(
            "pickle",
            target="gramcli.exchange.pickles:read_pickle",
            summary="{id: array}, {split: {vision, audio, text, id, ...}}, {expert: {pooling: {id: array}}}.",
            layout=(
                "{'v1': [T, d], ...}; or {'train': {'vision': [n, T, d], 'audio': ..., 'text': ..., 'id': [n]}, "
                "'valid': ..., 'test': ...}."
            ),
            recognised="a pickle, looked through before it is read; code in it is refused",
            source="MMSA, MultiBench, MulT, MMT, CE, UniVL, VLM2Vec",
        ),
        FormatRow(
            "mteb",
            target="gramcli.exchange.mteb:read_mteb",
            summary="MTEB's cache of vectors by text; --texts says whose are wanted.",
            layout=(
                "A folder: vectors.npy (raw float32 [n, d], without a header), index.json (hash of a text -> "
                "row), dimension."
            ),
            recognised="a folder with vectors.npy, index.json, dimension",
            source="mteb 2.26 and newer",
        ),
        FormatRow(
            "clip-retrieval",
            target="gramcli.exchange.clip_retrieval:read_clip_retrieval",
            summary="img_emb/, text_emb/ and metadata/, part by part.",
            layout=(
                "A folder: img_emb/img_emb_0.npy [n, d], text_emb/text_emb_0.npy [n, d], "
                "metadata/metadata_0.parquet (image_path, caption), part by part."
            ),
            recognised="a folder with img_emb/ or text_emb/",
            source="clip-retrieval",
            needs="pyarrow",
        ),
        FormatRow(
            "hf-dataset",
            target="gramcli.exchange.hf_datasets:read_hf_dataset",
            summary="A Dataset or DatasetDict saved to disk, with list columns of vectors.",
            layout=(
                "A folder of save_to_disk: columns id, video (list of floats), text, caption, split, label; "
                "splits of a DatasetDict."
            ),
            recognised="a folder with state.json or dataset_dict.json",
            source="datasets (save_to_disk)",
            needs="pyarrow",
        ),
        FormatRow(
            "mmt",
            target="gramcli.exchange.hdf5_layouts:read_mmt",
            summary="One HDF5 file for each video: features.EXPERT [T, d], raw_captions.N.",
            layout=(
                "A folder of VIDEO.h5, each with features.EXPERT [T, d] (NaN where there is none) and "
                "raw_captions.0, raw_captions.1, ..."
            ),
            recognised="HDF5 with datasets features.*; or a folder above them",
            source="MMT (Gabeur et al., 2020)",
            needs="h5py",
        ),
        FormatRow(
            "folder",
            target="gramcli.exchange.folder:read_folder",
            summary="One file for each item: ID.npy or ID_KEY.npy, [d] or [T, d]; or .pkl, .pt.",
            layout=(
                "A folder: ID.npy or ID_KEY.npy of each item, [d] or [T, d]; ID.txt beside it holds a caption. Or "
                ".pkl of an array, .pt of a tensor, where there is no .npy."
            ),
            recognised="a folder with .npy files, or else .pkl or .pt",
            source="video_features, HowTo100M, clip-video-encode",
        ),
        FormatRow(
            "parquet",
            target="gramcli.exchange.parquet:read_parquet",
            summary="A list column for each modality, or rows of id, modality, vector; split, label, caption.",
            layout=(
                "Columns id, video: list<float> [d] or list<list<float>> [T, d], text, caption: string or "
                "list<string>, split, label. Or rows of id, modality, vector. A row a caption may repeat its "
                "video."
            ),
            recognised=".parquet by its first bytes",
            source="pyarrow, pandas, polars, datasets, Embedding Atlas",
            needs="pyarrow",
        ),
        FormatRow(
            "csd",
            target="gramcli.exchange.hdf5_layouts:read_csd",
            summary="Computational sequences: /ROOT/data/SEGMENT/features [T, d], a file for each modality.",
            layout=(
                "A .csd for each modality: /ROOT/data/SEGMENT/features [T, d] and /ROOT/data/SEGMENT/intervals "
                "[T, 2], beside /ROOT/metadata."
            ),
            recognised="HDF5 with /ROOT/data and /ROOT/metadata",
            source="CMU-MultimodalSDK",
            needs="h5py",
        ),
        FormatRow(
            "ave",
            target="gramcli.exchange.hdf5_layouts:read_ave",
            summary="visual_feature.h5, audio_feature.h5, labels.h5 and train_order.h5 of AVE.",
            layout=(
                "avadataset in visual_feature.h5 [n, 10, 7, 7, 512], audio_feature.h5 [n, 10, 128], labels.h5 "
                "[n, 10, 29]; order in train_order.h5."
            ),
            recognised="HDF5 with a dataset avadataset",
            source="AVE (Tian et al., 2018)",
            needs="h5py",
        ),
        FormatRow(
            "hdf5",
            target="gramcli.exchange.hdf5_layouts:read_hdf5",
            summary="A dataset [n, d] or [n, T, d] for each modality, or a dataset or group for each item.",
            layout=(
                "/text [n, d], /video [n, T, d], /ids [n] texts; or /ID [T, d] of each item; or /ID/video, /ID/audio."
            ),
            recognised="other HDF5",
            source="h5py",
            needs="h5py",
        ),
        FormatRow(
            "webdataset",
            target="gramcli.exchange.tars:read_tars",
            summary="Shards of KEY.MODALITY.npy, .npz or .pth, with .txt, .json and .cls.",
            layout=(
                "KEY.video.npy [d] or [T, d], KEY.audio.npy, KEY.txt (a caption), KEY.cls (a label), KEY.json "
                "(caption, label, split)."
            ),
            recognised="a tar",
            source="webdataset, clip-video-encode",
        ),
    ),
    group="gramcli.formats",
)
