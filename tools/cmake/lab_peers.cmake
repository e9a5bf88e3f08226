# SPDX-License-Identifier: Apache-2.0
# The lab's kernels beside other libraries': lab_peers times what libqlab_peer.so and its rivals export.
# Neither is linked in a plain build: `./lab peers` asks for them. What lab_peers is made of compiles always.

# lab_peers(): the program, and the lab's kernels as a library with a C interface.
function(lab_peers)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    return()
  endif()
  # The same sources once more: a library that is loaded needs code that may lie anywhere.
  file(GLOB kernels CONFIGURE_DEPENDS kernels/common/*.cc kernels/0[1-4]_*/*.cc)
  add_library(qlab_peer SHARED EXCLUDE_FROM_ALL tools/peers/qlab_peer.cc ${kernels})
  target_link_libraries(qlab_peer PRIVATE lab_options)
  target_include_directories(qlab_peer PRIVATE kernels tools)

  file(GLOB sources CONFIGURE_DEPENDS tools/peers/*.cc)
  list(FILTER sources EXCLUDE REGEX "/qlab_peer\\.cc$")
  add_library(lab_peers_objects OBJECT ${sources})
  target_link_libraries(lab_peers_objects PUBLIC lab_options lab_tools lab_support ${CMAKE_DL_LIBS})
  target_compile_definitions(lab_peers_objects PRIVATE QLAB_PEER_FILE="$<TARGET_FILE:qlab_peer>")
  lab_peer_library(QLAB_OPENBLAS cblas.h openblas)
  lab_peer_library(QLAB_ONEDNN dnnl.hpp dnnl)
  find_package(OpenMP QUIET)
  if(OpenMP_CXX_FOUND)
    target_link_libraries(lab_peers_objects PUBLIC OpenMP::OpenMP_CXX)
  endif()
  add_executable(lab_peers EXCLUDE_FROM_ALL $<TARGET_OBJECTS:lab_peers_objects>)
  target_link_libraries(lab_peers PRIVATE lab_peers_objects)
  add_dependencies(lab_peers qlab_peer)
endfunction()

# lab_peer_library(DEFINE header library): links a rival where it is installed.
function(lab_peer_library define header library)
  find_path(${define}_INCLUDE ${header} PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE} openblas)
  find_library(${define}_LIBRARY ${library})
  if(${define}_INCLUDE AND ${define}_LIBRARY)
    target_include_directories(lab_peers_objects SYSTEM PRIVATE ${${define}_INCLUDE})
    target_link_libraries(lab_peers_objects PUBLIC ${${define}_LIBRARY})
    target_compile_definitions(lab_peers_objects PRIVATE ${define}=1)
  else()
    target_compile_definitions(lab_peers_objects PRIVATE ${define}=0)
  endif()
endfunction()
