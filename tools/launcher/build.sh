# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Configures and builds, once for everybody who asks at the same time. Part of ./lab.

# build_target <target>: afterwards it is up to date. With nothing to do it says nothing.
build_target() {
  { mkdir -p "$LOG" && : >>"$ROOT/build/.lock"; } 2>/dev/null ||
    fail 3 "cannot write $ROOT/build; the lab builds there"
  exec 9>"$ROOT/build/.lock"
  if ! flock -n 9; then
    say 'Another ./lab is building here; waiting for it.'
    flock 9
  fi
  configured || configure
  [[ -e $BUILD/lab || $PRESET != default ]] || introduce
  compile "$1"
  exec 9>&-
}

# Something to read while the first build runs.
introduce() {
  say ''
  say 'What        A language model is numbers. You will store its weights and its cache in 16, 8 and'
  say '            4 bits, and write the kernels that compute with them.'
  say 'Bottleneck  To write one token a model reads every weight once, so memory sets the pace: fewer'
  say '            bits are fewer bytes. Whether they are less time, and what they cost, is measured.'
  say 'Plan        FP16, then INT8 with calibration, INT4 weights, the KV cache. Each exercise is one'
  say '            file in labs/, about 10 to 20 minutes; ./lab checks it each time you save.'
  say ''
}

# Whether CMake ran to its end for this very folder: a build folder that was moved is of no use.
configured() {
  [[ -e $BUILD/build.ninja || -e $BUILD/Makefile ]] &&
    grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$ROOT" "$BUILD/CMakeCache.txt" 2>/dev/null
}

configure() {
  local log=$LOG/configure.txt options=()
  check_tools
  [[ -z $TOO_OLD ]] || fail 3 "$TOO_OLD"
  if ((${#MISSING[@]})); then
    install_missing 'what the lab is built with (compiler, build tools, libraries)'
    check_tools
    [[ -z $TOO_OLD ]] || fail 3 "$TOO_OLD"
  fi
  [[ -n ${CXX-} ]] || options+=("-DCMAKE_CXX_COMPILER=$COMPILER")
  have ninja || options+=(-G 'Unix Makefiles')
  [[ ! -e $BUILD/CMakeCache.txt ]] || options+=(--fresh)
  say 'Configuring the lab.'
  (cd "$ROOT" && cmake --preset "$PRESET" "${options[@]}") >"$log" 2>&1 9>&- || build_failed "$log"
  [[ $PRESET == default ]] || return 0
  # Where clangd looks for it. Without it only the editor knows less.
  ln -sfn build/default/compile_commands.json "$ROOT/compile_commands.json" 2>/dev/null || true
}

compile() {
  local log=$LOG/build.txt
  # In the foreground, all of it: Ctrl-C reaches the build tool, which removes half-written files.
  { NINJA_STATUS='[%f/%t] ' cmake --build "$BUILD" --target "$1" --parallel "$(nproc)" 2>&1 9>&- |
    tee "$log" | show_progress; } || build_failed "$log"
}

# Reads the build tool's lines: "[12/87] …" from ninja, "[ 14%] …" from make.
show_progress() {
  local line done_ total left draw='' next=0 start=$SECONDS
  [[ -t 2 && -z ${NO_COLOR-} && ${TERM-dumb} != dumb ]] && draw=1
  while IFS= read -r line; do
    [[ $line != *Re-checking* && $line != *Re-running* ]] || continue
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
      done_=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
    elif [[ $line =~ ^\[\ *([0-9]+)%\]\ Building ]]; then
      done_=${BASH_REMATCH[1]} total=100
    else
      continue
    fi
    # The first few files say little about the rest.
    left=''
    ((done_ * 20 < total || SECONDS - start < 3)) ||
      left=", about $(((SECONDS - start) * (total - done_) / done_)) s left"
    if [[ -n $draw ]]; then
      printf '\r\033[Kbuilding %s/%s%s' "$done_" "$total" "$left" >&2
    elif ((SECONDS >= next)); then
      say "building $done_/$total$left"
      next=$((SECONDS + 10))
    fi
  done
  [[ -z $draw || -z ${total-} ]] || printf '\r\033[K' >&2
}

# build_failed <log>: shows the first error, not the last, and ends.
build_failed() {
  local log=$1
  if grep -q '^CMake Error' "$log"; then
    sed -n '/^CMake Error/,/^Call Stack\|^-- Configuring/{/^Call Stack\|^-- Configuring/d;p}' "$log" |
      head -n 16 >&2
  else
    { grep -m 1 -A 2 -E '(^|[ :])error: |undefined reference|Killed' "$log" || tail -n 3 "$log"; } |
      sed "s|$ROOT/||g" | cut -c 1-160 >&2
  fi
  fail 3 "the build failed; all of it is in build/log/$(basename "$log")"
}
