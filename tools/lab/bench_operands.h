// SPDX-License-Identifier: Apache-2.0
/// \file
/// How operands and a table of rungs become a ladder that can be timed.
///
/// Operands are a class with kRungs, its table; cost(M, columns); call(run, M, columns, threads),
/// one call of a rung; poison(), which makes all outputs wrong; and check(name, M, columns), which
/// throws WrongOutput. Those that an exercise fits also have kMine, a member of Mine; kMostMOfMine;
/// and call_yours(function, M, columns).
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "lab/bench_ladders.h"
#include "lab/timed_mine.h"
#include "lab/timed_parts.h"

namespace qlab {

/// A value that is not what the oracle says ends the bench: its time means nothing.
inline void check_value(const std::string& name, std::int64_t row, std::int64_t column, double got,
                        double value, double allowed) {
  if (std::abs(got - value) <= allowed) return;  // false for NaN
  throw WrongOutput(
      fmt::format("{}: output ({}, {}) is {}, the oracle says {} ± {:.2g}; the time "
                  "of a wrong result means nothing",
                  name, row, column, got, value, allowed));
}

/// The first and the last columns of every row. reference(first, count, value, allowed) fills
/// [rows, count] with columns from `first` on.
template <class Reference>
void check_columns(const std::string& name, MatrixView<const float> y, Reference reference) {
  const std::int64_t count = std::min(kCheckedColumns, y.cols());
  for (const std::int64_t first : {std::int64_t{0}, y.cols() - count}) {
    Matrix<double> value(y.rows(), count), allowed(y.rows(), count);
    reference(first, count, value.view(), allowed.view());
    for (std::int64_t m = 0; m < y.rows(); ++m) {
      for (std::int64_t i = 0; i < count; ++i) {
        check_value(name, m, first + i, y(m, first + i), value(m, i), allowed(m, i));
      }
    }
  }
}

/// The learner's kernel on these operands; none where there is none or M does not suit it.
template <class Operands>
std::vector<Candidate> candidates_of_mine(const std::shared_ptr<Operands>& operands,
                                          std::string_view exercise, const Mine& mine,
                                          std::int64_t M, std::int64_t columns) {
  if constexpr (requires { Operands::kMine; }) {
    const auto function = mine.*Operands::kMine;
    if (exercise.empty() || function == nullptr || M > Operands::kMostMOfMine) return {};
    const std::string name(exercise);
    const auto run = [=] { operands->call_yours(function, M, columns); };
    const auto check = [=] {
      operands->poison();
      run();
      if constexpr (requires { operands->check_yours(name, columns); }) {
        operands->check_yours(name, columns);
      } else {
        operands->check(name, M, columns);
      }
    };
    return {candidate_of_mine(name, name, operands->cost(M, columns), run, check)};
  } else {
    return {};
  }
}

template <class Operands>
BenchProblem problem_of(std::shared_ptr<Operands> operands, std::string_view exercise,
                        std::int64_t columns) {
  const auto rungs = [operands](std::int64_t M, std::int64_t part, ThreadPool& threads) {
    std::vector<Candidate> all;
    for (const auto& rung : Operands::kRungs) {
      const auto run = [=, &threads, call = rung.run] { operands->call(*call, M, part, threads); };
      const auto check = [=, name = std::string(rung.name)] {
        operands->poison();
        run();
        operands->check(name, M, part);
      };
      all.push_back({std::string(rung.name), rung.needs, operands->cost(M, part), run, check});
    }
    return all;
  };
  const auto yours = [operands, exercise](const Mine& mine, std::int64_t M, std::int64_t part) {
    return candidates_of_mine(operands, exercise, mine, M, part);
  };
  return {columns, rungs, yours};
}

template <class Operands>
std::vector<std::string_view> rung_names() {
  std::vector<std::string_view> names;
  for (const auto& rung : Operands::kRungs) names.push_back(rung.name);
  return names;
}

/// A ladder whose slow rungs may compute a part of the columns.
template <class Operands>
BenchLadder linear_ladder(std::string_view name, std::string_view what, Products products,
                          std::string_view exercise = "") {
  const auto make = [exercise](const BenchShape& shape) {
    return problem_of(std::make_shared<Operands>(shape), exercise, shape.N);
  };
  return {name, what, exercise, products, false, rung_names<Operands>(), {{"", make}}};
}

/// A ladder whose calls are whole.
template <class Operands>
BenchLadder whole_ladder(std::string_view name, std::string_view what) {
  const auto make = [](const BenchShape& shape) {
    return problem_of(std::make_shared<Operands>(shape), "", 0);
  };
  return {name, what, "", Products::kFloat, false, rung_names<Operands>(), {{"", make}}};
}

/// A ladder over a cache, once for each of its formats.
template <class Operands>
BenchLadder cache_ladder(std::string_view name, std::string_view what, std::string_view exercise) {
  BenchLadder ladder{name, what, exercise, Products::kFloat, true, rung_names<Operands>(), {}};
  for (const KvFormat format : kKvFormats) {
    ladder.parts.push_back({std::string(kv_format_name(format)), [=](const BenchShape& shape) {
                              const bool fits = Operands::fits_mine(format);
                              return problem_of(std::make_shared<Operands>(shape, format),
                                                fits ? exercise : "", 0);
                            }});
  }
  return ladder;
}

}  // namespace qlab
