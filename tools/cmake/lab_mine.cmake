# SPDX-License-Identifier: Apache-2.0
# lab_mine(<program> <prefix> <root> <build> <module/op.cc>…): what `lab compare --mine` runs.
#
# A learner's file becomes <build>/exercises/<op>/libmine.a by target <prefix>.<op>, compiled as ours
# are: optimized, without sanitizers. <build>/exercises/<program> is the lab's program with those that
# <build>/exercises/mine.rsp names, which the lab writes: only what is finished. Nothing of this is
# part of `all`.
function(lab_mine program prefix root build)
  set(link_options ${build}/exercises/mine.rsp)
  foreach(file IN LISTS ARGN)
    cmake_path(GET file STEM LAST_ONLY op)
    cmake_path(GET file PARENT_PATH module)
    set(lab ${root}/labs/${file})
    set_source_files_properties(${lab} PROPERTIES GENERATED TRUE)  # a learner may have deleted it
    add_library(${prefix}.${op} STATIC EXCLUDE_FROM_ALL ${lab})
    target_include_directories(${prefix}.${op} PRIVATE ${CMAKE_SOURCE_DIR}/kernels)
    target_link_libraries(${prefix}.${op} PRIVATE lab_options lab_${module})
    # Files of two exercises may define helpers of the same name; mine.cc knows these names.
    target_compile_definitions(${prefix}.${op} PRIVATE exercise=mine_${op})
    target_compile_options(${prefix}.${op} PRIVATE
      -Wno-unused-parameter -Wno-unused-variable -Wno-unused-but-set-variable -Wno-unused-function)
    set_target_properties(${prefix}.${op} PROPERTIES LAB_MAY_WARN ON OUTPUT_NAME mine
      ARCHIVE_OUTPUT_DIRECTORY ${build}/exercises/${op})
  endforeach()
  add_executable(${program} EXCLUDE_FROM_ALL)
  target_link_libraries(${program} PRIVATE lab_main lab_options lab_tools)
  # The options stand before the lab's libraries, so that a learner's file finds what it calls there.
  target_link_options(${program} PRIVATE @${link_options})
  set_target_properties(${program} PROPERTIES LINK_DEPENDS ${link_options}
    RUNTIME_OUTPUT_DIRECTORY ${build}/exercises)
endfunction()
