// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tests of toy_survivor.
#include "99_toy/toy_survivor.h"

#include <gtest/gtest.h>

namespace qlab::test {
namespace {

TEST(Toy, DoublesThree) { EXPECT_EQ(exercise::toy_survivor(3), 6); }

}  // namespace
}  // namespace qlab::test
