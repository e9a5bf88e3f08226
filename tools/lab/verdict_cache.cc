// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads and writes verdicts.json.
#include "lab/verdict_cache.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "lab/output_file.h"
#include "lab/text.h"
#include "model/input_error.h"

namespace qlab {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr State kStates[] = {State::kNotStarted, State::kInProgress, State::kDoesNotCompile,
                             State::kCrashes,    State::kDoesNotEnd, State::kWrong,
                             State::kDone};

fs::path cache_path(const Places& places) { return places.build / "exercises" / "verdicts.json"; }

/// The entries by exercise; none when the file is missing, damaged or of another version.
json read_entries(const Places& places) {
  const json root = json::parse(read_text(cache_path(places)).value_or(""), nullptr, false);
  if (!root.is_object() || root.value("format", json()) != kFormat) return json::object();
  json entries = root.value("verdicts", json());
  return entries.is_object() ? entries : json::object();
}

State state_named(const std::string& word) {
  const auto state = std::ranges::find(kStates, word, state_word);
  if (state == std::end(kStates)) throw InputError(word);
  return *state;
}

Verdict verdict_of(const json& entry) {
  return {.state = state_named(entry.at("state")),
          .text = entry.at("text"),
          .likely = entry.at("likely"),
          .failed = entry.at("failed"),
          .passed = entry.at("passed"),
          .total = entry.at("total"),
          .fact = entry.at("fact"),
          .seconds = entry.at("seconds"),
          .seed = entry.at("seed")};
}

json entry_of(const std::string& key, const Verdict& verdict) {
  return {{"hash", key},
          {"state", state_word(verdict.state)},
          {"text", verdict.text},
          {"likely", verdict.likely},
          {"failed", verdict.failed},
          {"passed", verdict.passed},
          {"total", verdict.total},
          {"fact", verdict.fact},
          {"seconds", verdict.seconds},
          {"seed", verdict.seed}};
}

}  // namespace

std::string verdict_key(const Places& places, const Exercise& exercise) {
  std::vector<fs::path> files = {exercise.lab_file(), exercise.solution_file(),
                                 exercise.test_file(), exercise.contract(),
                                 "kernels/" + exercise.module + "/" + exercise.id + "_ref.cc"};
  std::error_code none;
  std::vector<fs::path> patches;
  for (const auto& entry : fs::directory_iterator(places.root / exercise.mutants(), none)) {
    if (entry.path().extension() == ".patch") {
      patches.push_back(entry.path().lexically_relative(places.root));
    }
  }
  std::ranges::sort(patches);
  files.insert(files.end(), patches.begin(), patches.end());
  std::string all;
  for (const fs::path& file : files) {
    const std::string text = read_text(places.root / file).value_or("");
    // With the size no byte can move from one file to the next unnoticed.
    all += file.string() + "\n" + std::to_string(text.size()) + "\n" + text;
  }
  return fingerprint(all);
}

std::optional<Verdict> remembered(const Places& places, const Exercise& exercise) {
  const json entries = read_entries(places);
  const auto entry = entries.find(exercise.id);
  if (entry == entries.end()) return std::nullopt;
  try {
    if (entry->at("hash") != verdict_key(places, exercise)) return std::nullopt;
    return verdict_of(*entry);
  } catch (const json::exception&) {
    return std::nullopt;
  } catch (const InputError&) {
    return std::nullopt;
  }
}

void remember(const Places& places, const Exercise& exercise, const std::string& key,
              const Verdict& verdict) {
  if (verdict.state == State::kOurBug || verdict_key(places, exercise) != key) return;
  json entries = read_entries(places);
  entries[exercise.id] = entry_of(key, verdict);
  // A path or a value in a verdict may hold any byte, which is no reason to fail.
  const std::string text = json{{"format", kFormat}, {"verdicts", entries}}.dump(
      1, ' ', false, json::error_handler_t::replace);
  fs::create_directories(cache_path(places).parent_path());
  OutputFile(cache_path(places)).commit(text + "\n");
}

}  // namespace qlab
