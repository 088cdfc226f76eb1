"""Web origins and hosts: what a name or an address says by itself. Resolves nothing."""
