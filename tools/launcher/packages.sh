# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the lab is built with: whether it is here, and how it gets here. Part of ./lab.

LEAST_CMAKE=3.25
LEAST_GCC=12
LEAST_CLANG=14

# name | Debian and Ubuntu package | a header that proves it
LIBRARIES=(
  'GoogleTest|libgtest-dev|gtest/gtest.h'
  'GoogleMock|libgmock-dev|gmock/gmock.h'
  'Google Benchmark|libbenchmark-dev|benchmark/benchmark.h'
  'fmt|libfmt-dev|fmt/format.h'
  'CLI11|libcli11-dev|CLI/CLI.hpp'
  'nlohmann-json|nlohmann-json3-dev|nlohmann/json.hpp'
)

have() { command -v "$1" >/dev/null 2>&1; }

# at_least <version> <least version>
at_least() { [[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

# Whether header $1 is where compilers and CMake look.
have_header() {
  local dirs=() prefixes=() dir
  IFS=: read -ra dirs <<<"${CPATH-}"
  IFS=':;' read -ra prefixes <<<"${CMAKE_PREFIX_PATH-}"
  for dir in "${dirs[@]}" "${prefixes[@]/%//include}" /usr/local/include /usr/include; do
    [[ -n $dir && -e $dir/$1 ]] && return 0
  done
  return 1
}

# Sets COMPILER to a C++ compiler that is new enough and COMPILER_IS to its name and version. With
# only an old one here, COMPILER stays empty and COMPILER_IS names it.
find_compiler() {
  local cxx clang gcc candidates=(c++ g++ clang++ g++-14 g++-13 g++-12)
  [[ -z ${CXX-} ]] || candidates=("$CXX")
  COMPILER='' COMPILER_IS=''
  for cxx in "${candidates[@]}"; do
    # Asking the preprocessor also proves that the C++ part is there. CXX may be 'ccache g++'.
    # shellcheck disable=SC2086
    read -r clang gcc < <($cxx -E -P -x c++ - <<<'__clang_major__ __GNUC__' 2>/dev/null |
      tail -n 1) || continue
    if [[ $clang =~ ^[0-9]+$ ]]; then
      COMPILER_IS="clang $clang ($cxx)"
      ((clang >= LEAST_CLANG)) || continue
    else
      COMPILER_IS="g++ $gcc ($cxx)"
      ((gcc >= LEAST_GCC)) || continue
    fi
    COMPILER=$cxx
    return
  done
}

# shellcheck disable=SC2034  # name and TOO_OLD are read elsewhere
# Sets MISSING to the packages that are not here and TOO_OLD to a sentence, or to nothing.
check_tools() {
  local entry name package header
  MISSING=() TOO_OLD=''
  find_compiler
  if [[ -z $COMPILER && -n $COMPILER_IS ]]; then
    TOO_OLD="$COMPILER_IS is too old, the lab needs g++ $LEAST_GCC or clang $LEAST_CLANG: \
apt-get install g++-$LEAST_GCC"
  elif [[ -z $COMPILER ]]; then
    MISSING+=(g++)
  fi
  CMAKE_IS=''
  if have cmake; then
    CMAKE_IS=$(cmake --version | sed -n 's/^cmake version //p')
    at_least "$CMAKE_IS" "$LEAST_CMAKE" || TOO_OLD=$(old_cmake "$CMAKE_IS")
  else
    MISSING+=(cmake)
  fi
  have ninja || have make || MISSING+=(ninja-build)
  have patch || MISSING+=(patch)  # the known mistakes of exercises are patches
  for entry in "${LIBRARIES[@]}"; do
    IFS='|' read -r name package header <<<"$entry"
    have_header "$header" || MISSING+=("$package")
  done
}

old_cmake() {
  echo "CMake $1 is too old, the lab needs $LEAST_CMAKE: a newer one comes with 'pipx install cmake'," \
    "or with Debian 12 or Ubuntu 24.04"
}

# Runs the rest of the line as root; only called when that needs no password.
as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# Whether packages may be installed without asking. -k: a password typed a minute ago is no leave to use it.
may_install() { ((EUID == 0)) || { have sudo && sudo -k -n true 2>/dev/null; }; }

# install_missing <what for>: installs MISSING, or names the one command that does and ends.
install_missing() {
  local log=$LOG/packages.txt command="apt-get install -y ${MISSING[*]}" candidate
  if ! have apt-get; then
    fail 3 "these Debian packages, by whatever name this system has them, are missing: \
${MISSING[*]}; libraries can also come from 'cmake --preset default -DQLAB_FETCH=ON'"
  fi
  if ! may_install; then
    fail 3 "packages are missing; have an administrator run:  sudo $command"
  fi
  say "Installing $1: ${MISSING[*]}"
  say "The log is build/log/packages.txt."
  as_root apt-get update >"$log" 2>&1 || say "The package lists could not be renewed; using those here."
  candidate=$(apt-cache policy cmake 2>/dev/null | sed -n 's/.*Candidate: *//p')
  if [[ " ${MISSING[*]} " == *' cmake '* && $candidate == [0-9]* ]]; then
    at_least "$candidate" "$LEAST_CMAKE" || fail 3 "$(old_cmake "$candidate")"
  fi
  run_apt "$log" || fail 3 "apt-get could not install them: \
$(grep -m 1 '^E: ' "$log" || echo 'see the log'); to try by hand:  $command"
}

# Ctrl-C in the middle would leave packages half installed, so the installation has a session of its
# own and is waited for.
run_apt() {
  local log=$1 pid status=0 stopped=0
  as_root env DEBIAN_FRONTEND=noninteractive setsid -w apt-get install -y --no-install-recommends \
    "${MISSING[@]}" >>"$log" 2>&1 </dev/null 9>&- &
  pid=$!
  trap 'stopped=1; say "Stopping after this installation; half of it would be worse."' INT
  SECONDS=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1 || true  # Ctrl-C ends it
    ((SECONDS % 10 || stopped)) || say "installing packages, $SECONDS s"
  done
  wait "$pid" || status=$?
  ((!stopped)) || exit 130
  trap 'echo >&2; exit 130' INT
  return "$status"
}
