"""Web origins and hosts: what a name or an address says on its own. Resolves nothing."""
