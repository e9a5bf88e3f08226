# SPDX-License-Identifier: Apache-2.0
# lab_exercise(<module> <op.cc|op.cu>): everything that belongs to one exercise, found by its stem.
#
# The tests are compiled once and linked with every variant of the exercise:
#   solution.op   ours, which passes              stub.op    as make_stub writes it, which fails
#   lab.op        the learner's file; only `./lab check` builds it, so that it can break nothing else
#   empty.op      the stub whose todo() does nothing
#   mutant.op.*   the solution with one well-known mistake: tests/<module>/mutants/op/*.patch
# They are the programs exercises/op/<variant> of the build. given.op is all but the learner's file,
# mutants.op every mutant, gate.op all that the gate runs.
find_program(LAB_PATCH patch REQUIRED)
mark_as_advanced(LAB_PATCH)
include(CheckCXXSourceCompiles)

# The learner's C++ runs under sanitizers: a wrong index is told by its line, not by a wrong sum.
# CUDA on the CPU has checks of its own.
# In a build that is sanitized as a whole, solutions must pass; stubs and mutants prove nothing more.
set(LAB_LEARNER_SANITIZERS "")
set(LAB_HAS_GATE OFF)
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  set(LAB_HAS_GATE ON)
  set(sanitizers -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all)
  string(JOIN " " CMAKE_REQUIRED_FLAGS ${sanitizers})
  check_cxx_source_compiles("int main() {}" LAB_HAS_SANITIZERS)
  unset(CMAKE_REQUIRED_FLAGS)
  if(LAB_HAS_SANITIZERS)
    set(LAB_LEARNER_SANITIZERS ${sanitizers} -fno-omit-frame-pointer)
  endif()
endif()

add_executable(make_stub tools/make_stub.cc tools/lab/stub.cc)
target_include_directories(make_stub PRIVATE tools)
target_link_libraries(make_stub PRIVATE lab_options fmt::fmt)

# Where the exercises of a list are; the gate's own test has a tree of toys.
set(LAB_TOYS ${CMAKE_SOURCE_DIR}/tests/tools/gate_toy)
set(LAB_EXERCISE_ROOT ${CMAKE_SOURCE_DIR})
set(LAB_EXERCISE_BUILD ${CMAKE_BINARY_DIR})

# lab_variant(<target> <variant> <source>): one program of exercise `op` of the calling function.
function(lab_variant target variant source)
  cmake_path(GET source EXTENSION LAST_ONLY extension)
  add_library(${target}.object OBJECT ${source})
  target_include_directories(${target}.object PRIVATE ${LAB_EXERCISE_ROOT}/kernels)
  # Warnings are shown, but only ours stop the build; unused names in a stub are no news.
  target_link_libraries(${target}.object PRIVATE lab_options ${libraries})
  if(NOT variant STREQUAL "solution")
    target_compile_options(${target}.object PRIVATE
      -Wno-unused-parameter -Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-function)
  endif()
  if(variant MATCHES "^mutant")  # known mistakes: hundreds, run once
    target_compile_options(${target}.object PRIVATE -O1 -w)
  endif()
  if(variant STREQUAL "lab")
    set_target_properties(${target}.object PROPERTIES LAB_DEBUG ON LAB_MAY_WARN ON)
  endif()
  if(variant STREQUAL "empty")
    target_compile_definitions(${target}.object PRIVATE QLAB_TODO_DOES_NOTHING)
  endif()
  if(extension STREQUAL ".cu")
    lab_cuda_on_cpu(${target}.object ${source})
  endif()
  add_executable(${target})
  target_link_libraries(${target} PRIVATE ${op}.tests ${target}.object lab_options ${libraries}
    lab_support GTest::gtest_main)
  if(variant STREQUAL "lab" AND extension STREQUAL ".cc")
    target_compile_options(${target}.object PRIVATE ${LAB_LEARNER_SANITIZERS})
    target_link_options(${target} PRIVATE ${LAB_LEARNER_SANITIZERS})
  endif()
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${variant}
    RUNTIME_OUTPUT_DIRECTORY ${LAB_EXERCISE_BUILD}/exercises/${op})
  if(variant STREQUAL "lab" OR NOT (variant STREQUAL "solution" OR LAB_HAS_GATE))
    set_target_properties(${target} ${target}.object PROPERTIES EXCLUDE_FROM_ALL TRUE)
  endif()
