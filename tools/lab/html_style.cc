// SPDX-License-Identifier: Apache-2.0
/// \file
/// The style sheet of the HTML report. Colours have a contrast of 4.5 at least on their ground.
#include "lab/html_report.h"
#include "lab/svg_style.h"

namespace qlab {

std::string html_style() {
  return R"(:root{color-scheme:light dark;--text:#1f2328;--dim:#59636e;--ground:#fff;--raised:#f6f8fa;--line:#d1d9e0;--link:#0550ae;--held:#116329;--fell:#8a4600}
@media screen and (prefers-color-scheme:dark){:root{--text:#e6edf3;--dim:#9da7b3;--ground:#0d1117;--raised:#161b22;--line:#30363d;--link:#79c0ff;--held:#56d364;--fell:#f0a044}}
*{box-sizing:border-box}
html{font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;color:var(--text);background:var(--ground);-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:72rem;padding:1rem 1.5rem 4rem;overflow-wrap:break-word}
h1,h2,h3,h4{line-height:1.25;margin:2rem 0 .5rem;text-wrap:balance}
h1{font-size:1.9rem;margin-top:1rem}h2{font-size:1.45rem;margin-top:3rem;border-bottom:1px solid var(--line);padding-bottom:.25rem}h3{font-size:1.15rem}h4{font-size:1rem}
p{margin:.5rem 0;max-width:46rem}a{color:var(--link)}
code{font:.875em ui-monospace,'SFMono-Regular','DejaVu Sans Mono',Menlo,monospace;background:var(--raised);padding:.1em .35em;border-radius:.25rem;overflow-wrap:anywhere}
.dim{color:var(--dim)}
.skip{position:absolute;left:-100vw}.skip:focus{left:1rem;top:1rem;padding:.5rem 1rem;background:var(--ground);border:2px solid var(--link)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;margin:1rem 0}nav a{display:inline-block;padding:.35rem 0}
dl{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.25rem 1.25rem;margin:1rem 0}
dt{color:var(--dim)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:1rem 0;max-width:100%}.scroll:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;line-height:1.35}
caption{text-align:left;font-weight:600;padding:.25rem 0 .5rem}
th,td{padding:.35rem .75rem;border-top:1px solid var(--line);text-align:left;vertical-align:top}
th:first-child,td:first-child{padding-left:0}
thead th{color:var(--dim);font-weight:600;vertical-align:bottom;border-top:0;min-width:5rem}tbody th{font-weight:500}
.n{text-align:right;font-variant-numeric:tabular-nums}tbody .n{white-space:nowrap}
.w{min-width:6.5rem}
.totals{font-size:1.15rem}
.held,.fell,.not{font-weight:700}.held{color:var(--held)}.fell{color:var(--fell)}.not{color:var(--dim)}
.claims{list-style:none;padding:0;margin:.5rem 0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,27rem),1fr));gap:.75rem}
.claims li{border:1px solid var(--line);border-radius:.4rem;padding:.6rem .9rem;min-width:0}.claims p{margin:.2rem 0}
figure{margin:1rem 0 0}figcaption p{margin:.5rem 0}
.chart{display:block;width:100%;height:auto;max-width:46rem}
.limit{border-left:.25rem solid var(--line);padding-left:.75rem}
footer{margin-top:4rem;border-top:1px solid var(--line);color:var(--dim)}
@media(min-width:60rem){tbody th{white-space:nowrap}}
.command span{white-space:nowrap}
@media(max-width:40rem){caption span{display:inline-block;position:sticky;left:0;max-width:calc(100vw - 2.5rem)}
body{padding:.75rem .9rem 3rem}.chart{width:calc(100% + 1.4rem);margin-left:-.7rem}h1{font-size:1.55rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}
@media print{html{font-size:10pt}footer{margin-top:1rem}body{max-width:none;padding:0}nav,.skip{display:none}a{color:inherit;text-decoration:none}
.scroll{overflow:visible}table{font-size:8pt;width:100%}th,td{padding:.15rem .3rem}tbody .n{white-space:normal}.w,thead th{min-width:0}
svg,.claims li,tr,dl,.limit,.repeat{break-inside:avoid}h2,h3,h4,caption{break-after:avoid}thead{display:table-header-group}
.chart{max-width:15cm;margin:0 auto}.claims{display:block;columns:2;column-gap:.75rem}.claims li{margin-bottom:.5rem}}
)" + svg_style() +
         "\n";
}

}  // namespace qlab
