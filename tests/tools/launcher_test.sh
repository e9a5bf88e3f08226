#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./lab itself, in a copy whose path has a blank, with stand-ins for CMake, the compiler and apt-get:
# what it asks them for, what it says, how it ends. Nothing is built and nothing is installed.
# shellcheck disable=SC2016  # what a stand-in prints is expanded when it runs
set -uo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root="$scratch/a lab" bin=$scratch/bin
export CALLS=$scratch/calls
failures=0

fail() {
  printf 'FAILED: %s\n' "$*"
  failures=$((failures + 1))
}

# expect <exit code> <words> <command…>: what the command prints, on both streams, holds the words.
expect() {
  local code=$1 words=$2 got=0
  shift 2
  output=$("$@" 2>&1) || got=$?
  [[ $got == "$code" ]] || fail "exit code $got instead of $code from: $*; it said: $output"
  [[ $output == *"$words"* ]] || fail "no '$words' in what $* said: $output"
}

expect_no() {
  [[ $output != *"$1"* ]] || fail "'$1' in: $output"
}

stand_in() {
  cat >"$bin/$1"
  chmod +x "$bin/$1"
}

# A machine that has only the tools named here.
new_machine() {
  local tool
  rm -rf "$root" "$bin"
  mkdir -p "$root/tools" "$bin"
  cp "$source_dir/lab" "$source_dir/CMakeLists.txt" "$root"
  cp -R "$source_dir/tools/launcher" "$root/tools"
  for tool in awk basename bash cat chmod cp cut date df dirname env flock grep head ln make mkdir mktemp nproc \
    patch readlink rm sed setsid sleep sort tail tee true uname; do
    ln -s "$(type -P "$tool")" "$bin/$tool"
  done
  : >"$CALLS"
  stand_in c++ <<<'#!/usr/bin/env bash
echo "__clang_major__ ${FAKE_GCC-12}"'
  stand_in sudo <<<'#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
[[ -n ${FAKE_SUDO-} ]] && exec "$@"'
  cmake_stand_in "$bin/cmake"
  # Libraries that the real machine may lack.
  for tool in gtest/gtest.h gmock/gmock.h benchmark/benchmark.h fmt/format.h CLI/CLI.hpp \
    nlohmann/json.hpp; do
    mkdir -p "$scratch/prefix/include/${tool%/*}"
    : >"$scratch/prefix/include/$tool"
  done
}

# Configures and builds a `lab` that prints its arguments and ends with 4.
cmake_stand_in() {
  cat >"$1" <<'END'
#!/usr/bin/env bash
echo "cmake $*" >>"$CALLS"
case $1 in
  --version) echo "cmake version ${FAKE_CMAKE-3.25.1}" ;;
  --preset)
    mkdir -p "build/$2"
    echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >"build/$2/CMakeCache.txt"
    [[ -z ${FAKE_MISSING-} ]] || { printf 'CMake Error at x:1:\n  benchmark is missing\n'; exit 1; }
    : >"build/$2/build.ninja"
    ;;
  --build)
    mkdir "$2/busy" || exit 1  # fails when two builds run at once
    echo '[1/2] Building CXX object a.o'
    trap 'exit 1' INT  # as ninja does: it tidies up and ends by itself
    sleep "${FAKE_SECONDS-0}"
    rm -r "$2/busy"
    if [[ -n ${FAKE_ERROR-} ]]; then
      echo "kernels/a.cc:3:5: error: 'x' was not declared"
      printf '    3 | x\n      | ^\n'
      echo "kernels/b.cc:9:9: error: a later one"
      exit 1
    fi
    printf '#!/usr/bin/env bash\nprintf "<%%s>" "$@"\nexit 4\n' >"$2/lab"
    cp "$2/lab" "$2/lab_docs"
    # Writes what it is told to write, or fails.
    cat >"$2/lab_gpu" <<'GPU'
#!/usr/bin/env bash
echo "lab_gpu $*" >>"$CALLS"
[[ -z ${FAKE_GPU-} ]] || { echo "lab compare --device cuda: there is no GPU here" >&2; exit "$FAKE_GPU"; }
[[ $* != *--json* ]] || : >"${@: -1}"
GPU
    chmod +x "$2/lab" "$2/lab_docs" "$2/lab_gpu"
    ;;
