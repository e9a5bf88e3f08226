#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the profiler counts of each rung, as JSON: is it bound by memory or by its units, and why?

    tools/gpu/counters.py build/cuda/lab_gpu counters.json "bf16_gemm, M = 4096, N = 4096" …

Needs Nsight Compute (ncu), and a GPU whose counters this user may read. A kernel is profiled once, with
caches emptied before it; its duration is not its time, for clocks and caches are the profiler's.
"""
import csv
import io
import json
import subprocess
import sys

METRICS = {
    'gpu__time_duration.sum': 'nanoseconds',
    'dram__bytes_read.sum': 'dram_read_bytes',
    'dram__bytes_write.sum': 'dram_written_bytes',
    'dram__throughput.avg.pct_of_peak_sustained_elapsed': 'dram_percent',
    'l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum': 'load_requests',
    'l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum': 'load_sectors',
    'l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum': 'bank_conflicts',
    'smsp__inst_executed.sum': 'instructions',
    'sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed': 'tensor_percent',
}
UNITS = {'byte': 1, 'Kbyte': 1e3, 'Mbyte': 1e6, 'Gbyte': 1e9, 'ns': 1, 'us': 1e3, 'ms': 1e6,
         'nsecond': 1, 'usecond': 1e3, 'msecond': 1e6}


def profiled(program, problem):
    """Rows of ncu's table for the rungs of one problem."""
    run = subprocess.run(['ncu', '--clock-control', 'none', '--profile-from-start', 'off', '--nvtx',
                          '--print-nvtx-rename', 'kernel', '--csv', '--metrics', ','.join(METRICS),
                          program, problem, '--once'], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f'counters.py: ncu on {problem}: {run.stdout[-500:]}{run.stderr[-500:]}')
    table = run.stdout[run.stdout.index('"ID"'):]
    return csv.DictReader(io.StringIO(table))


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    rungs = {}
    for problem in sys.argv[3:]:
        for row in profiled(sys.argv[1], problem):
            metric = METRICS.get(row['Metric Name'])
            if metric is None or row['Metric Value'] in ('', 'n/a'):
                continue
            value = float(row['Metric Value'].replace(',', '')) * UNITS.get(row['Metric Unit'], 1)
            operation, shape, path = row['Kernel Name'].split(' | ')
            device = row.get('Device Name', '') or row.get('Device', '')
            rung = rungs.setdefault((row['ID'], row['Kernel Name']), {
                'operation': operation, 'shape': shape, 'path': path, 'device': device})
            rung[metric] = value
    table = list(rungs.values())
    for rung in table:
        if rung.get('load_requests'):
            rung['sectors_a_request'] = round(rung['load_sectors'] / rung['load_requests'], 2)
    with open(sys.argv[2], 'w') as file:
        json.dump({'schema': 'quantization-lab.gpu_counters', 'schema_version': 1, 'table': table},
                  file, indent=1)


if __name__ == '__main__':
    main()
