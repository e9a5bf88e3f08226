# SPDX-License-Identifier: Apache-2.0
# How a line of CMakeLists.txt becomes targets; files are found by their stem.
include(GoogleTest)

# The folders of one library and the libraries below it: the arrows of the lab. Nothing else links.
set(LAB_FOLDER_common kernels/common)
set(LAB_BELOW_common Threads::Threads)
set(LAB_FOLDER_01_fp16_baseline kernels/01_fp16_baseline)
set(LAB_BELOW_01_fp16_baseline lab_common)
set(LAB_FOLDER_02_int8_calibration kernels/02_int8_calibration)
set(LAB_BELOW_02_int8_calibration lab_01_fp16_baseline)
set(LAB_FOLDER_03_int4_weight_only kernels/03_int4_weight_only)
set(LAB_BELOW_03_int4_weight_only lab_02_int8_calibration)
set(LAB_FOLDER_04_kv_cache kernels/04_kv_cache)
set(LAB_BELOW_04_kv_cache lab_03_int4_weight_only)
set(LAB_FOLDER_model model)
set(LAB_BELOW_model lab_04_kv_cache nlohmann_json::nlohmann_json)
set(LAB_FOLDER_support tests/support)
set(LAB_BELOW_support lab_common)

# lab_library(<name>): every .cc of its folder that is not a test.
function(lab_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${LAB_FOLDER_${name}}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  add_library(lab_${name} STATIC ${sources})
  target_link_libraries(lab_${name} PRIVATE lab_options PUBLIC ${LAB_BELOW_${name}})
endfunction()

# lab_test(<folder> <stem>): tests/<folder>/<stem>.cc as a program that ctest runs case by case.
function(lab_test folder stem)
  set(library ${folder})
  if(folder STREQUAL tools)
    set(library tools)
  endif()
  add_executable(${stem} tests/${folder}/${stem}.cc)
  target_link_libraries(${stem} PRIVATE lab_options lab_${library} lab_support
    fmt::fmt GTest::gmock GTest::gtest_main)
  target_compile_definitions(${stem} PRIVATE QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  gtest_discover_tests(${stem} NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS ${folder} ENVIRONMENT "LAB_SEED=$ENV{LAB_SEED}")
endfunction()

# lab_operation(<module> <op>): its test and its bench, which walk the ladder in <op>.h.
function(lab_operation module op)
  lab_test(${module} ${op}_test)
  add_executable(${op}_bench tests/${module}/${op}_bench.cc)
  target_link_libraries(${op}_bench PRIVATE lab_options lab_${module} lab_support
    benchmark::benchmark)
endfunction()

# lab_program(<name>): the program tools/<name>/, its parts as a library so that tests reach them.
function(lab_program name)
  file(GLOB sources CONFIGURE_DEPENDS tools/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(lab_tools STATIC ${sources})
  target_link_libraries(lab_tools PRIVATE lab_options
    PUBLIC lab_model lab_support fmt::fmt nlohmann_json::nlohmann_json)
  target_compile_definitions(lab_tools PUBLIC
    QLAB_VERSION="${PROJECT_VERSION}" QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_executable(${name} tools/${name}/main.cc)
  target_link_libraries(${name} PRIVATE lab_options lab_tools CLI11::CLI11)
endfunction()
