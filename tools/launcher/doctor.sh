# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What this machine has, line by line: state, what, and for what is missing its cost. Part of ./lab.

# doctor [--report]
doctor() {
  case ${1-} in
    '') ;;
    --report) report_header ;;
    -h | --help)
      echo 'Usage: ./lab doctor [--report]     --report: with version and commit, for a bug report'
      return
      ;;
    *) fail 2 "doctor: '$1' is not an option; --report is the only one" ;;
  esac
  check_tools
  system_lines
  tool_lines
  library_lines
  processor_lines
  device_lines
  folder_lines
  verdict
}

line() { printf '%-8s %-17s %s\n' "$@"; }

report_header() {
  local commit
  commit=$(git -C "$ROOT" rev-parse --short HEAD 2>/dev/null || echo 'no git')
  if [[ -n $(git -C "$ROOT" status --porcelain --untracked-files=no 2>/dev/null) ]]; then
    commit+=', with local changes'
  fi
  echo "lab $(version), commit $commit, kernel $(uname -r)"
}

system_lines() {
  line ok system "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release 2>/dev/null), $(uname -m)"
}

tool_lines() {
  if [[ -n $COMPILER ]]; then
    line ok compiler "$COMPILER_IS"
  elif [[ -n $COMPILER_IS ]]; then
    line old compiler "$COMPILER_IS; the lab needs g++ $LEAST_GCC or clang $LEAST_CLANG"
  else
    line missing compiler 'without it nothing can be built'
  fi
  if [[ -z $CMAKE_IS ]]; then
    line missing CMake 'without it nothing can be built'
  elif at_least "$CMAKE_IS" "$LEAST_CMAKE"; then
    line ok CMake "$CMAKE_IS"
  else
    line old CMake "$CMAKE_IS; the lab needs $LEAST_CMAKE"
  fi
  if have ninja; then
    line ok 'build tool' "ninja $(ninja --version)"
  elif have make; then
    line ok 'build tool' "$(make --version | head -n 1)"
  else
    line missing 'build tool' 'without ninja or make nothing can be built'
  fi
  if have patch; then
    line ok patch "$(patch --version 2>/dev/null | head -n 1)"
  else
    line missing patch 'the known mistakes of exercises are patches'
  fi
}

library_lines() {
  local entry name package header
  for entry in "${LIBRARIES[@]}"; do
    IFS='|' read -r name package header <<<"$entry"
    if have_header "$header"; then
      # Only Debian's package knows the version; a library from elsewhere is found all the same.
      line ok "$name" "$(dpkg-query -W -f='${Version}' "$package" 2>/dev/null || echo found)"
    else
      line missing "$name" 'the lab is built with it'
    fi
  done
}

# The same levels as kernels/common/isa.h.
isa_level() {
  local flags
  flags=" $(sed -n '/^flags/{s/.*: *//p;q}' /proc/cpuinfo) "
  has() {
    local flag
    for flag; do [[ $flags == *" $flag "* ]] || return 1; done
  }
  if ! has avx2 fma f16c; then
    echo scalar
  elif ! has avx512f avx512bw avx512dq avx512vl; then
    echo avx2
  elif ! has avx512_vnni; then
    echo avx512
  elif ! has avx512_bf16; then
    echo avx512_vnni
  elif ! has amx_tile amx_int8 amx_bf16; then
    echo avx512_bf16
  else
    echo amx
  fi
}

gib() { awk -v bytes="$1" 'BEGIN { printf "%.1f GiB", bytes / 2^30 }'; }

processor_lines() {
  local model level total limit quota period threads
  model=$(sed -n '/^model name/{s/.*: *//p;q}' /proc/cpuinfo)
  level=$(isa_level)
  if [[ $level == scalar ]]; then
    line none instructions "no avx2 on ${model:-this processor}; kernels take the portable path"
  else
    line ok instructions "$level on $model; kernels take their best path up to it"
  fi

  threads="$(nproc) of $(nproc --all) may be used"
  if read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [[ $quota != max ]]; then
    threads+=", with the time of $((quota / period)).$((quota * 10 / period % 10)) cores"
  fi
  line ok threads "$threads"

  total=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) * 1024))
  limit=$(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null |
    head -n 1) || true
  if [[ $limit =~ ^[0-9]+$ ]] && ((limit < total)); then
    line ok memory "$(gib "$limit") for this container, of $(gib "$total")"
  else
    line ok memory "$(gib "$total")"
  fi
}

# Nothing here is needed: the CPU column is the course.
device_lines() {
  local gpu nvcc
  OPTIONAL=()
  if ! have nvidia-smi; then
    line none GPU 'no NVIDIA driver; without it GPU rungs are not run, the CPU column is the course'
  elif gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>&1); then
    line ok GPU "${gpu//$'\n'/; }"
  else
    line fails GPU "found, but its driver says: ${gpu%%$'\n'*}"
  fi
  nvcc=$(PATH=$PATH:/usr/local/cuda/bin command -v nvcc || true)
  if [[ -n $nvcc ]]; then
    line ok 'CUDA Toolkit' "$("$nvcc" --version | sed -n 's/.*release [^,]*, V/nvcc /p')"
  else
    line none 'CUDA Toolkit' 'no nvcc; without it GPU rungs are not built'
  fi
  if have doxygen; then
    line ok doxygen "$(doxygen --version)"
  else
    line none doxygen './lab docs installs it; without it the pages are read in docs/'
    OPTIONAL+=(doxygen)
  fi
}

folder_lines() {
  local free
  free=$(df -Pk "$ROOT" | awk 'NR == 2 { print $4 }')
  if ((free < 1024 * 1024)); then
    line low 'disk space' "$((free / 1024)) MiB; a build takes up to 1 GiB"
  else
    line ok 'disk space' "$((free / 1024 / 1024)) GiB free; a build takes up to 1 GiB"
  fi
  WRITABLE=1
  if [[ ! -w $ROOT ]] || [[ -e $ROOT/build && ! -w $ROOT/build ]]; then
    WRITABLE=''
    line missing 'write access' 'build/ cannot be written; the lab builds there'
  else
    line ok 'write access' 'build/'
  fi
}

verdict() {
  local sudo=''
  ((EUID == 0)) || sudo='sudo '
  echo
  [[ -z $TOO_OLD ]] || echo "$TOO_OLD"
  if ((${#MISSING[@]})); then
    echo "Install what is missing:  ${sudo}apt-get install ${MISSING[*]} ${OPTIONAL[*]}"
  elif ((${#OPTIONAL[@]})); then
    echo "Needed: nothing. For what else is missing:  ${sudo}apt-get install ${OPTIONAL[*]}"
  fi
  if [[ -n $TOO_OLD || -z $WRITABLE ]] || ((${#MISSING[@]})); then
    echo 'The lab cannot be built here yet.'
    exit 3
  fi
  echo 'The lab can be built here.'
}
