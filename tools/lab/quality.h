// SPDX-License-Identifier: Apache-2.0
/// \file
/// Quality of each configuration on held-out text and on the recall task, against FP16.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/isa.h"
#include "common/statistics.h"
#include "lab/configurations.h"
#include "lab/terminal.h"
#include "lab/variants.h"
#include "lab/verdict.h"
#include "model/checkpoint.h"
#include "model/evaluate.h"

namespace qlab {

/// What the models are asked to predict, and what calibration sees beforehand.
struct Evaluation {
  std::vector<Document> text;
  std::vector<RecallDocument> recall;
  /// Part::kDetail is judged on the first so many documents of either kind.
  std::int64_t detail_text, detail_recall;
  CalibrationSource calibration;  ///< no window that is evaluated
};

/// Held-out text and recall documents: 16 × 256 and 4 × 640 bytes when `quick`, else 12 × 1024 and
/// 6 × 1024, of which details take 8 and 2. Calibration sees 1,024 bytes.
Evaluation make_evaluation(bool quick, std::uint64_t seed);

/// Windows of text that calibration may see: behind those that are evaluated, fewer than asked for
/// where the text ends. \throws ContractError for a window of more than 1,024 bytes.
std::vector<Document> calibration_text(std::int64_t window, std::int64_t count);

struct QualityRow {
  const Configuration* configuration;
  Interval bits_per_byte;
  Interval delta;  ///< bits a byte more than FP16, paired by document
  Interval kl;     ///< nats a byte from FP16's predictions
  Interval flips;  ///< share of bytes whose most likely guess differs from FP16's
  Interval recall;
  Interval recall_delta;  ///< against FP16, paired by document
  /// The same by length of context (kContextEdges); empty where nothing was scored.
  std::array<std::optional<Interval>, kContextParts> delta_by_context, recall_by_context;
};

struct Quality {
  std::vector<QualityRow> rows;  // one a configuration, in their order; the first is FP16
  std::int64_t text_bytes, recall_queries;
};

/// Runs the configurations over the same documents and adds the measurements that claims name.
/// \param configurations  the first one is what all others are compared with; they must outlive the
///                        result
Quality measure_quality(const Checkpoint& checkpoint, const Evaluation& evaluation,
                        std::span<const Configuration> configurations, std::uint64_t seed,
                        const Machine& machine, Progress& progress, Measurements& measurements);

/// Units of work that measure_quality reports to the progress line.
double quality_work(const Evaluation& evaluation, std::span<const Configuration> configurations);

}  // namespace qlab
