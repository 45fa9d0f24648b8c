// Residuals in 16 bits: rounding to the nearest, ends of the range, subnormal numbers.
#include "core/quantize/half_code.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace nearest::core {
namespace {

TEST(HalfCode, keeps_what_it_can_hold) {
  for (unsigned half = 0; half <= 0x3C00; ++half) {  // up to 1
    const float x = from_half(static_cast<std::uint16_t>(half));
    EXPECT_EQ(to_half(x), half);
    EXPECT_EQ(to_half(-x), half | 0x8000U);
  }
  EXPECT_EQ(from_half(0x3C00), 1.0F);
  EXPECT_EQ(from_half(0x3800), 0.5F);
  EXPECT_EQ(from_half(0x0001), 0x1p-24F);
  EXPECT_EQ(from_half(0x0400), 0x1p-14F);
  EXPECT_EQ(from_half(0x83FF), -1023 * 0x1p-24F);
}

TEST(HalfCode, takes_the_nearest_and_of_two_the_even_one) {
  for (unsigned half = 0; half < 0x3C00; ++half) {
    const double low = from_half(static_cast<std::uint16_t>(half));
    const double high = from_half(static_cast<std::uint16_t>(half + 1));
    const double middle = (low + high) / 2;
    ASSERT_EQ(to_half(static_cast<float>(middle)), half + (half & 1U)) << half;
    ASSERT_EQ(to_half(std::nextafter(static_cast<float>(middle), 0.0F)), half) << half;
    ASSERT_EQ(to_half(std::nextafter(static_cast<float>(middle), 1.0F)), half + 1) << half;
  }
}

TEST(HalfCode, scales_by_the_largest_element) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const float length : {1e-38F, 1e-20F, 1.0F, 1e30F}) {
    std::vector<float> r(100);
    for (float& element : r) element = length * normal(random);
    std::vector<std::uint16_t> z(r.size());
    const float scale = encode_half(r, z.data());
    for (std::size_t i = 0; i < r.size(); ++i) {
      EXPECT_NEAR(scale * from_half(z[i]), r[i], std::fabs(r[i]) * 0x1p-10F + scale * 0x1p-24F);
    }
  }
  std::vector<float> zeros(5);
  std::vector<std::uint16_t> z(5, 7);
  EXPECT_EQ(encode_half(zeros, z.data()), 0);
  for (const std::uint16_t half : z) EXPECT_EQ(half, 0);
}

}  // namespace
}  // namespace nearest::core
