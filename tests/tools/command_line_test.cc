// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `lab` says and does when it is called wrongly: one sentence, exit code 2, nothing left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/isa.h"
#include "tools/run_program.h"

namespace qlab::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string kLab = QLAB_BUILD_DIR "/lab";

Finished lab(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), kLab);
  return run_program(std::move(arguments));
}

/// One line on standard error that holds `words`, nothing on standard output, exit code 2. That
/// there is no progress line also says that nothing was measured before the refusal.
void expect_refused(const std::vector<std::string>& arguments, const std::string& words) {
  const Finished run = lab(arguments);
  SCOPED_TRACE("lab " + testing::PrintToString(arguments));
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, AllOf(StartsWith("lab: "), HasSubstr(words), EndsWith("\n")));
  EXPECT_EQ(run.err.find('\n'), run.err.size() - 1) << run.err;
}

TEST(CommandLine, NamesAnUnknownCommandOrOption) {
  expect_refused({"frobnicate"}, "frobnicate");
  expect_refused({"--frobnicate"}, "--frobnicate");
  expect_refused({"compare", "--frobnicate"}, "--frobnicate");
  expect_refused({"selftest", "--frobnicate"}, "--frobnicate");
  expect_refused({"compare", "leftover"}, "leftover");
}

TEST(CommandLine, SaysWhichHelpPageLists) {
  expect_refused({"compare", "--frobnicate"}, "./lab compare --help");
  expect_refused({"--frobnicate"}, "./lab --help");
}

TEST(CommandLine, RefusesValuesOutOfRange) {
  expect_refused({"compare", "--threads", "0"}, "--threads");
  expect_refused({"compare", "--threads", "-3"}, "--threads");
  expect_refused({"compare", "--threads", "many"}, "--threads");
  expect_refused({"compare", "--threads", "1000000"}, "--threads");
  expect_refused({"compare", "--isa", "nonsense"}, "nonsense");
  expect_refused({"compare", "--color", "mauve"}, "mauve");
  expect_refused({"compare", "--seed", "x"}, "--seed");
  expect_refused({"compare", "--budget", "0"}, "--budget");
  expect_refused({"compare", "--budget", "nan"}, "--budget");
  expect_refused({"compare", "--budget", "inf"}, "--budget");
  expect_refused({"compare", "--only", "int7"}, "int7");
  expect_refused({"calibrate", "t.json", "--percentile", "0"}, "up to 100");
  expect_refused({"calibrate", "t.json", "--percentile", "100.5"}, "up to 100");
  expect_refused({"calibrate", "t.json", "--calibrator", "best"}, "best");
  expect_refused({"calibrate", "t.json", "--bytes", "0"}, "--bytes");
  expect_refused({"calibrate"}, "file");
}

TEST(CommandLine, RefusesWhatCannotBeServed) {
  const auto refused = [](std::vector<std::string> arguments, const std::string& words) {
    arguments.insert(arguments.begin(), "serve-bench");
    expect_refused(arguments, words);
  };
  refused({"--formats", "fp17"}, "no format that can be served is named \"fp17\"");
  refused({"--on", "abacus"}, "is about a device named \"abacus\"");
  refused({"--on", "h200", "--model", "9b"}, "there are 7b, 8b and 70b");
  refused({"--on", "h200", "--formats", "fp32"}, "has no terms for fp32");
  refused({"--on", "h200", "--memory", "1MiB"}, "fp16 cannot be served: 12.55 GiB of weights");
  refused({"--model", "7b"}, "give --on h200");
  refused({"--rates", "2,1"}, "rising order");
  refused({"--rates", "-1"}, "is not a number above 0");
  refused({"--requests", "0"}, "--requests");
  refused({"--ttft", "0"}, "is not a number above 0");
  const fs::path trace = fs::path(testing::TempDir()) / "qlab_long_trace.csv";
  std::ofstream(trace) << "0,8,8\n0,900,125\n";
  refused({"--trace", trace.string(), "--memory", "1GiB"},
          "request 2 reaches 1025 tokens, and the model has 1024 positions");
  std::ofstream(trace) << "0,8,8\n0,300,20\n";
  refused({"--trace", trace.string()},
          "long_trace.csv: fp16 cannot be served: submit: request 2 can");
  fs::remove(trace);
  refused({"--trace", "nowhere.csv"}, "nowhere.csv: cannot be read");
  refused({"--trace", "nowhere.csv", "--rates", "1"}, "excludes");
}

