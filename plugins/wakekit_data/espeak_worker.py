"""Speaks a list of lines with libespeak-ng, in a process of its own.

espeak-ng carries hidden state from one line to the next, so audio is reproducible only where each list starts in a
fresh process. Run as a script it reads a JSON job from stdin and writes a line of JSON, then int16 samples, to stdout.
It imports the standard library alone, and so starts in milliseconds.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLE_RATE = 22050

_SYNCHRONOUS, _RETURN_ON_ERROR = 2, 0x8000
_CHARACTERS, _UTF8, _IPA = 1, 1, 2
_RATE, _PITCH, _RANGE = 1, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Engine:
    """libespeak-ng, loaded and initialized; there can be only one in a process."""

    def __init__(self, library: str, data: str) -> None:
        self._library = ctypes.CDLL(library)
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _RETURN_ON_ERROR)
        if rate != SAMPLE_RATE:
            message = f"expected espeak-ng to start at {SAMPLE_RATE} Hz, got {rate} @ {data}"
            raise RuntimeError(message)
        # Breath is noise, and espeak-ng seeds it with the time of day.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self._chunks: list[bytes] = []
        self._callback = _CALLBACK(self._receive)  # kept here: the library holds a bare pointer to it
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    def choose(self, voice: str) -> bool:
        """Switch to a voice such as `en-us+f1`; return whether it loads."""
        return int(self._library.espeak_SetVoiceByName(voice.encode())) == 0

    def speak(self, line: dict[str, Any]) -> bytes:
        """Return the int16 samples of a line: its voice, text, rate (words a minute), pitch and range (0 to 100)."""
        if not self.choose(line["voice"]):
            message = f"espeak-ng has no voice {line['voice']!r}"
            raise RuntimeError(message)
        for parameter, key in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range")):
            self._library.espeak_SetParameter(parameter, int(line[key]), 0)
        text = line["text"].encode()
        self._chunks.clear()
        self._library.espeak_Synth(text, len(text) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return b"".join(self._chunks)

    def phonemes(self, voice: str, texts: Iterable[str]) -> list[str]:
        """Return how each text is pronounced, in IPA."""
        if not self.choose(voice):
            message = f"espeak-ng has no voice {voice!r}"
            raise RuntimeError(message)
        return [" ".join(self._clauses(text)) for text in texts]

    def _clauses(self, text: str) -> Iterable[str]:
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        while rest.value:
            yield self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA).decode()


def main() -> int:
    """Do the job on stdin: which `voices` load, the phonemes of `texts`, the samples of `lines`."""
    job = json.load(sys.stdin)
    try:
        engine = Engine(job["library"], job["data"])
        loads = [engine.choose(voice) for voice in job.get("voices", ())]
        phonemes = {voice: engine.phonemes(voice, job["texts"]) for voice in job.get("accents", ())}
        audio = [engine.speak(line) for line in job.get("lines", ())]
    except (OSError, RuntimeError) as error:
        sys.stderr.write(str(error))
        return 1
    head = {"loads": loads, "phonemes": phonemes, "bytes": [len(samples) for samples in audio]}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + b"".join(audio))
    return 0


if __name__ == "__main__":
    sys.exit(main())
