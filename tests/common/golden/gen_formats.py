#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""formats.csv, fp8_codes.csv, double_rounding.csv: conversions of FP16, BF16, E4M3, E5M2.

Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
import math
import os
import struct

from gen_common import (BF16, E4M3, E5M2, FP16, HERE, f32, f32_bits, from_f32_bits)


def code_text(fmt, code):
    return code if code == 'nan' else f'0x{code:0{fmt.width // 4}X}'


def write(name, header, rows):
    with open(os.path.join(HERE, name), 'w') as file:
        for row in [header] + rows:
            file.write(','.join(str(cell) for cell in row) + '\n')


def around(what, x):
    bits = f32_bits(x)
    return [(what, x), (what + ' less one bit', from_f32_bits(bits - 1)),
            (what + ' plus one bit', from_f32_bits(bits + 1))]


def inputs():
    cases = [('zero', 0.0), ('minus zero', -0.0), ('one', 1.0), ('minus one', -1.0)]
    for x in (0.1, 1 / 3, 2.5, 3.5, 10.0, 100.0, math.pi, 127.0, 255.0, 256.0, 300.0, 1000.0, 65504.0,
              1e5, 1e-5, 6e-8, 1e-8, 1e-40):
        cases += [('plain', f32(x)), ('plain', f32(-x))]
    for fmt in (FP16, BF16, E4M3, E5M2):
        n, m = fmt.name, fmt.m
        cases += around(n + ' tie of 1 and the next: to 1', 1 + 2.0 ** -(m + 1))
        cases += around(n + ' tie of the next two: up', 1 + 3 * 2.0 ** -(m + 1))
        cases += around(n + ' tie that carries into the exponent: to 2', 2 - 2.0 ** -(m + 1))
        cases += [(n + ' largest', float(fmt.max))]
        if fmt is BF16:
            continue
        cases += around(n + ' half a step past the largest',
                        float(fmt.max + (fmt.max - fmt.decode(fmt.max_code - 1)) / 2))
        step = 2.0 ** (fmt.min_exponent - m)
        cases += around(n + ' smallest normal', 2.0 ** fmt.min_exponent)
        cases += around(n + ' largest subnormal', 2.0 ** fmt.min_exponent - step)
        cases += around(n + ' tie of largest subnormal and smallest normal: to the normal',
                        2.0 ** fmt.min_exponent - step / 2)
        cases += around(n + ' smallest subnormal', step)
        cases += around(n + ' half the smallest subnormal: to 0', step / 2)
        cases += around(n + ' 1.5 smallest subnormals: to 2', 1.5 * step)
        cases += around(n + ' a quarter of the smallest subnormal', step / 4)
        cases += [(n + ' twice the largest', 2 * float(fmt.max))]
    for what, bits in (('float largest', 0x7F7FFFFF), ('bf16 tie with infinity', 0x7F7F8000),
                       ('bf16 tie with infinity less one bit', 0x7F7F7FFF),
                       ('float smallest subnormal', 1), ('float smallest normal', 0x00800000),
                       ('bf16 subnormal tie: to 0', 0x00008000),
                       ('bf16 subnormal tie: to 2', 0x00018000)):
        cases += [(what, from_f32_bits(bits))]
    cases += [('infinity', math.inf), ('minus infinity', -math.inf)]
    return {f32_bits(x): what for what, x in reversed(cases)}  # the first name of a value stays


def formats():
    columns = [(FP16, False), (BF16, False), (E4M3, True), (E4M3, False), (E5M2, True), (E5M2, False)]
    rows = []
    for bits, what in reversed(inputs().items()):
        x = from_f32_bits(bits)
        codes = [code_text(fmt, fmt.encode(x, saturate)) for fmt, saturate in columns]
        rows.append([f'0x{bits:08X}'] + codes + [repr(x), what])
        if abs(x) <= 65504:  # a second opinion
            assert codes[0] == '0x%04X' % struct.unpack('<H', struct.pack('<e', x))[0]
    for bits, what in ((0x7FC00000, 'quiet NaN'), (0xFFC00000, 'negative quiet NaN'),
                       (0x7F800001, 'signaling NaN with the lowest bit only')):
        rows.append([f'0x{bits:08X}'] + ['nan'] * 7 + [what])
    write('formats.csv', ['fp32', 'fp16', 'bf16', 'e4m3_saturating', 'e4m3', 'e5m2_saturating', 'e5m2',
                          'value', 'what'], rows)


def fp8_codes():
    def value(fmt, code):
        if isinstance(fmt.decode(code), str):
            return fmt.decode(code)
        return repr(math.copysign(float(fmt.decode(code)), -1 if code >> 7 else 1))

    write('fp8_codes.csv', ['code', 'e4m3', 'e5m2'],
          [[f'0x{c:02X}', value(E4M3, c), value(E5M2, c)] for c in range(256)])


def double_rounding():
    rows = []
    for fmt in (E4M3, E5M2):
        for tie in (1 + 2.0 ** -(fmt.m + 1), 2.0 ** fmt.min_exponent * (1 + 2.0 ** -(fmt.m + 1))):
            for nudge in (2.0 ** -20, -2.0 ** -20):
                x = f32(tie * (1 + nudge))
                through = [float(wide.decode(wide.encode(x, False))) for wide in (FP16, BF16)]
                codes = [fmt.encode(y, True) for y in [x] + through]
                rows.append([f'0x{f32_bits(x):08X}', fmt.name] + [code_text(fmt, c) for c in codes])
    write('double_rounding.csv', ['fp32', 'format', 'direct', 'through_fp16', 'through_bf16'], rows)


formats()
fp8_codes()
double_rounding()