TEST(CommandLine, RefusesAnOptionWithoutItsValue) {
  expect_refused({"compare", "--json"}, "--json");
  expect_refused({"compare", "--model"}, "--model");
}

TEST(CommandLine, RefusesInstructionsThatThisProcessorLacks) {
  if (best_isa() == Isa::kAmx) GTEST_SKIP() << "this processor has every level";
  expect_refused({"compare", "--isa", "amx"}, "this processor has");
}

TEST(CommandLine, RefusesADeviceThatItCannotUse) {
  expect_refused({"compare", "--device", "nowhere.json"}, "nowhere.json: cannot be read");
  expect_refused({"compare", "--device", "cuda"}, "./lab builds and starts what runs on a GPU");
  expect_refused({"bench", "--device", "cuda"}, "./lab builds and starts what runs on a GPU");
  expect_refused({"bench", "--device", "tpu"}, "tpu");
  expect_refused({"compare", "--device", ""}, "--device is empty");
  expect_refused({"compare", "--device", "/"}, "/: cannot be read");
  expect_refused({"compare", "--device", "t.json", "--mine"}, "--mine is about kernels on the CPU");
  expect_refused({"compare", "--device", "t.json", "--isa", "scalar"}, "--isa is about kernels");
  const TemporaryFolder folder;
  folder.write("t.json", "{\"schema\": \"quantization-lab.gpu_compare\"");
  expect_refused({"compare", "--device", folder.path() / "t.json"}, "t.json: is no JSON object");
  expect_refused({"compare", "--device", QLAB_SOURCE_DIR "/plan/measured/xeon_2threads.json"},
                 "is of \"quantization-lab.compare\"");
}

TEST(CommandLine, NamesAModelFolderThatIsNotThere) {
  expect_refused({"compare", "--quick", "--model", "no/such/folder"}, "no/such/folder");
}

/// A model folder with the lab's config and the first `bytes` of its weights.
void write_truncated_model(const TemporaryFolder& folder, std::size_t bytes) {
  const fs::path model = QLAB_SOURCE_DIR "/model/tiny_lm";
  fs::copy_file(model / "config.json", folder.path() / "config.json");
  std::string weights(bytes, '\0');
  std::ifstream(model / "model.safetensors", std::ios::binary)
      .read(weights.data(), static_cast<std::streamsize>(bytes));
  folder.write("model.safetensors", weights);
}

TEST(CommandLine, NamesTheFileOfATruncatedCheckpoint) {
  for (const std::size_t bytes : {0, 7, 1000, 1'000'000}) {
    SCOPED_TRACE(bytes);
    const TemporaryFolder model;
    write_truncated_model(model, bytes);
    expect_refused({"compare", "--quick", "--model", model.path()}, "model.safetensors");
  }
}

TEST(CommandLine, RefusesAResultFileThatCannotBeWritten) {
  const TemporaryFolder folder;
  const fs::path below_nothing = folder.path() / "missing" / "results.json";
  expect_refused({"compare", "--quick", "--json", below_nothing}, below_nothing.string());
  expect_refused({"compare", "--quick", "--json", folder.path()}, folder.path().string());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(CommandLine, CalibratesIntoAFileThatItDoesNotReplaceUnasked) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "scales.json";
  const Finished run = lab({"calibrate", file, "--calibrator", "absmax", "--bytes", "8"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("model.layers.5.mlp.down_proj"));
  const auto json = nlohmann::json::parse(std::ifstream(file));
  EXPECT_EQ(json["thresholds"].size(), 24U);
  expect_refused({"calibrate", file}, "is there already");
  EXPECT_EQ(nlohmann::json::parse(std::ifstream(file)), json);
  EXPECT_EQ(lab({"calibrate", file, "--force", "--bytes", "8"}).code, 0);
}

TEST(CommandLine, DrawsALayerIntoAFolderWithoutReplacingAnything) {
  const TemporaryFolder folder;
  const std::string plots = folder.path() / "plots";
  EXPECT_EQ(lab({"plot", "--out", plots}).code, 0);
  for (const char* name : {"magnitudes.svg", "clipping.svg", "channels.svg"}) {
    EXPECT_GT(fs::file_size(fs::path(plots) / name), 1000U) << name;
  }
  expect_refused({"plot", "--out", plots}, "is there already");
  EXPECT_EQ(lab({"plot", "--out", plots, "--force"}).code, 0);
  expect_refused({"plot", "--out", plots, "--layer", "model.layers.9.mlp.down_proj"},
                 "its layers are model.layers.0.self_attn.qkv_proj");
}

TEST(CommandLine, NamesWhatIsWrongWithACalibration) {
  const TemporaryFolder folder;
  expect_refused({"compare", "--calibration", folder.path() / "no.json"}, "does not exist");
  fs::create_directory(folder.path() / "empty");
  fs::create_directory(folder.path() / "short");
  expect_refused({"calibrate", folder.path() / "t.json", "--text", folder.path() / "empty"},
                 "holds no *.txt file");
  folder.write("short/a.txt", "only a few bytes");
  expect_refused({"calibrate", folder.path() / "t.json", "--text", folder.path() / "short"},
                 "shorter windows");
  folder.write("t.json", R"({"schema": "quantization-lab.thresholds", "schema_version": 1,
                             "thresholds": {"transformer.h.0.attn": 1}})");
  expect_refused({"compare", "--calibration", folder.path() / "t.json"},
                 "model.layers.0.self_attn.qkv_proj; it is of another model");
}

