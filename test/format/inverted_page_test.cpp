#include "format/inverted_page.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace nearest::format {
namespace {

constexpr std::size_t kBlockBytes = 8192;

InvertedMeta meta_of(Codec codec, std::uint32_t dim, Refine refine, std::uint8_t bits) {
  InvertedMeta meta{};
  meta.dim = dim;
  meta.codec = codec;
  meta.refine = refine;
  meta.bits = bits;
  meta.segments = codec == Codec::kProduct && bits == 8
                      ? std::max(1U, dim / 8)
                      : std::min(static_cast<std::uint32_t>(align_up(core::sign_segments(dim), 2)),
                                 most_segments(kBlockBytes));
  return meta;
}

/// Parts follow each other inside the page, and no more slots would fit.
void expect_sound(const ListShape& shape, const std::string& what) {
  ASSERT_GT(shape.slots, 0U) << what;
  EXPECT_LE(shape.cold_offset + shape.n_cold * sizeof(BlockId), shape.tids_offset) << what;
  EXPECT_LE(shape.tids_offset + shape.slots * sizeof(Tid), shape.factors_offset) << what;
  EXPECT_EQ(shape.factors_offset % alignof(float), 0U) << what;
  EXPECT_LE(shape.factors_offset + (shape.has_factors ? 12 * shape.slots : 0), shape.codes_offset)
      << what;
  EXPECT_LE(shape.used_bytes, content_bytes(kBlockBytes)) << what;
  EXPECT_LE(shape.n_cold, kMostColdPages) << what;
  EXPECT_TRUE(shape.cold_bytes == 0 || shape.n_cold * shape.cold_per_page >= shape.slots) << what;
  EXPECT_TRUE(shape.row_bytes == 0 || (shape.codes_offset + kServerHeaderBytes) % 32 == 0) << what;
}

TEST(InvertedPage, every_shape_fits_its_page) {
  for (const std::uint32_t dim : {1U, 3U, 64U, 128U, 384U, 512U, 768U, 1024U, 1536U, 2000U}) {
    const std::string what = "dim " + std::to_string(dim);
    for (const Refine refine :
         {Refine::kNone, Refine::kScalar, Refine::kHalf, Refine::kExtraBits, Refine::kFloat}) {
      if (refine == Refine::kExtraBits && dim < 8) continue;
      expect_sound(list_shape(meta_of(Codec::kSigns, dim, refine, 1), kBlockBytes), what);
      expect_sound(list_shape(meta_of(Codec::kProduct, dim, refine, 4), kBlockBytes), what);
      expect_sound(list_shape(meta_of(Codec::kProduct, dim, refine, 8), kBlockBytes), what);
    }
  }
  expect_sound(tid_list_shape(kBlockBytes), "rows without vectors");
  const auto slots_with_vectors = [](std::uint32_t dim) {
    return list_shape(meta_of(Codec::kSigns, dim, Refine::kFloat, 1), kBlockBytes).slots;
  };
  EXPECT_EQ(slots_with_vectors(2036), 32U) << "more than pgvector's 2,000 dimensions";
  EXPECT_EQ(slots_with_vectors(2037), 0U);
}

TEST(InvertedPage, a_bit_per_dimension_is_less_than_a_tenth_of_the_vectors) {
  for (const std::uint32_t dim : {384U, 512U, 768U, 1536U}) {
    const ListShape shape = list_shape(meta_of(Codec::kSigns, dim, Refine::kNone, 1), kBlockBytes);
    EXPECT_LT(10 * kBlockBytes, shape.slots * dim * sizeof(float)) << dim;
  }
}

TEST(InvertedPage, what_refines_rows_fills_its_pages) {
  for (const std::uint32_t dim : {128U, 384U, 512U, 768U, 784U, 1536U, 2000U}) {
    const auto vectors_per_page = content_bytes(kBlockBytes) / (sizeof(float) * dim + 16);
    for (const Refine refine : {Refine::kExtraBits, Refine::kFloat}) {
      const std::uint8_t bits = refine == Refine::kFloat ? 1 : 6;
      const ListShape shape = list_shape(meta_of(Codec::kSigns, dim, refine, bits), kBlockBytes);
      EXPECT_GE(shape.cold_per_page, vectors_per_page) << dim;
      EXPECT_LE(50 * shape.n_cold * shape.cold_per_page, 51 * shape.slots) << dim;
    }
  }
}

TEST(InvertedPage, rows_are_found_again_in_full_and_in_open_blocks) {
  std::minstd_rand random{7};
  for (const InvertedMeta& meta : {meta_of(Codec::kSigns, 130, Refine::kScalar, 1),
                                   meta_of(Codec::kSigns, 384, Refine::kExtraBits, 6),
                                   meta_of(Codec::kProduct, 64, Refine::kNone, 8),
                                   meta_of(Codec::kSigns, 5, Refine::kFloat, 1)}) {
    const ListShape shape = list_shape(meta, kBlockBytes);
    alignas(32) std::byte bytes[kBlockBytes] = {};
    const ListPage page{{bytes, content_bytes(kBlockBytes)}, &shape};
    std::vector<std::vector<std::uint8_t>> codes;
    const auto code = [&] {
      std::vector<std::uint8_t> row(shape.row_bytes);
      for (std::uint8_t& byte : row) byte = static_cast<std::uint8_t>(random());
      return row;
    };
    const auto stored = [&](std::uint32_t slot) {
      std::vector<std::uint8_t> row(shape.row_bytes);
      if (page.is_in_block(slot)) {
        core::get_code(page.block(slot), shape.segments, slot % 32, row.data());
      } else {
        std::copy_n(page.row(slot), shape.row_bytes, row.data());
      }
      return row;
    };
    for (std::uint16_t slot = 0; slot < shape.slots; ++slot) {
      codes.push_back(code());
      const auto size = static_cast<float>(slot);
      put_row(page, slot, {0, slot, 1}, {size, 2 * size, 3 * size}, codes.back().data());
      ASSERT_EQ(page.header().n_slots, slot + 1);
      const auto other = static_cast<std::uint32_t>(random() % (slot + 1U));
      ASSERT_EQ(stored(other), codes[other]) << "slot " << other << " of " << slot;
    }
    for (int i = 0; i < 50; ++i) {
      const auto slot = static_cast<std::uint32_t>(random() % shape.slots);
      drop_row(page, slot);
      EXPECT_TRUE(is_dead(page.tids()[slot]));
      EXPECT_TRUE(!shape.has_factors || page.a()[slot] > std::numeric_limits<float>::max());
      codes[slot] = code();
      put_row(page, slot, {1, 1, 1}, {1, 2, 3}, codes[slot].data());
      EXPECT_FALSE(is_dead(page.tids()[slot]));
      ASSERT_EQ(page.header().n_slots, shape.slots);
    }
    for (std::uint32_t slot = 0; slot < shape.slots; ++slot) ASSERT_EQ(stored(slot), codes[slot]);
  }
}

}  // namespace
}  // namespace nearest::format
