# SPDX-License-Identifier: Apache-2.0
# The libraries that the lab uses and does not write: from the system, or, when asked, from the
# network at the exact commit of a release.
option(QLAB_FETCH "Download the libraries that this system does not have" OFF)

# A library's options are for those who develop it; here only its targets count.
set(INSTALL_GTEST OFF)
set(BENCHMARK_ENABLE_TESTING OFF)
set(BENCHMARK_ENABLE_INSTALL OFF)
set(BENCHMARK_ENABLE_WERROR OFF)
set(FMT_INSTALL OFF)

# lab_dependency(<package> <least version> <apt packages> <owner/name> <commit>)
# A missing library is noted, not yet fetched: all that is missing is named in one message.
macro(lab_dependency package version apt repository commit)
  find_package(${package} ${version} QUIET)
  if(NOT ${package}_FOUND)
    set(found "")
    if(${package}_CONSIDERED_VERSIONS)
      set(found " (found only ${${package}_CONSIDERED_VERSIONS})")
    endif()
    string(APPEND lab_missing "  ${package} ${version} or newer${found}\n")
    string(APPEND lab_missing_apt " ${apt}")
    string(TOLOWER ${package} name)
    FetchContent_Declare(${name} SYSTEM
      GIT_REPOSITORY https://github.com/${repository}.git GIT_TAG ${commit})
    list(APPEND lab_to_fetch ${name})
  endif()
endmacro()

include(FetchContent)
find_package(Threads REQUIRED)
lab_dependency(GTest 1.12 "libgtest-dev libgmock-dev" google/googletest
  52eb8108c5bdec04579160ae17225d66034bd723)  # v1.17.0
lab_dependency(benchmark 1.7 libbenchmark-dev google/benchmark
  192ef10025eb2c4cdd392bc502f0c852196baa48)  # v1.9.5
lab_dependency(fmt 9 libfmt-dev fmtlib/fmt
  40626af88bd7df9a5fb80be7b25ac85b122d6c21)  # 11.2.0
lab_dependency(CLI11 2.1 libcli11-dev CLIUtils/CLI11
  37bb6edc5317e99af72ef48405e65d9ca5218861)  # v2.6.2
lab_dependency(nlohmann_json 3.11 nlohmann-json3-dev nlohmann/json
  9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03)  # v3.11.3

if(lab_missing AND NOT QLAB_FETCH)
  message(FATAL_ERROR "These libraries are missing:\n${lab_missing}"
    "Install them:  apt-get install${lab_missing_apt}\n"
    "or let CMake download them:  cmake --preset default -DQLAB_FETCH=ON")
endif()
if(lab_to_fetch)
  FetchContent_MakeAvailable(${lab_to_fetch})
endif()
