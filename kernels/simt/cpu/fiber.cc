// SPDX-License-Identifier: Apache-2.0
/// \file
#include "simt/cpu/fiber.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "simt/cpu/sanitizers.h"

// -DSIMT_UCONTEXT forces the portable switch (a system call a switch, ten times slower).
#if !defined(SIMT_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define SIMT_UCONTEXT 1
#endif

#if defined(SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace qlab::simt::cpu {

void fiber_entry(Fiber* fiber);

}  // namespace qlab::simt::cpu

// simt_switch(save, load): pushes what the calling convention says a function must preserve, stores
// the stack pointer in *save, takes `load` as the stack pointer and pops the same there.
// simt_start: where a new stack begins; its Fiber* waits in a preserved register.
#if defined(SIMT_UCONTEXT)
#elif defined(__x86_64__)
asm(R"(
.text
.p2align 4
.globl simt_switch
.hidden simt_switch
.type simt_switch, @function
simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch, .-simt_switch
.p2align 4
.globl simt_start
.hidden simt_start
.type simt_start, @function
simt_start:
  movq %rbx, %rdi
  call simt_fiber_entry
  ud2
.size simt_start, .-simt_start
)");
#elif defined(__aarch64__)
asm(R"(
.text
.p2align 4
.globl simt_switch
.hidden simt_switch
.type simt_switch, %function
simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size simt_switch, .-simt_switch
.p2align 4
.globl simt_start
.hidden simt_start
.type simt_start, %function
simt_start:
  mov x0, x19
  bl simt_fiber_entry
  brk #1
.size simt_start, .-simt_start
)");
#endif

#if !defined(SIMT_UCONTEXT)
extern "C" void simt_switch(void** save, void* load);
extern "C" void simt_start();
#endif

extern "C" __attribute__((used)) void simt_fiber_entry(qlab::simt::cpu::Fiber* fiber) {
  qlab::simt::cpu::fiber_entry(fiber);
}

namespace qlab::simt::cpu {
namespace {
// Address space only, never memory. Wide, because a large local array steps far over the edge.
constexpr std::size_t kGuardBytes = 1024 * 1024;

std::size_t page_size() {
  static const std::size_t bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}
}  // namespace

struct Fiber::Context {
#if defined(SIMT_UCONTEXT)
  ucontext_t machine;
#endif
};

void fiber_entry(Fiber* fiber) {
#if defined(SIMT_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  fiber->entry_(fiber->argument_);
  std::abort();  // an entry function never returns: it switches away
}

void Fiber::create(std::size_t stack_bytes, unsigned number, void (*entry)(void*), void* argument) {
  stack_bytes_ = (stack_bytes + page_size() - 1) / page_size() * page_size();
  void* memory = mmap(nullptr, stack_bytes_ + kGuardBytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  stack_ = static_cast<char*>(memory) + kGuardBytes;
  if (mprotect(stack_, stack_bytes_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  number_ = number;
  entry_ = entry;
  argument_ = argument;
  asan_bottom_ = stack_;
  asan_size_ = stack_bytes_;
#if defined(SIMT_TSAN)
  tsan_fiber_ = __tsan_create_fiber(0);
  __tsan_set_fiber_name(tsan_fiber_, ("CUDA thread " + std::to_string(number)).c_str());
#endif
  context_ = new Context;
  restart();
}

Fiber::~Fiber() {
  delete context_;
  if (stack_ == nullptr) return;
#if defined(SIMT_TSAN)
  __tsan_destroy_fiber(tsan_fiber_);
#endif
  unpoison(stack_, stack_bytes_);
  munmap(stack_ - kGuardBytes, stack_bytes_ + kGuardBytes);
}

void Fiber::restart() {
  unpoison(stack_, stack_bytes_);
  asan_fake_stack_ = nullptr;
  const std::size_t stagger = (number_ % 30) * 128;  // under one page, always a multiple of 16
#if defined(SIMT_UCONTEXT)
  getcontext(&context_->machine);
  context_->machine.uc_stack.ss_sp = stack_;
  context_->machine.uc_stack.ss_size = stack_bytes_ - stagger;
  context_->machine.uc_link = nullptr;
  const auto bits = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&context_->machine, reinterpret_cast<void (*)()>(+[](unsigned high, unsigned low) {
    const auto both = (static_cast<std::uint64_t>(high) << 32) | low;
    fiber_entry(reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(both)));
  }),
              2, static_cast<unsigned>(static_cast<std::uint64_t>(bits) >> 32),
              static_cast<unsigned>(bits));
#elif defined(__x86_64__)
  auto** top = reinterpret_cast<void**>(stack_ + stack_bytes_ - stagger);
  *--top = nullptr;  // keeps the stack 16-byte aligned at simt_start's call
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&simt_start);  // simt_switch returns into it
  *--top = nullptr;                               // rbp: the end of the frame chain
  *--top = this;                                  // rbx
  for (int i = 0; i < 4; ++i) *--top = nullptr;   // r12 … r15
  stack_pointer_ = top;
#else
  auto** frame = reinterpret_cast<void**>(stack_ + stack_bytes_ - stagger - 160);
  for (int i = 0; i < 20; ++i) frame[i] = nullptr;
  frame[0] = this;                                   // x19
  frame[11] = reinterpret_cast<void*>(&simt_start);  // x30
  stack_pointer_ = frame;
#endif
}

void Fiber::adopt_running_stack() {
#if defined(SIMT_TSAN)
  tsan_fiber_ = __tsan_get_current_fiber();
#endif
#if defined(SIMT_ASAN)
  pthread_attr_t attributes;
  void* bottom = nullptr;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &bottom, &asan_size_);
  pthread_attr_destroy(&attributes);
  asan_bottom_ = bottom;
#endif
  if (context_ == nullptr) context_ = new Context;
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
#if defined(SIMT_ASAN)
  __sanitizer_start_switch_fiber(&from.asan_fake_stack_, to.asan_bottom_, to.asan_size_);
#endif
#if defined(SIMT_TSAN)
  // "No sync": being scheduled one after the other is no ordering that the kernel may rely on.
  __tsan_switch_to_fiber(to.tsan_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#if defined(SIMT_UCONTEXT)
  swapcontext(&from.context_->machine, &to.context_->machine);
#else
  simt_switch(&from.stack_pointer_, to.stack_pointer_);
#endif
#if defined(SIMT_ASAN)
  __sanitizer_finish_switch_fiber(from.asan_fake_stack_, nullptr, nullptr);
#endif
}

bool Fiber::in_guard(const void* address) const {
  const char* p = static_cast<const char*>(address);
  return stack_ != nullptr && p < stack_ && p >= stack_ - kGuardBytes;
}

}  // namespace qlab::simt::cpu
