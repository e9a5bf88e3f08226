# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Our kernels beside other libraries'. Part of ./lab.

# package | a file that proves it
PEER_LIBRARIES=(
  'libopenblas-dev|cblas.h'
  'libdnnl-dev|dnnl.hpp'
)

peers() {
  peer_libraries
  # What was installed since the last time is looked for again.
  if configured && [[ ! -e $BUILD/lab_peers ]]; then
    cmake "$BUILD" >"$LOG/configure.txt" 2>&1 || build_failed "$LOG/configure.txt"
  fi
  build_target lab_peers
  exec "$BUILD/lab_peers" "$@"
}

# Each may be missing: the comparison then goes without it.
peer_libraries() {
  local entry package header
  MISSING=()
  for entry in "${PEER_LIBRARIES[@]}"; do
    IFS='|' read -r package header <<<"$entry"
    [[ -n $(find /usr/include /usr/local/include -name "$header" -print -quit 2>/dev/null) ]] ||
      MISSING+=("$package")
  done
  ((${#MISSING[@]})) || return 0
  if have apt-get && may_install; then
    install_missing 'libraries to compare with'
  else
    say "lab: not compared with what is not installed: ${MISSING[*]}"
  fi
}
