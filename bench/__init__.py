"""devproxy side by side with nginx, HAProxy, Caddy and http-proxy: CPU time of the proxy per unit of work.

Start at :mod:`bench.__main__`; ``bench/README.md`` says how to read the numbers.
"""
