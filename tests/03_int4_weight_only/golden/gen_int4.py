#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rtn.txt, from the definition, in exact rationals.

Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
import os
import struct
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32  # noqa: E402


def half(x):
    """The bits and the value of the nearest FP16."""
    data = struct.pack('<e', x)
    return struct.unpack('<H', data)[0], Fraction(struct.unpack('<e', data)[0])


def nearest(q):
    # Far from a tie, a division rounded to FP32 gives the same integer.
    assert abs(q - (q.numerator // q.denominator) - Fraction(1, 2)) > Fraction(1, 10000)
    return round(q)


def clamp(code):
    return min(max(code, 0), 15)


def quantize(group):
    low, high = min(0, *map(Fraction, group)), max(0, *map(Fraction, group))
    if low == high:
        return half(1)[0], 0, [0] * len(group)
    exact = (high - low) / 15
    bits, scale = half(exact)
    # Nor does a rounding to FP32 on the way to FP16 change the scale.
    assert half(exact * (1 - Fraction(1, 2**22)))[0] == half(exact * (1 + Fraction(1, 2**22)))[0]
    zero_point = clamp(nearest(-low / scale))
    return bits, zero_point, [clamp(nearest(Fraction(w) / scale) + zero_point) for w in group]


random = SplitMix64(29)
K, GROUP = 37, 8
rows = [[random.near_normal() * 0.05 for _ in range(K)],
        [random.near_normal() * 3 for _ in range(K)],
        [abs(random.near_normal()) + 1 for _ in range(K)],              # 0 is far below
        [-abs(random.near_normal()) - 1 for _ in range(K)],             # 0 is far above
        [random.near_normal() * (60 if k == 11 else 1) for k in range(K)],
        [0.0 if k < 16 else random.near_normal() for k in range(K)]]    # two groups of zeros
rows = [[f32(w) for w in row] for row in rows]

with open('rtn.txt', 'w') as file:
    def line(values):
        file.write(' '.join(repr(v) for v in values) + '\n')

    file.write('# N, K, group size; then for each row its values, scales as FP16 bits, zero '
               'points, and codes as packed bytes; made by gen_int4.py\n')
    line([len(rows), K, GROUP])
    for row in rows:
        groups = [quantize(row[k:k + GROUP]) for k in range(0, K, GROUP)]
        codes = [code for _, _, of_group in groups for code in of_group] + [0] * (K % 2)
        line(row)
        line([bits for bits, _, _ in groups])
        line([zero_point for _, zero_point, _ in groups])
        line([codes[i] + 16 * codes[i + 1] for i in range(0, len(codes), 2)])
