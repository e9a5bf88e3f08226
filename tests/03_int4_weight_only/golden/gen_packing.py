#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""packing.txt: words of three formats, put together from hexadecimal digits.

Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../common/golden'))
from gen_common import SplitMix64  # noqa: E402


def sequential(eight):
    """A word is written with its highest digit first."""
    return '0x' + ''.join('%X' % nibble for nibble in reversed(eight))


def awq(eight):
    e0, e1, e2, e3, e4, e5, e6, e7 = eight
    return sequential([e0, e2, e4, e6, e1, e3, e5, e7])


def eights(row):
    return [row[i:i + 8] for i in range(0, len(row), 8)]


def transposed(matrix):
    return [list(column) for column in zip(*matrix)]


random = SplitMix64(41)
K, N, G = 16, 16, 2
codes = transposed([[random.below(16) for _ in range(N)] for _ in range(K)])            # [n][k]
zeros = transposed([[1 + random.below(15) for _ in range(N)] for _ in range(G)])        # [n][g]

words_of_rows = [[sequential(eight) for eight in eights(row)] for row in codes]         # [N][K/8]
along_n = lambda matrix, pack: [[pack(e) for e in eights(row)] for row in transposed(matrix)]

with open('packing.txt', 'w') as file:
    def write(comment, rows):
        file.write('# ' + comment + '\n')
        file.writelines(' '.join(str(v) for v in row) + '\n' for row in rows)

    chosen = [list(range(8)), list(range(7, -1, -1)), list(range(8, 16)), [8] * 8, [7] * 8, [15] * 8,
              [15] + [0] * 7, [0, 15] + [0] * 6, [0] * 7 + [15]]
    write('how many words; for each its eight values, in sequence, in the order of AWQ; made by '
          'gen_packing.py', [[len(chosen)]] + [e + [sequential(e), awq(e)] for e in chosen])
    write('N, K, G', [[N, K, G]])
    write('codes [N, K]', codes)
    write('zero points [N, G]', zeros)
    write('GPTQ qweight', transposed(words_of_rows))
    write('GPTQ v1 qzeros', along_n([[z - 1 for z in row] for row in zeros], sequential))
    write('GPTQ v2 qzeros', along_n(zeros, sequential))
    write('AWQ qweight', along_n(codes, awq))
    write('AWQ qzeros', along_n(zeros, awq))
    write('compressed-tensors weight_packed', words_of_rows)
    write('compressed-tensors weight_zero_point', transposed(along_n(zeros, sequential)))
