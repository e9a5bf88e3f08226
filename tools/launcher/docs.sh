# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The site: what it is made with, and who opens it. Part of ./lab.

# package | a file that proves it
DOCS_TOOLS=(
  'doxygen|'
  'doxygen-awesome-css|/usr/share/doxygen-awesome-css/doxygen-awesome.css'
  'libjs-katex|/usr/share/javascript/katex/katex.min.js'
)

# pages write | check: the files of docs/, for whoever changes them.
pages() {
  build_target lab_docs
  exec "$BUILD/lab_docs" "$1"
}

docs() {
  build_target lab_docs
  docs_tools
  "$BUILD/lab_docs" make "$BUILD/docs"
  if [[ -t 1 && -n ${DISPLAY-}${WAYLAND_DISPLAY-} ]] && have xdg-open; then
    xdg-open "$BUILD/docs/html/index.html" >/dev/null 2>&1 || true
  fi
}

# Only Doxygen is needed; without the others the pages look plainer, and formulas stay TeX.
docs_tools() {
  local entry package file
  MISSING=()
  for entry in "${DOCS_TOOLS[@]}"; do
    IFS='|' read -r package file <<<"$entry"
    if [[ -n $file ]]; then
      [[ -e $file ]] || MISSING+=("$package")
    else
      have "$package" || MISSING+=("$package")
    fi
  done
  ((${#MISSING[@]})) || return 0
  if have apt-get && may_install; then
    install_missing 'what the site is made with'
  elif ! have doxygen; then
    fail 3 "the site is made with packages that are missing: ${MISSING[*]}; have an administrator install \
them, or read the pages as they are, from docs/README.md on"
  fi
}
