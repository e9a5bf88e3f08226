#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tradeoff.txt: what a roofline predicts of every claim about a ratio of times, and what was measured.

From plan/measured/xeon_2threads.json; predictions are exact rationals from the definitions. Python 3, no
packages; run it in this folder. It shares no code with the kernels.
"""
import json
import math
import re
from fractions import Fraction as F

RUN = json.load(open('../../../plan/measured/xeon_2threads.json'))
BYTES, FMA = (F(RUN['roofline'][key]) for key in ('read_bytes_per_second', 'fma_flops_per_second'))
# The FP16 kernel converts and multiplies in FP32, whose peak was timed with 512-bit instructions: 16
# multiply-adds each. The INT8 peak is counted, not timed: a 512-bit VNNI instruction does 64.
INT8 = 4 * FMA
# Bits, group and arithmetic of the linear layers' formats. Not counted, being 1.5 % of the bytes or less:
# a scale a row, zero points, and the four columns of int8_llm that are FP16.
LINEAR = {'fp16': (16, 0, 'fp16'), 'int8': (8, 0, 'int8'), 'int8_llm': (8, 0, 'int8'),
          'int4_g128': (4, 128, 'fp16'), 'int4_w4a8': (4, 128, 'int8')}
# Bytes of K and V of a token: 32 heads of 128, with a scale of 2 bytes, or 2 and 2 bytes for 32 channels.
HEADS, DIM, TOKENS = 32, 128, 4096
CACHE = {'fp16': 2 * HEADS * DIM * 2, 'kv_int8': 2 * HEADS * (DIM + 2),
         'kv_int4': 2 * HEADS * (DIM // 2 + DIM // 32 * 4)}


def product_sides(m):
    """Of the attention projection that was timed at M = m: fewer rows of weights where M is large."""
    for row in RUN['speed']:
        found = re.fullmatch(r'attention projection (?:(\d+) of )?(\d+)×(\d+), M = (\d+)', row['operation'])
        if found and found[4] == m:
            return int(m), int(found[1] or found[2]), int(found[3])


# A portable path has no kernel to predict: it is taken for one that unpacks first.
def operation(name, m):
    """The words that describe it to the test; its bytes stored, in FP16 and beside; FLOPs; its peak."""
    name, plain = name.removesuffix(' on scalar'), name.endswith(' on scalar')
    path = 'unpack' if plain else 'kernel'
    if m is None:
        words = 'attention', HEADS, HEADS, DIM, TOKENS, CACHE[name], path
        return words, (CACHE[name] * TOKENS, CACHE['fp16'] * TOKENS, 8 * HEADS * DIM,
                       4 * HEADS * DIM * TOKENS, FMA, plain)
    M, N, K = product_sides(m)
    bits, group, arithmetic = LINEAR[name]
    stored = N * K * bits // 8 + (N * K // group * 2 if group else 0)
    words = 'linear', M, N, K, bits, group, arithmetic, path
    return words, (stored, 2 * N * K, 2 * M * K + 4 * M * N, 2 * M * N * K,
                   INT8 if arithmetic == 'int8' else FMA, plain)


def seconds(stored, fp16, beside, flops, peak, plain):
    if plain:
        return (stored + fp16) / BYTES + seconds(fp16, fp16, beside, flops, FMA, False)
    return max((stored + beside) / BYTES, flops / peak)


def borders(holds):
    low, high = -math.inf, math.inf
    numbers = re.findall(r'-?[0-9.]+', holds)
    if holds.startswith('<'):
        high, = numbers
    elif holds.startswith('>'):
        low, = numbers
    else:
        low, high = numbers
    return low, high, holds.startswith('within')


def expects(ratio, low, high, closed, margin):
    low, high = float(low), float(high)
    low, high = low * (1 + margin), high * (1 - margin)
    inside = low <= ratio <= high if closed else low < ratio < high
    return 'held' if inside else 'failed'


VERDICTS = {'held': 'held', 'did not hold here': 'failed', 'not measured here': 'open'}
with open('tradeoff.txt', 'w') as file:
    print('# made by gen_tradeoff.py from plan/measured/xeon_2threads.json', file=file)
    print('device', float(FMA), float(INT8), float(BYTES), file=file)
    scored, unmeasured = [], 0
    for claim in RUN['claims']:
        pattern = r'((?:attention_)?time)\(([^,)]*)(?:, M=(\d+))?\) / \1\(([^,)]*)(?:, M=(\d+))?\)'
        found = re.fullmatch(pattern, claim['measure'])
        if not found:
            continue
        above, below = operation(found[2], found[3]), operation(found[4], found[5])
        ratio = seconds(*above[1]) / seconds(*below[1])
        low, high, closed = borders(claim['holds'])
        run = claim['measured']
        expected, verdict = expects(ratio, low, high, closed, run['margin']), VERDICTS[claim['verdict']]
        print('claim', claim['id'], low, high, int(closed), *[run[key] for key in 'value low high'.split()],
              run['margin'], run['noise'], verdict, file=file)
        print('above', *above[0], file=file)
        print('below', *below[0], file=file)
        print('expects', float(ratio), expected, file=file)
        unmeasured += verdict == 'open'
        if verdict != 'open':
            scored.append((claim['id'], expected == verdict, max(run['value'] / ratio, ratio / run['value'])))
    print('score', sum(s[1] for s in scored), sum(not s[1] for s in scored), unmeasured, file=file)
    for name, _, factor in sorted(scored, key=lambda s: -s[2]):
        print('surprise', name, float(factor), file=file)
