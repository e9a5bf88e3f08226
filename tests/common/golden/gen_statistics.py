#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""percentiles.csv, bootstrap_documents.csv, bootstrap.csv, from the definitions in statistics.h.

Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
import math
import os

from gen_common import HERE, SplitMix64


def write(name, header, rows):
    with open(os.path.join(HERE, name), 'w') as file:
        for row in [header] + rows:
            file.write(','.join(repr(x) if isinstance(x, float) else str(x) for x in row) + '\n')


def percentile(values, p):  # type 7
    values = sorted(values)
    position = (len(values) - 1) * p / 100
    below = math.floor(position)
    above = min(below + 1, len(values) - 1)
    return values[below] + (position - below) * (values[above] - values[below])


LATENCIES = [12.0, 15.0, 11.0, 30.0, 14.0, 13.0, 90.0, 16.0, 12.5, 18.0]
write('percentiles.csv', ['p', 'of ' + ' '.join(map(str, LATENCIES))],
      [[p, percentile(LATENCIES, p)] for p in (0, 25, 50, 90, 95, 99, 100)])

# Documents of some bytes, and the nats two models need for each: the statistic is the difference in
# bits a byte over the drawn documents.
UNITS, SEED, RESAMPLES = 24, 20240607, 2000
random = SplitMix64(3)
bytes_of = [200 + random.below(200) for _ in range(UNITS)]
documents = []
for size in bytes_of:
    reference = size * (0.55 + 0.05 * random.near_normal())
    documents.append((size, reference, reference + size * (0.02 + 0.01 * random.near_normal())))


def difference(drawn):
    nats = math.fsum(documents[i][2] - documents[i][1] for i in drawn)
    return nats / sum(documents[i][0] for i in drawn) / math.log(2)


random = SplitMix64(SEED)
values = [difference([random.below(UNITS) for _ in range(UNITS)]) for _ in range(RESAMPLES)]
write('bootstrap_documents.csv', ['bytes', 'nats_reference', 'nats_quantized'], documents)
write('bootstrap.csv', ['seed', 'resamples', 'value', 'low', 'high', 'first', 'second', 'third'],
      [[SEED, RESAMPLES, difference(range(UNITS)), percentile(values, 2.5), percentile(values, 97.5)] +
       values[:3]])
