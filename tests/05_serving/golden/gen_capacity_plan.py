#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""capacity_plan.txt: load tests of five configurations, and what a plan makes of them.

    python3 gen_capacity_plan.py <folder of the golden data>

From the definitions, in exact rationals, with the percentile that reproduces those of the golden
serving.json. Requests queue for one server; waits are whole milliseconds. No goal is as close as
1 µs to what it is compared with. It shares no code with the kernels.
"""
from fractions import Fraction as F
import json
import os
import random
import sys

N = 24  # requests of a load test
CONFIGS = [  # name, recall, weights, KV of a token, time of a request and of a token in ms
    ('fp16', '0.998', 16_060_000_000, 131_072, 250, 32),
    ('int8', '0.998', 9_130_000_000, 131_072, 200, 23),
    ('int8+kv_int8', '0.996', 9_130_000_000, 66_560, 160, 21),
    ('int4_g128', '0.983', 5_640_000_000, 131_072, 125, 17),
    ('int4_tensor+kv_int4', '0.438', 5_530_000_000, 34_816, 100, 15)]
RATES = ['1', '2', '3', '4', '5', '6', '7.5', '9.5']
GOALS = [  # TTFT, TPOT, E2E in ms, percentile, least recall
    ('900.3', '50.7', '3000.9', '99', '0.9'), ('900.3', '50.7', '3000.9', '50', '0.9'),
    ('800.3', '30.1', '2500.9', '90', '0.9'), ('900.3', '50.7', '3000.9', '99', '0'),
    ('500.3', '60.1', '1500.9', '75', '0.99'), ('20.3', '60.1', '1500.9', '75', '0')]
MEMORY = [2**30 * gib for gib in (6, 8, 16, 24)]
LONGEST, BLOCK = [100, 8_000, 60_000], 16


def percentile(values, p):
    values = sorted(values)
    rank = F(p) * (len(values) - 1) / 100
    below = rank.numerator // rank.denominator
    return values[below] + (rank - below) * (values[min(below + 1, len(values) - 1)] - values[below])


def load_test(draw, rate, service, token):
    """[(ttft, tpot, e2e)] in ms: one server, one request after another."""
    waits, clock, free = [], 0, 0
    for _ in range(N):
        clock += draw.randrange(1, int(1000 / F(rate))) * draw.choice([0, 0, 2, 6])  # in bursts
        start = max(clock, free)
        free = start + service
        tokens = draw.choice([1, 2, 11, 21, 41])
        ttft = start - clock + draw.randrange(20, 60)
        tpot = 0 if tokens == 1 else token + draw.randrange(0, 12)
        waits.append((ttft, tpot, ttft + tpot * (tokens - 1)))
    return waits


def meets(goals, config, rate, waits):
    *limits, p, floor = [F(g) for g in goals]
    ok = F(rate) * config[4] < 1000 and F(config[1]) >= floor
    for i, limit in enumerate(limits):
        values = [w[i] for w in waits if i != 1 or w[2] > w[0]]
        if values:
            found = percentile(values, p)
            assert abs(found - limit) > F(1, 1000)
            ok = ok and found <= limit
    return ok


with open(os.path.join(sys.argv[1], 'serving.json')) as file:
    golden = json.load(file)
for case in golden['percentiles']:
    values = [F(v) for v in golden['percentile_data']]
    assert abs(percentile(values, case['p']) - F(case['type7'])) < 1e-9

with open('capacity_plan.txt', 'w') as file:
    print('# config: name, recall, weight bytes, KV bytes a token, saturated rate, load tests; '
          'point: rate, requests, and of each ttft, tpot, e2e in ms; goals: ttft, tpot, e2e in ms, '
          'percentile, least recall, which load tests of each config pass, its highest rate; '
          'choice: goals (by number), rate, memory, longest request, tokens a block, config or -1; '
          'made by gen_capacity_plan.py', file=file)
    draw, tests = random.Random(5), []
    for config in CONFIGS:
        name, recall, weights, kv, service, token = config
        print('config', name, recall, weights, kv, float(F(1000, service)), len(RATES), file=file)
        tests.append([load_test(draw, rate, service, token) for rate in RATES])
        for rate, waits in zip(RATES, tests[-1]):
            print('point', rate, N, *[x for w in waits for x in w], file=file)
    for number, goals in enumerate(GOALS):
        highest, passed = [], []
        for config, points in zip(CONFIGS, tests):
            good = [meets(goals, config, rate, waits) for rate, waits in zip(RATES, points)]
            passed += [''.join('01'[g] for g in good)]
            held = (good + [False]).index(False)
            highest.append(RATES[held - 1] if held else '0')
        print('goals', *goals, *passed, *highest, file=file)
        for memory in MEMORY:
            for longest in LONGEST:
                for rate in ('2', '5'):
                    able = []
                    for i, (name, recall, weights, kv, *_) in enumerate(CONFIGS):
                        need = weights + -(-longest // BLOCK) * BLOCK * kv
                        if need <= memory and F(highest[i]) >= F(rate):
                            able.append((need, i))
                    chosen = min(able)[1] if able else -1
                    print('choice', number, rate, memory, longest, BLOCK, chosen, file=file)
