#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kv_rows.txt, kv_groups.txt, kv_budget.txt and online_softmax.txt, from the definitions.

Codes and scales in exact rationals, the softmax in float64. Python 3, no packages; run it in this
folder. It shares no code with the kernels.
"""
import math
import os
import struct
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64, f32  # noqa: E402


def half_bits(x):  # Python rounds to nearest, ties to even
    return struct.unpack('<H', struct.pack('<e', x))[0]


def half(bits):
    return struct.unpack('<e', struct.pack('<H', bits))[0]


def e4m3(code):  # of a code without sign, 0 ... 0x7E
    exponent, mantissa = code >> 3, code & 7
    if exponent == 0:
        return Fraction(mantissa, 512)
    return Fraction(8 + mantissa) * Fraction(2) ** (exponent - 10)


def e4m3_bits(x):
    code = min(range(0x7F), key=lambda c: (abs(e4m3(c) - abs(Fraction(x))), c % 2))
    return code | (0x80 if x < 0 else 0)


def int8_row(row):
    bits = half_bits(f32(max(abs(x) for x in row) / 127))
    scale = Fraction(half(bits))
    codes = []
    for x in row:
        q = Fraction(x) / scale
        assert abs(q - (q.numerator // q.denominator) - Fraction(1, 2)) > Fraction(1, 10000)
        codes.append(max(-127, min(127, round(q))))
    return bits, codes


def write(name, comment, lines):
    with open(name, 'w') as file:
        file.write('# ' + comment + '; made by gen_kv_cache.py\n')
        for line in lines:
            file.write(' '.join(v if isinstance(v, str) else repr(v) for v in line) + '\n')


random = SplitMix64(61)
lines = [[5, 9]]
for t in range(5):
    row = [f32(random.near_normal() * 8.0 ** (t - 2)) for _ in range(9)]
    bits, codes = int8_row(row)
    lines += [row, [half_bits(x) for x in row], [e4m3_bits(x) for x in row], [bits], codes]
write('kv_rows.txt', 'rows and columns; then for each row its values, FP16 bits, E4M3 bits, '
      'bits of the FP16 scale, INT8 codes', lines)

random = SplitMix64(62)
lines = [[6, 32]]
for g in range(6):
    bits = (4, 2)[g % 2]
    row = [f32(random.near_normal() * 4.0 ** (g - 3) + 3 * (g - 2)) for _ in range(32)]
    least = half_bits(min(row))
    scale = half_bits(f32(f32(max(row) - min(row)) / (2 ** bits - 1)))
    codes = []
    for x in row:
        q = (Fraction(x) - Fraction(half(least))) / Fraction(half(scale))
        assert abs(q - (q.numerator // q.denominator) - Fraction(1, 2)) > Fraction(1, 100000)
        codes.append(max(0, min(2 ** bits - 1, round(q))))
    lines += [row, [bits, scale, least], codes]
write('kv_groups.txt', 'groups and values; then for each group its values, bits a code, FP16 bits of '
      'scale and minimum, codes', lines)

MODELS = [  # layers, KV heads, head_dim: from the config.json of each
    ('Llama-2-7B', 32, 32, 128), ('Llama-3-8B', 32, 8, 128), ('Llama-3-70B', 80, 8, 128),
    ('Qwen2.5-7B', 28, 4, 128), ('Qwen3-4B', 36, 8, 128)]
BYTES = {'fp32': lambda d: 4 * d, 'fp16': lambda d: 2 * d, 'int8': lambda d: d + 2,
         'fp8_e4m3': lambda d: d, 'fp8_e5m2': lambda d: d, 'int4_head': lambda d: d // 2 + 2}
for kind, bits in (('int4', 4), ('int2', 2), ('kivi4', 4), ('kivi2', 2)):
    # FP16 scale and minimum for 32 codes
    BYTES[kind] = lambda d, bits=bits: d * bits // 8 + 4 * d // 32
write('kv_budget.txt', 'model, layers, KV heads, head_dim, format, bytes of one token',
      [[name, layers, heads, dim, kind, 2 * layers * heads * size(dim)]
       for name, layers, heads, dim in MODELS for kind, size in BYTES.items()])

random = SplitMix64(31)
T, D = 12, 4
q = [f32(random.near_normal()) for _ in range(D)]
k = [[random.below(255) - 127 for _ in range(D)] for _ in range(T)]
v = [[random.below(255) - 127 for _ in range(D)] for _ in range(T)]
k_scale = [2.0 ** -5 * (1 + random.below(8) / 8) for _ in range(T)]  # FP16 holds these
v_scale = [2.0 ** -6 * (1 + random.below(8) / 8) for _ in range(T)]
k[7], k_scale[7] = [127, -127, 127, -127], 0.125  # the largest score, and it comes late
score = [k_scale[t] * math.fsum(a * b for a, b in zip(q, k[t])) / math.sqrt(D) for t in range(T)]
p = [math.exp(s - max(score)) for s in score]
out = [math.fsum(p[t] * v_scale[t] * v[t][d] for t in range(T)) / math.fsum(p) for d in range(D)]
write('online_softmax.txt', 'tokens, head_dim; q; K codes, V codes; K scales, V scales; output',
      [[T, D], q] + k + v + [k_scale, v_scale, out])
