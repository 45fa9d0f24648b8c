#include "format/vector_text.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <random>
#include <string>
#include <vector>

#include "format/vector_value.hpp"

namespace nearest::format {
namespace {

using enum VectorTextError;

struct Result {
  VectorTextError error;
  std::vector<float> elements;
  std::string token;
};

/// Parses into memory of exactly max_elements, so that sanitizers see a write behind it.
Result parse(const std::string& text) {
  std::vector<float> elements(max_elements(text));
  const ParsedVectorText parsed = read_vector_text(text, elements);
  elements.resize(parsed.dim);
  return {parsed.error, elements, std::string(parsed.token)};
}

TEST(ReadVectorText, takes_blanks_around_every_token) {
  EXPECT_EQ(parse("[1,2,3]").elements, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(parse(" \t\n\r\v\f[ 1 ,\t2 ,\n3 ]\r ").elements, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(parse("[1]").error, kNone);
}

TEST(ReadVectorText, names_the_first_fault) {
  EXPECT_EQ(parse("").error, kNoOpeningBracket);
  EXPECT_EQ(parse("1,2]").error, kNoOpeningBracket);
  EXPECT_EQ(parse("{1}").error, kNoOpeningBracket);
  EXPECT_EQ(parse("[]").error, kEmpty);
  EXPECT_EQ(parse(" [ ] x").error, kEmpty);
  EXPECT_EQ(parse("[").error, kSyntax);
  EXPECT_EQ(parse("[,1]").error, kSyntax);
  EXPECT_EQ(parse("[1,]").error, kSyntax);
  EXPECT_EQ(parse("[1,,2]").error, kSyntax);
  EXPECT_EQ(parse("[1 2]").error, kSyntax);
  EXPECT_EQ(parse("[1,2").error, kSyntax);
  EXPECT_EQ(parse("[1a]").error, kSyntax);
  EXPECT_EQ(parse("[1]2").error, kJunkAtEnd);
  EXPECT_EQ(parse("[1],").error, kJunkAtEnd);
  EXPECT_EQ(parse("[nan]").error, kNotANumber);
  EXPECT_EQ(parse("[-Infinity,1]").error, kInfinite);
  EXPECT_EQ(parse("[1, -4e38 ,x]").error, kOutOfRange);
  EXPECT_EQ(parse("[1, -4e38 ,x]").token, "-4e38");
}

TEST(ReadVectorText, takes_as_many_elements_as_a_vector_may_have) {
  std::string text = "[";
  for (std::uint32_t i = 0; i < kMaxDim; ++i) text += "1,";
  text.back() = ']';
  EXPECT_EQ(parse(text).elements.size(), kMaxDim);
  text.back() = ',';
  EXPECT_EQ(parse(text + "x]").error, kTooManyElements) << "counted before the next is read";
  EXPECT_EQ(parse(text + "1]").error, kTooManyElements);
}

TEST(ReadVectorText, survives_any_bytes) {
  std::mt19937 random(20240119);
  const std::string alphabet = "[],.0123456789+-eExXpPinfaNy \t";
  for (int i = 0; i < 200'000; ++i) {
    std::string text = random() % 2 == 0 ? "[" : "";
    const std::size_t length = random() % 24;
    for (std::size_t j = 0; j < length; ++j) text += alphabet[random() % alphabet.size()];
    const Result result = parse(text);
    for (const float element : result.elements) ASSERT_EQ(element, element) << text;
  }
}

TEST(WriteVectorText, reads_back_and_stays_within_its_bound) {
  std::mt19937 random(20240120);
  for (const std::size_t dim : {1, 2, 3, 100, 16'000}) {
    std::vector<float> elements(dim);
    for (float& element : elements) {
      do {
        const auto bits = static_cast<std::uint32_t>(random());
        element = std::bit_cast<float>(bits);
      } while (element - element != 0);
    }
    std::vector<char> text(max_text_bytes(dim));
    const char* end = write_vector_text(elements, text.data());
    EXPECT_EQ(*end, '\0');
    const Result result = parse(text.data());
    EXPECT_EQ(result.error, kNone);
    EXPECT_EQ(result.elements, elements);
  }
}

TEST(WriteVectorText, bound_holds_for_the_longest_numbers) {
  const std::vector<float> longest(16'000, -1.1754944e-38F);
  std::vector<char> text(max_text_bytes(longest.size()));
  const char* end = write_vector_text(longest, text.data());
  EXPECT_LT(end, text.data() + text.size());
}

}  // namespace
}  // namespace nearest::format
