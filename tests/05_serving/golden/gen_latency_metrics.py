#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""latency_metrics.txt: percentiles, latencies and rates of a few requests.

From the definitions, in exact rationals. Python 3, no packages; run it in this folder. It shares no code
with the kernels.
"""
from fractions import Fraction as F

VALUES = '12 15 11 30 14 13 90 16 12.5 18'.split()
REQUESTS = [  # arrival, admission, times of tokens
    ('0', '0.4', '0.5 0.6 0.7 0.8'), ('0.2', '0.8', '0.9 1.0 1.4 1.5'), ('1', '1.1', '1.2'),
    ('1.5', '1.8', '1.9 2.0')]
GOALS = F('0.6'), F('0.15')  # TTFT, TPOT


def percentile(values, p):
    values = sorted(F(v) for v in values)
    rank = F(p) * (len(values) - 1) / 100
    for i in range(len(values)):
        if rank <= i:
            return values[i] - (i - rank) * (values[i] - values[i - 1]) if rank < i else values[i]


with open('latency_metrics.txt', 'w') as file:
    out = lambda *words: print(*[float(w) if isinstance(w, F) else w for w in words], file=file)
    out('# made by gen_latency_metrics.py')
    out('values', len(VALUES), *VALUES)
    for p in (0, 25, 50, 90, 95, 99, 100):
        out('percentile', p, percentile(VALUES, p))
    good, gaps, tpots = 0, [], []
    for arrival, admitted, times in REQUESTS:
        times = times.split()
        t = [F(x) for x in times]
        own = [t[i] - t[i - 1] for i in range(1, len(t))]
        ttft, e2e, tpot = t[0] - F(arrival), t[-1] - F(arrival), sum(own) / max(len(own), 1)
        good += ttft <= GOALS[0] and tpot <= GOALS[1]
        gaps += own
        tpots += [tpot] if own else []
        out('request', arrival, admitted, len(times), *times)
        out('latency', ttft, e2e, F(tpot))
    out('gaps', len(gaps), *gaps)
    out('goals', *GOALS)
    span = max(F(r[2].split()[-1]) for r in REQUESTS) - min(F(r[0]) for r in REQUESTS)
    tokens = sum(len(r[2].split()) for r in REQUESTS)
    out('rates', span, len(REQUESTS) / span, tokens / span, good / span)
    out('means', sum(tpots) / len(tpots), sum(gaps) / len(gaps))
