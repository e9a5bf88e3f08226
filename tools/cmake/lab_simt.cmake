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
