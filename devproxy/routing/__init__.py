"""Which route takes a request, and which server of its upstream gets it."""