esac
END
  chmod +x "$1"
}

lab() { env PATH="$bin" CMAKE_PREFIX_PATH="$scratch/prefix" "$root/lab" "$@"; }

help_needs_no_tools() {
  rm "$bin/c++" "$bin/cmake"
  expect 0 './lab check' lab help
  expect 0 'Exit codes' lab help
  expect 0 'Exit codes' lab --help
  expect 0 "lab $(sed -n 's/^project(.*VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")" lab --version
  cd / && expect 0 'lab 0' lab --version
  [[ ! -e $root/build ]] || fail 'help wrote a build folder'
}

a_wrong_command_is_named() {
  expect 2 "'compair' is not a command; did you mean ./lab compare?" lab compair
  expect 2 'did you mean ./lab selftest?' lab self
  expect 2 "'zzzzzzzzz' is not a command; all of them: ./lab help" lab zzzzzzzzz
  expect 2 "'--frob'" lab --frob
  expect 2 "'--frob'" lab doctor --frob
}

doctor_judges_the_machine() {
  expect 0 'The lab can be built here.' lab doctor
  expect 0 'commit ' lab doctor --report
  rm "$bin/patch"
  expect 3 'apt-get install patch' lab doctor
  rm "$bin/cmake"
  expect 3 'missing  CMake' lab doctor
  expect 3 'apt-get install cmake' lab doctor
  FAKE_GCC=9 expect 3 'old      compiler' lab doctor
}

arguments_and_exit_code_pass_through() {
  expect 4 '<compare><--json><a b.json><>' lab compare --json 'a b.json' ''
  grep -q -- '--build.*--target lab ' "$CALLS" || fail "compare builds more than lab: $(<"$CALLS")"
  expect 4 '<bench><w8a8_gemm>' lab bench w8a8_gemm
  grep -q -- '--build.*--target all ' "$CALLS" && fail "bench builds more than lab: $(<"$CALLS")"
  expect 4 '<selftest>' lab selftest
  grep -q -- '--build.*--target all ' "$CALLS" || fail "selftest does not build all: $(<"$CALLS")"
  [[ $(grep -c -- --preset "$CALLS") == 1 ]] || fail "configured twice: $(<"$CALLS")"
  [[ -L $root/compile_commands.json ]] || fail 'no compile_commands.json for editors'
}

exercises_need_only_the_program() {
  local command
  expect 4 '<>' lab
  for command in list check watch next hint solution diff reset predict docs verify; do
    expect 4 "<$command><gemv>" lab "$command" gemv
  done
  expect 4 '<--json>' lab --json
  grep -- --build "$CALLS" | grep -qv -- '--target lab ' && fail "builds more: $(<"$CALLS")"
  expect 2 "'chekc' is not a command; did you mean ./lab check?" lab chekc
  expect 2 'did you mean ./lab solution?' lab sol
}

a_gpu_needs_nvcc() {
  export CUDA_HOME=$scratch/nowhere
  local words
  for words in 'bench --device cuda' 'compare --device=cuda' 'compare --quick --device cuda'; do
    # shellcheck disable=SC2086
    expect 2 'there is no nvcc here; install the CUDA Toolkit' lab $words
  done
  [[ ! -e $root/build ]] || fail 'something was built without nvcc'
  unset CUDA_HOME
}

a_gpu_measures_and_lab_judges() {
  stand_in nvcc <<<'#!/usr/bin/env bash'
  local times=$root/build/cuda/compare_times.json
  expect 4 "<compare><--device><$times><--quick><--json><a b.json>" \
    lab compare --quick --device cuda --json 'a b.json'
  expect_no 'cuda>'
  grep -q -- "^lab_gpu --compare --quick --json $times" "$CALLS" || fail "not so: $(<"$CALLS")"
  [[ $output == *'./lab compare --device build/cuda/compare_times.json'* ]] || fail "no file named: $output"
  expect 4 "<compare><--device><$times>" lab compare --device=cuda
  grep -q -- "^lab_gpu --compare --json $times" "$CALLS" || fail "not so: $(<"$CALLS")"
  [[ $(lab compare --device cuda 2>/dev/null) == "<compare><--device><$times>" ]] ||
    fail 'more than the answer on standard output'
  expect 0 '' lab bench --device cuda gemm --json "$scratch/b.json"
  grep -q -- "^lab_gpu gemm --json $scratch/b.json" "$CALLS" || fail "not so: $(<"$CALLS")"
}

