// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ctrl-C and its like, as a flag: what is under way ends in order and leaves nothing half written.
#pragma once

namespace qlab {

/// From here on SIGINT, SIGTERM and SIGHUP only set the flag. A second SIGINT changes nothing: what
/// runs is asked to stop at once by the first.
void catch_interrupts();
/// Signals end the program again, as they did before.
void leave_interrupts();
bool interrupted();

/// Whether the window changed its size, or the program was stopped and continued, since last asked.
bool take_terminal_change();

}  // namespace qlab
