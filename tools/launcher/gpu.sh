# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Programs for a GPU, built in a folder of their own. Part of ./lab.

# Whether the words ask for a GPU: --device cuda, or --device=cuda.
asks_for_gpu() {
  [[ " $* " == *' --device cuda '* || " $* " == *' --device=cuda '* ]]
}

# Sets WORDS to the words without --device.
leave_device_out() {
  WORDS=()
  while (($#)); do
    case $1 in
      --device) shift ;;
      --device=*) ;;
      *) WORDS+=("$1") ;;
    esac
    (($# == 0)) || shift
  done
}

need_nvcc() {
  have nvcc || [[ -x ${CUDA_HOME:-/usr/local/cuda}/bin/nvcc ]] ||
    fail 2 'there is no nvcc here; install the CUDA Toolkit to build what runs on a GPU'
}

# shellcheck disable=SC2034  # PRESET is of build.sh
build_gpu() {
  BUILD=$ROOT/build/cuda
  PRESET=cuda
  build_target lab_gpu
}

# bench_gpu <words>: ./lab bench --device cuda [PART OF AN OPERATION AND SHAPE] [--json FILE]
bench_gpu() {
  leave_device_out "$@"
  need_nvcc
  build_gpu
  exec "$BUILD/lab_gpu" "${WORDS[@]}"
}

# compare_gpu <words>: ./lab compare --device cuda …: lab_gpu measures, lab judges what it wrote.
compare_gpu() {
  local lab=$BUILD/lab times=$ROOT/build/cuda/compare_times.json quick=() word
  leave_device_out "$@"
  for word in "${WORDS[@]}"; do
    case $word in
      --quick) quick=(--quick) ;;
      --mine | --isa | --isa=*)
        fail 2 "${word%%=*} is about kernels on the CPU, and --device cuda about times of a GPU; leave one out"
        ;;
    esac
  done
  need_nvcc
  build_target lab
  build_gpu
  rm -f "$times"
  "$BUILD/lab_gpu" --compare "${quick[@]}" --json "$times" || exit $?
  say "Their times are in ${times#"$ROOT"/}; to judge them again: ./lab compare --device ${times#"$ROOT"/}"
  exec "$lab" compare --device "$times" "${WORDS[@]}"
}
