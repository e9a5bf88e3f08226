# SPDX-License-Identifier: Apache-2.0
# How a line of CMakeLists.txt becomes targets; files are found by their stem.
include(GoogleTest)

# Of each library: its folder, what is below it, and where its includes are written from. These are
# the arrows of the lab: what is not linked can neither be included nor called.
set(LAB_FOLDER_common kernels/common)
set(LAB_BELOW_common Threads::Threads)
set(LAB_INCLUDE_common kernels)
set(LAB_FOLDER_01_fp16_baseline kernels/01_fp16_baseline)
set(LAB_BELOW_01_fp16_baseline lab_common)
set(LAB_FOLDER_02_int8_calibration kernels/02_int8_calibration)
set(LAB_BELOW_02_int8_calibration lab_01_fp16_baseline)
set(LAB_FOLDER_03_int4_weight_only kernels/03_int4_weight_only)
set(LAB_BELOW_03_int4_weight_only lab_02_int8_calibration)
set(LAB_FOLDER_04_kv_cache kernels/04_kv_cache)
set(LAB_BELOW_04_kv_cache lab_03_int4_weight_only)
set(LAB_FOLDER_05_serving kernels/05_serving)
set(LAB_BELOW_05_serving lab_04_kv_cache)
set(LAB_FOLDER_model model)
set(LAB_BELOW_model lab_05_serving nlohmann_json::nlohmann_json)
set(LAB_INCLUDE_model .)
set(LAB_FOLDER_support tests/support)
set(LAB_BELOW_support lab_common GTest::gtest)
set(LAB_INCLUDE_support tests)
set(LAB_FOLDER_tools tools/lab)
set(LAB_BELOW_tools lab_model lab_support fmt::fmt nlohmann_json::nlohmann_json CLI11::CLI11)
set(LAB_INCLUDE_tools tools)

