// SPDX-License-Identifier: Apache-2.0
/// \file
/// The words of the errors: who waits where.
#include <cstdio>
#include <map>

#include "simt/cpu/worker.h"

namespace qlab::simt::cpu {
namespace {

// "0-15, 17": the ranks of a sorted list.
std::string ranges(const std::vector<unsigned>& ranks) {
  std::string text;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t j = i;
    while (j + 1 < ranks.size() && ranks[j + 1] == ranks[j] + 1) ++j;
    text += (text.empty() ? "" : ", ") + std::to_string(ranks[i]);
    if (j > i) text += "-" + std::to_string(ranks[j]);
    i = j + 1;
  }
  return text;
}

}  // namespace

std::string to_string(uint3 v) {
  return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

std::string to_text(Site at) {
  const std::string file = at.file;
  const auto slash = file.find_last_of('/');
  return (slash == std::string::npos ? file : file.substr(slash + 1)) + ":" +
         std::to_string(at.line);
}

std::string Worker::who_waits_where() const {
  std::map<std::string, std::vector<unsigned>> groups;
  for (unsigned rank = 0; rank < count_; ++rank) {
    const Thread& t = *threads_[rank];
    std::string where = "have exited";
    if (t.state == State::ready) {
      where = t.waits_in == nullptr
                  ? "have reached no barrier"
                  : std::string("were last in ") + t.waits_in + " at " + to_text(t.waits_at);
    } else if (t.state != State::finished) {
      where = std::string("wait in ") + t.waits_in + " at " + to_text(t.waits_at);
    }
    if (t.state == State::in_warp_call) {
      char mask[32];
      std::snprintf(mask, sizeof mask, " with mask 0x%08x", t.call->mask);
      where += mask;
    }
    groups[where].push_back(rank);
  }
  std::string text;
  for (const auto& [where, ranks] : groups) text += "\n  threads " + ranges(ranks) + " " + where;
  return text;
}

}  // namespace qlab::simt::cpu
