// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tests of ThreadPool. A lost wake-up or a missed round hangs here, and the time limit of the test
/// runner ends it; build with -fsanitize=thread to have the memory order checked too.
#include "common/thread_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <barrier>
#include <chrono>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <system_error>

#include "common/contract.h"

namespace qlab::test {
namespace {

class Pool : public testing::TestWithParam<int> {
 protected:
  ThreadPool threads{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Threads, Pool, testing::Values(1, 2, 5),
                         testing::PrintToStringParamName());

TEST_P(Pool, CountsTheCaller) { EXPECT_EQ(threads.size(), GetParam()); }

TEST_P(Pool, RunsEachTaskOnceAndShowsWhatItWrote) {
  for (const int count : {0, 1, 4, 5, 1000}) {
    std::vector<int> calls(static_cast<std::size_t>(count));  // no atomics: one task, one element
    threads.run(count, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
    EXPECT_EQ(calls, std::vector<int>(calls.size(), 1));
  }
}

TEST_P(Pool, DoesAllItsThreadsWorkAtATime) {
  // No task ends before each thread has one: a worker that slept through a round would be missed.
  std::barrier everybody(GetParam());
  std::atomic<int> met = 0;
  for (int round = 0; round < 200; ++round) {
    threads.run(GetParam(), [&](std::int64_t) {
      everybody.arrive_and_wait();
      ++met;
    });
  }
  EXPECT_EQ(met, 200 * GetParam());
}

TEST_P(Pool, LosesNoRoundAmongManyTinyOnes) {
  std::int64_t sum = 0;
  std::vector<std::int64_t> out(3);
  for (std::int64_t round = 0; round < 3'000; ++round) {
    threads.run(3, [&](std::int64_t i) { out[static_cast<std::size_t>(i)] = round + i; });
    sum += std::accumulate(out.begin(), out.end(), std::int64_t{0});
  }
  EXPECT_EQ(sum, std::int64_t{3} * 3'000 * 2'999 / 2 + 3 * 3'000);
}

TEST_P(Pool, WakesWorkersThatHaveGoneToSleep) {
  std::barrier everybody(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // they spin for much less
    threads.run(GetParam(), [&](std::int64_t) { everybody.arrive_and_wait(); });
  }
}

TEST_P(Pool, ThrowsTheExceptionOfATaskAndStaysUsable) {
  for (int repeat = 0; repeat < 100; ++repeat) {
    EXPECT_THAT(
        [&] {
          threads.run(50, [](std::int64_t i) {
            if (i == 7) throw std::runtime_error("task 7");
          });
        },
        testing::ThrowsMessage<std::runtime_error>("task 7"));
    std::atomic<int> calls = 0;
    EXPECT_NO_THROW(threads.run(50, [&](std::int64_t) { ++calls; }));
    EXPECT_EQ(calls, 50);
  }
}

TEST_P(Pool, ThrowsOneOfSeveralExceptions) {
  const auto failing = [](std::int64_t i) { throw static_cast<int>(i); };
  for (int repeat = 0; repeat < 100; ++repeat) EXPECT_THROW(threads.run(50, failing), int);
  EXPECT_NO_THROW(threads.run(0, failing));
}

TEST(ThreadPool, StartsNoTaskAfterOneHasThrown) {
  ThreadPool alone(1);
  std::vector<std::int64_t> started;
  EXPECT_THROW(alone.run(10,
                         [&](std::int64_t i) {
                           started.push_back(i);
                           if (i == 3) throw std::runtime_error("enough");
                         }),
               std::runtime_error);
  EXPECT_THAT(started, testing::ElementsAre(0, 1, 2, 3));
}

TEST(ThreadPool, TakesFunctionsAndConstantObjects) {
  static std::atomic<std::int64_t> sum;
  sum = 0;
  struct Adder {
    void operator()(std::int64_t i) const { sum += i; }
  };
  ThreadPool threads(2);
  const Adder adder;
  threads.run(4, adder);
  threads.run(4, Adder());
  EXPECT_EQ(sum, 12);
}

TEST(ThreadPool, RefusesToWorkWithoutThreads) {
  for (const int count : {0, -1}) {
    EXPECT_THAT([&] { ThreadPool{count}; },
                testing::ThrowsMessage<ContractError>(testing::HasSubstr("ask for 1 or more")));
  }
}

TEST(ThreadPool, EndsWhetherOrNotItWasUsed) {
  for (int repeat = 0; repeat < 200; ++repeat) {
    ThreadPool threads(3);
    if (repeat % 2 == 0) threads.run(1, [](std::int64_t) {});
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need the address space
TEST(ThreadPoolDeathTest, ThrowsWhenTheSystemRefusesAThread) {
  const auto ask_for_too_many = [] {
    std::int64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t limit = static_cast<rlim_t>(pages) * 4096 + (rlim_t{64} << 20);  // a few stacks
    const rlimit few{limit, limit};
    setrlimit(RLIMIT_AS, &few);
    try {
      ThreadPool threads(100'000);
    } catch (const std::system_error&) {
      _exit(0);
    }
    _exit(1);
  };
  EXPECT_EXIT(ask_for_too_many(), testing::ExitedWithCode(0), "");
}
#endif

TEST(AvailableThreads, CountsTheCoresThisThreadMayUse) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(available_threads(), CPU_COUNT(&before));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(available_threads(), 1);
  EXPECT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace qlab::test
