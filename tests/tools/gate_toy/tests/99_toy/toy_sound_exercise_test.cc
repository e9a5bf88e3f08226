// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tests of toy_sound.
#include "99_toy/toy_sound.h"

#include <gtest/gtest.h>

namespace qlab::test {
namespace {

TEST(Toy, DoublesThree) { EXPECT_EQ(exercise::toy_sound(3), 6); }

}  // namespace
}  // namespace qlab::test
