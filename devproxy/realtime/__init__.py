"""What browsers keep open: WebSocket frames, Engine.IO sessions, the sockets of hot reload."""
