// SPDX-License-Identifier: Apache-2.0
/// \file
#include "simt/cpu/worker.h"

#include <signal.h>

#include <cstring>
#include <exception>
#include <utility>

#include "simt/cpu/sanitizers.h"

namespace qlab::simt::cpu {
namespace {

thread_local Thread* the_running_thread = nullptr;

#if defined(SIMT_ASAN) || defined(SIMT_TSAN)
constexpr std::size_t kStackBytes = 256 * 1024;
#else
constexpr std::size_t kStackBytes = 64 * 1024;
#endif

}  // namespace

Thread* Worker::running_thread() { return the_running_thread; }
Worker* Worker::running() {
  return the_running_thread == nullptr ? nullptr : the_running_thread->worker;
}

void Worker::attach() {
  main_.adopt_running_stack();
  constexpr std::size_t bytes = 64 * 1024;
  if (signal_stack_ == nullptr) signal_stack_ = std::make_unique<char[]>(bytes);
  stack_t mine{}, old{};
  mine.ss_sp = signal_stack_.get();
  mine.ss_size = bytes;
  sigaltstack(&mine, &old);
  old_signal_stack_ = (old.ss_flags & SS_DISABLE) != 0 ? nullptr : old.ss_sp;
  old_signal_stack_bytes_ = old.ss_size;
}

void Worker::detach() {
  stack_t old{};
  old.ss_sp = old_signal_stack_;
  old.ss_size = old_signal_stack_bytes_;
  old.ss_flags = old_signal_stack_ == nullptr ? SS_DISABLE : 0;
  sigaltstack(&old, nullptr);
}

Thread& Worker::thread(unsigned rank) {
  while (threads_.size() <= rank) {
    auto fresh = std::make_unique<Thread>();
    fresh->worker = this;
    fresh->rank = static_cast<unsigned>(threads_.size());
    fresh->fiber.create(kStackBytes, fresh->rank, &Worker::thread_main, fresh.get());
    threads_.push_back(std::move(fresh));
  }
  return *threads_[rank];
}

template <class Body>
void Worker::guarded(const Thread& t, Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    note_failure(t, e.what());
  } catch (const std::exception& e) {
    note_failure(t, std::string("exception in a kernel: ") + e.what());
  }
}

void Worker::thread_main(void* argument) {
  Thread& t = *static_cast<Thread*>(argument);
  Worker& w = *t.worker;
  for (;;) {
    acquire(&w.start_order_);
    w.guarded(t, [&] { w.shape_->kernel.call(w.shape_->kernel.object); });
    w.guarded(t, [&] { w.finish(t); });  // its exit may complete other lanes' collective
    release(&w.end_order_);
    Fiber::switch_to(t.fiber, w.main_);
  }
}

void Worker::begin_threads(uint3 block_idx) {
  const dim3 dim = shape_->block;
  count_ = dim.x * dim.y * dim.z;
  finished_ = 0;
  failed_ = false;
  endless_ = false;
  block_ticks_ = 0;
  undisturbed_ = 0;
  warps_.assign((count_ + 31) / 32, Warp{});
  ready_.clear();
  for (unsigned rank = 0; rank < count_; ++rank) {
    Thread& t = thread(rank);
    t.thread_idx = {rank % dim.x, rank / dim.x % dim.y, rank / (dim.x * dim.y)};
    t.block_idx = block_idx;
    t.block_dim = dim;
    t.grid_dim = shape_->grid;
    t.copies.clear();
    t.copy_group = 0;
    t.call = nullptr;
    t.waits_in = nullptr;
    warps_[t.warp()].alive |= 1u << t.lane();
  }
  // The stack hands out its last entry first: schedule 0 starts with thread 0, schedule 1 with the
  // last thread; from 2 on each pick is random.
  for (unsigned i = 0; i < count_; ++i) {
    make_ready(*threads_[shape_->schedule == 1 ? i : count_ - 1 - i]);
  }
}

void Worker::run_block(const LaunchShape& shape, uint3 block_idx) {
  shape_ = &shape;
  const std::uint64_t linear =
      block_idx.x +
      std::uint64_t{shape.grid.x} * (block_idx.y + std::uint64_t{shape.grid.y} * block_idx.z);
  random_.seed(shape.schedule * 0x9E3779B97F4A7C15u + linear);
  try {
    shared_.begin_block(shape.shared_bytes);
    begin_threads(block_idx);
    release(&start_order_);
    run_ready_threads();
    while (finished_ < count_) {
      release_barrier();
      run_ready_threads();
    }
    acquire(&end_order_);
    shared_.end_block();
  } catch (const Error& e) {
    abandon();
    throw Error("block " + to_string(block_idx) + ", " + e.what());
  }
}

void Worker::run_ready_threads() {
  while (!ready_.empty()) {
    if (in_random_order()) std::swap(ready_[random_() % ready_.size()], ready_.back());
    Thread& t = *ready_.back();
    ready_.pop_back();
    note_progress();
    the_running_thread = &t;
    Fiber::switch_to(main_, t.fiber);
    the_running_thread = nullptr;
    if (out_of_time()) explain_time(t);
    if (failed_) {
      acquire(&end_order_);
      throw Error(error_);
    }
  }
}

