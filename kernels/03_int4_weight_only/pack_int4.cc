// SPDX-License-Identifier: Apache-2.0
/// \file
/// The layouts of packed words as a table, and what follows from it for every tensor alike.
#include "03_int4_weight_only/pack_int4.h"

namespace qlab {
namespace {

constexpr PackedAlong kN = PackedAlong::kN, kK = PackedAlong::kK;

// format, name, of_groups, along, rows_follow_n, order, stored; in the order of PackedTensor
constexpr PackedLayout kLayouts[] = {
    {"GPTQ", "qweight", false, kK, false, kSequentialOrder, Stored::kAsItIs},
    {"GPTQ v1", "qzeros", true, kN, false, kSequentialOrder, Stored::kMinusOne},
    {"GPTQ v2", "qzeros", true, kN, false, kSequentialOrder, Stored::kAsItIs},
    {"AWQ", "qweight", false, kN, false, kAwqOrder, Stored::kAsItIs},
    {"AWQ", "qzeros", true, kN, false, kAwqOrder, Stored::kAsItIs},
    {"compressed-tensors", "weight_packed", false, kK, true, kSequentialOrder, Stored::kPlusEight},
    {"compressed-tensors", "weight_zero_point", true, kN, true, kSequentialOrder,
     Stored::kPlusEight},
};

/// What is added to a value of 0 … 15; compressed-tensors' own + 8 is in that value already.
int offset_of(const PackedLayout& layout) { return layout.stored == Stored::kMinusOne ? -1 : 0; }

/// Calls visit(r, c, nibble, element) for every nibble of the words.
template <class Visit>
void for_each_nibble(PackedTensor tensor, PackedShape shape, const Visit& visit) {
  for (std::int64_t r = 0; r < shape.rows; ++r) {
    for (std::int64_t c = 0; c < shape.cols; ++c) {
      for (int i = 0; i < 8; ++i) visit(r, c, i, packed_element(tensor, r, c, i));
    }
  }
}

}  // namespace

const PackedLayout& packed_layout(PackedTensor tensor) {
  return kLayouts[static_cast<std::size_t>(tensor)];
}

PackedElement packed_element(PackedTensor tensor, std::int64_t word_row, std::int64_t word_col,
                             int nibble) {
  QLAB_CHECK(nibble >= 0 && nibble < 8, "packed_element: nibble is ", nibble,
             "; a word has nibbles 0 … 7");
  const PackedLayout& layout = packed_layout(tensor);
  PackedElement element{.n = layout.rows_follow_n ? word_row : word_col,
                        .k = layout.rows_follow_n ? word_col : word_row};
  std::int64_t& packed = layout.along == PackedAlong::kN ? element.n : element.k;
  packed = 8 * packed + static_cast<std::int64_t>(layout.order[static_cast<std::size_t>(nibble)]);
  return element;
}

PackedShape packed_shape(PackedTensor tensor, std::int64_t N, std::int64_t K) {
  const PackedLayout& layout = packed_layout(tensor);
  const bool along_n = layout.along == PackedAlong::kN;
  std::int64_t& packed = along_n ? N : K;
  QLAB_CHECK(packed % 8 == 0, layout.format, " ", layout.name, ": ",
             along_n ? "N = " : "K = ", packed,
             " is no multiple of 8; a word holds eight, so pad the weights");
  packed /= 8;
  return layout.rows_follow_n ? PackedShape{N, K} : PackedShape{K, N};
}

void pack_int4(PackedTensor tensor, MatrixView<const std::uint8_t> values,
               MatrixView<std::uint32_t> words) {
  const PackedLayout& layout = packed_layout(tensor);
  const PackedShape shape = packed_shape(tensor, values.rows(), values.cols());
  check_shape("pack_int4", layout.name, words, shape.rows, shape.cols);
  for_each_nibble(tensor, shape, [&](auto r, auto c, int i, PackedElement at) {
    const int nibble = values(at.n, at.k) + offset_of(layout);
    QLAB_CHECK(nibble >= 0 && nibble <= 15, layout.format, " ", layout.name, ": value [", at.n,
               ", ", at.k, "] is ", int{values(at.n, at.k)}, "; it must be ", -offset_of(layout),
               " … 15");
    if (i == 0) words(r, c) = 0;
    words(r, c) |= static_cast<std::uint32_t>(nibble) << (4 * i);
  });
}

void unpack_int4(PackedTensor tensor, MatrixView<const std::uint32_t> words,
                 MatrixView<std::uint8_t> values) {
  const PackedLayout& layout = packed_layout(tensor);
  const PackedShape shape = packed_shape(tensor, values.rows(), values.cols());
  check_shape("unpack_int4", layout.name, words, shape.rows, shape.cols);
  for_each_nibble(tensor, shape, [&](auto r, auto c, int i, PackedElement at) {
    const auto nibble = static_cast<int>(words(r, c) >> (4 * i) & 15);
    const int value = nibble - offset_of(layout);
    QLAB_CHECK(value <= 15, layout.format, " ", layout.name, ": nibble ", i, " of word [", r, ", ",
               c, "] is ", nibble,
               ", the zero point 16, which is no code; some writers mean 0 by it");
    values(at.n, at.k) = static_cast<std::uint8_t>(value);
  });
}

}  // namespace qlab
