"""Two runs on the same test items, paired item by item.

Clips and streams are paired by their content, words by their place in a stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.run_folder import Run
from wakekit.statistic import CLIPS, KEYWORD_CLIPS, STREAMS, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit.run_folder import ScoredClip, Word


@attrs.frozen(kw_only=True)
class Matched:
    """How many items of one sort two runs share: `paired`, of `first` and `other`; `reason` says why none can be."""

    paired: int
    first: int
    other: int
    reason: str = ""


@attrs.frozen(eq=False, kw_only=True)
class Paired:
    """Two runs cut down to the items that they share, in one order.

    `clusters` says for each sort of item what makes items dependent, `matched` how many there are. `identical` says
    that the runs gave the same answer everywhere.
    """

    first: Run
    other: Run
    clusters: Mapping[str, Sequence[str]]
    matched: Mapping[str, Matched]
    identical: bool


def pair(first: Run, other: Run) -> Paired:
    """Pair the items of two runs, whatever their order in the folders.

    Every clip must have its partner and the same label, or none is paired; likewise streams. Of the words in the same
    streams those that only one run could hear (its window fills later) are left out.
    """
    clips, clips_matched = _paired_clips(first.clips, other.clips)
    words, words_matched = _paired_words(first.words, other.words)
    streams, streams_matched = _paired_streams(first, other)
    runs = [
        attrs.evolve(
            run,
            clips=tuple(pair[side] for pair in clips),
            words=tuple(pair[side] for pair in words),
            test=attrs.evolve(run.test, streams=tuple(pair[side] for pair in streams)),
        )
        for side, run in enumerate((first, other))
    ]
    keyword = [row for row, (clip, _) in enumerate(clips) if clip.pool == "positive"]
    return Paired(
        first=runs[0],
        other=runs[1],
        clusters={
            CLIPS: [clip.cluster for clip, _ in clips],
            KEYWORD_CLIPS: [clips[row][0].cluster for row in keyword],
            WORDS: [word.cluster for word, _ in words],
            STREAMS: [str(stream["recording"]) for stream, _ in streams],
        },
        matched={
            CLIPS: clips_matched,
            KEYWORD_CLIPS: clips_matched
            if clips_matched.reason
            else Matched(paired=len(keyword), first=len(keyword), other=len(keyword)),
            WORDS: words_matched,
            STREAMS: streams_matched,
        },
        identical=_answers(first) == _answers(other),
    )


def _answers(run: Run) -> list[list[tuple[Any, ...]]]:
    """Return all that a run answered on test, in an order of its own."""
    return [
        sorted((*_clip_order(clip), clip.raw, clip.score) for clip in run.clips),
        sorted((*_word_key(word), word.hit, word.score) for word in run.words),
        sorted((found.stream_id, found.seconds, found.score) for found in run.false_accepts),
    ]


def _clip_order(clip: ScoredClip) -> tuple[Any, ...]:
    return (clip.id, clip.audio, clip.offset, clip.duration, clip.label)


def _word_key(word: Word) -> tuple[Any, ...]:
    return (word.stream_id, word.start, word.end)


def _occurrences(items: Sequence[Any], key: Callable[[Any], Any], order: Callable[[Any], Any]) -> dict[Any, Any]:
    """Return items by key and by which of the items of that key it is; keys need not be unique."""
    seen: Counter[Any] = Counter()
    found = {}
    for item in sorted(items, key=order):
        name = key(item)
        found[name, seen[name]] = item
        seen[name] += 1
    return found


def _joined(first: dict[Any, Any], other: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return [(item, other[key]) for key, item in first.items() if key in other]


def _paired_clips(
    first: Sequence[ScoredClip], other: Sequence[ScoredClip]
) -> tuple[list[tuple[ScoredClip, ScoredClip]], Matched]:
    a, b = (_occurrences(clips, lambda clip: clip.id, _clip_order) for clips in (first, other))
    pairs = _joined(a, b)
    changed = sum((one.label, one.pool == "positive") != (two.label, two.pool == "positive") for one, two in pairs)
    reason = _unequal("test clips", len(pairs), len(a), len(b))
    if not reason and changed:
        reason = f"{changed} of the {len(pairs)} test clips have another label"
    matched = Matched(paired=0 if reason else len(pairs), first=len(a), other=len(b), reason=reason)
    return [] if reason else pairs, matched


def _paired_words(first: Sequence[Word], other: Sequence[Word]) -> tuple[list[tuple[Word, Word]], Matched]:
    a, b = (_occurrences(words, _word_key, lambda w: (*_word_key(w), w.speaker or "")) for words in (first, other))
    pairs, reason = _joined(a, b), ""
    if {word.stream_id for word in first} != {word.stream_id for word in other} or not pairs:
        reason = _unequal("words in test streams", len(pairs), len(a), len(b))
    matched = Matched(paired=0 if reason else len(pairs), first=len(a), other=len(b), reason=reason)
    return [] if reason else pairs, matched


def _paired_streams(first: Run, other: Run) -> tuple[list[tuple[Mapping[str, Any], Mapping[str, Any]]], Matched]:
    a, b = (_occurrences(run.test.streams, _stream_key, _stream_key) for run in (first, other))
    pairs = _joined(a, b)
    reason = _unequal("test streams", len(pairs), len(a), len(b))
    matched = Matched(paired=0 if reason else len(pairs), first=len(a), other=len(b), reason=reason)
    return [] if reason else pairs, matched


def _stream_key(row: Mapping[str, Any]) -> str:
    return str(row["stream_id"])


def _unequal(what: str, paired: int, first: int, other: int) -> str:
    if not first and not other:
        return f"there are no {what}"
    if paired == first == other:
        return ""
    return f"the {what} are not the same (another corpus or split): {paired} are in both, of {first} and {other}"
