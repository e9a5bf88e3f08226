#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gptq.txt, from algorithm 1 of Frantar et al., "GPTQ", 2022, column by column in double.

Python 3, no packages; run it in this folder. It shares no code with the kernels: H is inverted by
elimination, and the factor is that of the inverse. Every case comes with scales as they are
computed (double) and as the lab stores them (FP16).
"""
import math
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32  # noqa: E402

N, K, T, DAMPING = 4, 8, 24, 0.01


def nearest(x):
    # Far from a tie: neither the order of the sums nor a rounding to FP32 changes a code.
    assert abs(abs(x - math.floor(x)) - 0.5) > 1e-4, 'choose another seed'
    return round(x)


def clamp(code):
    return min(max(code, 0), 15)


def half(x):
    stored = [struct.unpack('<e', struct.pack('<e', x * d))[0] for d in (1 - 2**-22, 1 + 2**-22)]
    assert stored[0] == stored[1]  # a rounding to FP32 on the way does not change it
    return stored[0]


def parameters(group, stored):
    low, high = min(0, *group), max(0, *group)
    scale = (high - low) / 15
    if stored:
        scale = half(scale)
    return scale, clamp(nearest(-low / scale))


def inverse(H):
    rows = [row[:] + [float(i == j) for j in range(K)] for i, row in enumerate(H)]
    for i in range(K):
        p = max(range(i, K), key=lambda r: abs(rows[r][i]))
        rows[i], rows[p] = rows[p], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(K):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i])]
    return [row[K:] for row in rows]


def upper_factor(A):
    """U with A = U^T U, U upper triangular."""
    U = [[0.0] * K for _ in range(K)]
    for i in range(K):
        U[i][i] = math.sqrt(A[i][i] - math.fsum(U[k][i] ** 2 for k in range(i)))
        for j in range(i + 1, K):
            U[i][j] = (A[i][j] - math.fsum(U[k][i] * U[k][j] for k in range(i))) / U[i][i]
    return U


def gptq(W, H, group, act_order, static, stored):
    order = sorted(range(K), key=lambda k: (-H[k][k], k)) if act_order else list(range(K))
    left = [[row[k] for k in order] for row in W]
    damped = [[H[a][b] for b in order] for a in order]
    for i in range(K):
        damped[i][i] += DAMPING * sum(H[k][k] for k in range(K)) / K
    U = upper_factor(inverse(damped))
    of_column = [0] * K
    for i, k in enumerate(order):
        of_column[k] = (k if static else i) // group
    grids = [[parameters(row[k:k + group], stored) for k in range(0, K, group)] for row in W]
    codes = [[0] * K for _ in range(N)]
    squares = []
    for i, k in enumerate(order):
        for n in range(N):
            if not static and i % group == 0:
                grids[n][i // group] = parameters(left[n][i:i + group], stored)
            scale, zero_point = grids[n][of_column[k]]
            codes[n][k] = clamp(nearest(left[n][i] / scale) + zero_point)
            error = (left[n][i] - scale * (codes[n][k] - zero_point)) / U[i][i]
            squares.append(error * error)
            for j in range(i + 1, K):
                left[n][j] -= error * U[i][j]
    return codes, grids, of_column, math.fsum(squares), U


random = SplitMix64(2024)
W = [[f32(0.1 * random.near_normal()) for _ in range(K)] for _ in range(N)]
mix = [[random.near_normal() for _ in range(K)] for _ in range(K)]
X = []
for _ in range(T):
    z = [random.near_normal() for _ in range(K)]
    x = [0.6 * z[k] + 0.4 * math.fsum(mix[k][j] * z[j] for j in range(K)) / math.sqrt(K)
         for k in range(K)]
    x[3] *= 4.0
    X.append([f32(v) for v in x])
H = [[2.0 / T * math.fsum(x[a] * x[b] for x in X) for b in range(K)] for a in range(K)]

CASES = [(8, False, False), (4, False, False), (4, False, True), (4, True, False), (4, True, True)]
with open('gptq.txt', 'w') as file:
    def line(values):
        file.write(' '.join(repr(v) for v in values) + '\n')

    file.write('# N, K, tokens, cases; W; X; H; the factor U of the inverse of the damped H; then '
               'for each case: FP16 scales or not, group size, act-order, static groups, the '
               'squared error; codes; scales; zero points; the group of each column; made by gen_gptq.py\n')
    line([N, K, T, 2 * len(CASES)])
    for matrix in (W, X, H, gptq(W, H, 8, False, False, False)[4]):
        for row in matrix:
            line(row)
    for stored in (0, 1):
        for group, act_order, static in CASES:
            codes, grids, of_column, error, _ = gptq(W, H, group, act_order, static, stored)
            line([stored, group, int(act_order), int(static), error])
            for row in codes:
                line(row)
            for part in (0, 1):
                for row in grids:
                    line([grid[part] for grid in row])
            line(of_column)
