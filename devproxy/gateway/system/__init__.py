"""What depends on the system that devproxy runs on."""