a_gpu_that_fails_ends_it() {
  stand_in nvcc <<<'#!/usr/bin/env bash'
  lab compare --device cuda >/dev/null 2>&1
  FAKE_GPU=2 expect 2 'there is no GPU here' lab compare --device cuda
  expect_no '<compare>'
  [[ ! -e $root/build/cuda/compare_times.json ]] || fail 'old times are still there'
  FAKE_GPU=3 expect 3 'there is no GPU here' lab compare --device cuda
}

a_gpu_has_no_code_of_the_cpu() {
  expect 2 '--mine is about kernels on the CPU' lab compare --device cuda --mine
  expect 2 '--isa is about kernels on the CPU' lab compare --isa=avx2 --device cuda
  [[ ! -e $root/build ]] || fail 'it was built before it was refused'
}

times_of_a_gpu_are_a_file() {
  expect 4 '<compare><--device><h200.json>' lab compare --device h200.json
  expect 4 '<compare><--device><cpu>' lab compare --device cpu
  ! grep -q 'lab_gpu' "$CALLS" || fail "a GPU was asked: $(<"$CALLS")"
}

docs_make_the_site() {
  stand_in doxygen <<<'#!/usr/bin/env bash'
  expect 4 "<make><$root/build/default/docs>" lab docs
  grep -q -- '--build.*--target lab_docs ' "$CALLS" || fail "docs builds more: $(<"$CALLS")"
  expect 4 '<write>' lab docs --write
  expect 4 '<check>' lab docs --check
  expect 4 '<docs><gemv><--page>' lab docs gemv --page
}

docs_without_doxygen_name_what_is_missing() {
  expect 3 'doxygen' lab docs
  expect 3 'read the pages as they are, from docs/README.md on' lab docs
  stand_in apt-cache <<<'#!/usr/bin/env bash'
  stand_in apt-get <<<'#!/usr/bin/env bash
echo "apt-get $*" >>"$CALLS"
[[ $1 != install ]] || { echo "#!/usr/bin/env bash" >"${0%/*}/doxygen"; chmod +x "${0%/*}/doxygen"; }'
  if ((EUID != 0)); then
    expect 3 'have an administrator install them' lab docs
  fi
  FAKE_SUDO=1 expect 4 '<make>' lab docs
  grep -q 'apt-get install -y --no-install-recommends doxygen' "$CALLS" ||
    fail "not installed: $(<"$CALLS")"
}

the_first_build_has_something_to_read() {
  expect 4 'Bottleneck' lab list
  [[ $(lab list 2>/dev/null) == '<list>' ]] || fail 'it went to standard output'
  expect 4 '<list>' lab list
  expect_no 'Bottleneck'
}

help_fits_a_terminal() {
  output=$(lab help)
  (($(wc -l <<<"$output") <= 24)) || fail "help has $(wc -l <<<"$output") lines"
  [[ -z $(awk 'length($0) > 80' <<<"$output") ]] || fail 'help is wider than 80 columns'
}

standard_output_holds_only_the_answer() {
  [[ $(lab compare 2>/dev/null) == '<compare>' ]] || fail "not only the answer: $(lab compare 2>&1)"
}

a_moved_folder_is_configured_again() {
  lab compare >/dev/null 2>&1
  mv "$root" "$root 2" && root="$root 2"
  expect 4 '<compare>' lab compare
  grep -q -- '--preset default.*--fresh' "$CALLS" || fail "not configured afresh: $(<"$CALLS")"
  root=${root% 2} && rm -rf "$root 2"
}

