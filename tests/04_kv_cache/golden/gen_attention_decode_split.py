#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""attention_decode_split_golden.h, from the definitions: three parts of a softmax, and the whole.

Scores, weights and sums in float64. Python 3, no packages; run it in this folder. It shares no code
with the kernels. A header and no text file, since the tests run where the lab's folder is not.
"""
import math
import os
import struct
import sys
import textwrap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64  # noqa: E402

TOKENS, CHANNELS, HEAD_DIM, CUTS = 70, 4, 64, [0, 32, 64, 70]  # the other 60 channels are 0


def half(x):
    return struct.unpack('<e', struct.pack('<e', x))[0]


random = SplitMix64(47)
q = [half(8 * random.near_normal()) for _ in range(CHANNELS)]
k = [[random.below(255) - 127 for _ in range(CHANNELS)] for _ in range(TOKENS)]
v = [[random.below(255) - 127 for _ in range(CHANNELS)] for _ in range(TOKENS)]
k_scale = [2.0 ** -7 * (1 + random.below(8) / 8) for _ in range(TOKENS)]  # FP16 holds these
v_scale = [2.0 ** -6 * (1 + random.below(8) / 8) for _ in range(TOKENS)]
score = [k_scale[t] * math.fsum(a * b for a, b in zip(q, k[t])) / math.sqrt(HEAD_DIM)
         for t in range(TOKENS)]


def part(begin, end):
    m = max(score[begin:end])
    p = [math.exp(s - m) for s in score[begin:end]]
    o = [math.fsum(p[t - begin] * v_scale[t] * v[t][d] for t in range(begin, end))
         for d in range(CHANNELS)]
    return m, math.fsum(p), o


def table(kind, name, rows):
    if not isinstance(rows[0], list):
        rows = [rows]
        shape = '[%d]' % len(rows[0])
    else:
        shape = '[%d][%d]' % (len(rows), len(rows[0]))
    lines = [textwrap.fill(', '.join(repr(x) for x in row), 96, initial_indent='    ',
                           subsequent_indent='    ').strip() for row in rows]
    body = '\n    ' + (lines[0] if len(rows) == 1 else '{' + '},\n    {'.join(lines) + '}')
    return 'inline constexpr %s %s%s = {%s};\n' % (kind, name, shape, body)


parts = [part(a, b) for a, b in zip(CUTS, CUTS[1:])]
_, total, out = part(0, TOKENS)
with open('attention_decode_split_golden.h', 'w') as file:
    file.write('// SPDX-License-Identifier: Apache-2.0\n/// \\file\n'
               '/// Made by gen_attention_decode_split.py: INT8 codes with scales, the parts of three\n'
               '/// splits, the output.\n#pragma once\n\nnamespace qlab::test::golden {\n\n'
               '// clang-format off\n')
    file.write('inline constexpr int kTokens = %d, kChannels = %d, kHeadDim = %d;\n'
               % (TOKENS, CHANNELS, HEAD_DIM))
    file.write(table('double', 'kQ', q))
    file.write(table('int', 'kK', k) + table('int', 'kV', v))
    file.write(table('double', 'kKScale', k_scale) + table('double', 'kVScale', v_scale))
    file.write('// m, l, then o of each channel\n')
    file.write(table('double', 'kParts', [[m, l] + o for m, l, o in parts]))
    file.write(table('double', 'kOut', [x / total for x in out]))
    file.write('// clang-format on\n\n}  // namespace qlab::test::golden\n')
