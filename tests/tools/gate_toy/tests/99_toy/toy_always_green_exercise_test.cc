// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tests of toy_always_green.
#include "99_toy/toy_always_green.h"

#include <gtest/gtest.h>

namespace qlab::test {
namespace {

TEST(Toy, DoublesThree) { EXPECT_EQ(exercise::toy_always_green(3), 6); }
TEST(Toy, LooksAway) { EXPECT_EQ(1, 1); }

}  // namespace
}  // namespace qlab::test
