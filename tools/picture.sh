#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Draws docs/compare.svg, the README's picture: what `./lab compare` prints on this machine, less the
# sections before the table and most of the claims. Options go to compare.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./lab compare --help >/dev/null  # builds what is missing
cmake --build build/default --target terminal_svg >/dev/null
script -qec "stty cols 80; ./lab compare --color always $*" /dev/null |
  awk '/: the tradeoff table, measured here/ { head = 4 }
       head-- > 0 { print; next }
       /5\. The tradeoff table/ { table = 1 }
       /INT8 · Expected benefit/ && table { table = 0; print "  …\r" }
       table || / claims: / { print }' |
  build/default/terminal_svg './lab compare' >docs/compare.svg.part
mv docs/compare.svg.part docs/compare.svg
