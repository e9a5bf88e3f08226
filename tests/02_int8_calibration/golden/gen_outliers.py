#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llm_int8.txt and smoothquant.txt, from the definitions, in double and exact rationals.

Python 3, no packages; run it in this folder. It shares no code with the kernels: outlier weights
stay FP32 and scales double here, so a test must allow for the roundings of FP16 and FP32.
"""
import math
import os
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32, nearest_integer  # noqa: E402


def write(name, comment, lines):
    with open(name, 'w') as file:
        file.write('# ' + comment + '; made by gen_outliers.py\n')
        file.writelines(' '.join(repr(v) for v in line) + '\n' for line in lines)


def code(x, scale):
    q = Fraction(x) / Fraction(scale)
    # Far from a tie, scales and divisions rounded to FP32 give the same code.
    assert abs(q - math.floor(q) - Fraction(1, 2)) > Fraction(1, 10000)
    return nearest_integer(q)


random = SplitMix64(17)
M, N, K = 4, 3, 8
x = [[f32(random.near_normal()) for _ in range(K)] for _ in range(M)]
x[1][2], x[3][2], x[0][6] = 9.5, -7.25, 6.0  # one is exactly at the threshold 6
w = [[f32(0.2 * random.near_normal()) for _ in range(K)] for _ in range(N)]
w_scale = [max(abs(v) for v in row) / 127 for row in w]
w_codes = [[code(v, s) for v in row] for row, s in zip(w, w_scale)]

lines = [[M, N, K]] + x + w + w_codes
for threshold in (math.inf, 7.0, 6.0, 1.0, 0.05):
    out = [k for k in range(K) if any(abs(x[m][k]) >= threshold for m in range(M))]
    rest = [k for k in range(K) if k not in out]
    y = []
    for m in range(M):
        scale = max((abs(x[m][k]) for k in rest), default=0) / 127
        codes = [code(x[m][k], scale) if k in rest else 0 for k in range(K)]
        y.append([scale * w_scale[n] * sum(a * b for a, b in zip(codes, w_codes[n]))
                  + math.fsum(x[m][k] * w[n][k] for k in out) for n in range(N)])
    lines += [[threshold], [int(k in out) for k in range(K)]] + y
write('llm_int8.txt', 'M, N, K; X; W; codes of W; then for each threshold: it, whether a column '
      'has an outlier, Y', lines)

x_absmax = [max(abs(x[m][k]) for m in range(M)) for k in range(K)]
w_absmax = [max(abs(w[n][k]) for n in range(N)) for k in range(K)]
lines = [[K], x_absmax, w_absmax]
for alpha in (0.0, 0.5, 0.85, 1.0):
    factor = [max(a ** alpha / max(b, 1e-5) ** (1 - alpha), 1e-5)
              for a, b in zip(x_absmax, w_absmax)]
    lines += [[alpha], factor]
write('smoothquant.txt', 'K; largest magnitudes of X, of W; then for each alpha: it, the factors',
      lines)
