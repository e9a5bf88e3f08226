#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""continuous_batching.txt: the five traces `scheduler` of the golden serving.json, as plain numbers.

    python3 gen_continuous_batching.py <folder of the golden data>

The traces come from a script that shares no code with the lab. A step is one unit of time. A list
is written as its length and its elements.
"""
import json
import os
import sys


def numbers(values):
    return ' '.join(str(v) for v in [len(values), *values])


with open(os.path.join(sys.argv[1], 'serving.json')) as file:
    traces = json.load(file)['scheduler']
with open('continuous_batching.txt', 'w') as file:
    print('# block_tokens total_blocks max_running max_tokens_per_step chunked, requests, steps; '
          'a request a line: arrival, prompt, output; a step a line, as lists: decode, prefill '
          '(id, tokens, id, ...), preempted, finished, running, waiting; free blocks; '
          'made by gen_continuous_batching.py', file=file)
    print(len(traces), file=file)
    for t in traces:
        requests = t['requests_arrival_prompt_output']
        print(t['block_tokens'], t['total_blocks'], t['max_running'], t['max_tokens_per_step'],
              int(t['chunked_prefill']), len(requests), len(t['trace']), file=file)
        for request in requests:
            print(*request, file=file)
        for i, step in enumerate(t['trace']):
            assert step['step'] == i + 1
            lists = [step['decode'], sum(step['prefill'], []), step['preempted'],
                     step['finished'], step['running'], step['waiting']]
            print(*[numbers(v) for v in lists], step['free_blocks'], file=file)
