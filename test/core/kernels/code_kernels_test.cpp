// The kernels of 8-bit and 1-bit codes of every instruction set that this CPU has, against integers
// of 64 bits and sums in double precision.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/table.hpp"

namespace nearest::core {
namespace {

/// Dimensions around every register width and unrolling, and some of real models.
std::vector<std::size_t> dimensions() {
  std::vector<std::size_t> dims = {127, 128, 129, 191,  255,  256,  257,  320,
                                   384, 511, 768, 1000, 1023, 1537, 16384};
  for (std::size_t dim = 0; dim <= 67; ++dim) dims.push_back(dim);
  return dims;
}

enum class Edge : std::uint8_t { kBegin, kEnd };

/// A copy of the values between two pages that cannot be read, hard at one of them: a load that
/// reaches outside crashes. At the end it is also as unaligned as its length is odd.
template <class T>
class Guarded {
 public:
  Guarded(const std::vector<T>& values, Edge edge) : bytes_(values.size() * sizeof(T)) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inner = (bytes_ + page) / page * page;
    mapped_ = inner + 2 * page;
    void* const map = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<std::byte*>(map);
    mprotect(map_ + page, inner, PROT_READ | PROT_WRITE);
    begin_ = reinterpret_cast<T*>(map_ + page + (edge == Edge::kEnd ? inner - bytes_ : 0));
    std::copy(values.begin(), values.end(), begin_);
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(map_, mapped_); }

  const T* data() const { return begin_; }

 private:
  std::size_t bytes_, mapped_;
  std::byte* map_;
  T* begin_;
};

class CodeKernels : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(choose_kernels(GetParam()));
    ASSERT_EQ(kernels().name, GetParam());
    RecordProperty("seed", static_cast<int>(kSeed));
  }
  void TearDown() override { choose_kernels("auto"); }

  template <class T>
  std::vector<T> integers(std::size_t n, int magnitude) {
    std::uniform_int_distribution<int> uniform(-magnitude, magnitude);
    std::vector<T> values(n);
    for (T& value : values) value = static_cast<T>(uniform(random_));
    return values;
  }
  std::vector<float> floats(std::size_t n) {
    std::normal_distribution<float> normal(0.1F, 1.0F);
    std::vector<float> values(n);
    for (float& value : values) value = normal(random_);
    return values;
  }
  std::vector<std::uint64_t> words(std::size_t n) {
    std::vector<std::uint64_t> values(n);
    for (std::uint64_t& value : values) value = random_();
    return values;
  }

  static constexpr unsigned kSeed = 20240423;
  std::mt19937_64 random_{kSeed};
};

template <class B>
std::int64_t exact_product(const std::vector<std::int8_t>& a, const std::vector<B>& b) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::int64_t{a[i]} * b[i];
  return sum;
}

/// The largest magnitude of 16-bit values that the contract allows at this dimension.
int largest_word(std::size_t dim) {
  return static_cast<int>(std::min<std::size_t>(32767, 16'909'320 / std::max<std::size_t>(dim, 1)));
}

TEST_P(CodeKernels, inner_products_are_exact_at_every_dimension_and_read_nothing_else) {
  for (const std::size_t dim : dimensions()) {
    for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
      const auto a = integers<std::int8_t>(dim, 127), b = integers<std::int8_t>(dim, 127);
      const auto c = integers<std::int16_t>(dim, largest_word(dim));
      const Guarded<std::int8_t> at_a(a, edge), at_b(b, edge);
      const Guarded<std::int16_t> at_c(c, edge);
      EXPECT_EQ(kernels().inner_product_i8(at_a.data(), at_b.data(), dim), exact_product(a, b))
          << dim;
      EXPECT_EQ(kernels().inner_product_i8_i16(at_a.data(), at_c.data(), dim), exact_product(a, c))
          << dim;
    }
  }
}

TEST_P(CodeKernels, take_unaligned_vectors) {
  constexpr std::size_t kDim = 301, kOffsets = 5;
  const auto a = integers<std::int8_t>(kDim + kOffsets, 127);
  const auto b = integers<std::int8_t>(kDim + kOffsets, 127);
  const auto c = integers<std::int16_t>(kDim + kOffsets, 1000);
  for (std::size_t i = 0; i < kOffsets; ++i) {
    const std::size_t j = kOffsets - i;
    std::int64_t ab = 0, ac = 0;
    for (std::size_t k = 0; k < kDim; ++k) {
      ab += std::int64_t{a[i + k]} * b[j + k];
      ac += std::int64_t{a[i + k]} * c[j + k];
    }
    EXPECT_EQ(kernels().inner_product_i8(a.data() + i, b.data() + j, kDim), ab);
    EXPECT_EQ(kernels().inner_product_i8_i16(a.data() + i, c.data() + j, kDim), ac);
  }
}

