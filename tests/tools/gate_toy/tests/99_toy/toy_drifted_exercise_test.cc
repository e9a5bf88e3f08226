// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tests of toy_drifted.
#include "99_toy/toy_drifted.h"

#include <gtest/gtest.h>

namespace qlab::test {
namespace {

TEST(Toy, DoublesThree) { EXPECT_EQ(exercise::toy_drifted(3), 6); }

}  // namespace
}  // namespace qlab::test
