"""What both sides of the gateway use: its state, transports, pace."""
