// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scores by hand and by their properties; documents and the recall task by their form.
#include "model/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "common/random.h"
#include "model/model_files.h"
#include "model/small_model.h"
#include "support/seed.h"

namespace qlab::test {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

Document document(std::vector<std::int32_t> tokens) { return {"a document", std::move(tokens)}; }

Document random_document(std::int64_t length, Random& random) {
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = 0; i < length; ++i) {
    tokens.push_back(static_cast<std::int32_t>(random.below(256)));
  }
  return document(std::move(tokens));
}

/// Multiples of 2⁻¹⁰, so that a constant added to them is exact.
Matrix<float> random_logits(std::int64_t rows, Random& random) {
  Matrix<float> logits(rows, 256);
  for (std::int64_t i = 0; i < rows * 256; ++i) {
    logits.data()[i] = static_cast<float>(std::round(random.normal() * 3 * 1024) / 1024);
  }
  return logits;
}

TEST(ScoreDocument, MatchesPaperAndPencil) {
  // p = (3/4, 1/4) whatever came before; q = (1/2, 1/2). Bytes 0, 1, 0 follow.
  Matrix<float> p(4, 2);
  for (std::int64_t t = 0; t < 4; ++t) p(t, 0) = std::log(3.0F);
  const Matrix<float> q(4, 2);
  const Document text = document({1, 0, 1, 0});

  const DocumentScore score = score_document(text, p, nullptr);
  EXPECT_EQ(score.positions, 3);
  // ln 3 in FP32 is off by up to 2⁻²⁴ of itself, three times; the rest is in double.
  EXPECT_NEAR(score.nats, -2 * std::log(0.75) - std::log(0.25), 3 * 1.1 * 0x1p-24);
  EXPECT_EQ(score.kl_nats, 0);
  EXPECT_EQ(score.flips, 0);

  const DocumentScore against = score_document(text, q, &p);
  EXPECT_NEAR(against.kl_nats, 3 * (0.75 * std::log(1.5) + 0.25 * std::log(0.5)),
              3 * 1.1 * 0x1p-24);
  EXPECT_EQ(against.flips, 0);  // a tie goes to byte 0, as in p
}

TEST(ScoreDocument, GivesEightBitsAByteToUniformLogits) {
  const TestSeed seed;
  Random random(seed);
  const Document text = random_document(100, random);
  const DocumentScore score = score_document(text, Matrix<float>(100, 256), nullptr);
  EXPECT_NEAR(score.nats / static_cast<double>(score.positions) / std::log(2.0), 8, 1e-12);
}

TEST(ScoreDocument, FindsNoDifferenceBetweenEqualLogits) {
  const TestSeed seed;
  Random random(seed);
  Matrix<float> logits = random_logits(20, random);
  std::fill_n(logits.view().row(7), 256, 2.5F);  // all tied
  const DocumentScore score = score_document(random_document(20, random), logits, &logits);
  EXPECT_EQ(score.kl_nats, 0);
  EXPECT_EQ(score.flips, 0);
}

TEST(ScoreDocument, NeverFindsANegativeDivergence) {
  const TestSeed seed;
  Random random(seed);
  const Document text = random_document(2, random);
  for (int i = 0; i < 200; ++i) {
    const Matrix<float> p = random_logits(2, random);
    Matrix<float> q = random_logits(2, random);
    if (i % 2 == 0) {  // nearly equal: here rounding could win
      std::copy_n(p.data(), 512, q.data());
      q(0, 3) = std::nextafter(q(0, 3), 100.0F);
    }
    EXPECT_GE(score_document(text, q, &p).kl_nats, 0);
  }
}

TEST(ScoreDocument, DoesNotSeeAConstantAddedToLogits) {
  const TestSeed seed;
  Random random(seed);
  const Document text = random_document(20, random);
  const Matrix<float> reference = random_logits(20, random);
  const Matrix<float> logits = random_logits(20, random);
  Matrix<float> shifted(20, 256);
  for (std::int64_t i = 0; i < 20 * 256; ++i) shifted.data()[i] = logits.data()[i] + 1024;
  const DocumentScore a = score_document(text, logits, &reference);
  const DocumentScore b = score_document(text, shifted, &reference);
  // ln Σ grows by 1024 and is rounded to a multiple of 2⁻⁴³ there; 19 positions, 2 roundings each.
  EXPECT_NEAR(a.nats, b.nats, 19 * 2 * 0x1p-43);
  EXPECT_NEAR(a.kl_nats, b.kl_nats, 19 * 2 * 0x1p-43);
  EXPECT_EQ(a.flips, b.flips);
}

