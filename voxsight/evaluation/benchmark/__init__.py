"""The benchmark protocol: models of any kind on the same recordings, side by side."""

PROTOCOL = 1  # of docs/benchmark_protocol.md; figures of another version are not comparable
