# SPDX-License-Identifier: Apache-2.0
# CUDA sources, compiled twice: as C++ for the CPU (kernels/simt), and by nvcc where it is found.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-femulated-tls LAB_HAS_EMULATED_TLS)  # clang has it, g++ does not

set(LAB_SIMT_SANITIZERS "")
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,-]*address")
  list(APPEND LAB_SIMT_SANITIZERS SIMT_UNDER_ASAN)
endif()
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,-]*thread")
  list(APPEND LAB_SIMT_SANITIZERS SIMT_UNDER_TSAN)
endif()

# The machine: fibers, scheduler, shared memory.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/simt/cpu/*.cc)
add_library(lab_simt STATIC ${sources})
target_link_libraries(lab_simt PRIVATE lab_options PUBLIC lab_common Threads::Threads)
if("SIMT_UNDER_TSAN" IN_LIST LAB_SIMT_SANITIZERS)
  # The scheduler is the hardware: what it does between fibers is no access of the kernel's.
  target_compile_options(lab_simt PRIVATE -fno-sanitize=thread)
  target_compile_definitions(lab_simt PRIVATE SIMT_TSAN)
endif()

# lab_cuda_on_cpu(<target> <source.cu>…): these sources of the target are C++, a fiber a thread.
# LANGUAGE CXX makes CMake pass -x c++ (policy CMP0119). It holds in the calling directory.
function(lab_cuda_on_cpu target)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX)
  target_link_libraries(${target} PRIVATE lab_simt)
  target_compile_definitions(${target} PRIVATE ${LAB_SIMT_SANITIZERS})
  if(LAB_HAS_EMULATED_TLS)  # then the runtime knows, poisons and guards every __shared__ array
    target_compile_options(${target} PRIVATE -femulated-tls)
    target_compile_definitions(${target} PRIVATE SIMT_KNOWN_SHARED)
  endif()
endfunction()

# lab_cuda_on_gpu(<target> <source.cu>…): a program that nvcc makes of the same sources; the caller
# links what it needs. The property LANGUAGE of a source is CXX already, so nvcc gets a wrapper that
# includes it. Only where LAB_CUDA is on.
function(lab_cuda_on_gpu target)
  set(wrappers "")
  foreach(source IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    cmake_path(GET source FILENAME name)
    set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/gpu/${target}/${name})
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${source}\"\n" @ONLY)
    list(APPEND wrappers ${wrapper})
  endforeach()
  add_executable(${target} ${wrappers})
  set_target_properties(${target} PROPERTIES CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-ffp-contract=off>")
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/kernels ${CMAKE_SOURCE_DIR}/tests)
endfunction()

# ThreadSanitizer of g++ 12 does not know where newer kernels put things: no randomized addresses.
set(LAB_SIMT_RUN "")
if("SIMT_UNDER_TSAN" IN_LIST LAB_SIMT_SANITIZERS)
  find_program(LAB_SETARCH setarch)
  mark_as_advanced(LAB_SETARCH)
  if(LAB_SETARCH)
    set(LAB_SIMT_RUN ${LAB_SETARCH} -R)
  endif()
endif()

# lab_simt_program(<name>): the program tests/simt/<name>.cu on the CPU. Target simt_programs is all.
add_custom_target(simt_programs)
function(lab_simt_program name)
  add_executable(${name} tests/simt/${name}.cu)
  add_dependencies(simt_programs ${name})
  target_link_libraries(${name} PRIVATE lab_options lab_common)
  target_include_directories(${name} PRIVATE tests)
  target_compile_definitions(${name} PRIVATE QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES CROSSCOMPILING_EMULATOR "${LAB_SIMT_RUN}")
  lab_cuda_on_cpu(${name} tests/simt/${name}.cu)
endfunction()

# lab_simt_test(<stem> [CPU_ONLY]): tests/simt/<stem>.cu, case by case; what is not about the checks
# that only the CPU makes is also built by nvcc, as <stem>_gpu.
function(lab_simt_test stem)
  lab_simt_program(${stem})
  target_link_libraries(${stem} PRIVATE GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${stem} NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 300 LABELS simt)
  if(LAB_CUDA AND NOT "CPU_ONLY" IN_LIST ARGN)
    lab_cuda_on_gpu(${stem}_gpu tests/simt/${stem}.cu)
    target_link_libraries(${stem}_gpu PRIVATE GTest::gmock GTest::gtest_main)
    target_compile_definitions(${stem}_gpu PRIVATE QLAB_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    gtest_discover_tests(${stem}_gpu TEST_PREFIX gpu. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 300 LABELS gpu)
  endif()
endfunction()

# lab_simt_bench(<stem>): tests/simt/<stem>.cu, how long kernels take on the CPU.
function(lab_simt_bench stem)
  lab_simt_program(${stem})
  target_link_libraries(${stem} PRIVATE benchmark::benchmark)
endfunction()

# lab_simt_race(<kernel>…): kernels of tests/simt/race_demo.cu with a planted race, which
# ThreadSanitizer must report, and a correct one, which must pass in every build.
function(lab_simt_race)
  lab_simt_program(race_demo)
  add_test(NAME race.none COMMAND race_demo correct)
  set_tests_properties(race.none PROPERTIES LABELS simt TIMEOUT 300)
  if("SIMT_UNDER_TSAN" IN_LIST LAB_SIMT_SANITIZERS)
    foreach(kernel IN LISTS ARGN)
      add_test(NAME race.${kernel} COMMAND race_demo ${kernel})
      set_tests_properties(race.${kernel} PROPERTIES LABELS simt TIMEOUT 300
        PASS_REGULAR_EXPRESSION "WARNING: ThreadSanitizer: data race.*race_demo.cu")
    endforeach()
  endif()
endfunction()
