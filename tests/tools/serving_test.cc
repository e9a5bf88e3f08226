// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sweeps: the same requests for all formats, what fits, what is saturated; devices from files.
#include "lab/serving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lab/memory.h"
#include "model/input_error.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

const std::filesystem::path kMeasured = std::filesystem::path(QLAB_SOURCE_DIR) / "plan/measured";
const NamedModel& k7b = named_models().front();

ServingPlan small_plan(std::vector<std::string> names) {
  ServingPlan plan = big_serving_plan(/*quick=*/true);
  plan.requests = 60;
  plan.configs.clear();
  for (const std::string& name : names) plan.configs.push_back(served_configuration(name));
  return plan;
}

ServingSweep sweep(const ServingPlan& plan) {
  return modelled_sweep(plan, k7b, measured_device(kMeasured, "h200"));
}

TEST(Serving, TheCacheIsWhatTheWeightsLeave) {
  const ServingPlan plan = small_plan({"fp16", "int4_g128 + kv_int8"});
  for (const ServingRow& row : sweep(plan).rows) {
    const Recipe recipe = served_configuration(row.config).recipe;
    const std::int64_t left = plan.memory_bytes - model_weight_bytes(recipe, k7b.config);
    const std::int64_t token = kv_bytes_per_token(recipe.kv, 32, 32, 128);
    EXPECT_EQ(row.cache_tokens, left / (16 * token) * 16);
  }
}

TEST(Serving, AllFormatsGetTheSameRates) {
  const ServingSweep s = sweep(small_plan({"fp16", "int8", "kv_int8"}));
  for (const ServingRow& row : s.rows) {
    ASSERT_EQ(row.points.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(row.points[i].rate, s.rows[0].points[i].rate);
      EXPECT_DOUBLE_EQ(row.points[i].utilisation, row.points[i].rate / row.saturated);
    }
  }
  EXPECT_DOUBLE_EQ(s.rows[0].points[2].utilisation, 0.9);
}

TEST(Serving, SaysWhatIsSaturated) {
  ServingPlan plan = small_plan({"fp16"});
  plan.loads = {0.1, 3};  // at three times what it can, the last of 60 waits for 40 others
  const ServingRow row = sweep(plan).rows[0];
  EXPECT_LT(row.highest, row.saturated);
  EXPECT_GT(row.points.back().utilisation, 1);
  EXPECT_GT(row.points.back().ttft.p99, 3 * row.points.front().ttft.p99);
  EXPECT_LE(row.points.back().kv_peak, 1);
}

TEST(Serving, TheSameSeedGivesTheSameSweep) {
  const ServingPlan plan = small_plan({"fp16 chunked"});
  const ServingSweep a = sweep(plan), b = sweep(plan);
  ServingPlan other = plan;
  other.seed = 2;
  const ServingSweep c = sweep(other);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(a.rows[0].points[i].itl.p99, b.rows[0].points[i].itl.p99);
  }
  EXPECT_NE(a.rows[0].points[1].ttft.p50, c.rows[0].points[1].ttft.p50);
}

TEST(Serving, AFormatThatDoesNotFitSaysSo) {
  ServingPlan plan = small_plan({"int4_g128", "fp16"});
  plan.memory_bytes = std::int64_t{8} << 30;
  const ServingSweep s = sweep(plan);
  EXPECT_FALSE(s.rows[0].points.empty());
  EXPECT_TRUE(s.rows[1].points.empty());
  EXPECT_EQ(s.rows[1].why_not, "12.55 GiB of weights leave no block of cache in 8 GiB");
  plan.memory_bytes = model_weight_bytes(plan.configs[1].recipe, k7b.config) + (64 << 20);
  EXPECT_THAT(sweep(plan).rows[1].why_not, HasSubstr("can never run"));
  plan.memory_bytes = 1 << 20;
  EXPECT_THAT([&] { sweep(plan); },
              ThrowsMessage<InputError>(HasSubstr("int4_g128 cannot be served")));
}

TEST(Serving, ATraceComesWhenItComes) {
  ServingPlan plan = small_plan({"fp16"});
  plan.trace = {{1, 0, 100, 10}, {2, 1, 100, 10}, {3, 4, 100, 1}};
  const ServingSweep s = sweep(plan);
  ASSERT_EQ(s.rows[0].points.size(), 1U);
  EXPECT_EQ(s.requests, 3);
  EXPECT_DOUBLE_EQ(s.rows[0].points[0].rate, 0.5);  // two gaps in four seconds
  plan.trace.resize(1);                             // no gap: as fast as can be
  EXPECT_EQ(sweep(plan).rows[0].points.size(), 1U);
}

