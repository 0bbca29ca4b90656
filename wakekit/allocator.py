"""How the C library hands out memory on a CPU: freed tensors are kept for the next step instead of given back.

By default glibc maps every large tensor anew and clears it page by page, which can take longer than the arithmetic: a
training step of a small convolutional net took 2.5 times as long.
"""

from __future__ import annotations

import ctypes

# From glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_LARGEST = 2**31 - 1
_LARGEST_THRESHOLD = 32 * 2**20


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed memory in this process, whatever its size; return False where there is no glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    # Some versions refuse a threshold above half a heap.
    mapped = mallopt(_MMAP_THRESHOLD, 2**30) or mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
    return bool(mapped and mallopt(_TRIM_THRESHOLD, _LARGEST))
