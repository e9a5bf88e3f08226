#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rtn_group.txt, from the definition, in exact rationals.

Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
import os
import struct
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32, nearest_integer  # noqa: E402


def half(x):
    """The bits and the value of the nearest FP16."""
    data = struct.pack('<e', x)
    return struct.unpack('<H', data)[0], Fraction(struct.unpack('<e', data)[0])


def nearest(q):
    # Far from a tie, a division rounded to FP32 gives the same integer.
    assert abs(q - q.numerator // q.denominator - Fraction(1, 2)) > Fraction(1, 100000)
    return nearest_integer(q)


def quantize(group, symmetric):
    low, high = min(0, *map(Fraction, group)), max(0, *map(Fraction, group))
    exact = max(-low, high) / 7 if symmetric else (high - low) / 15
    bits, scale = half(exact)
    # Nor does a rounding to FP32 on the way to FP16 change the scale.
    assert half(exact * (1 - Fraction(1, 2**22)))[0] == half(exact * (1 + Fraction(1, 2**22)))[0]
    first, last = (-7, 7) if symmetric else (0, 15)
    zero = 0 if symmetric else min(nearest(-low / scale), 15)
    return bits, zero, [min(max(nearest(Fraction(w) / scale) + zero, first), last) for w in group]


random = SplitMix64(7)
rows = [[f32(0.05 * random.near_normal() + (0.03 if n == 2 else 0.0)) for _ in range(32)]
        for n in range(4)]
rows[1][5] = f32(0.9)  # an outlier

with open('rtn_group.txt', 'w') as file:
    def line(values):
        file.write(' '.join(repr(v) for v in values) + '\n')

    cases = [(symmetric, size) for symmetric in (1, 0) for size in (8, 12, 32)]
    file.write('# N, K, cases; the weights; then for each case whether it is symmetric, and the group '
               'size, and for each row its scales as FP16 bits, zero points, codes; made by '
               'gen_rtn_group.py\n')
    line([4, 32, len(cases)])
    for row in rows:
        line(row)
    for symmetric, size in cases:
        line([symmetric, size])
        for row in rows:
            groups = [quantize(row[k:k + size], symmetric) for k in range(0, 32, size)]
            line([bits for bits, _, _ in groups])
            line([zero for _, zero, _ in groups])
            line([code for _, _, codes in groups for code in codes])
