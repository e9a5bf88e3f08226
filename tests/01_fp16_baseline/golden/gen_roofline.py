#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""roofline.csv: ridge and turning batch M* of four GPUs, from the numbers of their data sheets (dense).

Python 3, no packages; run it in this folder. M* counts the weights as bytes, not the activations.
"""
import csv

MACHINES = [  # name, FP16 FLOP/s, INT8 op/s, bytes/s
    ('A100 SXM 80GB', 312e12, 624e12, 2.039e12),
    ('H100 SXM', 989e12, 1979e12, 3.35e12),
    ('H200 SXM', 989e12, 1979e12, 4.8e12),
    ('L4', 121e12, 242e12, 0.3e12),
]

with open('roofline.csv', 'w', newline='') as f:
    out = csv.writer(f)
    out.writerow(['hardware (datasheet, dense; unverified)', 'fp16_flops', 'bytes_per_s',
                  'ridge_flop_per_byte', 'M* w16a16', 'M* w8a8', 'M* w4a16 (g128, 4.125 bits)'])
    for name, fp16, int8, bandwidth in MACHINES:
        ridge = fp16 / bandwidth
        out.writerow([name, '%.4g' % fp16, '%.4g' % bandwidth, '%.1f' % ridge, '%.1f' % ridge,
                      '%.1f' % (int8 / bandwidth / 2), '%.1f' % (ridge * 4.125 / 16)])