# lab_library(<name>): every .cc of its folder but a program's main and tests.
function(lab_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${LAB_FOLDER_${name}}/*.cc)
  list(FILTER sources EXCLUDE REGEX "(/main|_test)\\.cc$")
  add_library(lab_${name} STATIC ${sources})
  target_link_libraries(lab_${name} PRIVATE lab_options PUBLIC ${LAB_BELOW_${name}})
  if(LAB_INCLUDE_${name})
    target_include_directories(lab_${name} PUBLIC ${CMAKE_SOURCE_DIR}/${LAB_INCLUDE_${name}})
  endif()
endfunction()

# Tests are compiled once and run for seconds. What they test is watched for undefined behaviour; in the
# tests themselves that check takes half of the compiler's time.
set(LAB_TEST_OPTIONS -O1)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,-]*undefined")
  list(APPEND LAB_TEST_OPTIONS -fno-sanitize=undefined,float-cast-overflow)
endif()

# What a program says, reads and draws takes the compiler longer than the machine: it is optimized less
# than kernels and the model are, and where it is sanitized not at all, which is nearly half of that time.
set(LAB_TOOL_OPTIONS -O1)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  set(LAB_TOOL_OPTIONS -O0)
endif()

# GoogleTest's headers are half of what a test takes to compile, so they are compiled once, as tests are.
# (ccache keeps nothing that uses them: with it, -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON is faster.)
file(WRITE ${CMAKE_BINARY_DIR}/test_headers.cc "// Holds nothing: its target has headers to compile.\n")
add_library(lab_test_headers OBJECT ${CMAKE_BINARY_DIR}/test_headers.cc)
target_link_libraries(lab_test_headers PRIVATE lab_options GTest::gmock GTest::gtest)
target_compile_options(lab_test_headers PRIVATE ${LAB_TEST_OPTIONS})
target_precompile_headers(lab_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>)

# The program tests/<folder>/<stem>.cc, run by ctest case by case, or WHOLE where its cases share a
# long preparation. A skipped case counts as skipped. Its seed comes from LAB_SEED in the environment of
# ctest.
function(lab_gtest folder stem)
  cmake_parse_arguments(PARSE_ARGV 2 arg "WHOLE" "TIMEOUT;LABEL;PREFIX" "")
  add_executable(${stem} tests/${folder}/${stem}.cc)
  target_link_libraries(${stem} PRIVATE lab_options lab_${folder} lab_support
    fmt::fmt GTest::gmock GTest::gtest_main)
  target_compile_definitions(${stem} PRIVATE QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${stem} PRIVATE ${LAB_TEST_OPTIONS})
  target_precompile_headers(${stem} REUSE_FROM lab_test_headers)
  if(folder STREQUAL tools)  # these tests start the programs
    get_property(programs GLOBAL PROPERTY LAB_PROGRAMS)
    add_dependencies(${stem} ${programs})
  endif()
  if(arg_WHOLE)
    add_test(NAME ${stem} COMMAND ${stem})
    set_tests_properties(${stem} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${arg_LABEL})
    return()
  endif()
  gtest_discover_tests(${stem} TEST_PREFIX "${arg_PREFIX}" NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${arg_LABEL})  # one: it would split a list
endfunction()

# lab_test(<folder> <stem> [WHOLE] [PREFIX <of the names in ctest>]): a test that everybody runs. Its
# label is its folder; those of the pages are `docs`.
function(lab_test folder stem)
  string(REPLACE pages docs label ${folder})
  lab_gtest(${folder} ${stem} TIMEOUT 300 LABEL ${label} ${ARGN})
endfunction()

# lab_slow_test(<folder> <stem>): an exhaustive test of minutes; only `ctest --preset slow` and
# `./lab selftest --slow` run it.
function(lab_slow_test folder stem)
  lab_gtest(${folder} ${stem} TIMEOUT 3600 LABEL slow)
endfunction()

# lab_browser_test(<folder> <stem>): a test that opens a page in Chromium, and is skipped without it.
function(lab_browser_test folder stem)
  string(REPLACE pages docs label ${folder})
  lab_gtest(${folder} ${stem} TIMEOUT 600 LABEL ${label})
endfunction()

# lab_leave_out_if_sanitized(<target>): a sanitized program's time means nothing, so `all` skips it.
function(lab_leave_out_if_sanitized target)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# lab_operation(<module> <op>): its test and its bench, which walk the ladder in <op>.h.
function(lab_operation module op)
  lab_test(${module} ${op}_test)
  add_executable(${op}_bench tests/${module}/${op}_bench.cc)
  target_link_libraries(${op}_bench PRIVATE lab_options lab_${module} lab_support
    benchmark::benchmark)
  lab_leave_out_if_sanitized(${op}_bench)
endfunction()

# lab_program(<name>): the program tools/<name>/, its parts as a library so that tests reach them.
function(lab_program name)
  lab_library(tools)
  target_compile_options(lab_tools PRIVATE ${LAB_TOOL_OPTIONS})
  target_compile_definitions(lab_tools PUBLIC QLAB_VERSION="${PROJECT_VERSION}"
    QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}" QLAB_BUILD_DIR="${CMAKE_BINARY_DIR}"
    QLAB_CTEST="${CMAKE_CTEST_COMMAND}")
  add_library(${name}_main OBJECT tools/${name}/main.cc)  # lab_mine() links it a second time
  target_link_libraries(${name}_main PRIVATE lab_options lab_tools)
  target_compile_options(${name}_main PRIVATE ${LAB_TOOL_OPTIONS})
  add_executable(${name})
  target_link_libraries(${name} PRIVATE ${name}_main lab_options lab_tools)
  set_property(GLOBAL APPEND PROPERTY LAB_PROGRAMS ${name})
endfunction()

# lab_tool(<name>): the program tools/<name>.cc, which needs nothing of the lab.
function(lab_tool name)
  add_executable(${name} tools/${name}.cc)
  target_link_libraries(${name} PRIVATE lab_options)
  set_property(GLOBAL APPEND PROPERTY LAB_PROGRAMS ${name})
endfunction()

# lab_bash_test(<folder> <stem>): the script tests/<folder>/<stem>.sh; it fails by its exit status.
function(lab_bash_test folder stem)
  add_test(NAME ${stem} COMMAND bash ${CMAKE_SOURCE_DIR}/tests/${folder}/${stem}.sh)
  set_tests_properties(${stem} PROPERTIES LABELS ${folder} TIMEOUT 300)
endfunction()