endfunction()

# lab_exercise_on_gpu(<target> <program> <source.cu>…): nvcc's program of exercise `op` of the caller.
function(lab_exercise_on_gpu target program)
  lab_cuda_on_gpu(${target} ${ARGN})
  list(REMOVE_ITEM libraries lab_simt)
  target_link_libraries(${target} PRIVATE ${libraries})
  target_compile_options(${target} PRIVATE  # 554: MatrixView<const T> converts to itself
    "$<$<COMPILE_LANGUAGE:CUDA>:-diag-suppress=554>")
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program}
    RUNTIME_OUTPUT_DIRECTORY ${LAB_EXERCISE_BUILD}/exercises/${op})
endfunction()

function(lab_exercise module file)
  cmake_path(GET file STEM LAST_ONLY op)
  cmake_path(GET file EXTENSION LAST_ONLY extension)
  set(root ${LAB_EXERCISE_ROOT})
  set(solution ${root}/solutions/${module}/${file})
  set(lab ${root}/labs/${module}/${file})
  set(generated ${LAB_EXERCISE_BUILD}/exercises/${op})
  set(stub ${generated}/stub${extension})
  set(libraries lab_common)
  if(TARGET lab_${module})
    set(libraries lab_${module})
  endif()
  if(extension STREQUAL ".cu")
    list(APPEND libraries lab_simt)
  endif()

  set(tests ${root}/tests/${module}/${op}_exercise_test${extension})
  add_library(${op}.tests OBJECT ${tests})
  target_include_directories(${op}.tests PRIVATE ${root}/kernels)
  target_link_libraries(${op}.tests PRIVATE lab_options ${libraries} lab_support
    GTest::gmock GTest::gtest)
  target_compile_definitions(${op}.tests PRIVATE QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${op}.tests PRIVATE ${LAB_TEST_OPTIONS})
  if(extension STREQUAL ".cu")
    lab_cuda_on_cpu(${op}.tests ${tests})
  else()
    target_precompile_headers(${op}.tests REUSE_FROM lab_test_headers)
  endif()

  lab_variant(solution.${op} solution ${solution})
  if(NOT root STREQUAL LAB_TOYS)
    gtest_discover_tests(solution.${op} TEST_PREFIX solution. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 300 LABELS exercise)
  endif()
  if(LAB_HAS_GATE AND NOT root STREQUAL LAB_TOYS)
    add_test(NAME gate.${op} COMMAND $<TARGET_FILE:lab> selftest --gate ${op})
    set_tests_properties(gate.${op} PROPERTIES LABELS exercise TIMEOUT 300)
    # For a tree in which nobody has worked: a learner's edits are no drift.
    add_test(NAME drift.${op} COMMAND ${CMAKE_COMMAND} -E compare_files ${stub} ${lab})
    set_tests_properties(drift.${op} PROPERTIES LABELS drift)
  endif()

  # What the CPU says of a kernel, a GPU must say too.
  if(LAB_CUDA AND extension STREQUAL ".cu")
    lab_exercise_on_gpu(solution.${op}.gpu solution_gpu ${solution} ${tests})
    target_link_libraries(solution.${op}.gpu PRIVATE lab_support GTest::gmock GTest::gtest_main)
    gtest_discover_tests(solution.${op}.gpu TEST_PREFIX gpu. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 300 LABELS gpu)
  endif()

  set(bench ${root}/tests/${module}/${op}_exercise_bench.cc)
  if(EXISTS ${bench})
    add_executable(${op}_exercise_bench ${bench})
    target_link_libraries(${op}_exercise_bench PRIVATE solution.${op}.object lab_options
      ${libraries} lab_support benchmark::benchmark)
    lab_leave_out_if_sanitized(${op}_exercise_bench)
  endif()

  # The stub is checked as it is generated, not as a learner left it.
  file(MAKE_DIRECTORY ${generated})
  add_custom_command(OUTPUT ${stub} COMMAND make_stub ${solution} ${op} ${stub}
    DEPENDS make_stub ${solution} VERBATIM)
  lab_variant(stub.${op} stub ${stub})
  lab_variant(empty.${op} empty ${stub})
  add_custom_target(write_stub.${op} COMMAND make_stub ${solution} ${op} ${lab} VERBATIM)

  # A learner may have deleted it: then only its own program cannot be built.
  set_source_files_properties(${lab} PROPERTIES GENERATED TRUE)
  lab_variant(lab.${op} lab ${lab})

  add_custom_target(mutants.${op} DEPENDS empty.${op})
  file(GLOB patches CONFIGURE_DEPENDS ${root}/tests/${module}/mutants/${op}/*.patch)
  foreach(patch IN LISTS patches)
    cmake_path(GET patch STEM name)
    set(mutant ${generated}/mutant.${name}${extension})
    add_custom_command(OUTPUT ${mutant}
      COMMAND ${LAB_PATCH} --quiet --fuzz=0 --output=${mutant} ${solution} ${patch}
      DEPENDS ${solution} ${patch} VERBATIM)
    lab_variant(mutant.${op}.${name} mutant.${name} ${mutant})
    add_dependencies(mutants.${op} mutant.${op}.${name})
  endforeach()

  add_custom_target(given.${op} DEPENDS solution.${op} ${op}.tests)
  add_custom_target(gate.${op})
  add_dependencies(gate.${op} given.${op} stub.${op} mutants.${op})

  get_property(list GLOBAL PROPERTY LAB_EXERCISES_${LAB_EXERCISE_BUILD})
  string(APPEND list "${module}/${file}\n")
  set_property(GLOBAL PROPERTY LAB_EXERCISES_${LAB_EXERCISE_BUILD} "${list}")
  file(CONFIGURE OUTPUT ${LAB_EXERCISE_BUILD}/exercises.txt CONTENT "${list}" @ONLY)
endfunction()

# lab_cuda_bench(<module> <stem> <op>…): nvcc's program of tests/<module>/<stem>.cu and the solutions
# of these exercises. It is exercises/<stem> of the build; only where LAB_CUDA is on.
function(lab_cuda_bench module stem)
  if(NOT LAB_CUDA)
    return()
  endif()
  list(TRANSFORM ARGN PREPEND solutions/${module}/ OUTPUT_VARIABLE solutions)
  list(TRANSFORM solutions APPEND .cu)
  lab_cuda_on_gpu(${stem} tests/${module}/${stem}.cu ${solutions})
  target_compile_options(${stem} PRIVATE  # 554: MatrixView<const T> converts to itself
    "$<$<COMPILE_LANGUAGE:CUDA>:-diag-suppress=554>")
  set_target_properties(${stem} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${LAB_EXERCISE_BUILD}/exercises)
  find_package(CUDAToolkit QUIET)
  if(TARGET CUDA::cublas)  # to compare with; the lab itself does not need it
    target_link_libraries(${stem} PRIVATE CUDA::cublas CUDA::cublasLt)
    target_compile_definitions(${stem} PRIVATE QLAB_CUBLAS)
  endif()
endfunction()

# lab_toys(<op.cc>…): exercises with a planted fault, built like real ones; gate_self_test judges them.
function(lab_toys)
  set(LAB_EXERCISE_ROOT ${LAB_TOYS})
  set(LAB_EXERCISE_BUILD ${CMAKE_BINARY_DIR}/gate_toy)
  foreach(file IN LISTS ARGN)
    lab_exercise(99_toy ${file})
    cmake_path(GET file STEM LAST_ONLY op)
    add_dependencies(gate_self_test gate.${op})
  endforeach()
endfunction()