TEST(ScoreDocument, CountsFlips) {
  Matrix<float> p(4, 3);
  Matrix<float> q(4, 3);
  p(0, 2) = q(0, 2) = 1;               // the same
  p(1, 1) = 1, q(1, 2) = 1;            // another
  p(2, 1) = p(2, 2) = 1, q(2, 2) = 1;  // a tie of 1 and 2 is 1's
  p(3, 1) = 1, q(3, 2) = 1;            // the last position predicts nothing
  EXPECT_EQ(score_document(document({0, 0, 0, 0}), q, &p).flips, 2);
}

TEST(ScoreDocument, RefusesWhatDoesNotFit) {
  const Document text = document({0, 1, 5});
  const Matrix<float> logits(3, 6);
  const auto score = [&](const Matrix<float>& ours, const Matrix<float>* reference) {
    return [&text, &ours, reference] { score_document(text, ours, reference); };
  };
  const Matrix<float> short_one(2, 6);
  const Matrix<float> narrow(3, 5);
  Matrix<float> infinite(3, 6);
  infinite(1, 4) = std::numeric_limits<float>::infinity();
  Matrix<float> nan(3, 6);
  nan(1, 4) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(score(short_one, nullptr), ThrowsMessage<ContractError>(HasSubstr("2 rows")));
  EXPECT_THAT(score(logits, &short_one), ThrowsMessage<ContractError>(HasSubstr("reference")));
  EXPECT_THAT(score(narrow, nullptr), ThrowsMessage<ContractError>(HasSubstr("token 5")));
  EXPECT_THAT(score(infinite, nullptr), ThrowsMessage<ContractError>(HasSubstr("position 1")));
  EXPECT_THAT(score(nan, nullptr), ThrowsMessage<ContractError>(HasSubstr("position 1")));
}

TEST(ScoreRecall, DemandsAllFourDigits) {
  const RecallDocument recall{document({9, 1, 2, 3, 4, 9, 5, 6, 7, 8}), {1, 6}};
  Matrix<float> logits(10, 10);
  for (std::int64_t t = 0; t + 1 < 10; ++t) {
    logits(t, recall.text.tokens[static_cast<std::size_t>(t + 1)]) = 1;
  }
  EXPECT_EQ(score_recall(recall, logits).queries, 2);
  EXPECT_EQ(score_recall(recall, logits).right, 2);
  logits(4, 0) = 2;  // predicts byte 5, which belongs to no answer
  logits(9, 0) = 2;
  EXPECT_EQ(score_recall(recall, logits).right, 2);
  logits(8, 0) = 2;  // the last digit of the second answer
  EXPECT_EQ(score_recall(recall, logits).right, 1);
  logits(0, 0) = 2;  // the first digit of the first
  EXPECT_EQ(score_recall(recall, logits).right, 0);
}

std::string text_of(const Document& d) { return {d.tokens.begin(), d.tokens.end()}; }

TEST(RecallDocuments, HaveTheFormOfTraining) {
  // One document in 23 draws a name twice by chance, so that 200 of them tell if it is kept.
  const auto documents = make_recall_documents(200, 40, 1024, 7);
  ASSERT_EQ(documents.size(), 200U);
  for (const RecallDocument& d : documents) {
    const std::string text = text_of(d.text);
    EXPECT_LE(text.size(), 1024U);
    EXPECT_GT(text.size() + 10, 1024U);
    std::set<std::string> lines;
    std::set<std::string> names;
    for (std::size_t i = 0; i < 40; ++i) {
      lines.insert(text.substr(9 * i, 9));
      names.insert(text.substr(9 * i, 3));
    }
    EXPECT_EQ(names.size(), 40U);
    ASSERT_EQ(d.answers.size(), (text.size() - 360) / 10);
    for (std::size_t i = 0; i < d.answers.size(); ++i) {
      const std::string query = text.substr(360 + 10 * i, 10);
      EXPECT_THAT(query, testing::MatchesRegex("\\?[a-z][a-z][a-z]=[0-9][0-9][0-9][0-9]\n"));
      EXPECT_TRUE(lines.contains(query.substr(1))) << query;
      EXPECT_EQ(d.answers[i], static_cast<std::int64_t>(360 + 10 * i + 5));
    }
  }
}

TEST(RecallDocuments, FollowTheirSeed) {
  const auto once = make_recall_documents(3, 10, 200, 1);
  const auto again = make_recall_documents(3, 10, 200, 1);
  const auto other = make_recall_documents(3, 10, 200, 2);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(once[i].text.tokens, again[i].text.tokens);
    EXPECT_EQ(once[i].text.name, again[i].text.name);
    EXPECT_NE(once[i].text.tokens, other[i].text.tokens);
  }
  EXPECT_NE(once[0].text.tokens, once[1].text.tokens);
}

