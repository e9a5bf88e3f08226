// SPDX-License-Identifier: Apache-2.0
/// \file
/// inverse_cholesky: the factor of H⁻¹ by which gptq passes errors on, without H⁻¹ itself.
///
/// Bottleneck   K³/3 multiply-adds in double; once a layer
/// Teaches      row i of U is what the best answer of all columns behind i to an error in column i
///              looks like, given that the columns before i can no longer answer
/// Leaves out   blocking for the caches: H of this lab's layers fits in them
#pragma once

#include <optional>

#include "common/matrix.h"
#include "common/thread_pool.h"

namespace qlab {

/// U, upper triangular with a positive diagonal and zeros below, so that H⁻¹ = Uᵀ U.
///
/// Nothing when H is not positive definite, or so little that its factor would be rounding errors:
/// a pivot of at most K·2⁻⁵² of its diagonal element.
///
/// \param H  [K, K] finite and symmetric; only its upper triangle is read
std::optional<Matrix<double>> inverse_cholesky(MatrixView<const double> H, ThreadPool& threads);

}  // namespace qlab