TEST(Serving, ADeviceHasTheBestFiguresOfItsFiles) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / "qlab_serving_devices";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& device, const std::string& table,
                         double bytes) {
    std::ofstream(folder / name) << R"({"circumstances": {"device": ")" << device
                                 << R"(", "date": "2026-01-0)" << bytes
                                 << R"("}, "roofline": {"read_bytes_per_second": )" << bytes
                                 << R"(, "launch_seconds": 0.5}, "table": [)" << table << "]}";
  };
  const std::string fp16 =
      R"({"operation": "fp16_gemm", "path": "cuBLAS", "flops_per_second": 20},)"
      R"({"operation": "fp16_gemm", "path": "exercise", "flops_per_second": 5},)"
      R"({"operation": "fp16_gemv", "path": "cuBLAS", "flops_per_second": 90})";
  const std::string int8 =
      R"({"operation": "int8_gemm", "path": "cuBLAS", "flops_per_second": 40})";
  write("a.json", "ACME X9", fp16, 3);
  EXPECT_THAT([&] { measured_device(folder, "x9"); },
              ThrowsMessage<InputError>(HasSubstr("how fast its INT8 products are")));
  write("b.json", "ACME X9", int8, 2);
  write("c.json", "Other", int8, 9);
  std::ofstream(folder / "cpu.json") << R"({"circumstances": {"cpu": "x9"}})";
  // Ladders and verdicts there have other figures, and larger ones.
  for (const char* schema : {"compare", "gpu_bench"}) {
    std::ofstream(folder / (std::string(schema) + ".json"))
        << R"({"schema": "quantization-lab.)" << schema
        << R"(", "circumstances": {"device": "ACME X9", "date": "2026-01-09"},)"
        << R"("roofline": {"read_bytes_per_second": 99, "launch_seconds": 9}, "table": []})";
  }
  const MeasuredDevice device = measured_device(folder, "x9");
  EXPECT_EQ(device.name, "ACME X9");
  EXPECT_EQ(device.date, "2026-01-03");
  EXPECT_EQ(device.files.size(), 2U);
  EXPECT_EQ(device.served.bytes_per_second, 3);
  EXPECT_EQ(device.served.fp16_flops, 20);
  EXPECT_EQ(device.served.int8_flops, 40);
  EXPECT_EQ(device.served.step_overhead_seconds, 0.5);
  // The table's times say it all by themselves; their peak is not what products reach.
  std::ofstream(folder / "times.json")
      << R"({"schema": "quantization-lab.gpu_compare",)"
      << R"("circumstances": {"device": "Z1", "date": "2026-01-09"}, "roofline": {)"
      << R"("read_bytes_per_second": 7, "launch_seconds": 0.25, "fp16_flops_per_second": 99,)"
      << R"("int8_flops_per_second": 99, "fp16_product_flops_per_second": 11,)"
      << R"("int8_product_flops_per_second": 22}, "problems": []})";
  const ServedDevice z1 = measured_device(folder, "z1").served;
  EXPECT_EQ(z1.bytes_per_second, 7);
  EXPECT_EQ(z1.step_overhead_seconds, 0.25);
  EXPECT_EQ(z1.fp16_flops, 11);
  EXPECT_EQ(z1.int8_flops, 22);
  EXPECT_THAT([&] { measured_device(folder, "y"); },
              ThrowsMessage<InputError>(HasSubstr("no file")));
  std::ofstream(folder / "d.json") << "{";
  EXPECT_THAT([&] { measured_device(folder, "x9"); },
              ThrowsMessage<InputError>(HasSubstr("d.json: is no JSON object")));
  std::filesystem::remove_all(folder);
}

TEST(Serving, NamesSayHowAFormatIsServed) {
  EXPECT_TRUE(served_configuration("int4_g128 unfused").unfused);
  EXPECT_TRUE(served_configuration("fp16 chunked").chunked);
  const ServedConfiguration both = served_configuration("int8 unfused chunked");
  EXPECT_TRUE(both.unfused && both.chunked);
  EXPECT_EQ(both.recipe.weights, WeightFormat::kInt8);
  for (const char* name : {"int9", "", " unfused", "int8_static", "int4_gptq"}) {
    EXPECT_THAT([&] { served_configuration(name); },
                ThrowsMessage<InputError>(HasSubstr("no format that can be served")));
  }
}

}  // namespace
}  // namespace qlab::test
