# SPDX-License-Identifier: Apache-2.0
# What every target of the lab is compiled with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

add_library(lab_options INTERFACE)
target_compile_options(lab_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
  -ffp-contract=off  # a fused multiply-add is written std::fma, never left to the compiler
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=  # messages name kernels/…, not a path of this machine
  # g++ 13 takes a row of a view for a reference into the view.
  "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:$<$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>:-Wno-dangling-reference>>")

# Sanitizers and crash reports need lines only, and variables take the compiler a quarter of its time.
# A learner's file has them: LAB_DEBUG.
target_compile_options(lab_options INTERFACE
  "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<BOOL:$<TARGET_PROPERTY:LAB_DEBUG>>>>:-g1>")

# A newer compiler has newer warnings, and nobody's first build shall end in one: only that of the check
# must be silent.
set(LAB_WERROR OFF)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
  set(LAB_WERROR ON)
endif()
option(QLAB_WERROR "Warnings in the lab's own code stop the build" ${LAB_WERROR})
if(QLAB_WERROR)
  # A learner's file may warn: its target says LAB_MAY_WARN.
  target_compile_options(lab_options INTERFACE
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:LAB_MAY_WARN>>>:-Werror>)
endif()
