"""What connects a client and an upstream: one exchange or one tunnel."""
