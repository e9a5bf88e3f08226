// SPDX-License-Identifier: Apache-2.0
/// \file
/// Guards around a learner's kernel.
#include "lab/timed_mine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <memory>
#include <utility>

#include "lab/timed_parts.h"

namespace qlab {
namespace {

/// `call`, unless there was trouble before; what it throws is trouble.
std::function<void()> guarded(std::shared_ptr<std::string> trouble, std::string exercise,
                              std::function<void()> call) {
  return [trouble = std::move(trouble), exercise = std::move(exercise), call = std::move(call)] {
    if (!trouble->empty()) return;
    try {
      call();
    } catch (const WrongOutput& error) {
      *trouble = error.what();
    } catch (const std::exception& error) {
      *trouble = fmt::format("{} throws: {}", exercise, error.what());
    } catch (...) {
      *trouble = fmt::format("{} throws something that is no std::exception", exercise);
    }
  };
}

std::string left_out(const Candidate& candidate, const std::string& operation,
                     const std::string& why) {
  return fmt::format("{} is left out of {}: {}", candidate.name, operation, why);
}

}  // namespace

Candidate candidate_of_mine(const std::string& format, const std::string& exercise,
                            const Cost& cost, std::function<void()> run,
                            std::function<void()> check) {
  auto trouble = std::make_shared<std::string>();
  return {.name = format + " (yours)",
          .path = Isa::kScalar,
          .cost = cost,
          .run = guarded(trouble, exercise, std::move(run)),
          .check = guarded(trouble, exercise, std::move(check)),
          .trouble = trouble};
}

bool admit_mine(const Candidate& candidate, const std::string& operation,
                std::vector<std::string>& sentences) {
  const auto start = std::chrono::steady_clock::now();
  candidate.run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  std::string why = *candidate.trouble;
  if (why.empty() && elapsed.count() > kLongestOfMine) {
    why = fmt::format("a call takes {:.1f} s, more than the {} s that it may", elapsed.count(),
                      kLongestOfMine);
  }
  if (why.empty()) {
    candidate.check();
    why = *candidate.trouble;
  }
  if (!why.empty()) sentences.push_back(left_out(candidate, operation, why));
  return why.empty();
}

void drop_troubled(std::vector<Candidate>& candidates, Times& times, const std::string& operation,
                   std::vector<std::string>& sentences) {
  for (std::size_t i = candidates.size(); i-- > 0;) {
    const Candidate& candidate = candidates[i];
    if (!candidate.yours() || candidate.trouble->empty()) continue;
    sentences.push_back(left_out(candidate, operation, *candidate.trouble));
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(i));
    times.erase(times.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void w4a16_gemv_bound(MatrixView<const half_t> x, const Int4Weights& W, MatrixView<double> bound) {
  const double factor = (2 * std::sqrt(static_cast<double>(W.K)) + 3) * 0x1p-24;
  for (std::int64_t n = 0; n < W.N(); ++n) {
    double sum = 0;
    for (std::int64_t k = 0; k < W.K; ++k) {
      const int two_codes = W.qweight(n, k / 2);
      const int code = k % 2 == 0 ? two_codes & 0xF : two_codes >> 4;
      const std::int64_t g = k / W.group_size;
      const double upper = code + W.zero_point(n, g);  // both parts of the difference
      sum += double{to_float(W.scale(n, g))} * std::abs(to_float(x(0, k))) * upper;
    }
    bound(0, n) = factor * sum;
  }
}

}  // namespace qlab