a_failed_build_shows_its_first_error() {
  FAKE_ERROR=1 expect 3 "kernels/a.cc:3:5: error: 'x' was not declared" lab compare
  expect_no 'a later one'
  [[ $output == *'build/log/build.txt' ]] || fail "the log is not named last: $output"
  rm -r "$root/build"
  FAKE_MISSING=1 expect 3 'benchmark is missing' lab compare
  FAKE_MISSING=1 expect 3 'build/log/configure.txt' lab compare
}

old_tools_are_named() {
  FAKE_CMAKE=3.22.1 expect 3 'CMake 3.22.1 is too old, the lab needs 3.25' lab compare
  FAKE_GCC=11 expect 3 'g++ 11 (c++) is too old, the lab needs g++ 12 or clang 14' lab compare
}

missing_tools_are_named_or_installed() {
  mv "$bin/cmake" "$scratch/cmake-to-install"
  stand_in apt-cache <<<'#!/usr/bin/env bash
echo "  Candidate: ${FAKE_CANDIDATE-3.25.1-1}"'
  stand_in apt-get <<<'#!/usr/bin/env bash
echo "apt-get $* $DEBIAN_FRONTEND" >>"$CALLS"
[[ $1 != install ]] || cp "${0%/bin/*}/cmake-to-install" "${0%/*}/cmake"'
  if ((EUID != 0)); then
    expect 3 'have an administrator run:  sudo apt-get install -y cmake' lab compare
  fi
  export FAKE_SUDO=1
  FAKE_CANDIDATE=3.22.1-1ubuntu1 expect 3 'is too old' lab compare
  ! grep -q 'apt-get install' "$CALLS" || fail 'installs what is too old'
  expect 4 '<compare>' lab compare
  grep -q 'apt-get install -y --no-install-recommends cmake noninteractive' "$CALLS" ||
    fail "not installed: $(<"$CALLS")"
  unset FAKE_SUDO
}

without_apt_packages_are_named() {
  rm "$bin/cmake"
  expect 3 'cmake' lab compare
}

two_at_once_take_turns() {
  lab compare >"$scratch/first" 2>&1 &
  FAKE_SECONDS=1 lab compare >"$scratch/second" 2>&1
  [[ $? == 4 ]] || fail "second: $(<"$scratch/second")"
  wait $!
  [[ $? == 4 ]] || fail "first: $(<"$scratch/first")"
}

ctrl_c_ends_with_130() {
  lab compare >/dev/null 2>&1
  # A background process ignores the signal unless told otherwise.
  FAKE_SECONDS=30 PATH=$bin setsid "$(type -P env)" --default-signal=INT "$root/lab" compare \
    >"$scratch/out" 2>&1 &
  local pid=$!
  until [[ -d $root/build/default/busy ]] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
  kill -INT -- -$pid
  wait $pid
  [[ $? == 130 ]] || fail "not 130 after Ctrl-C: $(<"$scratch/out")"
  output=$(<"$scratch/out")
  expect_no 'failed'
}

no_escape_bytes_without_a_terminal() {
  NO_COLOR=1 expect 0 'ok ' lab doctor
  expect_no $'\033'
  FAKE_SECONDS=0 expect 4 'building 1/2' lab compare
  expect_no $'\033'
  expect_no $'\r'
}

for case in help_needs_no_tools a_wrong_command_is_named doctor_judges_the_machine \
  arguments_and_exit_code_pass_through exercises_need_only_the_program docs_make_the_site \
  a_gpu_needs_nvcc a_gpu_measures_and_lab_judges a_gpu_that_fails_ends_it a_gpu_has_no_code_of_the_cpu \
  times_of_a_gpu_are_a_file \
  docs_without_doxygen_name_what_is_missing \
  the_first_build_has_something_to_read help_fits_a_terminal standard_output_holds_only_the_answer \
  a_moved_folder_is_configured_again a_failed_build_shows_its_first_error old_tools_are_named \
  missing_tools_are_named_or_installed without_apt_packages_are_named two_at_once_take_turns \
  ctrl_c_ends_with_130 no_escape_bytes_without_a_terminal; do
  new_machine
  before=$failures
  "$case"
  cd "$source_dir" || exit 1
  ((failures > before)) && echo "  in $case"
done
if ((failures)); then
  echo "$failures expectations failed"
  exit 1
fi
echo 'launcher: every expectation held'
