// SPDX-License-Identifier: Apache-2.0
/// \file
/// tensor_map: what the copy engine of Hopper must know of a matrix, made on the host. For nvcc only.
#pragma once

#if defined(__CUDACC__)

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <string>

#include "simt/enqueue.h"

namespace qlab::hopper {

/// The element types that kernels here copy.
template <class T>
inline constexpr CUtensorMapDataType kTensorType = CU_TENSOR_MAP_DATA_TYPE_UINT8;
template <>
inline constexpr CUtensorMapDataType kTensorType<half> = CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
template <>
inline constexpr CUtensorMapDataType kTensorType<__nv_bfloat16> = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;

/// Boxes of box_rows rows and 128 bytes of a matrix [rows, cols] in row-major order. In shared memory a
/// row is 128 bytes, and its piece of 16 bytes number i lies at i ^ row % 8: the swizzle that wgmma
/// expects and that keeps banks apart.
/// \param matrix  [rows, cols] on the device, aligned to 16 bytes; so is every row
/// \throws WrongGpu where there is no copy engine of Hopper, and so none of what a rung does with it;
///         simt::Error where the driver is too old, or refuses the matrix
template <class T>
CUtensorMap tensor_map(const T* matrix, int rows, int cols, int box_rows) {
  const int major = of_this_gpu(cudaDevAttrComputeCapabilityMajor);
  const int minor = of_this_gpu(cudaDevAttrComputeCapabilityMinor);
  if (major != 9 || minor != 0) {
    throw WrongGpu(
        "this kernel has instructions of Hopper, compute capability 9.0, and this GPU has " +
        std::to_string(major) + "." + std::to_string(minor) + "; take another rung");
  }
  static const auto encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found;
    simt::check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                                 cudaEnableDefault, &found),
                "tensor_map");
    if (function == nullptr) throw simt::Error("tensor_map: the driver is older than CUDA 12");
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
  }();
  const cuuint64_t sides[2] = {static_cast<cuuint64_t>(cols), static_cast<cuuint64_t>(rows)};
  const cuuint64_t stride = static_cast<cuuint64_t>(cols) * sizeof(T);
  const cuuint32_t box[2] = {static_cast<cuuint32_t>(128 / sizeof(T)),
                             static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t steps[2] = {1, 1};
  CUtensorMap map;
  const CUresult result =
      encode(&map, kTensorType<T>, 2, const_cast<T*>(matrix), sides, &stride, box, steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw simt::Error("tensor_map: the driver refuses a matrix of " + std::to_string(rows) + " × " +
                      std::to_string(cols) + "; rows must be whole pieces of 16 bytes");
  }
  return map;
}

}  // namespace qlab::hopper

#endif
