// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_sound: an addition.
#include "99_toy/toy_sound.h"

namespace qlab::exercise {

int toy_sound(int x) {
  int result = 0;
  // BEGIN SOLUTION [toy_sound_double] Double a number
  // Set `result` to 2 · x.

  result = x + x;
  // END SOLUTION [toy_sound_double]
  return result;
}

}  // namespace qlab::exercise
