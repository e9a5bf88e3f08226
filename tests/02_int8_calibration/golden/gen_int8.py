#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""quantize_rows.txt and w8a8_gemm.txt, from the definitions, in exact rationals.

Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
import os
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32  # noqa: E402


def quantize(row):
    scale = f32(Fraction(max(abs(x) for x in row)) / 127)
    codes = []
    for x in row:
        q = Fraction(x) / Fraction(scale)
        # Far from a tie, a division rounded to FP32 gives the same code.
        assert abs(q - (q.numerator // q.denominator) - Fraction(1, 2)) > Fraction(1, 10000)
        codes.append(round(q))
    return scale, codes


def write(name, comment, lines):
    with open(name, 'w') as file:
        file.write('# ' + comment + '; made by gen_int8.py\n')
        file.writelines(' '.join(repr(v) for v in line) + '\n' for line in lines)


random = SplitMix64(5)
lines = [[6, 21]]
for r in range(6):
    row = [f32(random.near_normal() * (60 if (r, k) == (2, 10) else 4.0 ** r)) for k in range(21)]
    scale, codes = quantize(row)
    lines += [row, [scale], codes]
write('quantize_rows.txt', 'rows and columns; then for each row its values, scale and codes', lines)

random = SplitMix64(17)
M, N, K = 3, 4, 37
x = [[random.below(256) - 128 for _ in range(K)] for _ in range(M)]
w = [[random.below(255) - 127 for _ in range(K)] for _ in range(N)]
x_scale = [0.0625, 0.03125, 0.125]
w_scale = [0.0078125, 0.015625, 0.00390625, 0.03125]
y = [[x_scale[m] * w_scale[n] * sum(a * b for a, b in zip(x[m], w[n])) for n in range(N)]
     for m in range(M)]
write('w8a8_gemm.txt', 'M, N, K; codes of X, of W; scales of X, of W; Y',
      [[M, N, K]] + x + w + [x_scale, w_scale] + y)
