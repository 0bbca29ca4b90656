"""The `codec` augmentation: a recording through a real encoder and back, as telephones, files and players send it.

Codecs run on the CPU over whole recordings, so that this makes conditions and never a training batch.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
import soundfile

from wakekit import Draws, Recorded, option
from wakekit.audio import resampled

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_BLOCK = 1 << 18
_TELEPHONE = (8000,)
_MPEG = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS = (8000, 12000, 16000, 24000, 48000)


@attrs.frozen
class _Form:
    """What libsndfile calls a codec, the rates that it takes (none named: any), and whether its quality can be set."""

    container: str
    subtype: str
    rates: tuple[int, ...] = ()
    lossy: bool = False

    def rate(self, wanted: int) -> int:
        """Return the codec's lowest rate that holds the audio whole, else its highest."""
        return min((rate for rate in self.rates if rate >= wanted), default=max(self.rates, default=wanted))


_FORMS = {
    "mp3": _Form("MP3", "MPEG_LAYER_III", _MPEG, lossy=True),
    "vorbis": _Form("OGG", "VORBIS", lossy=True),
    "opus": _Form("OGG", "OPUS", _OPUS, lossy=True),
    "gsm": _Form("WAV", "GSM610", _TELEPHONE),
    "u-law": _Form("WAV", "ULAW", _TELEPHONE),
    "a-law": _Form("WAV", "ALAW", _TELEPHONE),
    "g721": _Form("AU", "G721_32", _TELEPHONE),
    "ima-adpcm": _Form("WAV", "IMA_ADPCM"),
}
_LOSSY = tuple(name for name, form in _FORMS.items() if form.lossy)


@attrs.frozen
class Codec:
    """Encode and decode every recording with libsndfile; it keeps its length, and the sound its place in it.

    `gsm` (full rate), `u-law`, `a-law` and `g721` run at 8000 Hz, as telephones do, `mp3` and `opus` at a rate they
    offer: the recording is resampled to it and back. What lies beyond full scale is clipped before.
    """

    domain: ClassVar[str] = "recording"
    format: str = option(choices=tuple(_FORMS), help="the codec")
    compression: float | None = option(
        None, at_least=0, at_most=0.99, help="mp3, vorbis and opus: 0 is best and largest; theirs where it is left out"
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a compression that the codec does not offer."""
        if self.compression is not None and self.format not in _LOSSY:
            raise ValueError(f"compression: {self.format} has one quality only; it goes with {', '.join(_LOSSY)}")

    def record(self, blocks: Iterator[Floats], sample_rate: int, draws: Draws) -> Recorded:  # noqa: ARG002
        """Return the recording after the codec; nothing is drawn."""
        return Recorded(self._through(blocks, sample_rate))

    def _through(self, blocks: Iterator[Floats], sample_rate: int) -> Iterator[Floats]:
        rate, taken = _FORMS[self.format].rate(sample_rate), _Taken(blocks)
        with TemporaryDirectory(prefix="wakekit-") as folder:
            path = Path(folder) / "coded"
            self._encode(path, taken if rate == sample_rate else resampled(iter(taken), sample_rate, rate), rate)
            decoded = _decode(path)
            yield from _fitted(decoded if rate == sample_rate else resampled(decoded, rate, sample_rate), taken.samples)

    def _encode(self, path: Path, blocks: Iterator[Floats] | _Taken, rate: int) -> None:
        form = _FORMS[self.format]
        quality = {} if self.compression is None else {"compression_level": self.compression}
        names = {"format": form.container, "subtype": form.subtype}
        with soundfile.SoundFile(path, "w", samplerate=rate, channels=1, **names, **quality) as file:
            for block in _even(blocks):
                file.write(np.clip(block, -1, 1))


def _even(blocks: Iterator[Floats] | _Taken) -> Iterator[Floats]:
    """Yield the same samples in blocks of one size: to Vorbis it matters how they come."""
    held = np.empty(0, dtype=np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= _BLOCK:
            yield held[:_BLOCK]
            held = held[_BLOCK:]
    yield held


class _Taken:
    """Blocks that can be gone through once, and how many samples they held so far."""

    def __init__(self, blocks: Iterator[Floats]) -> None:
        self._blocks, self.samples = blocks, 0

    def __iter__(self) -> Iterator[Floats]:
        for block in self._blocks:
            self.samples += len(block)
            yield block


class _OneWay(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from start to end: seeking, which soundfile does after every read, upsets the MP3 decoder."""

    def seekable(self) -> bool:
        """Return False."""
        return False


def _decode(path: Path) -> Iterator[Floats]:
    with _OneWay(path) as file:
        while len(block := file.read(_BLOCK, dtype="float32")):
            yield block


def _fitted(blocks: Iterator[Floats], samples: int) -> Iterator[Floats]:
    """Yield as many samples as there were: frames that a codec filled up are cut off, a missing end is silent."""
    for block in blocks:
        yield block[:samples]
        samples -= min(samples, len(block))
    if samples:
        yield np.zeros(samples, dtype=np.float32)
