#include "format/inverted_verify.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace nearest::format {
namespace {

constexpr std::size_t kBlockBytes = 8192;

InvertedMeta sound_meta() {
  InvertedMeta meta{};
  meta.dim = 100;
  meta.metric = core::Metric::kL2;
  meta.codec = Codec::kSigns;
  meta.rotation = Rotation::kRandom;
  meta.refine = Refine::kScalar;
  meta.lists = 10;
  meta.groups = 1;
  meta.segments = 26;
  meta.bits = 1;
  meta.unit = meta.query_norm = 1;
  meta.centroids_block = 1;
  meta.directory_block = 2;
  meta.drift_block = 3;
  return meta;
}

TEST(InvertedVerify, sound_meta_has_no_fault) {
  EXPECT_EQ(inverted_meta_fault(sound_meta(), kBlockBytes), nullptr);
}

TEST(InvertedVerify, meta_that_cannot_be_has_a_fault) {
  const auto expect_fault = [](auto&& damage) {
    InvertedMeta meta = sound_meta();
    damage(meta);
    EXPECT_NE(inverted_meta_fault(meta, kBlockBytes), nullptr);
  };
  expect_fault([](InvertedMeta& meta) { meta.dim = 0; });
  expect_fault([](InvertedMeta& meta) { meta.dim = 16001; });
  expect_fault([](InvertedMeta& meta) { meta.metric = core::Metric::kL1; });
  expect_fault([](InvertedMeta& meta) { meta.codec = static_cast<Codec>(3); });
  expect_fault([](InvertedMeta& meta) { meta.codec = static_cast<Codec>(0); });
  expect_fault([](InvertedMeta& meta) { meta.refine = static_cast<Refine>(5); });
  expect_fault([](InvertedMeta& meta) { meta.refine = static_cast<Refine>(9); });
  expect_fault([](InvertedMeta& meta) { meta.lists = 0; });
  expect_fault([](InvertedMeta& meta) { meta.groups = 11; });
  expect_fault([](InvertedMeta& meta) { meta.groups = 2; });  // whose block is not named
  expect_fault([](InvertedMeta& meta) { meta.segments = 25; });
  expect_fault([](InvertedMeta& meta) { meta.segments = 28; });
  expect_fault([](InvertedMeta& meta) { meta.segments = 0; });
  expect_fault([](InvertedMeta& meta) { meta.unit = 0; });
  expect_fault([](InvertedMeta& meta) { meta.unit = std::numeric_limits<double>::quiet_NaN(); });
  expect_fault([](InvertedMeta& meta) { meta.error_ratio = -1; });
  expect_fault([](InvertedMeta& meta) { meta.directory_block = kNoBlock; });
  expect_fault([](InvertedMeta& meta) { meta.drift_block = kNoBlock; });
  expect_fault([](InvertedMeta& meta) { meta.centroids_block = kNoBlock; });
  expect_fault([](InvertedMeta& meta) { meta.rotation = Rotation::kTrained; });
  expect_fault([](InvertedMeta& meta) { meta.bits = 0; });
  expect_fault([](InvertedMeta& meta) { meta.bits = 2; });
  const auto make_product = [](InvertedMeta& meta) {
    meta.codec = Codec::kProduct;
    meta.bits = 4;
    meta.codebook_block = 4;
  };
  InvertedMeta product = sound_meta();
  make_product(product);
  EXPECT_EQ(inverted_meta_fault(product, kBlockBytes), nullptr);
  expect_fault([&](InvertedMeta& meta) {
    make_product(meta);
    meta.codebook_block = kNoBlock;
  });
}

TEST(InvertedVerify, vectors_have_signs_in_front_of_them) {
  InvertedMeta flat = sound_meta();
  flat.refine = Refine::kFloat;
  EXPECT_EQ(inverted_meta_fault(flat, kBlockBytes), nullptr);
  const auto expect_fault = [&](auto&& damage) {
    InvertedMeta meta = flat;
    damage(meta);
    EXPECT_NE(inverted_meta_fault(meta, kBlockBytes), nullptr);
  };
  expect_fault([](InvertedMeta& meta) { meta.rotation = Rotation::kNone; });
  expect_fault([](InvertedMeta& meta) {
    meta.codec = Codec::kProduct;
    meta.bits = 4;
    meta.codebook_block = 4;
  });
}

TEST(InvertedVerify, list_pages_are_of_their_list) {
  const ListShape shape = list_shape(sound_meta(), kBlockBytes);
  std::vector<std::byte> bytes(content_bytes(kBlockBytes));
  const ListPage page{bytes, &shape};
  page.header() = {3, 1, static_cast<std::uint16_t>(shape.slots), {}};
  const ConstListPage read{bytes, &shape};
  EXPECT_EQ(list_page_fault(read, shape.used_bytes, 3, 1), nullptr);
  EXPECT_NE(list_page_fault(read, shape.used_bytes, 4, 1), nullptr);
  EXPECT_NE(list_page_fault(read, shape.used_bytes, 3, 2), nullptr);
  EXPECT_NE(list_page_fault(read, shape.used_bytes - 1, 3, 1), nullptr);
  page.header().n_slots += 1;
  EXPECT_NE(list_page_fault(read, shape.used_bytes, 3, 1), nullptr);
}

TEST(InvertedVerify, cold_pages_are_of_their_list_page) {
  const ListShape shape = list_shape(sound_meta(), kBlockBytes);
  std::vector<std::byte> bytes(content_bytes(kBlockBytes));
  auto* const header = at<ColdPageHeader>(PageBytes(bytes), 0);
  *header = {7, 40, 2};
  const std::size_t used = sizeof *header + std::size_t{2} * shape.cold_bytes;
  EXPECT_EQ(cold_page_fault(bytes, used, shape, 7, 40), nullptr);
  EXPECT_NE(cold_page_fault(bytes, used, shape, 8, 40), nullptr);
  EXPECT_NE(cold_page_fault(bytes, used, shape, 7, 0), nullptr);
  EXPECT_NE(cold_page_fault(bytes, used + 1, shape, 7, 40), nullptr);
  header->n_slots = static_cast<std::uint16_t>(shape.cold_per_page + 1);
  EXPECT_NE(cold_page_fault(bytes, used, shape, 7, 40), nullptr);
}

}  // namespace
}  // namespace nearest::format
