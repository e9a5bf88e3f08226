// SPDX-License-Identifier: Apache-2.0
/// \file
/// Signal handlers that set flags.
#include "lab/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace qlab {
namespace {

volatile std::sig_atomic_t interrupt_flag = 0;
volatile std::sig_atomic_t terminal_flag = 0;

void on_interrupt(int) { interrupt_flag = 1; }
void on_terminal_change(int) { terminal_flag = 1; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // without SA_RESTART: a wait ends
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) handle(signal, on_interrupt);
  for (const int signal : {SIGWINCH, SIGCONT}) handle(signal, on_terminal_change);
}

void leave_interrupts() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT}) handle(signal, SIG_DFL);
}

bool interrupted() { return interrupt_flag != 0; }

bool take_terminal_change() {
  const bool changed = terminal_flag != 0;
  terminal_flag = 0;
  return changed;
}

}  // namespace qlab
