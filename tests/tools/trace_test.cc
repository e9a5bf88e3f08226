// SPDX-License-Identifier: Apache-2.0
/// \file
/// Traces: what is read, and each kind of line that is not.
#include "lab/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "model/input_error.h"

namespace qlab::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

std::vector<ServeRequest> read(const std::string& text) {
  std::istringstream stream(text);
  return read_trace(stream, "t.csv");
}

TEST(Trace, ReadsRequestsAndSkipsTheRest) {
  const auto requests = read(
      "arrival_seconds,prompt_tokens,output_tokens\r\n"
      "# a comment\n"
      "\n"
      "0,1,1\n"
      " 0.25 , 128,\t64  # a comment behind it\n"
      "0.25,2,3");
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].id, 4);  // its line
  EXPECT_EQ(requests[1].id, 5);
  EXPECT_EQ(requests[1].arrival, 0.25);
  EXPECT_EQ(requests[1].prompt_tokens, 128);
  EXPECT_EQ(requests[1].output_tokens, 64);
  EXPECT_EQ(requests[2].arrival, 0.25);
}

TEST(Trace, NamesFileAndLineOfWhatIsNone) {
  const auto expect = [](const std::string& text, const std::string& place,
                         const std::string& words) {
    EXPECT_THAT([&] { read(text); },
                ThrowsMessage<InputError>(
                    AllOf(StartsWith(place), HasSubstr(words), HasSubstr("such as 0.25,128,64"))))
        << text;
  };
  expect("0,1,1\n1,2\n", "t.csv:2: ", "2 fields instead of 3");
  expect("0,1,1,1\n", "t.csv:1: ", "4 fields");
  expect("0,1,\n", "t.csv:1: ", "\"\" is no number of tokens");
  expect("x,1,1\n", "t.csv:1: ", "\"x\" is no number of seconds");
  expect("1s,1,1\n", "t.csv:1: ", "\"1s\" is no number of seconds");
  expect("nan,1,1\n", "t.csv:1: ", "\"nan\" is no number of seconds");
  expect("inf,1,1\n", "t.csv:1: ", "no number of seconds");
  expect("-1,1,1\n", "t.csv:1: ", "before the start at 0");
  expect("2,1,1\n\n1,1,1\n", "t.csv:3: ", "1 s is before the line in front, 2 s");
  expect("0,1.5,1\n", "t.csv:1: ", "\"1.5\" is no number of tokens");
  expect("0,0,1\n", "t.csv:1: ", "0 tokens are not 1 to");
  expect("0,1,-4\n", "t.csv:1: ", "-4 tokens are not 1 to");
  expect("0,1,99999999999999999999\n", "t.csv:1: ", "is no number of tokens");
  expect("0,1,1\narrival_seconds,prompt_tokens,output_tokens\n", "t.csv:2: ", "no number");
  expect("# nothing\n", "t.csv: ", "there is no request in it");
}

}  // namespace
}  // namespace qlab::test
