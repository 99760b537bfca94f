"""What the keys, columns and stems of feature files mean: a modality, ids, labels, splits, texts, lengths."""

from __future__ import annotations

import re
from typing import Final

_MODALITIES: Final[dict[str, tuple[str, ...]]] = {
    "text": (
        "t",
        "text",
        "texts",
        "txt",
        "caption",
        "captions",
        "query",
        "queries",
        "language",
        "sentence",
        "sentences",
    ),
    "video": ("v", "video", "videos", "vision", "visual", "frames", "vid"),
    "audio": ("a", "audio", "audios", "sound", "acoustic", "speech"),
    "subtitle": ("s", "subtitle", "subtitles", "subs", "asr"),
    "depth": ("d", "depth"),
    "image": ("i", "image", "images", "img", "imgs", "picture"),
}
_MEANT: Final = {word: name for name, words in _MODALITIES.items() for word in words}
# fmt: off
_DECORATION: Final = frozenset({
    "feat", "feats", "feature", "features", "emb", "embs", "embed", "embeds", "embedding", "embeddings", "vector",
    "vectors", "vec", "vecs", "output", "outputs", "all", "final", "proj",
})
# fmt: on
_ROLES: Final[dict[str, tuple[str, ...]]] = {
    "ids": (
        "id",
        "ids",
        "video_id",
        "video_ids",
        "vids",
        "item_id",
        "item_ids",
        "names",
        "keys",
        "image_id",
        "image_ids",
    ),
    "owners": ("ids_txt", "txt_ids", "text_ids", "caption_ids", "caption_items", "text_item", "text_items"),
    "splits": ("split", "splits"),
    "labels": ("label", "labels", "classification_labels", "annotations", "target", "targets", "classes", "class"),
    "captions": ("raw_text", "raw_texts", "raw_captions", "caption_text", "captions_text"),
    "unused": ("regression_labels", "text_bert", "intervals", "fps", "timestamps_ms", "index"),
}
_ROLE_OF: Final = {word: role for role, words in _ROLES.items() for word in words}
_WHOLE: Final = {"sequence_output": "text"}  # CLIP4Clip's name
_LENGTHS: Final = re.compile(r"(.+)_(?:lengths?|lens?)")
_MASK: Final = re.compile(r"(.+?)(?:_attention|_(?:key_)?pad(?:ding)?)?_masks?")
_PADDING: Final = re.compile(r".+_pad(?:ding)?_masks?")
_NEAR: Final = re.compile(r"([a-z]{2,})(?:\d\w*|_\w+)?|([tvasdi])_\w+")
_LETTERS: Final = re.compile(r"[tvasdi]{2,6}")


def folded(key: str) -> str:
    """Return a key in lower case, its words joined by `_`.

    Example:
        >>> folded("features.OpenFace 2")
        'features_openface_2'
    """
    return re.sub(r"\W+", "_", key.casefold()).strip("_")


def modality_of(key: str) -> str | None:
    """Return the modality that a key plainly names; None where it names none.

    Example:
        >>> modality_of("feat_t"), modality_of("img_emb"), modality_of("feat_va"), modality_of("vid1")
        ('text', 'image', 'va', None)
    """
    if found := _WHOLE.get(folded(key)):
        return found
    parts = folded(key).split("_")
    words = [part for part in parts if part not in _DECORATION]
    if len(words) == 1 and words[0] in _MEANT and (len(words[0]) > 1 or len(parts) > 1 or key in "tvasdi"):
        return _MEANT[words[0]]
    if len(words) == 1 and len(parts) > 1 and _LETTERS.fullmatch(words[0]) and len(set(words[0])) == len(words[0]):
        return words[0]
    return None


def name_of(key: str) -> str:
    """Return what a store calls the modality of a key: its plain name, or the key as far as it can be a name.

    Example:
        >>> name_of("vision"), name_of("features.face"), name_of("clip_b32"), name_of("3d conv"), name_of("my_video")
        ('video', 'face', 'clip_b32', 'x3d_conv', 'video')
    """
    if found := modality_of(key):
        return found
    bare = re.sub(r"^(?:feat(?:ure)?s?|emb(?:ed(?:ding)?s?)?)[._/-]", "", key) or key
    words = {_MEANT[word] for word in folded(bare).split("_") if word in _MEANT and len(word) > 1}
    if len(words) == 1:
        return words.pop()
    name = re.sub(r"[^A-Za-z0-9_+-]+", "_", bare).strip("_") or "features"
    return name if name[0].isalpha() else f"x{name}"


def role_of(key: str) -> str | None:
    """Return what a key says of items: ids, owners, splits, labels, captions, unused; None of features.

    Example:
        >>> role_of("raw_text"), role_of("ids_txt"), role_of("vision")
        ('captions', 'owners', None)
    """
    return _ROLE_OF.get(folded(key))


def lengths_of(key: str) -> str | None:
    """Return the modality whose lengths a key holds.

    Example:
        >>> lengths_of("audio_lengths"), lengths_of("audio")
        ('audio', None)
    """
    found = _LENGTHS.fullmatch(folded(key))
    return name_of(found[1]) if found else None


def mask_of(key: str) -> str | None:
    """Return the modality whose mask a key holds.

    Example:
        >>> mask_of("video_mask"), mask_of("text_attention_mask"), mask_of("video")
        ('video', 'text', None)
    """
    found = _MASK.fullmatch(folded(key))
    return name_of(found[1]) if found else None


def is_padding_mask(key: str) -> bool:
    """Return whether a mask may say 1 of steps that are padding: PyTorch's do, those of others do not.

    Example:
        >>> is_padding_mask("video_key_padding_mask"), is_padding_mask("video_mask")
        (True, False)
    """
    return bool(_PADDING.fullmatch(folded(key)))


def near_of(name: str) -> str | None:
    """Return the modality that a name seems to mean and is not taken for.

    Example:
        >>> near_of("text3d"), near_of("t_nan"), near_of("text"), near_of("clip"), near_of("imagebind")
        ('text', 'text', None, None, None)
    """
    found = _NEAR.fullmatch(folded(name))
    meant = _MEANT.get(found[1] or found[2]) if found else None
    return None if meant == name else meant


def rank_of(key: str) -> int:
    """Return the place of a key among those of its role: the first that is there is taken."""
    role = role_of(key)
    return _ROLES[role].index(folded(key)) if role else 0
