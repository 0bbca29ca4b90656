"""A plugin that was a script, and ends the program that imports it."""

raise SystemExit("exiting_wake: no licence found")
