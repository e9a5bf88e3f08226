#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kv_budget_formats.txt: bytes of a token for published models and eight formats of a cache.

From the definitions, in exact rationals: bits of each element, and each element's share of what its
group carries. Python 3, no packages; run it in this folder. It shares no code with the kernels.
"""
from fractions import Fraction

MODELS = [  # layers, heads, KV heads, head_dim: from the config.json of each
    ('Llama-2-7B', 32, 32, 32, 128), ('Llama-3-8B', 32, 32, 8, 128),
    ('Llama-3-70B', 80, 64, 8, 128), ('Mistral-7B', 32, 32, 8, 128),
    ('Qwen2.5-7B', 28, 28, 4, 128), ('Qwen2.5-72B', 80, 64, 8, 128),
    ('Qwen3-4B', 36, 32, 8, 128), ('Qwen3-8B', 36, 32, 8, 128), ('the-lab\'s-own', 6, 4, 2, 64)]
FORMATS = [  # bits, elements of a group (0: a head), bits that a group carries, residual
    (16, 0, 0, 0), (8, 0, 0, 0), (8, 0, 16, 0), (8, 0, 32, 0), (4, 0, 16, 0), (4, 32, 32, 0),
    (4, 32, 32, 128), (2, 32, 32, 128)]

with open('kv_budget_formats.txt', 'w') as file:
    file.write('# model, layers, heads, KV heads, head_dim; bits, group_size, group_bytes, '
               'residual; bytes of a token, tokens in 16 GiB; made by gen_kv_budget.py\n')
    for name, layers, heads, kv_heads, head_dim in MODELS:
        for bits, group, carried, residual in FORMATS:
            element = bits + Fraction(carried, group or head_dim)
            token = sum(element * kv_heads * head_dim for _ in range(layers) for _ in 'KV') / 8
            assert token.denominator == 1
            tokens = 16 * 2 ** 30 // token
            print(name, layers, heads, kv_heads, head_dim, bits, group, carried // 8, residual,
                  token, tokens, file=file)
