// Text of floats against the standard library, which is slower but known to be right.
#include "format/float_text.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/table.hpp"

namespace nearest::format {
namespace {

std::string written(float value) {
  char text[kMaxFloatText + 1 + kFloatTextScratch];
  const std::string with_comma(text, write_floats({&value, 1}, text));
  EXPECT_EQ(with_comma.back(), ',');
  return with_comma.substr(0, with_comma.size() - 1);
}

/// The number of significant digits in a decimal text.
int significant_digits(std::string text) {
  text = text.substr(0, text.find('e'));
  std::erase_if(text, [](char c) { return c == '.' || c == '-'; });
  text.erase(0, text.find_first_not_of('0'));
  while (text.ends_with('0')) text.pop_back();
  return static_cast<int>(text.size());
}

/// Shortest: the text reads back, and no text with one digit less does. The nearest text of n
/// digits is what printf gives, and if any text of n digits reads back, that one does.
void expect_shortest(float value) {
  const std::string text = written(value);
  ASSERT_EQ(std::bit_cast<std::uint32_t>(std::strtof(text.c_str(), nullptr)),
            std::bit_cast<std::uint32_t>(value))
      << text;
  ASSERT_LE(text.size(), kMaxFloatText) << text;
  const int n = significant_digits(text);
  if (n <= 1) return;
  char shorter[64];
  std::snprintf(shorter, sizeof shorter, "%.*e", n - 2, static_cast<double>(value));
  const double read_back = std::strtod(shorter, nullptr);
  // At the exact middle between two floats a reader may round either way, so that is not short
  // enough.
  const double up = std::nextafter(value, INFINITY), down = std::nextafter(value, -INFINITY);
  const bool inside = (value + down) / 2 < read_back && read_back < (value + up) / 2;
  ASSERT_FALSE(inside) << text << " could be " << shorter;
}

TEST(WriteFloats, is_the_shortest_text_that_reads_back) {
  // A stride that is odd and prime visits all exponents and all endings of the mantissa.
  for (std::uint64_t bits = 1; bits < 0x7F80'0000; bits += 9973) {
    expect_shortest(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
}

TEST(WriteFloats, is_the_shortest_for_powers_of_two_and_their_neighbors) {
  for (std::uint32_t biased = 0; biased < 255; ++biased) {
    for (const int offset : {-2, -1, 0, 1, 2}) {
      const std::uint32_t bits = (biased << 23) + static_cast<std::uint32_t>(offset);
      if (bits == 0 || bits >= 0x7F80'0000) continue;
      expect_shortest(std::bit_cast<float>(bits));
    }
  }
}

TEST(WriteFloats, chooses_between_fixed_and_scientific_notation) {
  EXPECT_EQ(written(0.0F), "0");
  EXPECT_EQ(written(-0.0F), "-0");
  EXPECT_EQ(written(1), "1");
  EXPECT_EQ(written(-1.5F), "-1.5");
  EXPECT_EQ(written(0.1F), "0.1");
  EXPECT_EQ(written(0.0001F), "0.0001");
  EXPECT_EQ(written(0.00012345F), "0.00012345");
  EXPECT_EQ(written(0.00001F), "1e-05");
  EXPECT_EQ(written(0.000099999F), "9.9999e-05");
  EXPECT_EQ(written(100000), "100000");
  EXPECT_EQ(written(123456), "123456");
  EXPECT_EQ(written(123456.7F), "123456.7");
  EXPECT_EQ(written(999999.9F), "999999.9");
  EXPECT_EQ(written(1000000), "1e+06");
  EXPECT_EQ(written(1234567), "1.234567e+06");
  EXPECT_EQ(written(16777216), "1.6777216e+07");
  EXPECT_EQ(written(1.5e38F), "1.5e+38");
  EXPECT_EQ(written(3.4028235e38F), "3.4028235e+38");
  EXPECT_EQ(written(-1.1754944e-38F), "-1.1754944e-38");
  EXPECT_EQ(written(1e-45F), "1e-45");
  // The interval of what reads back is half as wide below a power of two: these round up.
  EXPECT_EQ(written(0x1p-96F), "1.2621775e-29");
  EXPECT_EQ(written(0x1p87F), "1.5474251e+26");
  EXPECT_EQ(written(0x1p90F), "1.2379401e+27");
  // Halfway between two floats lies exactly 33556570; PostgreSQL does not count that as read back.
  EXPECT_EQ(written(33556568), "3.3556568e+07");
}

TEST(WriteFloats, is_the_same_for_every_instruction_set_and_number_of_values) {
  std::mt19937 random(20240117);
  std::vector<float> values(1000);
  for (float& value : values) {
    do {
      value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    } while (!std::isfinite(value));
  }
  std::string one_by_one;
  core::choose_kernels("baseline");
  for (const float value : values) one_by_one += written(value) + ',';
  for (const core::KernelTable* table : core::available_kernels()) {
    core::choose_kernels(table->name);
    std::vector<char> text(values.size() * (kMaxFloatText + 1) + kFloatTextScratch);
    EXPECT_EQ(std::string(text.data(), write_floats(values, text.data())), one_by_one)
        << table->name;
  }
  core::choose_kernels("auto");
}

/// What read_float makes of a text: bits, characters read, range error.
struct Reading {
  std::uint32_t bits;
  std::ptrdiff_t length;
  bool out_of_range;
  bool operator==(const Reading&) const = default;
};

Reading reading(const std::string& text) {
  float value = 0;
  bool out_of_range = false;
  const char* end = read_float(text.c_str(), text.c_str() + text.size(), value, out_of_range);
  const auto length = end - text.c_str();
  return {length == 0 ? 0 : std::bit_cast<std::uint32_t>(value), length, out_of_range};
}

Reading reference(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const float value = std::strtof(text.c_str(), &end);
  const auto length = end - text.c_str();
  return {length == 0 ? 0 : std::bit_cast<std::uint32_t>(value), length,
          errno == ERANGE && std::isinf(value)};
}

TEST(ReadFloat, agrees_with_the_c_library_on_every_form) {
  for (const char* number : {"0",
                             "-0",
                             "1",
                             "-1",
                             "+1",
                             "1.",
                             ".5",
                             "-.5",
                             "+.5e1",
                             "00012",
                             "1e5",
                             "1E5",
                             "1e+5",
                             "1e-5",
                             "1.5e-05",
                             "1e",
                             "1e+",
                             "1ex",
                             "0x10",
                             "0x1.8p3",
                             "0X1P-2",
                             "0x",
                             "inf",
                             "Infinity",
                             "-INF",
                             "nan",
                             "NaN(12)",
                             "1e38",
                             "3.4028235e38",
                             "3.4028236e38",
                             "1e39",
                             "-1e39",
                             "1e400",
                             "1e-45",
                             "1e-46",
                             "1e-400",
                             "-1e-400",
                             "7e-46",
                             "1.17549435e-38",
                             "1.17549421e-38",
                             "123456789012345",
                             "1234567890123456",
                             "0.1234567890123456",
                             "0.12345678901234567890",
                             "99999999999999999999",
                             "0.0000000000000001",
                             "0.000000000000001",
                             "16777217",
                             "16777217.0",
                             "16777219",
                             "33554433.5",
                             "0.333333343267440796",
                             "8388608.5",
                             "8388609.5",
                             "1..2",
                             "1.2.3",
                             "--1",
                             "-",
                             "+",
                             ".",
                             "e5",
                             "-e5",
                             "abc",
                             "1_000",
                             "1,5",
                             ""}) {
    for (const char* rest :
         {"", ",", "]", " ]", ",0.123456789012345,1]", "x", "0,1,2,3,4,5,6,7,8"}) {
      const std::string text = std::string(number) + rest;
      EXPECT_EQ(reading(text), reference(text)) << text;
    }
  }
}

TEST(ReadFloat, rounds_correctly_next_to_the_middle_between_two_floats) {
  std::mt19937 random(20240118);
  char text[400];
  for (int i = 0; i < 20'000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random()) % 0x7F00'0000;
    const double low = std::bit_cast<float>(bits), high = std::bit_cast<float>(bits + 1);
    const double middle = (low + high) / 2;
    for (const int digits : {9, 12, 15, 17, 60}) {
      std::snprintf(text, sizeof text, i % 2 == 0 ? "%.*f,0.123456789012345]" : "%.*e]", digits,
                    middle);
      ASSERT_EQ(reading(text), reference(text)) << text;
    }
  }
}

TEST(ReadFloat, reads_back_what_was_written) {
  for (std::uint64_t bits = 0; bits < 0x7F80'0000; bits += 20'011) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    const std::string text = written(value) + ",0.1234567890123456]";
    ASSERT_EQ(reading(text).bits, bits) << text;
  }
}

TEST(ReadFloat, leaves_errno_alone) {
  errno = 7;
  reading("1e400");
  EXPECT_EQ(errno, 7);
}

}  // namespace
}  // namespace nearest::format
