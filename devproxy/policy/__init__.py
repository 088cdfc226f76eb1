"""Pure rules over fields: what a gateway must drop, add or change. Start at :mod:`devproxy.policy.headers`."""
