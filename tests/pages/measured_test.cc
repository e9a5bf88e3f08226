// SPDX-License-Identifier: Apache-2.0
/// \file
/// Numbers by their names: what is found, what is refused, how it is written.
#include "pages/measured.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/input_error.h"
#include "tools/run_program.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;

class MeasuredNumbers : public testing::Test {
 protected:
  MeasuredNumbers() {
    folder_.write("xeon_2threads.json", R"({
      "circumstances": {"cpu": "a Xeon", "threads": 2, "date": "2026-01-31T10:00:00Z"},
      "claims": [{"id": "C07", "measured": {"value": 0.5, "low": 0.25, "high": 0.75}},
                 {"id": "C08", "measured": null}],
      "list": [{"M": 1, "path": "a", "x": 1}, {"M": 1, "path": "b", "x": 2},
               {"M": 16, "path": "b", "x": 0.00123}]})");
    folder_.write("h200_lab03.json", R"({
      "circumstances": {"device": "NVIDIA H200", "date": "2026-02-01T10:00:00Z"},
      "roofline": {"read_bytes_per_second": 4.25e12, "launch_seconds": 2.5e-6, "zero": -0.0001}})");
  }
  std::string refusal(const std::string& what, const std::string& how = "") const {
    try {
      return "nothing was refused: " + Measured(folder_.path()).text(what, how);
    } catch (const InputError& error) {
      return error.what();
    }
  }
  std::string text(const std::string& what, const std::string& how) const {
    return Measured(folder_.path()).text(what, how);
  }
  TemporaryFolder folder_;
};

TEST_F(MeasuredNumbers, AreNamedByClaimPathAndFile) {
  const Measured measured(folder_.path());
  EXPECT_EQ(measured.number("C07"), 0.5);
  EXPECT_EQ(measured.number("C07.low"), 0.25);
  EXPECT_EQ(measured.number("C07.high"), 0.75);
  EXPECT_EQ(measured.number("list[M=1,path=b].x"), 2);
  EXPECT_EQ(measured.number("list[2].M"), 16);
  EXPECT_EQ(measured.number("h200_lab03 roofline.read_bytes_per_second"), 4.25e12);
  EXPECT_EQ(measured.number("list[M=1,path=b].x / C07.low"), 8);
}

TEST_F(MeasuredNumbers, AreWrittenAsAsked) {
  const std::string bytes = "h200_lab03 roofline.read_bytes_per_second";
  EXPECT_EQ(text("C07", "0.00"), "0.50");
  EXPECT_EQ(text("C07.high", "0"), "1");
  EXPECT_EQ(text("C07.high", "%"), "75 %");
  EXPECT_EQ(text("list[2].x", "0.00 %"), "0.12 %");
  EXPECT_EQ(text("C07.low", "1-%"), "75 %");
  EXPECT_EQ(text("C07.low", "1/0.0"), "4.0");
  EXPECT_EQ(text("C07.low", "-0.00"), "-0.25");
  EXPECT_EQ(text("h200_lab03 roofline.zero", "-0.0000"), "0.0001");
  EXPECT_EQ(text(bytes, "TB/s"), "4.25 TB/s");
  EXPECT_EQ(text(bytes, "0 GB/s"), "4250 GB/s");
  EXPECT_EQ(text("h200_lab03 roofline.launch_seconds", "0.0 us"), "2.5 µs");
}

TEST_F(MeasuredNumbers, HaveThreeDigitsUnlessToldOtherwise) {
  EXPECT_EQ(text("list[2].x", ""), "0.00123");
  EXPECT_EQ(text("C07", ""), "0.500");
  EXPECT_EQ(text("list[M=16,path=b].M", ""), "16.0");
  EXPECT_EQ(text("list[M=16,path=*].M", ""), "16.0");
  EXPECT_EQ(text("h200_lab03 roofline.zero", "0.0"), "0.0") << "no minus before a zero";
}

TEST_F(MeasuredNumbers, ThatAreNotThereAreRefusedByName) {
  EXPECT_THAT(refusal("C99"), HasSubstr("[id=C99] is true of no element"));
  EXPECT_THAT(refusal("C08"), HasSubstr("xeon_2threads has no 'value'"));
  EXPECT_THAT(refusal("list[M=1].x"), HasSubstr("[M=1] is true of several elements"));
  EXPECT_THAT(refusal("list[7].x"), HasSubstr("past the end"));
  EXPECT_THAT(refusal("list[0].y"), HasSubstr("has no 'y'"));
  EXPECT_THAT(refusal("list[0]"), HasSubstr("is no number"));
  EXPECT_THAT(refusal("list[0]x!"), HasSubstr("is no path"));
  EXPECT_THAT(refusal("nowhere list"), HasSubstr("plan/measured/nowhere.json is not there"));
  EXPECT_THAT(refusal("C07", "furlong"), HasSubstr("'furlong' is not a unit"));
  EXPECT_THAT(refusal("C07", "3!"), HasSubstr("'3!' is not a way to write a number"));
}

TEST_F(MeasuredNumbers, SayWhereTheyComeFrom) {
  const Measured measured(folder_.path());
  const std::vector<Origin> origins =
      measured.origins("C07 / h200_lab03 roofline.read_bytes_per_second");
  ASSERT_EQ(origins.size(), 2);
  EXPECT_EQ(origins[0].machine, "a Xeon, 2 threads");
  EXPECT_EQ(origins[0].date, "2026-01-31");
  EXPECT_EQ(origins[0].command, "./lab compare --json results.json");
  EXPECT_EQ(origins[1].machine, "NVIDIA H200");
  EXPECT_EQ(origins[1].command, "build/cuda/exercises/int4_cuda_bench > results.json");
}

TEST_F(MeasuredNumbers, OfTheTableOnAGpuNameItAndTheCommand) {
  const auto write = [&](const std::string& file, const std::string& schema) {
    folder_.write(file, R"({"schema": "quantization-lab.)" + schema + R"(",
      "circumstances": {"device": "NVIDIA H200", "cpu": "a Xeon", "threads": 2,
                        "date": "2026-02-01T10:00:00Z"},
      "claims": [{"id": "C31", "measured": {"value": 0.5}}],
      "problems": [{"operation": "a layer, M = 1", "candidates": [{"name": "fp16", "bytes": 7}]}]})");
  };
  write("h200.json", "compare");
  write("h200_compare.json", "gpu_compare");
  const std::string raw =
      "h200_compare problems[operation=a layer, M = 1].candidates[name=fp16].bytes";
  EXPECT_EQ(text("h200 claims[id=C31].measured.value / " + raw, "0.00"), "0.07");
  const std::vector<Origin> origins =
      Measured(folder_.path()).origins("h200 claims[id=C31].measured.value / " + raw);
  ASSERT_EQ(origins.size(), 2);
  EXPECT_EQ(origins[0].machine, "NVIDIA H200");
  EXPECT_EQ(origins[0].command, "./lab compare --device cuda --json results.json");
  EXPECT_EQ(origins[1].command, "build/cuda/lab_gpu --compare --json results.json");
}

TEST_F(MeasuredNumbers, RefuseAFileThatIsNoJson) {
  folder_.write("broken.json", "{");
  EXPECT_THROW(Measured(folder_.path()), InputError);
}

}  // namespace
}  // namespace qlab::test
