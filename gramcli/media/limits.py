"""How much one file may make us hold: a hostile header must not decide how much memory is asked for."""

from __future__ import annotations

from typing import Final

MAX_FRAME_PIXELS: Final = 2**26
"""Pixels of one video frame (8192 x 8192): decoders keep up to 16 of them."""

MAX_CLIP_BYTES: Final = 2**31
"""Bytes of the chosen frames of one video, 3 per pixel (2 GiB)."""

MAX_IMAGE_PIXELS: Final = 2**27
"""Pixels of one picture (134 million)."""

MAX_AUDIO_SAMPLES: Final = 2**29
"""Samples of one channel (2 GiB as float32; 3.1 hours at 48 kHz), before and after resampling."""

LOWEST_RATE: Final = 1000
HIGHEST_RATE: Final = 768_000
"""Samples per second that a sound can have been recorded at."""

MAX_AUDIO_CHANNELS: Final = 64
"""Channels of one sound track (ambisonics of the seventh order)."""

MAX_HELD_BYTES: Final = 2**26
"""Bytes of packets kept from counting them to decoding them (64 MiB); larger files are read twice."""

MAX_TEXT_BYTES: Final = 2**26
"""Bytes of a caption or subtitle file (64 MiB)."""
