"""How many checks must have run on a component of each kind: a kit that quietly checks less is no kit.

A check that does not concern a component, is left out, or has no device, has not run. Two of those that concern every
component of the kind may be left out.
"""

from __future__ import annotations

MINIMUM = {
    "corpus": 20,
    "splitter": 21,
    "augmentation": 12,
    "frontend": 20,
    "normalizer": 20,
    "sampler": 23,
    "model": 23,
    "loss": 22,
    "optimizer": 19,
    "schedule": 18,
    "trainer": 26,
    "callback": 22,
    "scorer": 19,
    "calibrator": 16,
    "detector": 18,
    "metric": 19,
    "exporter": 16,
    "report": 15,
    "launcher": 15,
}
