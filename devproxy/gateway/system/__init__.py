"""Files: how they are read, and how it is noticed that one has changed."""
