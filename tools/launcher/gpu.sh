# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Programs for a GPU, built in a folder of their own. Part of ./lab.

# Whether the words ask for a GPU: --device cuda, or --device=cuda.
asks_for_gpu() {
  [[ " $* " == *' --device cuda '* || " $* " == *' --device=cuda '* ]]
}

# bench_gpu <words>: ./lab bench --device cuda [PART OF AN OPERATION AND SHAPE] [--json FILE]
bench_gpu() {
  local words=()
  while (($#)); do
    case $1 in
      --device) shift ;;
      --device=*) ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  have nvcc || [[ -x /usr/local/cuda/bin/nvcc ]] ||
    fail 2 'there is no nvcc here; install the CUDA Toolkit to build what runs on a GPU'
  BUILD=$ROOT/build/cuda
  # shellcheck disable=SC2034  # of build.sh
  PRESET=cuda
  build_target lab_gpu
  exec "$BUILD/lab_gpu" "${words[@]}"
}
