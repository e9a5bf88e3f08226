# SPDX-License-Identifier: Apache-2.0
# Ladders of CUDA kernels: kernels/<module>/<op>_v*.cu, and lab_gpu, which times them all.

# lab_cuda_ladder(<module> <op>): the test of the rungs, or of the one kernel
# kernels/<module>/<op>.cu: tests/<module>/<op>_test.cu. On the CPU it has those that say they need
# no Hopper; where LAB_CUDA is on, <op>_test_gpu has all of them.
function(lab_cuda_ladder module op)
  file(GLOB rungs CONFIGURE_DEPENDS kernels/${module}/${op}.cu kernels/${module}/${op}_v*.cu)
  set(test tests/${module}/${op}_test.cu)
  set(for_cpu ${test})
  foreach(rung IN LISTS rungs)
    file(STRINGS ${rung} hopper REGEX "^/// Needs   Hopper")
    if(NOT hopper)
      list(APPEND for_cpu ${rung})
    endif()
  endforeach()
  add_executable(${op}_test ${for_cpu})
  target_link_libraries(${op}_test PRIVATE lab_options lab_${module} lab_support
    GTest::gmock GTest::gtest_main)
  target_include_directories(${op}_test PRIVATE kernels tests)
  target_compile_definitions(${op}_test PRIVATE QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${op}_test PRIVATE ${LAB_TEST_OPTIONS})
  lab_cuda_on_cpu(${op}_test ${for_cpu})
  gtest_discover_tests(${op}_test NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS ${module})
  set_property(GLOBAL APPEND PROPERTY LAB_CUDA_RUNGS ${rungs})
  if(NOT LAB_CUDA)
    return()
  endif()
  lab_cuda_on_gpu(${op}_test_gpu ${test} ${rungs})
  target_link_libraries(${op}_test_gpu PRIVATE lab_${module} lab_support
    GTest::gmock GTest::gtest_main)
  target_compile_definitions(${op}_test_gpu PRIVATE QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  lab_cuda_quiet(${op}_test_gpu)
  gtest_discover_tests(${op}_test_gpu TEST_PREFIX gpu. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS gpu)
endfunction()

# 554: MatrixView<const T> converts to itself. 20050: a kernel in a header is inline, which it may be.
function(lab_cuda_quiet target)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:-diag-suppress=554,20050>")
endfunction()

# lab_gpu(): `./lab bench --device cuda`, all ladders beside cuBLASLt where it is found. After them.
function(lab_gpu)
  if(NOT LAB_CUDA)
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS tools/gpu/*.cu)
  get_property(rungs GLOBAL PROPERTY LAB_CUDA_RUNGS)
  lab_cuda_on_gpu(lab_gpu ${sources} ${rungs})
  target_include_directories(lab_gpu PRIVATE tools)
  target_link_libraries(lab_gpu PRIVATE lab_04_kv_cache lab_support)
  lab_cuda_quiet(lab_gpu)
  find_package(CUDAToolkit QUIET)
  if(TARGET CUDA::cublasLt)
    target_link_libraries(lab_gpu PRIVATE CUDA::cublas CUDA::cublasLt)
    target_compile_definitions(lab_gpu PRIVATE QLAB_CUBLAS)
  endif()
endfunction()
