"""The client's side: listening sockets and the connections of clients."""
