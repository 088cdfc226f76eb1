"""What stands between a client and an upstream: one exchange or one tunnel."""
