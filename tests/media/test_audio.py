"""Sound: the mean of the channels, at the rate asked for, from any file that holds it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.media.audio import NoAudioTrack, has_audio_track, read_audio
from tests.media_factory import tone, write_image, write_video, write_wav


def _pitch(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * rate / len(samples))


def test_a_wav_is_read_sample_for_sample(tmp_path: Path) -> None:
    sound = read_audio(write_wav(tmp_path / "a.wav"))
    assert sound.samples.dtype == np.float32
    assert (sound.sample_rate, sound.duration) == (16000, 1.0)
    np.testing.assert_allclose(sound.samples, tone(1.0, 440.0, 16000), atol=1 / 32768)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_resampling_keeps_pitch_and_length(rate: int, tmp_path: Path) -> None:
    sound = read_audio(write_wav(tmp_path / "a.flac", hz=1000.0, sample_rate=rate))
    assert abs(len(sound.samples) - 16000) <= 1
    assert abs(_pitch(sound.samples, 16000) - 1000.0) <= 1


@pytest.mark.parametrize("channels", [2, 6])
@pytest.mark.parametrize("suffix", ["wav", "mkv"])
def test_channels_are_averaged(channels: int, suffix: str, tmp_path: Path) -> None:
    sound = np.stack([tone(0.5, 300.0, 16000)] + [np.zeros(8000, np.float32)] * (channels - 1), axis=1)
    path = tmp_path / "a.wav"
    soundfile.write(str(path), sound, 16000, subtype="PCM_16")
    if suffix == "mkv":
        path = _remux(path, tmp_path / "a.mkv")
    samples = read_audio(path).samples
    np.testing.assert_allclose(samples, sound[:, 0] / channels, atol=2e-5)


def _remux(source: Path, target: Path) -> Path:
    import av

    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream_from_template(read.streams.audio[0])
        for packet in read.demux(read.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                write.mux(packet)
    return target


@pytest.mark.parametrize(
    ("codec", "layout"),
    [
        *(
            (codec, layout)
            for codec in ("aac", "pcm_f32le", "pcm_s16le")
            for layout in ("mono", "stereo", "5.1", "7.1")
        ),
        ("pcm_s16le", "hexadecagonal"),
    ],
)
def test_every_layout_is_averaged(codec: str, layout: str, tmp_path: Path) -> None:
    # 7.1 in AAC once ended the process: PyAV counts a ninth plane there.
    import av

    path = tmp_path / "a.mka"
    n = av.AudioLayout(layout).nb_channels
    sound = np.stack([tone(0.5, 300.0, 48000) * (channel == 0) for channel in range(n)], axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout=layout)
        stream.bit_rate = 512_000
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.codec_context.format.name, layout, 48000, frame_size=size)
        piece = av.AudioFrame.from_ndarray(sound.astype(np.float32).reshape(1, -1), format="flt", layout=layout)
        piece.sample_rate = 48000
        for converted in [*resampler.resample(piece), None]:
            container.mux(stream.encode(converted))
    samples = read_audio(path, 48000).samples[4000:20000]
    assert np.abs(samples).max() == pytest.approx(0.5 / n, rel=0.1)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("through_ffmpeg", [False, True])
def test_sample_formats_have_one_full_scale(subtype: str, through_ffmpeg: bool, tmp_path: Path) -> None:
    expected = tone(0.25, 440.0, 16000)
    path = tmp_path / "a.wav"
    soundfile.write(str(path), expected, 16000, subtype=subtype)
    if through_ffmpeg:
        path = _remux(path, tmp_path / "a.mkv")
    np.testing.assert_allclose(read_audio(path).samples, expected, atol=1 / 100 if subtype == "PCM_U8" else 1e-4)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "named.mp3"])
def test_the_track_of_a_video_is_its_sound_whatever_its_name(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / ("a.mkv" if name.endswith("mkv") else "a.mp4"), tone_hz=500.0)
    path = path.rename(tmp_path / name)
    assert has_audio_track(path)
    sound = read_audio(path)
    assert abs(sound.duration - 2.0) < 0.15
    assert abs(_pitch(sound.samples, 16000) - 500.0) < 2


def test_a_video_without_sound_is_absent_not_broken(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", tone_hz=None)
    assert not has_audio_track(path)
    with pytest.raises(NoAudioTrack, match=r"a\.mp4 has no audio track"):
        read_audio(path)


def test_a_picture_is_no_silent_video(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it is a picture") as caught:
        read_audio(write_image(tmp_path / "a.jpg"))
    assert not isinstance(caught.value, NoAudioTrack)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    sound = tone(0.1, 440.0, 16000)
    sound[5:8] = value
    soundfile.write(str(tmp_path / "a.wav"), sound, 16000, subtype="FLOAT")
    with pytest.raises(UserError, match=r"a\.wav holds 3 audio samples that are NaN or infinite"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize("through_ffmpeg", [False, True])
def test_samples_that_are_not_finite_are_counted_in_every_channel(through_ffmpeg: bool, tmp_path: Path) -> None:
    sound = np.stack([tone(0.1, 440.0, 16000)] * 2, axis=1)
    sound[100:110] = np.nan
    sound[200] = np.inf, -np.inf
    sound[300, 1] = np.inf
    path = tmp_path / "a.wav"
    soundfile.write(str(path), sound, 16000, subtype="FLOAT")
    path = _remux(path, tmp_path / "a.mkv") if through_ffmpeg else path
    with pytest.raises(UserError, match=r"holds 23 audio samples that are NaN or infinite"):
        read_audio(path)


@pytest.mark.parametrize("through_ffmpeg", [False, True])
@pytest.mark.parametrize(("value", "subtype"), [(1e300, "DOUBLE"), (1.7e308, "DOUBLE"), (-3.3e38, "FLOAT")])
def test_samples_far_beyond_full_scale_are_not_called_infinite(
    value: float, subtype: str, through_ffmpeg: bool, tmp_path: Path
) -> None:
    sound = np.stack([tone(0.1, 440.0, 44100).astype(np.float64)] * 2, axis=1)
    sound[1000::100] = value
    sound[1050::100] = -value
    path = tmp_path / "a.wav"
    soundfile.write(str(path), sound, 44100, subtype=subtype)
    path = _remux(path, tmp_path / "a.mkv") if through_ffmpeg else path
    with pytest.raises(UserError, match=r"holds samples far beyond full scale"):
        read_audio(path)


def test_loud_samples_stay_as_they_are(tmp_path: Path) -> None:
    sound = tone(0.1, 440.0, 16000).astype(np.float64) * 1e6
    soundfile.write(str(tmp_path / "a.wav"), sound, 16000, subtype="DOUBLE")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, sound, rtol=1e-6)


def test_no_samples_is_an_error(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "a.wav"), np.zeros(0, np.float32), 16000)
    with pytest.raises(UserError, match=r"a\.wav (holds no audio samples|is not an audio file)"):
        read_audio(tmp_path / "a.wav")


def test_a_header_with_an_absurd_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "a.wav"), tone(0.1, 440.0, 16000), 3)
    with pytest.raises(UserError, match="states a sample rate of 3 Hz"):
        read_audio(tmp_path / "a.wav")


@settings(max_examples=40, deadline=None)
@given(
    st.binary(min_size=1, max_size=600), st.sampled_from([b"", b"RIFF", b"ID3\x04\0", b"\0\0\0\x18ftypisom", b"OggS"])
)
def test_random_bytes_end_in_a_user_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes, start: bytes) -> None:
    path = tmp_path_factory.mktemp("random") / "a.mp3"
    path.write_bytes(start + raw)
    try:
        read_audio(path)
    except UserError as error:
        assert error.message.startswith(str(path))


def test_no_rate_keeps_the_file_s_own(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", seconds=0.5, sample_rate=22050)
    sound = read_audio(path, None)
    assert sound.sample_rate == 22050
    assert sound.samples == pytest.approx(soundfile.read(str(path))[0], abs=1e-6)
