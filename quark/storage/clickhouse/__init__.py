"""Points in ClickHouse: one plain row each, packed, replicated and cut into buckets by the server.

Everything goes over ClickHouse's HTTP port in its Native format, which 18.16 and today's servers
speak alike; what only newer servers know is used where ``version()`` says so.
"""
