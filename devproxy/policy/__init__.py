"""Rules over fields: the guard, CORS, cookies, redirects, what a gateway must drop, add or change.

Pure. Start at :mod:`devproxy.policy.headers`.
"""
