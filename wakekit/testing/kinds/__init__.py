"""What the conformance kit asks of each kind: a module per kind, with its exercise and its checks."""
