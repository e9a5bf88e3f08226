# SPDX-License-Identifier: Apache-2.0
# lab_mine(<target> <prefix> <root> <build> <module/op.cc>…): what `lab compare --mine` runs.
#
# A learner's file becomes <build>/exercises/<op>/libmine.a by target <prefix>.<op>, compiled as ours
# are: optimized, without sanitizers. <build>/exercises/lab_mine is the lab's program with those that
# <build>/exercises/mine.rsp names, which the lab writes: only what is finished. Nothing of this is
# part of `all`.
function(lab_mine target prefix root build)
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
  add_executable(${target} EXCLUDE_FROM_ALL)
  target_link_libraries(${target} PRIVATE lab_main lab_options lab_tools)
  # The options stand before the lab's libraries, so that a learner's file finds what it calls there.
  target_link_options(${target} PRIVATE @${link_options})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME lab_mine LINK_DEPENDS ${link_options}
    RUNTIME_OUTPUT_DIRECTORY ${build}/exercises)
endfunction()

# lab_mine_test(<stem> <module/op.cc>…): our solutions stand for a learner's finished files. Both the
# test and a lab_mine of its own are linked with them.
function(lab_mine_test stem)
  set(root ${CMAKE_BINARY_DIR}/mine_tree)
  set(archives "")
  foreach(file IN LISTS ARGN)
    cmake_path(GET file STEM LAST_ONLY op)
    configure_file(solutions/${file} ${root}/labs/${file} COPYONLY)
    list(APPEND archives ${root}/exercises/${op}/libmine.a)
    list(APPEND targets ${stem}_mine.${op})
  endforeach()
  lab_mine(${stem}_lab ${stem}_mine ${root} ${root} ${ARGN})
  list(TRANSFORM archives REPLACE "(.+)" "\"\\1\"" OUTPUT_VARIABLE quoted)
  list(JOIN quoted "\n" names)
  file(CONFIGURE OUTPUT ${root}/exercises/mine.rsp @ONLY
    CONTENT "-Wl,--whole-archive\n${names}\n-Wl,--no-whole-archive\n")
  lab_test(tools ${stem})
  target_link_options(${stem} PRIVATE @${root}/exercises/mine.rsp)
  foreach(program ${stem} ${stem}_lab)
    set_property(TARGET ${program} APPEND PROPERTY LINK_DEPENDS ${archives})
    add_dependencies(${program} ${targets})
  endforeach()
  add_dependencies(${stem} ${stem}_lab)
endfunction()
