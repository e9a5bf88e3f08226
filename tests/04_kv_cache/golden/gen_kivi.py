#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kivi.txt: keys and values of 10 tokens in a KIVI cache, from the definition.

Codes in exact rationals, with scales as FP16 stores them. Python 3, no packages; run it in this
folder. It shares no code with the kernels.
"""
import os
import struct
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32, nearest_integer  # noqa: E402

T, D, GROUP, WINDOW = 10, 8, 4, 4


def half_bits(x):  # Python rounds to nearest, ties to even
    return struct.unpack('<H', struct.pack('<e', x))[0]


def half(bits):
    return struct.unpack('<e', struct.pack('<H', bits))[0]


def group(values, bits):
    """Codes, bits of the scale and of the minimum, and what they are read as."""
    top = 2 ** bits - 1
    low, high = min(values), max(values)
    scale = half_bits(float(Fraction(high - low) / top))
    assert scale != 0
    steps = [(Fraction(x) - Fraction(low)) / Fraction(half(scale)) for x in values]
    for s in steps:  # FP32 arithmetic gives the same codes
        assert abs(s - (s.numerator // s.denominator) - Fraction(1, 2)) > Fraction(1, 10000)
    codes = [min(max(nearest_integer(s), 0), top) for s in steps]
    assert half(half_bits(low)) == low
    return codes, scale, half_bits(low), [float(Fraction(half(scale)) * c + Fraction(low)) for c in codes]


def mean_square(a, b):
    return sum((Fraction(x) - Fraction(y)) ** 2 for x, y in zip(a, b)) / len(a)


# Two channels with a constant offset, as a model's keys have them; rounded to FP16 as a cache does.
rng = SplitMix64(61)
OFFSET = {2: 10.0, 5: -6.0}
keys = [[half(half_bits(f32(rng.near_normal() + OFFSET.get(c, 0.0)))) for c in range(D)] for _ in range(T)]
values = [[half(half_bits(f32(rng.near_normal()))) for _ in range(D)] for _ in range(T)]

with open('kivi.txt', 'w') as file:
    def line(items):
        file.write(' '.join(str(x) for x in items) + '\n')

    file.write('# tokens, head_dim, group, window; K; V; then for 2 and 4 bits: the bits; K by token, codes; by block'
               ' scales and minima (FP16 bits); V by token: codes, scales, minima; K, V as read; mean squared error of'
               ' K with scales per channel, per token; made by gen_kivi.py\n')
    line([T, D, GROUP, WINDOW])
    for row in keys + values:
        line(row)
    for bits in (2, 4):
        coded_keys, coded_values = T - T % WINDOW, max(T - WINDOW, 0)
        blocks = [[group([keys[t][c] for t in range(b, b + GROUP)], bits) for c in range(D)]
                  for b in range(0, coded_keys, GROUP)]
        rows = [[group(values[t][c:c + GROUP], bits) for c in range(0, D, GROUP)]
                for t in range(coded_values)]
        line([bits])
        for t in range(coded_keys):
            line(blocks[t // GROUP][c][0][t % GROUP] for c in range(D))
        for b in blocks:
            line(g[1] for g in b)
            line(g[2] for g in b)
        for r in rows:
            line(code for g in r for code in g[0])
            line(g[1] for g in r)
            line(g[2] for g in r)
        read_keys = [[blocks[t // GROUP][c][3][t % GROUP] if t < coded_keys else keys[t][c]
                      for c in range(D)] for t in range(T)]
        read_values = [[rows[t][c // GROUP][3][c % GROUP] if t < coded_values else values[t][c]
                        for c in range(D)] for t in range(T)]
        for row in read_keys + read_values:
            line(row)
        flat = [x for row in keys[:coded_keys] for x in row]
        per_channel = [x for row in read_keys[:coded_keys] for x in row]
        per_token = [x for row in keys[:coded_keys] for c in range(0, D, GROUP)
                     for x in group(row[c:c + GROUP], bits)[3]]
        line([float(mean_square(flat, per_channel)), float(mean_square(flat, per_token))])
