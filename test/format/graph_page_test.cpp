#include "format/graph_page.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace nearest::format {
namespace {

constexpr std::uint64_t kSeed = 20240621;
constexpr std::size_t kBlock = 8192;

using core::Metric;

std::vector<std::uint32_t> dims() {
  std::vector<std::uint32_t> all;
  for (std::uint32_t dim = 1; dim <= 130; ++dim) all.push_back(dim);
  for (std::uint32_t dim = 131; dim <= 8192; dim += 61) all.push_back(dim);
  for (const std::uint32_t dim : {384U, 768U, 784U, 960U, 1024U, 1536U, 2000U, 4096U, 8000U}) {
    all.push_back(dim);
  }
  return all;
}

GraphMeta meta_of(const GraphShape& shape, std::uint32_t m, Metric metric) {
  GraphMeta meta{};
  meta.magic = kGraphMagic;
  meta.version = kGraphVersion;
  meta.dim = shape.link_code.dim;
  meta.metric = metric;
  meta.m = static_cast<std::uint16_t>(m);
  meta.code_bits = static_cast<std::uint8_t>(shape.link_code.bits);
  meta.code_words = static_cast<std::uint16_t>(shape.link_code.words);
  meta.nodes_per_page = static_cast<std::uint16_t>(shape.nodes_per_page);
  meta.inline_tids = static_cast<std::uint16_t>(shape.inline_tids);
  return meta;
}

void expect_same(const GraphShape& a, const GraphShape& b) {
  EXPECT_EQ(a.link_code.dim, b.link_code.dim);
  EXPECT_EQ(a.link_code.words, b.link_code.words);
  EXPECT_EQ(a.link_code.bits, b.link_code.bits);
  EXPECT_EQ(a.max_links, b.max_links);
  EXPECT_EQ(a.inline_tids, b.inline_tids);
  EXPECT_EQ(a.nodes_per_page, b.nodes_per_page);
  EXPECT_EQ(a.node_bytes, b.node_bytes);
  EXPECT_EQ(a.code_offset, b.code_offset);
  EXPECT_EQ(a.groups_offset, b.groups_offset);
  EXPECT_EQ(a.group_bytes, b.group_bytes);
  EXPECT_EQ(a.words_offset, b.words_offset);
  EXPECT_EQ(a.has_norms, b.has_norms);
  EXPECT_EQ(a.content, b.content);
}

void expect_sound(const GraphShape& shape) {
  const std::string what =
      "dim " + std::to_string(shape.link_code.dim) + ", links " + std::to_string(shape.max_links);
  ASSERT_LE(shape.node_offset(shape.nodes_per_page), shape.content) << what;
  ASSERT_EQ(shape.content, kBlock - 24 - 8);
  // Parts in order, none in another, words and headers aligned to eight bytes.
  ASSERT_GE(shape.code_offset, sizeof(NodeHeader) + shape.inline_tids * sizeof(Tid)) << what;
  ASSERT_GE(shape.groups_offset, shape.code_offset + shape.link_code.dim) << what;
  ASSERT_GE(shape.words_offset, sizeof(LinkGroup) + (shape.has_norms ? 16 : 0)) << what;
  ASSERT_GE(shape.group_bytes,
            shape.words_offset + shape.link_code.code_words() * kLinkGroup * sizeof(std::uint64_t))
      << what;
  ASSERT_GE(shape.node_bytes, shape.groups_offset + (shape.max_links + 7) / 8 * shape.group_bytes)
      << what;
  for (const std::size_t offset : {std::size_t{shape.code_offset}, std::size_t{shape.groups_offset},
                                   std::size_t{shape.group_bytes}, std::size_t{shape.words_offset},
                                   std::size_t{shape.node_bytes}, shape.node_offset(0)}) {
    ASSERT_EQ(offset % 8, 0U) << what;
  }
  ASSERT_LE(shape.max_links, kMostLinks);
  ASSERT_GE(shape.entries_per_page(), kLinkGroup) << what;
  ASSERT_LE(sizeof(EntryPageHeader) + shape.entries_per_page() / kLinkGroup * shape.group_bytes,
            shape.content);
  ASSERT_LE(sizeof(TidPageHeader) + shape.tids_per_page() * sizeof(Tid), shape.content);
  ASSERT_LE(sizeof(CenterPageHeader) + shape.floats_per_page() * sizeof(float), shape.content);
}

constexpr std::uint32_t kMs[] = {2, 5, 16, 64, 100};
constexpr Metric kMetrics[] = {Metric::kL2, Metric::kInnerProduct, Metric::kCosine, Metric::kL1};

TEST(GraphPage, chosen_shapes_fit_and_come_back_from_the_metapage) {
  for (const std::uint32_t m : kMs) {
    for (const Metric metric : kMetrics) {
      const std::uint32_t largest = largest_dim(m, metric, kBlock);
      for (const std::uint32_t dim : dims()) {
        const GraphShape shape = choose_shape(dim, m, metric, kBlock);
        ASSERT_EQ(shape.nodes_per_page > 0, dim <= largest) << dim << " " << m;
        if (shape.nodes_per_page == 0) continue;
        expect_sound(shape);
        if (HasFatalFailure()) return;
        EXPECT_EQ(shape.link_code.dim, dim);
        EXPECT_EQ(shape.max_links, 2 * m);
        EXPECT_EQ(shape.has_norms, metric == Metric::kInnerProduct);
        EXPECT_GE(shape.inline_tids, 2U);
        expect_same(shape, shape_of(meta_of(shape, m, metric), kBlock));
      }
    }
  }
}

TEST(GraphPage, has_room_for_the_dimensions_of_real_models) {
  EXPECT_GE(largest_dim(16, Metric::kInnerProduct, kBlock), 2000U);
  EXPECT_GE(choose_shape(384, 16, Metric::kL2, kBlock).nodes_per_page, 2U);
  EXPECT_GE(choose_shape(384, 16, Metric::kL2, kBlock).link_code.words, 5U) << "cut by a word";
  EXPECT_GE(choose_shape(3, 16, Metric::kL2, kBlock).link_code.bits, 8U);
}

TEST(GraphPage, damaged_numbers_give_no_shape_or_a_sound_one) {
  const GraphMeta good = meta_of(choose_shape(100, 16, Metric::kL2, kBlock), 16, Metric::kL2);
  ASSERT_GT(shape_of(good, kBlock).nodes_per_page, 0U);
  const auto damaged = [&](auto GraphMeta::*field, std::uint64_t value) {
    GraphMeta meta = good;
    meta.*field = static_cast<std::remove_reference_t<decltype(meta.*field)>>(value);
    return shape_of(meta, kBlock).nodes_per_page;
  };
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{0xFFFF'FFFF}}) {
    EXPECT_EQ(damaged(&GraphMeta::dim, value), 0U);
    EXPECT_EQ(damaged(&GraphMeta::m, value), 0U);
    EXPECT_EQ(damaged(&GraphMeta::code_bits, value), 0U);
    EXPECT_EQ(damaged(&GraphMeta::code_words, value), 0U);
    EXPECT_EQ(damaged(&GraphMeta::inline_tids, value), 0U);
    EXPECT_EQ(damaged(&GraphMeta::nodes_per_page, value), 0U);
  }
  EXPECT_EQ(damaged(&GraphMeta::dim, kBlock + 1), 0U);
  EXPECT_EQ(damaged(&GraphMeta::m, 128), 0U);
  EXPECT_EQ(damaged(&GraphMeta::code_bits, core::kMaxCodeBits + 1), 0U);
  EXPECT_EQ(damaged(&GraphMeta::code_words, 3), 0U) << "more than 100 dimensions have";
  EXPECT_EQ(damaged(&GraphMeta::nodes_per_page, good.nodes_per_page + 1U), 0U);

  std::mt19937_64 random{kSeed};
  int sound = 0;
  for (int i = 0; i < 200'000; ++i) {
    GraphMeta meta = good;
    const auto small_or_any = [&] { return random() % 8 == 0 ? random() : random() % 300; };
    meta.dim = static_cast<std::uint32_t>(small_or_any());
    meta.metric = static_cast<Metric>(random());
    meta.m = static_cast<std::uint16_t>(small_or_any());
    meta.code_bits = static_cast<std::uint8_t>(random() % 11);
    meta.code_words = static_cast<std::uint16_t>(random() % 6);
    meta.nodes_per_page = static_cast<std::uint16_t>(random() % 4);
    meta.inline_tids = static_cast<std::uint16_t>(random() % 14);
    const GraphShape shape = shape_of(meta, kBlock);
    if (shape.nodes_per_page == 0) continue;
    ++sound;
    expect_sound(shape);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(sound, 100);
}

TEST(GraphPage, ids_say_where_nodes_are) {
  const GraphShape shape = choose_shape(64, 16, Metric::kL2, kBlock);
  for (const BlockId block : {1U, 2U, 77'777U}) {
    for (std::uint32_t slot = 0; slot < shape.nodes_per_page; ++slot) {
      const NodeId id = shape.node_id(block, slot);
      EXPECT_EQ(shape.block_of(id), block);
      EXPECT_EQ(shape.slot_of(id), slot);
    }
  }
}

/// Writes a different byte to every part of every node: none may overwrite another.
TEST(GraphPage, parts_of_nodes_do_not_overlap) {
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct}) {
    for (const std::uint32_t dim : {3U, 100U, 384U}) {
      const GraphShape shape = choose_shape(dim, 5, metric, kBlock);
      std::vector<std::uint64_t> memory(kBlock / 8);
      const PageBytes page{reinterpret_cast<std::byte*>(memory.data()), shape.content};
      std::vector<std::pair<std::byte*, std::size_t>> parts;
      parts.emplace_back(page.data(), sizeof(NodePageHeader));
      const auto part = [&](void* begin, std::size_t bytes) {
        parts.emplace_back(static_cast<std::byte*>(begin), bytes);
      };
      for (std::uint32_t slot = 0; slot < shape.nodes_per_page; ++slot) {
        const NodeView node = node_at(page, shape, slot);
        part(&node.header(), sizeof(NodeHeader));
        part(node.tids(), shape.inline_tids * sizeof(Tid));
        part(node.code(), dim);
        for (std::uint32_t i = 0; i < shape.n_groups(shape.max_links); ++i) {
          part(&node.group(i), sizeof(LinkGroup));
          if (shape.has_norms)
            part(node.group(i).packed_norms(), kLinkGroup * sizeof(std::uint16_t));
          part(node.group(i).words(shape), shape.link_code.code_words() * kLinkGroup * 8);
        }
      }
      std::sort(parts.begin(), parts.end());
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::byte* const end = parts[i].first + parts[i].second;
        EXPECT_LE(end, i + 1 < parts.size() ? parts[i + 1].first : page.data() + page.size());
      }
    }
  }
}

