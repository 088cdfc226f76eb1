"""Text that people write or read."""