void Worker::yield(Thread& t, State state) {
  t.state = state;
  release(&end_order_);  // in case this thread is abandoned here
  Fiber::switch_to(t.fiber, main_);
}

void Worker::make_ready(Thread& t) {
  t.state = State::ready;
  ready_.push_back(&t);
}

void Worker::abandon() {
  acquire(&end_order_);
  for (unsigned rank = 0; rank < count_ && rank < threads_.size(); ++rank) {
    threads_[rank]->fiber.restart();
  }
}

void Worker::note_failure(const Thread& t, const std::string& what) {
  note_progress();
  failed_ = true;
  error_ = "thread " + to_string(t.thread_idx) + ": " + what;
}

void Worker::leave_fiber(const std::string& what) {
  Thread& t = *the_running_thread;
  note_failure(t, what);
  abandon_running_thread();
}

void Worker::abandon_running_thread() {
  release(&end_order_);
  Fiber::switch_to(the_running_thread->fiber, main_);
  std::terminate();  // an abandoned fiber is never resumed
}

void Worker::finish(Thread& t) {
  note_progress();
  t.state = State::finished;
  ++finished_;
  Warp& warp = warps_[t.warp()];
  warp.alive &= ~(1u << t.lane());
  // A collective waits for the lanes that have not exited: this exit may have completed one.
  for (std::uint32_t rest = warp.waiting; rest != 0 && (warp.waiting & rest) != 0;
       rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    Thread& other = *threads_[t.warp() * 32 + lane];
    if (other.call != nullptr) try_execute(t.warp(), *other.call);
  }
}

int Worker::wait_at_barrier(Thread& t, const char* name, bool predicate, Site at) {
  note_progress();
  t.waits_in = name;
  t.waits_at = at;
  t.predicate = predicate;
  release(&barrier_arrival_);
  yield(t, State::at_barrier);
  acquire(&barrier_opening_);
  return barrier_count_;
}

void Worker::release_barrier() {
  const Thread* first = nullptr;
  bool divergent = false;
  int predicates = 0;
  for (unsigned rank = 0; rank < count_; ++rank) {
    const Thread& t = *threads_[rank];
    if (t.state == State::finished) continue;
    if (t.state != State::at_barrier) {
      throw Error("deadlock, no thread can go on:" + who_waits_where());
    }
    if (first == nullptr) first = &t;
    divergent |=
        std::strcmp(t.waits_in, first->waits_in) != 0 || t.waits_at.line != first->waits_at.line;
    predicates += t.predicate ? 1 : 0;
  }
  if (divergent) throw Error("threads wait at different barriers:" + who_waits_where());
  if (finished_ > 0 && !shape_->exited_threads_may_skip_barriers) {
    throw Error("a barrier that not every thread reaches:" + who_waits_where());
  }
  barrier_count_ = predicates;
  acquire(&barrier_arrival_);
  release(&barrier_opening_);
  for (unsigned i = 0; i < count_; ++i) {
    Thread& t = *threads_[shape_->schedule == 1 ? i : count_ - 1 - i];
    if (t.state == State::at_barrier) make_ready(t);
  }
}

void Worker::enter_warp_call(Thread& t, WarpCall& call) {
  note_progress();
  Warp& warp = warps_[t.warp()];
  if ((call.mask >> t.lane() & 1u) == 0) {
    fail(std::string(call.name) + " at " + to_text(call.at) + ": lane " + std::to_string(t.lane()) +
         " calls it but is not in its mask");
  }
  if (call.orders_memory) release(&t.arrival);
  t.call = &call;
  t.waits_in = call.name;
  t.waits_at = call.at;
  warp.waiting |= 1u << t.lane();
  const bool done = try_execute(t.warp(), call);
  if (!done) yield(t, State::in_warp_call);
  if (done && in_random_order()) {
    make_ready(t);
    yield(t, State::ready);
  }
  if (call.orders_memory) acquire(&t.opening);
}

bool Worker::try_execute(unsigned warp_index, WarpCall& call) {
  Warp& warp = warps_[warp_index];
  const std::uint32_t needed = call.whole_warp ? ~0u : call.mask & warp.alive;
  if ((needed & ~warp.waiting) != 0) return false;
  void* operands[32] = {};
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((needed >> lane & 1u) == 0) continue;
    const WarpCall& other = *threads_[warp_index * 32 + lane]->call;
    if (std::strcmp(other.name, call.name) != 0 || other.execute != call.execute ||
        other.mask != call.mask) {
      return false;
    }
    operands[lane] = other.operands;
  }
  call.execute(needed, operands);
  warp.waiting &= ~needed;
  if (call.orders_memory) {
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (needed >> lane & 1u) acquire(&threads_[warp_index * 32 + lane]->arrival);
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (needed >> lane & 1u) release(&threads_[warp_index * 32 + lane]->opening);
    }
  }
  for (unsigned lane = 32; lane-- > 0;) {
    if ((needed >> lane & 1u) == 0) continue;
    Thread& t = *threads_[warp_index * 32 + lane];
    t.call = nullptr;
    if (&t != the_running_thread) make_ready(t);
  }
  return true;
}

}  // namespace qlab::simt::cpu
