# SPDX-License-Identifier: Apache-2.0
# The pages: a program that fills and checks them.

# lab_docs(): lab_pages, its parts as a library so that tests reach them.
function(lab_docs)
  file(GLOB sources CONFIGURE_DEPENDS tools/pages/*.cc tools/pages/pictures/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(lab_pages_parts STATIC ${sources})
  target_link_libraries(lab_pages_parts PRIVATE lab_options PUBLIC lab_tools)
  add_executable(lab_pages tools/pages/main.cc)
  target_link_libraries(lab_pages PRIVATE lab_options lab_pages_parts)
endfunction()