TEST_P(CodeKernels, extremes_do_not_overflow) {
  for (const std::size_t dim : dimensions()) {
    const int word = largest_word(dim);
    for (const int a_sign : {-1, 1}) {
      for (const int b_sign : {-1, 1}) {
        const std::vector<std::int8_t> a(dim, static_cast<std::int8_t>(a_sign * 127));
        const std::vector<std::int8_t> b(dim, static_cast<std::int8_t>(b_sign * 127));
        const std::vector<std::int16_t> c(dim, static_cast<std::int16_t>(b_sign * word));
        EXPECT_EQ(kernels().inner_product_i8(a.data(), b.data(), dim), exact_product(a, b)) << dim;
        EXPECT_EQ(kernels().inner_product_i8_i16(a.data(), c.data(), dim), exact_product(a, c))
            << dim;
      }
    }
  }
  const std::vector<std::int8_t> a(67, -127);
  const std::vector<std::int16_t> lowest(67, -32768);
  EXPECT_EQ(kernels().inner_product_i8_i16(a.data(), lowest.data(), 67), exact_product(a, lowest));
}

/// Pages that are damaged may hold -128: sums are any number, the same on all sets where 16 bits
/// are multiplied, and nothing else happens (sanitizers would see an overflow).
TEST_P(CodeKernels, codes_that_cannot_be_do_no_harm) {
  for (const std::size_t dim : dimensions()) {
    const std::vector<std::int8_t> a(dim, -128);
    for (const int word : {largest_word(dim), -largest_word(dim), 32767, -32768}) {
      const std::vector<std::int16_t> c(dim, static_cast<std::int16_t>(word));
      EXPECT_EQ(kernels().inner_product_i8_i16(a.data(), c.data(), dim),
                static_cast<std::int32_t>(static_cast<std::uint32_t>(exact_product(a, c))))
          << dim;
    }
    (void)kernels().inner_product_i8(a.data(), a.data(), dim);
  }
}

/// Of a sum of `dim` terms below |a| + |b|, each with a rounded product or two.
double tolerance(std::size_t dim, double sum, double magnitude) {
  return kernel_error(dim) * sum + 2 * kUnitRoundoff * magnitude;
}

TEST_P(CodeKernels, l1_agrees_with_double_precision_and_reads_nothing_else) {
  for (const std::size_t dim : dimensions()) {
    for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
      const float a_scale = 0.0123F, b_scale = 0.0371F;
      const auto a = integers<std::int8_t>(dim, 127), b = integers<std::int8_t>(dim, 127);
      const auto x = floats(dim);
      double from_float = 0, from_codes = 0, magnitude = 0;
      for (std::size_t i = 0; i < dim; ++i) {
        const double a_i = double{a_scale} * a[i], b_i = double{b_scale} * b[i];
        from_float += std::abs(x[i] - b_i);
        from_codes += std::abs(a_i - b_i);
        magnitude += std::abs(x[i]) + std::abs(a_i) + std::abs(b_i);
      }
      const Guarded<std::int8_t> at_a(a, edge), at_b(b, edge);
      const Guarded<float> at_x(x, edge);
      EXPECT_NEAR(kernels().l1_f32_i8(at_x.data(), at_b.data(), b_scale, dim), from_float,
                  tolerance(dim, from_float, magnitude))
          << dim;
      EXPECT_NEAR(kernels().l1_i8(at_a.data(), a_scale, at_b.data(), b_scale, dim), from_codes,
                  tolerance(dim, from_codes, magnitude))
          << dim;
    }
  }
}

TEST_P(CodeKernels, l1_of_what_codes_stand_for_is_exactly_zero) {
  for (const std::size_t dim : dimensions()) {
    const float scale = 0.0123F;
    const auto a = integers<std::int8_t>(dim, 127);
    std::vector<float> x(dim);
    for (std::size_t i = 0; i < dim; ++i) x[i] = scale * static_cast<float>(a[i]);
    EXPECT_EQ(kernels().l1_i8(a.data(), scale, a.data(), scale, dim), 0) << dim;
    EXPECT_EQ(kernels().l1_f32_i8(x.data(), a.data(), scale, dim), 0) << dim;
  }
}

std::vector<std::int32_t> exact_masked_sums(const std::vector<std::uint64_t>& codes,
                                            const std::vector<std::uint64_t>& planes) {
  std::vector<std::int32_t> sums(8);
  for (std::size_t w = 0; w * 4 < planes.size(); ++w) {
    for (std::size_t bit = 0; bit < 64; ++bit) {
      const auto plane = [&](std::size_t p) {
        return static_cast<int>(planes[w * 4 + p] >> bit & 1);
      };
      const int value = -8 * plane(3) + 4 * plane(2) + 2 * plane(1) + plane(0);
      for (std::size_t j = 0; j < 8; ++j) {
        if ((codes[w * 8 + j] >> bit & 1) != 0) sums[j] += value;
      }
    }
  }
  return sums;
}

