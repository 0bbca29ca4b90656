"""The callback `hard-negative-mining`: after a pass, what fooled the network joins the rows to train on.

Only the train split is within reach. What scores like the keyword is not trained on but listed for a person to hear, as
it may be a keyword that nobody labelled.
"""

from __future__ import annotations

# attrs and the converter read annotations when a recipe is loaded
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from wakekit import option
from wakekit_training.mining.rounds import Mining

if TYPE_CHECKING:
    from wakekit import Hooks

_POOLS = ("negative", "hard", "background")


@attrs.frozen
class HardNegativeMining:
    """After every pass but the last, add the windows of the train split that the network takes for the keyword.

    Streams are searched outside their keywords, and clips of the given pools, as if each came after silence; the raw
    scores of the network of that pass decide (bootstrapping: Sung and Poggio, 1998; hard example mining: Shrivastava
    and others, 2016). Of a recording only peaks are taken; the highest of all make new rows of the pool `hard`. A row
    is mined once, whatever it scores later, and identical audio once.

    Default of `min_score`: at -2 a window still pulls at the weights with sigmoid(-2), 12 % of the most that one can;
    below it there is next to nothing to learn. Default of `suspect_quantile`: a keyword in negative audio scores about
    as those of training do, so one that nobody labelled escapes the review about one time in four. Of the real near
    misses those that score even higher have to wait for a person, but training on their like below brings them down
    too. Lower it where negatives are not to be trusted, raise it where they were checked.

    What was suspect once is not mined, unless a person listens to `training/review/`, deletes the lines of
    `training/review.jsonl` that are the keyword, and gives the rest as `confirmed`: those may be mined like any other
    window, also by another seed or model. The samplers' share of the pool `hard` says how often mined rows are seen.
    """

    rows: int = option(300, at_least=1, help="rows added after a pass, at most")
    per_source: int = option(20, at_least=1, help="of them from one source recording, at most")
    pools: tuple[str, ...] = option(_POOLS, help="pools whose clips are searched, besides the streams")
    min_score: float = option(-2.0, at_least=-100, at_most=100, help="least log-odds of a window to be mined")
    hop_seconds: float = option(0.08, above=0, unit="s", help="distance between the windows that are scored")
    suppress_seconds: float = option(1.0, above=0, unit="s", help="least distance between windows of one recording")
    jitter_seconds: float = option(
        0.1, at_least=0, unit="s", help="a row's windows begin this much before or after the one that was found"
    )
    margin_seconds: float = option(0.3, at_least=0, unit="s", help="kept free before and after a stream's keywords")
    suspect_quantile: float = option(
        0.25, at_least=0, at_most=1, help="windows above this quantile of the keyword clips' scores are for review"
    )
    review: int = option(100, at_least=1, help="windows on the review list of a pass, at most")
    confirmed: Path | None = option(None, help="lines of a review.jsonl that a person found to be negatives")
    restart: bool = option(default=False, help="begin each pass from the weights before the first")

    def __attrs_post_init__(self) -> None:
        """Refuse pools that there are not, and the keyword's."""
        wrong = [pool for pool in self.pools if pool not in _POOLS]
        if wrong:
            raise ValueError(f"pools: expected some of {', '.join(map(repr, _POOLS))}, got {wrong[0]!r}")

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return Mining(self)
