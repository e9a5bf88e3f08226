// SPDX-License-Identifier: Apache-2.0
/// \file
/// Quality of a model on documents: bits per byte, KL divergence and flips against a reference, and
/// recall of what stood earlier in the context.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "common/isa.h"
#include "common/matrix.h"
#include "model/llama.h"

namespace qlab {

/// One window of text; tokens are bytes.
struct Document {
  std::string name;
  std::vector<std::int32_t> tokens;
};

/// Non-overlapping windows of `window` bytes, at most `limit`, taken round-robin from the *.txt files
/// of a directory in the order of their names; a rest shorter than a window is dropped. A document is
/// named FILE:OFFSET.
/// \throws InputError when the directory or the files are missing or too short.
std::vector<Document> read_documents(const std::filesystem::path& directory, std::int64_t window,
                                     std::int64_t limit);

/// Documents of the recall task: `names` lines "abc=1234", then queries "?abc=1234" up to `length`
/// bytes, the form that the tiny model was trained on. Names (all different) and digits are drawn
/// afresh for each document; the same seed gives the same documents.
inline constexpr std::int64_t kRecallLineBytes = 9;    // "abc=1234\n"
inline constexpr std::int64_t kRecallQueryBytes = 10;  // "?abc=1234\n"
/// Lines to remember, and what is asked of them.
struct RecallDocument {
  Document text;
  std::vector<std::int64_t> answers;  // position of the first of the four digits of each query
};
/// \throws ContractError when `length` has no room for the names and one query.
std::vector<RecallDocument> make_recall_documents(std::int64_t count, std::int64_t names,
                                                  std::int64_t length, std::uint64_t seed);

/// Context lengths at which scores are told apart: a prediction belongs to the first that its context, the
/// bytes before it, does not pass.
inline constexpr std::int64_t kContextEdges[] = {256, 512, 768, 1024};
inline constexpr std::size_t kContextParts = std::size(kContextEdges);

/// The part of kContextEdges for a context of so many bytes. Longer ones count with the last.
std::size_t context_part(std::int64_t context);

/// What one document gives; sums, so that documents can be resampled.
struct DocumentScore {
  double nats = 0;             // Σ -ln p(next byte); the first byte is not scored
  std::int64_t positions = 0;  // bytes scored
  double kl_nats = 0;          // Σ KL(reference ‖ model), 0 without a reference
  std::int64_t flips = 0;      // positions whose most likely byte differs from the reference's
  std::array<double, kContextParts> nats_by_context = {};
  std::array<std::int64_t, kContextParts> positions_by_context = {};
};
/// How many answers were right.
struct RecallScore {
  std::int64_t queries = 0;
  std::int64_t right = 0;  // all four digits, each the most likely byte given the right ones before
  std::array<std::int64_t, kContextParts> queries_by_context = {}, right_by_context = {};
};

/// Logits of every position of one document: [tokens, vocab].
Matrix<float> document_logits(const Llama& model, const Document& document, const Machine& machine);

/// Scores logits against the next bytes, and against the logits of a reference if there is one.
/// Log-softmax in double; ties of the most likely byte go to the lowest.
/// \throws ContractError when a shape does not fit or logits are not finite.
DocumentScore score_document(const Document& document, const Matrix<float>& logits,
                             const Matrix<float>* reference);
/// The same for logits that are there already: [positions, vocabulary].
RecallScore score_recall(const RecallDocument& document, const Matrix<float>& logits);

}  // namespace qlab