std::vector<std::int32_t> masked_sums(const std::vector<std::uint64_t>& codes,
                                      const std::vector<std::uint64_t>& planes, Edge edge) {
  const Guarded<std::uint64_t> at_codes(codes, edge), at_planes(planes, edge);
  std::vector<std::int32_t> sums(10, 123456);
  kernels().masked_sums_x8(at_codes.data(), planes.size() / 4, at_planes.data(), sums.data() + 1);
  EXPECT_EQ(sums.front(), 123456) << "written before the sums";
  EXPECT_EQ(sums.back(), 123456) << "written behind the sums";
  return {sums.begin() + 1, sums.end() - 1};
}

TEST_P(CodeKernels, masked_sums_are_exact_for_every_length_and_read_nothing_else) {
  for (std::size_t n = 0; n <= 200; n += n < 140 ? 1 : 7) {
    for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
      const auto codes = words(n * 8), planes = words(n * 4);
      EXPECT_EQ(masked_sums(codes, planes, edge), exact_masked_sums(codes, planes)) << n;
    }
  }
}

TEST_P(CodeKernels, masked_sums_reach_both_ends_of_their_range) {
  constexpr std::size_t kWords = 1000;
  const std::vector<std::uint64_t> all(kWords * 8, ~std::uint64_t{0});
  for (std::size_t value = 0; value < 16; ++value) {
    std::vector<std::uint64_t> planes(kWords * 4);
    for (std::size_t i = 0; i < planes.size(); ++i) planes[i] = 0 - (value >> i % 4 & 1);
    const int signed_value = static_cast<int>(value) - (value < 8 ? 0 : 16);
    EXPECT_EQ(masked_sums(all, planes, Edge::kEnd),
              std::vector<std::int32_t>(8, static_cast<int>(kWords) * 64 * signed_value));
  }
}

TEST_P(CodeKernels, table_sums_are_exact_for_every_length_and_read_nothing_else) {
  for (std::size_t segments = 0; segments <= 600; segments += segments < 20 ? 1 : 37) {
    for (const Edge edge : {Edge::kBegin, Edge::kEnd}) {
      std::vector<std::uint8_t> codes(segments * 16), tables(segments * 16);
      for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random_());
      const bool is_extreme = segments % 3 == 0;
      for (std::uint8_t& entry : tables) {
        entry = is_extreme ? 255 : static_cast<std::uint8_t>(random_());
      }
      std::vector<std::uint32_t> expected(32), sums(34, 123456);
      for (std::size_t s = 0; s < segments; ++s) {
        for (std::size_t j = 0; j < 32; ++j) {
          const unsigned both = codes[s * 16 + j % 16];
          expected[j] += tables[s * 16 + (j < 16 ? both & 15U : both >> 4)];
        }
      }
      const Guarded<std::uint8_t> at_codes(codes, edge), at_tables(tables, edge);
      kernels().table_sums_x32(at_codes.data(), at_tables.data(), segments, sums.data() + 1);
      EXPECT_EQ(std::vector<std::uint32_t>(sums.begin() + 1, sums.end() - 1), expected) << segments;
      EXPECT_EQ(sums.front(), 123456U);
      EXPECT_EQ(sums.back(), 123456U);
    }
  }
}

TEST_P(CodeKernels, bounds_of_estimates_are_those_of_the_formula) {
  const std::vector<float> a = floats(32), b = floats(32), error = floats(32);
  std::vector<std::uint32_t> sums(32);
  for (std::uint32_t& sum : sums) sum = static_cast<std::uint32_t>(random_() % 60000);
  const EstimateTerms terms{3.0F, -7.5F, 2e-4F, 1.25F, 0.5F, 4.0F};
  std::vector<float> bounds(32);
  const std::uint32_t mask =
      kernels().estimate_x32(sums.data(), {a.data(), b.data(), error.data()}, terms, bounds.data());
  std::size_t below = 0;
  for (std::size_t j = 0; j < 32; ++j) {
    const double product = -7.5 + 2e-4 * sums[j];
    const double estimate = 3.0 + a[j] - b[j] * product;
    const double bound = estimate - 1.25 * error[j] - 0.5 * b[j];
    EXPECT_NEAR(bounds[j], bound, 1e-4);
    if (std::abs(bound - 4) < 1e-4) continue;
    EXPECT_EQ(mask >> j & 1U, bound <= 4 ? 1U : 0U) << j;
    below += bound <= 4 ? 1 : 0;
  }
  EXPECT_GT(below, 0U);
  EXPECT_LT(below, 32U);
}

std::vector<std::string> available_names() {
  std::vector<std::string> names;
  for (const KernelTable* table : available_kernels()) names.emplace_back(table->name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, CodeKernels, testing::ValuesIn(available_names()),
                         [](const auto& set) { return set.param; });

}  // namespace
}  // namespace nearest::core
