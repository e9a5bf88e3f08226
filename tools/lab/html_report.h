// SPDX-License-Identifier: Apache-2.0
/// \file
/// The HTML report: one file that needs nothing else, readable in light and dark, on a phone, on
/// paper, by ear and without a script.
#pragma once

#include <string>

#include "lab/results.h"

namespace qlab {

/// The whole page. Its numbers are those of the results, and all text from elsewhere is escaped.
std::string html_report(const Results& results);

/// Its parts: the tradeoff table, the claims with their verdicts, and the style sheet of all of it.
std::string html_tradeoff_table(const Results& results);
std::string html_claims(const Results& results);
std::string html_style();

/// The command that measures the same again, up to the machine: "./lab compare --quick …".
std::string compare_command(const Results& results);

}  // namespace qlab
