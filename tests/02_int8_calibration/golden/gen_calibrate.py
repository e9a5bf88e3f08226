#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""calibrate.txt: what each calibrator must find in 8192 samples, from the definitions, in float64.

Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32  # noqa: E402

BINS, LEVELS = 2048, 128
random = SplitMix64(123)
samples = [f32(random.near_normal()) for _ in range(8192)]
samples[100], samples[5000] = 30.0, -24.0
magnitudes = sorted(abs(x) for x in samples)
absmax = magnitudes[-1]


def percentile(p):
    position = (len(magnitudes) - 1) * p / 100
    below = int(position)
    low, high = magnitudes[below], magnitudes[min(below + 1, len(magnitudes) - 1)]
    return low + (position - below) * (high - low)


def mse(threshold):
    scale = threshold / 127
    codes = [max(-127, min(127, round(x / scale))) for x in samples]
    return math.fsum((x - scale * code) ** 2 for x, code in zip(samples, codes)) / len(samples)


histogram = [0] * BINS
for x in magnitudes:
    histogram[min(int(x / absmax * BINS), BINS - 1)] += 1


def divergence(bins):
    p = histogram[:bins]
    p[-1] += sum(histogram[bins:])
    cells = [[] for _ in range(LEVELS)]
    for b in range(bins):
        if histogram[b]:
            cells[b * LEVELS // bins].append(b)
    q = [0.0] * bins
    for cell in cells:
        for b in cell:
            q[b] = sum(histogram[c] for c in cell) / len(cell)
    total_p, total_q = sum(p), math.fsum(q)
    if any(a > 0 and b == 0 for a, b in zip(p, q)):
        return math.inf
    return math.fsum(a / total_p * math.log((a / total_p) / (b / total_q))
                     for a, b in zip(p, q) if a > 0)


errors = [mse(absmax * (100 - i) / 100) for i in range(100)]
best = min(range(100), key=lambda i: errors[i])
divergences = {bins: divergence(bins) for bins in range(LEVELS, BINS + 1)}
least = min(divergences, key=lambda bins: divergences[bins])
# Neither choice may hang on a last bit, which FP32 would round another way.
assert sorted(errors)[1] > errors[best] * 1.001
assert sorted(divergences.values())[1] > divergences[least] * 1.1

with open('calibrate.txt', 'w') as file:
    file.write('# SplitMix64(123), 8192 times twelve uniforms less 6, in FP32; 100 is 30, 5000 is -24; '
               'made by gen_calibrate.py\n')
    file.write(f'absmax {absmax!r}\n')
    for p in (50, 99, 99.9, 99.99, 100):
        file.write(f'percentile {p} {percentile(p)!r}\n')
    file.write(f'mse_best {best}\n')
    for i in (0, best, 50, 88, 99):
        file.write(f'mse {i} {errors[i]!r}\n')
    file.write(f'entropy_best {least}\n')
    for bins in (128, 192, least, 256, 1024, 2048):
        file.write(f'entropy {bins} {divergences[bins]!r}\n')
    file.write('histogram ' + ' '.join(map(str, histogram)) + '\n')
