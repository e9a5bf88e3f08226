// SPDX-License-Identifier: Apache-2.0
/// \file
/// The ladders, in the order of the modules.
#include "gpu/ladder.h"

namespace qlab::gpu {

std::vector<Ladder> ladders() {
  return {gemm_ladder(), w8a8_ladder(), w4a16_ladder(), attention_ladder()};
}

}  // namespace qlab::gpu