TEST(CommandLine, LeavesNoResultFileWhenTheModelIsBad) {
  const TemporaryFolder folder;
  expect_refused({"compare", "--json", folder.path() / "r.json", "--model", "no/such"}, "no/such");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(CommandLine, HelpAndVersionGoToStandardOutput) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"compare", "--help"}, {"selftest", "-h"}}) {
    const Finished run = lab(arguments);
    EXPECT_EQ(run.code, 0);
    EXPECT_THAT(run.out, HasSubstr("Usage: ./lab"));
    EXPECT_THAT(run.err, IsEmpty());
  }
  EXPECT_EQ(lab({"--version"}).out, "lab " QLAB_VERSION "\n");
}

TEST(CommandLine, HelpOfWhatMeasuresFitsAScreenAndKnowsDevices) {
  for (const std::string command : {"compare", "bench"}) {
    const Finished run = lab({command, "--help"});
    EXPECT_LE(std::count(run.out.begin(), run.out.end(), '\n'), 24) << run.out;
    EXPECT_THAT(run.out, HasSubstr("--device cpu|cuda"));
  }
}

const std::vector<std::string> kLearnerCommands = {"list",    "check",    "watch", "next",
                                                   "hint",    "solution", "diff",  "reset",
                                                   "predict", "docs",     "verify"};

TEST(CommandLine, HelpOfEveryCommandFitsAScreenAndHasOneExample) {
  for (const std::string& command : kLearnerCommands) {
    SCOPED_TRACE(command);
    const Finished run = lab({command, "--help"});
    EXPECT_EQ(run.code, 0);
    EXPECT_LE(std::count(run.out.begin(), run.out.end(), '\n'), 24) << run.out;
    const std::size_t example = run.out.find("Example: ./lab " + command);
    EXPECT_NE(example, std::string::npos) << run.out;
    EXPECT_EQ(run.out.find("Example:", example + 1), std::string::npos) << run.out;
  }
}

TEST(CommandLine, RefusesWhatLearnersMistype) {
  expect_refused({"check", "no_such_exercise"}, "is not an exercise");
  expect_refused({"check", "half_fromats"}, "did you mean half_formats?");
  expect_refused({"check", "half_formats", "--timeout", "soon"}, "soon is not a time");
  expect_refused({"check", "half_formats", "--timeout", "0s"}, "0s is not a time");
  expect_refused({"check", "half_formats", "--seed", "x"}, "--seed");
  expect_refused({"hint", "half_formats", "--level", "4"}, "4");
  expect_refused({"hint", "half_formats", "0"}, "0");
  expect_refused({"solution"}, "id");
  expect_refused({"reset"}, "needs the id");
  expect_refused({"predict", "half_formats", "z"}, "say a, b or c");
  expect_refused({"list", "99"}, "is not a module");
}

TEST(CommandLine, WithJsonPrintsOneObjectAndTextElsewhere) {
  const Finished run = lab({"list", "--json"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.err, HasSubstr("done on the CPU"));
  const nlohmann::json list = nlohmann::json::parse(run.out);
  EXPECT_EQ(list["schema"], "qlab.exercises");
  EXPECT_EQ(list["version"], 1);
  ASSERT_FALSE(list["exercises"].empty());
  EXPECT_EQ(list["exercises"][0]["number"], "1.1");
}

TEST(CommandLine, WithoutATerminalPrintsNoEscapes) {
  for (const std::string command : {"list", "docs"}) {
    EXPECT_EQ(lab({command}).out.find('\033'), std::string::npos) << command;
  }
  EXPECT_NE(lab({"list", "--color", "always"}).out.find('\033'), std::string::npos);
}

}  // namespace
}  // namespace qlab::test
