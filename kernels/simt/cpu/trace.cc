// SPDX-License-Identifier: Apache-2.0
/// \file
/// Counts what traced accesses cost: sectors of global memory, passes over the banks.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <string_view>
#include <tuple>

#include "simt/cpu/worker.h"
#include "simt/traced.h"

namespace qlab::simt {
namespace {

// The n-th time that a lane comes to a line belongs to one request with its warp's other lanes'
// n-th time there.
using Site = std::tuple<std::string_view, int, bool, bool>;  // array, line, store, shared
using WarpId = std::pair<unsigned, unsigned>;                // block, warp
struct Access {
  unsigned lane;
  std::ptrdiff_t byte;
  unsigned bytes;
};
using Request = std::vector<Access>;
struct WarpRecord {
  std::array<std::uint32_t, 32> visits{};
  std::vector<Request> requests;
};

std::atomic<bool> active{false};
std::mutex mutex;
std::map<Site, std::map<WarpId, WarpRecord>> recorded;

std::uint64_t sectors(const Request& request) {
  std::set<std::ptrdiff_t> touched;
  for (const Access& a : request) {
    for (std::ptrdiff_t s = a.byte / 32; s <= (a.byte + a.bytes - 1) / 32; ++s) touched.insert(s);
  }
  return touched.size();
}

// 32 banks of 4 bytes. Lanes that want the same word share it; different words of one bank take
// turns. Wider accesses go in phases of 16 (8 bytes) or 8 lanes (16 bytes).
std::uint64_t passes(const Request& request) {
  const std::size_t a_phase =
      std::max<std::size_t>(1, 32 * 4 / std::max(4u, request.front().bytes));
  std::uint64_t total = 0;
  for (std::size_t first = 0; first < request.size(); first += a_phase) {
    std::array<std::set<std::ptrdiff_t>, 32> words;
    for (std::size_t i = first; i < std::min(request.size(), first + a_phase); ++i) {
      for (std::ptrdiff_t w = request[i].byte / 4;
           w <= (request[i].byte + request[i].bytes - 1) / 4; ++w) {
        words[static_cast<std::size_t>(w) % 32].insert(w);
      }
    }
    std::size_t most = 0;
    for (const auto& bank : words) most = std::max(most, bank.size());
    total += most;
  }
  return total;
}

// What the request's distinct bytes need at best, lying side by side.
std::uint64_t at_best(const Request& request, bool shared) {
  std::set<std::ptrdiff_t> starts;
  for (const Access& a : request) starts.insert(a.byte);
  const std::uint64_t bytes = starts.size() * request.front().bytes, unit = shared ? 128 : 32;
  return (bytes + unit - 1) / unit;
}

}  // namespace

bool cpu::tracing() { return active.load(std::memory_order_relaxed); }

void cpu::record_access(const char* array, int line, bool store, bool shared, std::ptrdiff_t byte,
                        unsigned bytes) {
  const Thread* t = Worker::running_thread();
  if (t == nullptr) return;
  const dim3 grid = t->grid_dim;
  const unsigned block = t->block_idx.x + grid.x * (t->block_idx.y + grid.y * t->block_idx.z);
  const Worker::Undisturbed undisturbed(*t->worker);
  const std::lock_guard lock(mutex);
  WarpRecord& warp = recorded[{array, line, store, shared}][{block, t->warp()}];
  const std::uint32_t visit = warp.visits[t->lane()]++;
  if (visit >= warp.requests.size()) warp.requests.resize(visit + 1);
  // In the order of the lanes, whatever order they came in: wide accesses go in phases of neighbours.
  Request& request = warp.requests[visit];
  const auto after = std::upper_bound(request.begin(), request.end(), t->lane(),
                                      [](unsigned lane, const Access& a) { return lane < a.lane; });
  request.insert(after, {t->lane(), byte, bytes});
}

Tracing::Tracing() {
  const std::lock_guard lock(mutex);
  recorded.clear();
  active = true;
}

Tracing::~Tracing() { active = false; }

std::vector<AccessCounts> Tracing::counts() const {
  const std::lock_guard lock(mutex);
  std::vector<AccessCounts> all;
  for (const auto& [site, warps] : recorded) {
    const auto& [array, line, store, shared] = site;
    AccessCounts c{std::string(array), line, store, shared};
    for (const auto& [id, warp] : warps) {
      for (const Request& request : warp.requests) {
        ++c.requests;
        c.lanes += request.size();
        c.units += shared ? passes(request) : sectors(request);
        c.ideal += at_best(request, shared);
      }
    }
    all.push_back(c);
  }
  return all;
}

std::string Tracing::report() const {
  std::string text;
  for (const AccessCounts& c : counts()) {
    const auto a_request = [&](std::uint64_t n) {
      return static_cast<double>(n) / static_cast<double>(c.requests);
    };
    char line[256];
    std::snprintf(
        line, sizeof line,
        "%s, line %d, %s: %.3g lanes took %.3g %s a request; %.3g would do (%llu requests)\n",
        c.array.c_str(), c.line, c.store ? "store" : "load", a_request(c.lanes), a_request(c.units),
        c.shared ? "bank passes" : "sectors", a_request(c.ideal),
        static_cast<unsigned long long>(c.requests));
    text += line;
  }
  return text;
}

}  // namespace qlab::simt
