#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""awq.txt: the search of AWQ for one layer with two strong channels, from the definition.

Python 3, no packages; run it in this folder. It shares no code with the kernels. Weights are
rounded as the lab rounds them: the range of a group holds 0, and a scale is FP16. The code of the
AWQ authors widens no range, so its losses are others where all weights of a group have one sign.
"""
import math
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32  # noqa: E402

N, K, TOKENS, GROUP, RATIOS = 8, 16, 32, 8, 20


def half(x):
    return struct.unpack('<e', struct.pack('<e', x))[0]


def nearest(q):
    # Far enough from a tie that rounding to FP32 on the way, 15 * 2**-22, gives the same integer.
    assert abs(q - math.floor(q) - 0.5) > 1e-5, q
    return round(q)


def rounded(group):
    low, high = min(0, *group), max(0, *group)
    exact = (high - low) / 15
    scale = half(exact)
    assert half(exact * (1 - 2**-22)) == half(exact * (1 + 2**-22)), exact
    zero = min(nearest(-low / scale), 15)
    return [scale * (min(max(nearest(w / scale) + zero, 0), 15) - zero) for w in group]


def search(W, X):
    mean = [math.fsum(abs(x[k]) for x in X) / TOKENS for k in range(K)]
    for step in range(RATIOS):
        power = [max(m ** (step / RATIOS), 1e-4) for m in mean]
        middle = math.sqrt(max(power) * min(power))
        s = [p / middle for p in power]
        error = []
        for row in W:
            scaled = [w * v for w, v in zip(row, s)]
            back = [v for g in range(0, K, GROUP) for v in rounded(scaled[g:g + GROUP])]
            error.append([b / v - w for b, v, w in zip(back, s, row)])
        squares = [math.fsum(a * b for a, b in zip(x, e)) ** 2 for x in X for e in error]
        yield s, math.fsum(squares) / (N * TOKENS)


# Chosen among 99 to 159, of which 51 keep clear of ties, for a best ratio that no rounding disputes. So its
# gain is larger than usual: this file checks arithmetic and says nothing about how much AWQ gains.
random = SplitMix64(144)
W = [[f32(0.1 * random.near_normal()) for _ in range(K)] for _ in range(N)]
gain = [12.0 if k == 3 else 6.0 if k == 10 else 1.0 for k in range(K)]
X = [[f32(random.near_normal() * gain[k]) for k in range(K)] for _ in range(TOKENS)]
table = list(search(W, X))
losses = [loss for _, loss in table]
best = losses.index(min(losses))

with open('awq.txt', 'w') as file:
    file.write('# N, K, tokens, group size; W; X; the losses of the 20 ratios; the best and its '
               'scales; made by gen_awq.py\n')
    for line in ([N, K, TOKENS, GROUP], *W, *X, losses, [best], table[best][0]):
        file.write(' '.join(repr(v) for v in line) + '\n')
