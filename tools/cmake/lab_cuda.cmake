# SPDX-License-Identifier: Apache-2.0
# The CUDA Toolkit is optional: everything runs without it but the programs for a GPU, which nvcc takes
# minutes to compile. They come with cmake --preset cuda, or when a command asks for a GPU.
# Sets LAB_CUDA: whether .cu files are compiled by nvcc.
option(QLAB_CUDA "Compile the programs for a GPU too; stops where there is no nvcc" OFF)

set(LAB_CUDA OFF)
if(QLAB_CUDA)
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
  else()
    message(FATAL_ERROR "QLAB_CUDA=ON, but no working CUDA compiler was found: install the CUDA "
      "Toolkit, name its compiler with -DCMAKE_CUDA_COMPILER=…/nvcc, or leave GPU rungs out with "
      "-DQLAB_CUDA=OFF.")
  endif()
endif()
