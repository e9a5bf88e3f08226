// SPDX-License-Identifier: Apache-2.0
/// \file
/// toy_sound: your turn. Replace each todo() with your code, then run `./lab check toy_sound`.
#include "99_toy/toy_sound.h"

namespace qlab::exercise {

int toy_sound(int x) {
  int result = 0;
  // TODO [toy_sound_double] Double a number
  // Set `result` to 2 · x.
  todo("toy_sound_double");
  return result;
}

}  // namespace qlab::exercise
