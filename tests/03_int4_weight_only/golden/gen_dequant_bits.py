#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dequant_bits.inc: words of eight codes and what dequant_bits makes of them, from the definition.

Python 3, no packages; run it in this folder. It shares no code with the kernels. The file is lines of
a C++ table, so that the program for a GPU carries it along.
"""

WORDS = [0x75316420, 0x76543210, 0x00000000, 0xFFFFFFFF, 0x88888888, 0x0000000F, 0xF0000000,
         0x13579BDF, 0xDEADBEEF]
ORDER = [0, 4, 1, 5, 2, 6, 3, 7]

with open('dequant_bits.inc', 'w') as file:
    file.write('// The word, and its eight codes minus 8 in output order; made by gen_dequant_bits.py.\n')
    for word in WORDS:
        nibbles = [int(digit, 16) for digit in reversed('%08X' % word)]
        values = ', '.join('%d' % (nibbles[i] - 8) for i in ORDER)
        file.write('{0x%08X, {%s}},\n' % (word, values))
