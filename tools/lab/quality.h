// SPDX-License-Identifier: Apache-2.0
/// \file
/// Quality of each configuration on held-out text and on the recall task, against FP16.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/isa.h"
#include "common/statistics.h"
#include "lab/configurations.h"
#include "lab/terminal.h"
#include "lab/verdict.h"
#include "model/checkpoint.h"
#include "model/evaluate.h"

namespace qlab {

/// What the models are asked to predict.
struct Evaluation {
  std::vector<Document> text;
  std::vector<RecallDocument> recall;
};

/// Held-out text and recall documents: 16 × 256 and 4 × 640 bytes when `quick`, else 32 × 1024 and
/// 8 × 1024.
Evaluation make_evaluation(bool quick, std::uint64_t seed);

struct QualityRow {
  const Configuration* configuration;
  Interval bits_per_byte;
  Interval delta;  ///< bits a byte more than FP16, paired by document
  Interval kl;     ///< nats a byte from FP16's predictions
  Interval flips;  ///< share of bytes whose most likely guess differs from FP16's
  Interval recall;
  Interval recall_delta;  ///< against FP16, paired by document
};

struct Quality {
  std::vector<QualityRow> rows;  // one a configuration, in their order
  std::int64_t text_bytes, recall_queries;
};

/// Runs every configuration over the same documents and adds the measurements that claims name.
Quality measure_quality(const Checkpoint& checkpoint, const Evaluation& evaluation,
                        std::uint64_t seed, const Machine& machine, Progress& progress,
                        Measurements& measurements);

/// Units of work that measure_quality reports to the progress line.
double quality_work(const Evaluation& evaluation);

}  // namespace qlab
