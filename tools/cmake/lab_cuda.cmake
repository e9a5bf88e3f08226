# SPDX-License-Identifier: Apache-2.0
# The CUDA Toolkit is optional: without nvcc everything but the GPU rungs is built.
# Sets LAB_CUDA: whether .cu files are compiled by nvcc.
set(QLAB_CUDA AUTO CACHE STRING "GPU rungs: AUTO (if nvcc is found), ON (stop if it is not), OFF")
set_property(CACHE QLAB_CUDA PROPERTY STRINGS AUTO ON OFF)
if(NOT QLAB_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "QLAB_CUDA is '${QLAB_CUDA}'; choose AUTO, ON or OFF.")
endif()

set(LAB_CUDA OFF)
# Trying out the CUDA compiler takes seconds, so AUTO does it only when kernels/ has a rung for it.
# The exercises' programs for a GPU come with ON: cmake --preset cuda.
file(GLOB_RECURSE lab_cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/*.cu)
if(QLAB_CUDA STREQUAL "ON" OR (QLAB_CUDA STREQUAL "AUTO" AND lab_cuda_sources))
  # NVIDIA's packages do not put nvcc on the PATH.
  find_program(LAB_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
  mark_as_advanced(LAB_NVCC)
  if(LAB_NVCC AND NOT DEFINED ENV{CUDACXX})
    set(ENV{CUDACXX} ${LAB_NVCC})
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80 90a)  # Ampere, whose code runs on what came after; Hopper
    endif()
    enable_language(CUDA)
    set(LAB_CUDA ON)
    # CMake 3.25.1 does not know nvcc's flag for C++20.
    if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
  elseif(QLAB_CUDA STREQUAL "ON")
    message(FATAL_ERROR "QLAB_CUDA=ON, but no working CUDA compiler was found: install the CUDA "
      "Toolkit, name its compiler with -DCMAKE_CUDA_COMPILER=…/nvcc, or leave GPU rungs out with "
      "-DQLAB_CUDA=OFF.")
  endif()
endif()
