// SPDX-License-Identifier: Apache-2.0
/// \file
/// Comments of headers: what is complained of, on planted faults, and the headers of this tree.
#include "pages/api_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/text.h"

namespace qlab::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ApiComplaints, KeepWhatIsAnErrorAndNameItFromTheRoot) {
  EXPECT_THAT(
      api_complaints(
          "/r/kernels/a.h:3: warning: Member f(int a) (function) of namespace qlab is not "
          "documented.\n/r/kernels/a.h:9: warning: Compound qlab::S is not documented.\n"
          "</r/kernels/>:3: warning: end of comment block while expecting command </tt>\n",
          "/r"),
      ElementsAre("kernels/a.h:3: Member f(int a) (function) of namespace qlab is not documented.",
                  "kernels/a.h:9: Compound qlab::S is not documented.",
                  "kernels/:3: end of comment block while expecting command </tt>"));
}

TEST(ApiComplaints, LetNamesSpeakForThemselves) {
  EXPECT_THAT(api_complaints(
                  "/r/a.h:3: warning: Member M (variable) of struct qlab::S is not documented.\n"
                  "/r/a.h:4: warning: Member kA (enumvalue) of enum qlab::E is not documented.\n"
                  "/r/a.h:5: warning: Member X (macro definition) of file a.h is not documented.\n",
                  "/r"),
              IsEmpty());
}

TEST(ShapeComplaints, FindMatricesAndPointersWithoutAShape) {
  for (const std::string operand : {"MatrixView<const float> x", "const float* x", "half* x"}) {
    const std::string function = "void f(" + operand + ", int n);\n";
    EXPECT_THAT(shape_complaints("/// Adds.\n" + function, "a.h"),
                ElementsAre("a.h:1: the comment says no shape in brackets"))
        << operand;
    EXPECT_THAT(shape_complaints("/// Adds.\n/// \\param x  [n]\n" + function, "a.h"), IsEmpty());
  }
}

TEST(ShapeComplaints, LeaveOtherFunctionsAndMembersAlone) {
  EXPECT_THAT(
      shape_complaints("/// A side.\nint side(int n);\n\n/// A view.\nMatrixView<float> x;\n"
                       "void g(const float* y);\n",
                       "a.h"),
      IsEmpty());
}

TEST(ThePublicHeaders, SayTheShapesOfTheirOperands) {
  const fs::path root = QLAB_SOURCE_DIR;
  std::vector<std::string> complaints;
  for (const char* const folder : {"kernels", "model"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string name = entry.path().lexically_relative(root);
      if (entry.path().extension() != ".h" || name.starts_with("kernels/simt/cpu") ||
          name.find("_avx") != std::string::npos) {  // registers, whose width is their shape
        continue;
      }
      for (const std::string& complaint : shape_complaints(read_text(entry.path()).value(), name)) {
        complaints.push_back(complaint);
      }
    }
  }
  EXPECT_THAT(complaints, IsEmpty());
}

}  // namespace
}  // namespace qlab::test