TEST(GraphPage, factors_keep_their_upper_half) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float x : {0.0F, 1.0F, -2.0F, 1.5F, 0x1p-100F, -0x1.02p100F, kInfinity, -kInfinity}) {
    EXPECT_EQ(unpack_half(pack_half(x)), x);
  }
  EXPECT_EQ(unpack_half(pack_half(0x1.010001p0F)), 0x1.02p0F) << "rounded to the nearest";
  EXPECT_EQ(unpack_half(pack_half(-0x1.00fffp0F)), -1);
  EXPECT_EQ(unpack_half(pack_half(0x1.ffp5F)), 64);
  EXPECT_EQ(pack_half(std::numeric_limits<float>::quiet_NaN()), 0);
  for (float x = 1e-30F; x < 1e30F; x *= 1.37F) {
    EXPECT_LE(std::fabs(unpack_half(pack_half(x)) - x), 0x1p-8F * x);
  }
}

TEST(GraphPage, a_link_is_kept_in_place_of_the_sign_of_b) {
  LinkGroup group{};
  group.set_factors(2, {-3, 5});
  group.set_factors(3, {4, -1});
  group.set_kept(2, true);
  EXPECT_TRUE(group.is_kept(2));
  EXPECT_FALSE(group.is_kept(3));
  EXPECT_EQ(group.a(2), -3);
  EXPECT_EQ(group.b(2), 5);
  EXPECT_EQ(group.b(3), 0) << "never negative";
  group.set_kept(2, false);
  EXPECT_FALSE(group.is_kept(2));
  EXPECT_EQ(group.b(2), 5);
  group.set_kept(2, true);
  group.set_factors(2, {1, 1});
  EXPECT_FALSE(group.is_kept(2)) << "another link";
}

}  // namespace
}  // namespace nearest::format
