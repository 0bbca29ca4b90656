"""What the synthetic voices say: near misses of a keyword, and sentences that never contain it.

Near misses come from the keyword's spelling and are judged by pronunciation, so that none sounds like the keyword
itself in any accent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

from wakekit import WakekitError
from wakekit_data.espeak_words import ENDINGS, OPENERS, PHRASES, TEMPLATES, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np

    Pronounce = Callable[[Sequence[str]], Sequence[Sequence[str]]]

_SLOT = re.compile(r"\{(\w+)\}")
_VOWELS = "aeiouy"
_CONSONANTS = "bdfghklmnprstvz"
_KEYWORD = re.compile(r"[^\W\d_]+(?:[ '-][^\W\d_]+)*")
_LIKE_SOUNDS = str.maketrans("ɐʌɚɜᵻiɾɑɔ", "əəəəɪɪtɒɒ")  # noqa: RUF001  (IPA)
_UNHEARD = str.maketrans("", "", "ˈˌː ̩‍-")
_NEAREST = 12
_ATTEMPTS = 200


@attrs.frozen
class Script:
    """What can be said: `near_misses` by family, and the words that must not be (they sound like the keyword)."""

    keyword: str
    near_misses: tuple[tuple[str, ...], ...]
    banned: frozenset[str]

    def near_miss(self, rng: np.random.Generator) -> str:
        """Draw a near miss, each family as likely as any other."""
        family = self.near_misses[rng.integers(len(self.near_misses))]
        return family[rng.integers(len(family))]

    def sentence(self, rng: np.random.Generator) -> str:
        """Draw a sentence of about ten words without the keyword."""
        return self._draw(TEMPLATES, rng)

    def phrase(self, rng: np.random.Generator) -> str:
        """Draw a few words without the keyword."""
        return self._draw(PHRASES, rng)

    def _draw(self, templates: Sequence[str], rng: np.random.Generator) -> str:
        for _ in range(_ATTEMPTS):
            template = str(rng.choice(templates))
            text = _SLOT.sub(lambda slot: str(rng.choice(WORDS[slot[1]])), template)
            if self.banned.isdisjoint(text.split()):
                return text
        raise WakekitError(
            f"The keyword {self.keyword!r} sounds like too many common words to make other speech; use a longer one"
        )


def write_script(keyword: str, pronounce: Pronounce, *, least: int = 1) -> Script:
    """Return what to say for a keyword; `pronounce` gives the pronunciations of texts in IPA, one for each accent.

    A near miss differs from the keyword in at least `least` sounds.
    """
    keyword = " ".join(keyword.casefold().split())
    if not _KEYWORD.fullmatch(keyword):
        raise WakekitError(f"expected a keyword of letters that can be spoken, such as 'hey nova', got {keyword!r}")
    parts, words = keyword.split(), vocabulary()
    rarest = max(parts, key=len)
    sounds = _sounds([keyword, rarest, parts[-1], *words], pronounce)
    banned = frozenset(word for word in words if _holds(sounds[word], sounds[rarest]))
    distance = {word: edit_distance(sounds[word][0], sounds[parts[-1]][0]) for word in words if word not in banned}
    near = sorted(distance, key=lambda word: (distance[word], word))[:_NEAREST]
    families = candidates(keyword, near)
    sounds |= _sounds([text for family in families for text in family], pronounce)
    kept = (_distinct(family, sounds, sounds[keyword], least) for family in families)
    return Script(keyword, tuple(family for family in kept if family), banned)


def vocabulary() -> list[str]:
    """Return every word that a sentence may hold, sorted."""
    fixed = (_SLOT.sub(" ", template).split() for template in (*TEMPLATES, *PHRASES))
    return sorted({word for words in (*fixed, *WORDS.values()) for word in words})


def candidates(keyword: str, near: Sequence[str]) -> list[list[str]]:
    """Return families of texts close to a keyword: parts of it, another opening, a sound changed, another ending.

    `near` are words that sound like its last word. Some candidates may sound just like the keyword.
    """
    *first, last = keyword.split()
    opening = " ".join(first)
    begins = [f"{opening} {part}".strip() for part in _beginnings(last)]
    parts = [*begins, *([opening, last] if first else []), *_endings(last)]
    others = [f"{opener} {' '.join([*first[1:], last])}" for opener in OPENERS] if first else []
    return [
        parts,
        others,
        [f"{opening} {changed}".strip() for changed in _swaps(last)],
        [f"{changed} {last}" for changed in _swaps(opening)] if first else [],
        [f"{opening} {word}".strip() for word in near],
        [f"{begin}{ending}" for begin in begins for ending in ENDINGS],
    ]


def _beginnings(word: str) -> list[str]:
    """Return the word cut short after each of its vowels, and before each of them, longest last."""
    cuts = {match.end() for match in re.finditer(rf"[{_VOWELS}]+", word)}
    cuts |= {match.start() for match in re.finditer(rf"[{_VOWELS}]+", word)}
    return [word[:cut] for cut in sorted(cuts) if 2 <= cut < len(word)]  # noqa: PLR2004


def _endings(word: str) -> list[str]:
    return [word[match.start() :] for match in re.finditer(rf"[{_VOWELS}]+", word) if 0 < match.start() < len(word) - 2]


def _swaps(text: str) -> list[str]:
    """Return the text with one letter changed: a vowel for another vowel, a consonant for another consonant."""
    return [
        text[:place] + other + text[place + 1 :]
        for place, letter in enumerate(text)
        if letter.isalpha()
        for other in (_VOWELS if letter in _VOWELS else _CONSONANTS)
        if other != letter
    ]


def _distinct(
    texts: Iterable[str], sounds: Mapping[str, Sequence[str]], keyword: Sequence[str], least: int
) -> tuple[str, ...]:
    """Return the texts far enough from the keyword's sound in the first accent, and without it in any; no two alike."""
    kept = {
        sounds[text][0]: text
        for text in texts
        if sounds[text][0] and not _holds(sounds[text], keyword) and edit_distance(sounds[text][0], keyword[0]) >= least
    }
    return tuple(kept.values())


def _sounds(texts: Sequence[str], pronounce: Pronounce) -> dict[str, list[str]]:
    return {text: [heard(each) for each in spoken] for text, spoken in zip(texts, pronounce(texts), strict=True)}


def _holds(spoken: Sequence[str], sought: Sequence[str]) -> bool:
    """Return whether any accent's way of saying one text contains any accent's way of saying the other."""
    return any(part in whole for whole in spoken for part in sought)


def heard(ipa: str) -> str:
    """Return a pronunciation without stress, length and word borders, unstressed and alike vowels merged."""
    return ipa.translate(_UNHEARD).translate(_LIKE_SOUNDS)


def edit_distance(one: str, other: str) -> int:
    """Return how many letters must be added, dropped or changed to turn one text into the other."""
    row = list(range(len(other) + 1))
    for letter in one:
        before, row[0] = row[0], row[0] + 1
        for place, against in enumerate(other, start=1):
            change = before + (letter != against)
            before, row[place] = row[place], min(change, row[place] + 1, row[place - 1] + 1)
    return row[-1]
