"""Which GPUs each worker sees."""

from __future__ import annotations

import os

from wakekit import WakekitError

VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as the environment variable lists them."""
    listed = os.environ.get(VARIABLE)
    if listed == "":
        return []
    import torch  # noqa: PLC0415

    count = torch.cuda.device_count()
    names = list(map(str, range(count))) if listed is None else [name.strip() for name in listed.split(",")]
    return names[:count]


def check_share(option: str, value: float) -> None:
    """Refuse a number of GPUs that cannot be dealt out: a share of one, or whole ones; raises ValueError."""
    if value > 1 and value != int(value):
        raise ValueError(f"{option}: expected at most 1, or a whole number, got {value:g}")


def room(gpus: int, each: float) -> int:
    """Return how many workers fit on so many GPUs with `each` for one; 1 where there is none."""
    # A third of a GPU fits three times.
    return max(1, gpus * int(1 / each + 1e-9) if each < 1 else gpus // int(each))


def dealt(gpus: list[str], workers: int, each: float) -> list[dict[str, str]]:
    """Return what to change in the environment of every worker; several share a GPU where there are more than fit.

    Nothing changes where there is nothing to divide: one worker, or one GPU at most. Raises WakekitError where a
    worker is to have more than there are.
    """
    count = max(1, int(each))
    if gpus and count > len(gpus):
        raise WakekitError(f"launcher: gpus_per_job is {count}, but there are {len(gpus)} GPUs to be seen here")
    if workers == 1 or len(gpus) <= 1:
        return [{} for _ in range(workers)]
    hands = [[gpus[(worker * count + card) % len(gpus)] for card in range(count)] for worker in range(workers)]
    return [{VARIABLE: ",".join(hand)} for hand in hands]
