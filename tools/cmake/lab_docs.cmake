# SPDX-License-Identifier: Apache-2.0
# The pages: a program that fills and checks them.

# Target docs: the site, in docs/html of the build. Without Doxygen the pages are read as they are.
find_program(LAB_DOXYGEN doxygen)
find_path(LAB_KATEX katex.min.js PATH_SUFFIXES javascript/katex PATHS /usr/share)
find_file(LAB_AWESOME_CSS doxygen-awesome.css PATH_SUFFIXES doxygen-awesome-css PATHS /usr/share)
mark_as_advanced(LAB_DOXYGEN LAB_KATEX LAB_AWESOME_CSS)

# lab_docs(): lab_pages, its parts as a library so that tests reach them.
function(lab_docs)
  file(GLOB sources CONFIGURE_DEPENDS tools/pages/*.cc tools/pages/pictures/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(lab_pages_parts STATIC ${sources})
  target_link_libraries(lab_pages_parts PRIVATE lab_options PUBLIC lab_tools)
  add_executable(lab_pages tools/pages/main.cc)
  target_link_libraries(lab_pages PRIVATE lab_options lab_pages_parts)
  if(LAB_DOXYGEN AND LAB_KATEX AND LAB_AWESOME_CSS)
    set(LAB_SITE ${CMAKE_BINARY_DIR}/docs)
    configure_file(docs/site/Doxyfile.in ${LAB_SITE}/Doxyfile @ONLY)
    add_custom_target(docs
      COMMAND lab_pages site ${LAB_SITE}
      COMMAND ${LAB_DOXYGEN} ${LAB_SITE}/Doxyfile
      COMMAND lab_pages polish ${LAB_SITE}
      VERBATIM)
  endif()
endfunction()
