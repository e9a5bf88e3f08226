// SPDX-License-Identifier: Apache-2.0
/// \file
/// The style sheet of charts, and the shapes of marks.
#include "lab/svg_style.h"

#include <fmt/format.h>

namespace qlab {

std::string svg_style() {
  // Blue, vermilion, green and purple of Okabe and Ito, "Color Universal Design", 2008, dark enough
  // for thin lines on white; lighter ones on black. Paper is white whatever the screen prefers.
  return R"(.chart text{font:15px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2328}
.chart .t{font-size:18px;font-weight:600}.chart .q{fill:#59636e}.chart .bg{fill:#fff}
.chart .p{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}
.chart path{fill:none}.chart .ax{stroke:#59636e}.chart .gr{stroke:#d8dee4}.chart .e{stroke:#59636e;stroke-width:.8}
.chart .l{stroke-width:2.2;stroke-linejoin:round}.chart .d{stroke-width:5;stroke-linecap:round}.chart .k{stroke-width:2}
.chart .c0{stroke:#0072b2}.chart .c1{stroke:#b84c00}.chart .c2{stroke:#00795a}.chart .c3{stroke:#9a3f86}.chart .c4{stroke:#1f2328}.chart .c5{stroke:#7a5c00}
.chart .b{fill-opacity:.8}.chart .f0{fill:#0072b2}.chart .f1{fill:#b84c00}.chart .f2{fill:#00795a}.chart .f3{fill:#9a3f86}.chart .f4{fill:#1f2328}.chart .f5{fill:#7a5c00}
@media screen and (prefers-color-scheme:dark){.chart text{fill:#e6edf3}.chart .q{fill:#9da7b3}.chart .bg{fill:#0d1117}.chart .p{stroke:#0d1117}
.chart .ax,.chart .e{stroke:#9da7b3}.chart .gr{stroke:#30363d}
.chart .c0{stroke:#56b4e9}.chart .c1{stroke:#ff9147}.chart .c2{stroke:#3fd0a4}.chart .c3{stroke:#e5a0d0}.chart .c4{stroke:#e6edf3}.chart .c5{stroke:#e3c04b}
.chart .f0{fill:#56b4e9}.chart .f1{fill:#ff9147}.chart .f2{fill:#3fd0a4}.chart .f3{fill:#e5a0d0}.chart .f4{fill:#e6edf3}.chart .f5{fill:#e3c04b}})";
}

std::string mark_path(std::size_t series, double x, double y) {
  constexpr const char* kOutlines[kMostSeries] = {
      "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",        // disc
      "m-4 -4h8v8h-8z",                                       // square
      "m0 -5l5 9h-10z",                                       // triangle
      "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",                  // square on its corner
      "m0 5l5 -9h-10z",                                       // triangle upside down
      "m-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z"};  // cross
  return fmt::format("M{:.1f} {:.1f}{}", x, y, kOutlines[series]);
}

}  // namespace qlab
