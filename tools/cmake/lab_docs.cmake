# SPDX-License-Identifier: Apache-2.0
# The pages: lab_docs fills and checks them and makes the site, see tools/pages/main.cc.

# lab_docs(): the program; its parts as a library, so that tests reach them.
function(lab_docs)
  file(GLOB sources CONFIGURE_DEPENDS tools/pages/*.cc tools/pages/pictures/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(lab_pages STATIC ${sources})
  target_link_libraries(lab_pages PRIVATE lab_options lab_simt PUBLIC lab_tools)
  target_compile_options(lab_pages PRIVATE ${LAB_TOOL_OPTIONS})
  # Pictures run what only an exercise has.
  target_sources(lab_pages PRIVATE $<TARGET_OBJECTS:solution.paged_kv.object>)
  add_executable(lab_docs tools/pages/main.cc)
  target_link_libraries(lab_docs PRIVATE lab_options lab_pages)
  set_property(GLOBAL APPEND PROPERTY LAB_PROGRAMS lab_docs)
endfunction()