TEST(RecallDocuments, RefuseALengthWithoutAQuery) {
  EXPECT_EQ(make_recall_documents(1, 10, 100, 1)[0].answers.size(), 1U);
  EXPECT_THAT([] { make_recall_documents(1, 10, 99, 1); },
              ThrowsMessage<ContractError>(HasSubstr("take 100 bytes, length is 99")));
  EXPECT_THROW(make_recall_documents(1, 0, 99, 1), ContractError);
  EXPECT_THROW(make_recall_documents(1, 26 * 26 * 26, 1'000'000, 1), ContractError);
}

TEST(Documents, TakeWindowsRoundRobinInTheOrderOfNames) {
  const TempDirectory directory;
  write_file(directory / "b.txt", "0123456789");
  write_file(directory / "a.txt", "abcd\xE9xy");
  write_file(directory / "short.txt", "xy");
  write_file(directory / "c.md", "not a text file");
  const auto documents = read_documents(directory.path(), 3, 100);
  std::vector<std::string> found;
  std::ranges::transform(documents, std::back_inserter(found),
                         [](const Document& d) { return d.name + "=" + text_of(d); });
  EXPECT_EQ(found, (std::vector<std::string>{"a.txt:0=abc", "b.txt:0=012", "a.txt:3=d\xE9x",
                                             "b.txt:3=345", "b.txt:6=678"}));
  EXPECT_EQ(documents[2].tokens[1], 0xE9);  // a byte is no negative token
  EXPECT_EQ(read_documents(directory.path(), 3, 2).size(), 2U);
}

TEST(Documents, RefuseADirectoryWithoutEnoughText) {
  const TempDirectory directory;
  const auto refusal = [&](const Path& path) {
    return input_error([&] { read_documents(path, 3, 1); });
  };
  EXPECT_THAT(refusal(directory / "none"), HasSubstr((directory / "none").string()));
  EXPECT_THAT(refusal(directory.path()), HasSubstr("no *.txt file;"));
  write_file(directory / "short.txt", "xy");
  EXPECT_THAT(refusal(directory.path()), HasSubstr("no *.txt file holds 3 bytes"));
  EXPECT_THROW(read_documents(directory.path(), 1, 1), ContractError);
  EXPECT_THROW(read_documents(directory.path(), 2, 0), ContractError);
}

TEST(Documents, OfTheLabFillThirtyTwoWindowsThatDoNotOverlap) {
  const auto documents = read_documents(Path(QLAB_SOURCE_DIR) / "model/evaluation", 1024, 1000);
  EXPECT_GE(documents.size(), 32U);
  std::set<std::string> names;
  std::set<std::vector<std::int32_t>> texts;
  for (const Document& d : documents) {
    EXPECT_EQ(d.tokens.size(), 1024U);
    EXPECT_TRUE(std::ranges::all_of(d.tokens, [](std::int32_t t) { return t < 128; })) << d.name;
    names.insert(d.name);
    texts.insert(d.tokens);
  }
  EXPECT_EQ(names.size(), documents.size());
  EXPECT_EQ(texts.size(), documents.size());
}

TEST(DocumentLogits, AreThoseOfAPrefill) {
  const TestSeed seed;
  Random random(seed);
  ThreadPool threads(1);
  const Machine machine{threads};
  const Llama model(small_checkpoint(small_config(), random), {}, machine);
  const Document text = document({1, 2, 3, 30});
  KvCache cache = model.new_cache(4);
  const Matrix<float> expected = model.forward(text.tokens, cache, machine);
  const Matrix<float> logits = document_logits(model, text, machine);
  ASSERT_EQ(logits.rows(), 4);
  EXPECT_EQ(std::memcmp(logits.data(), expected.data(), expected.bytes()), 0);
}

TEST(ContextPart, IsTheFirstThatTheContextDoesNotPass) {
  EXPECT_EQ(context_part(1), 0U);
  EXPECT_EQ(context_part(256), 0U);
  EXPECT_EQ(context_part(257), 1U);
  EXPECT_EQ(context_part(768), 2U);
  EXPECT_EQ(context_part(769), 3U);
  EXPECT_EQ(context_part(5000), 3U) << "longer ones count with the last";
}

TEST(ScoreDocument, TellsContextsApart) {
  // Uniform logits: every byte costs ln 2 of two tokens, wherever it stands.
  const Document document{.name = "", .tokens = std::vector<std::int32_t>(600, 1)};
  const DocumentScore score = score_document(document, Matrix<float>(600, 2), nullptr);
  EXPECT_EQ(score.positions_by_context, (std::array<std::int64_t, 4>{256, 256, 87, 0}));
  EXPECT_NEAR(score.nats_by_context[2], 87 * std::log(2.0), 1e-9);
  EXPECT_NEAR(score.nats_by_context[0] + score.nats_by_context[1] + score.nats_by_context[2],
              score.nats, 1e-9);
}

}  // namespace
}  // namespace qlab::test
