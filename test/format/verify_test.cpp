#include "format/verify.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "format/chain.hpp"
#include "format/drift_page.hpp"

namespace nearest::format {
namespace {

constexpr std::size_t kBlock = 8192;
constexpr std::uint32_t kDim = 24, kM = 4;

/// A page in memory of exactly its size, so that sanitizers see a read outside of it.
struct TestPage {
  std::unique_ptr<std::uint64_t[]> words = std::make_unique<std::uint64_t[]>(kBlock / 8);

  std::span<std::byte> bytes() const { return {reinterpret_cast<std::byte*>(words.get()), kBlock}; }
  PageBytes content() const { return bytes().subspan(kServerHeaderBytes, content_bytes(kBlock)); }
  ServerPageHeader& header() const { return *reinterpret_cast<ServerPageHeader*>(bytes().data()); }
  PageTrailer& trailer() const {
    return *reinterpret_cast<PageTrailer*>(bytes().data() + kBlock - sizeof(PageTrailer));
  }
};

TestPage make_page(PageKind kind, std::size_t used) {
  TestPage page;
  constexpr auto kSpecial = static_cast<std::uint16_t>(kBlock - sizeof(PageTrailer));
  page.header() = {0,
                   0,
                   0,
                   static_cast<std::uint16_t>(kServerHeaderBytes + used),
                   kSpecial,
                   kSpecial,
                   static_cast<std::uint16_t>(kBlock | 4),
                   0};
  page.trailer() = {kNoBlock, kind, 0, kGraphPageId};
  return page;
}

/// An index of synthetic pages: inner product, so that all fields are in use.
struct TestIndex {
  GraphMeta meta{};
  GraphShape shape{};
  PageExpectations expected{};
  std::vector<float> center = std::vector<float>(kDim, 0.25F);

  explicit TestIndex(core::Metric metric = core::Metric::kInnerProduct) {
    shape = choose_shape(kDim, kM, metric, kBlock);
    meta.magic = kGraphMagic;
    meta.version = kGraphVersion;
    meta.dim = kDim;
    meta.metric = metric;
    meta.code_bits = static_cast<std::uint8_t>(shape.link_code.bits);
    meta.m = kM;
    meta.ef_construction = 64;
    meta.nodes_per_page = static_cast<std::uint16_t>(shape.nodes_per_page);
    meta.code_words = static_cast<std::uint16_t>(shape.link_code.words);
    meta.inline_tids = static_cast<std::uint16_t>(shape.inline_tids);
    meta.seed = kRotationSeed;
    meta.unit = 0.5;
    meta.longest = 3;
    meta.query_norm = 2;
    meta.center_norm = std::sqrt(kDim * 0.25 * 0.25);
    meta.center_block = 1;
    meta.entry_block = 2;
    meta.built_nodes = 6;
    meta.settled = Settled::kBySample;
    meta.drift_block = 3;
    expected = {&meta, &shape, 291};
  }

  TestPage meta_page() const {
    TestPage page = make_page(PageKind::kMeta, sizeof meta);
    *at<GraphMeta>(page.content(), 0) = meta;
    return page;
  }
  TestPage center_page() const {
    TestPage page = make_page(PageKind::kCenter, sizeof(CenterPageHeader) + kDim * sizeof(float));
    *at<CenterPageHeader>(page.content(), 0) = {kDim, {}};
    std::memcpy(page.content().data() + sizeof(CenterPageHeader), center.data(),
                kDim * sizeof(float));
    return page;
  }
  TestPage drift_page() const {
    TestPage page = make_page(PageKind::kDrift, sizeof(DriftPage));
    auto* const drift = at<DriftPage>(page.content(), 0);
    *drift = {};
    drift->built_rows = 6;
    for (int i = 0; i < 100; ++i) drift->add({{{1, 2, 3, core::kNoFigure}}, 0});
    return page;
  }
  TestPage entry_page(std::uint16_t n) const {
    TestPage page = make_page(PageKind::kEntries,
                              sizeof(EntryPageHeader) + shape.n_groups(n) * shape.group_bytes);
    *at<EntryPageHeader>(page.content(), 0) = {n, {}};
    return page;
  }
  TestPage tid_page(std::uint16_t n) const {
    TestPage page = make_page(PageKind::kTids, sizeof(TidPageHeader) + n * sizeof(Tid));
    *at<TidPageHeader>(page.content(), 0) = {7, 0, 1, n, 0};
    for (std::uint16_t i = 0; i < n; ++i) {
      *at<Tid>(page.content(), sizeof(TidPageHeader) + i * sizeof(Tid)) = {
          0, i, static_cast<std::uint16_t>(1 + i % 291)};
    }
    return page;
  }
  TestPage node_page(std::uint16_t n) const {
    TestPage page = make_page(PageKind::kNodes, shape.node_offset(n));
    *at<NodePageHeader>(page.content(), 0) = {n, {}};
    for (std::uint16_t slot = 0; slot < n; ++slot) {
      const NodeView node = node_at(page.content(), shape, slot);
      NodeHeader& header = node.header();
      for (std::uint32_t i = 0; i < kDim; ++i) {
        node.code()[i] = static_cast<std::int8_t>(i == slot ? -127 : static_cast<int>(i) * 5 - 60);
        header.code.square += static_cast<std::uint32_t>(node.code()[i] * node.code()[i]);
      }
      header.code.scale = 0.01F;
      header.code.error = 0.02F;
      if (meta.metric == core::Metric::kInnerProduct) {
        const double code = header.code.scale * std::sqrt(double{1} * header.code.square);
        const double center_length = meta.center_norm / meta.unit;
        header.traits.center_product = 0.5F;
        header.traits.norm =
            static_cast<float>(std::sqrt(center_length * center_length + 2 * 0.5 + code * code));
      }
      header.n_tids = 1;
      header.n_links = 5;
      node.tids()[0] = {0, slot, 1};
    }
    return page;
  }
  std::vector<TestPage> pages() const {
    std::vector<TestPage> pages;
    pages.push_back(center_page());
    pages.push_back(entry_page(11));
    pages.push_back(entry_page(0));
    pages.push_back(node_page(static_cast<std::uint16_t>(shape.nodes_per_page)));
    pages.push_back(node_page(1));
    pages.push_back(tid_page(300));
    pages.push_back(tid_page(static_cast<std::uint16_t>(shape.tids_per_page())));
    pages.push_back(drift_page());
    return pages;
  }
};

const char* verify(const TestIndex& index, const TestPage& page) {
  return verify_page(page.bytes(), index.expected).what;
}

TEST(Verify, accepts_sound_pages) {
  for (const core::Metric metric :
       {core::Metric::kL2, core::Metric::kInnerProduct, core::Metric::kCosine, core::Metric::kL1}) {
    TestIndex index(metric);
    if (metric == core::Metric::kL1) index.meta.center_norm = kDim * 0.25;
    EXPECT_EQ(verify_meta_page(index.meta_page().bytes()).what, nullptr);
    EXPECT_EQ(center_fault(index.meta, index.center.data()), nullptr);
    for (const TestPage& page : index.pages()) EXPECT_STREQ(verify(index, page), nullptr);
  }
}

/// What any bytes do: never a read outside of the page, which sanitizers would see.
TEST(Verify, survives_every_flipped_bit_and_byte) {
  const TestIndex index;
  std::size_t faults = 0;
  const auto damage = [&](const TestPage& page, auto&& check) {
    for (std::size_t i = 0; i < kBlock; ++i) {
      const std::byte before = page.bytes()[i];
      for (const int mask : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
        page.bytes()[i] = before ^ static_cast<std::byte>(mask);
        if (check(page)) ++faults;
      }
      page.bytes()[i] = before;
    }
  };
  for (const TestPage& page : index.pages()) {
    damage(page, [&](const TestPage& one) { return verify(index, one) != nullptr; });
  }
  const TestPage sound = index.node_page(2);
  damage(index.meta_page(), [&](const TestPage& one) {
    if (verify_meta_page(one.bytes())) return true;
    // Whatever passes describes pages that can be looked at.
    const GraphMeta& meta = *at<GraphMeta>(one.content(), 0);
    const GraphShape shape = shape_of(meta, kBlock);
    const std::vector<float> center(meta.dim, 0.25F);
    (void)center_fault(meta, center.data());
    (void)verify_page(sound.bytes(), {&meta, &shape, 291});
    return false;
  });
  EXPECT_GT(faults, 10000U);
}

TEST(Verify, survives_pages_of_one_byte_value) {
  const TestIndex index;
  for (int value = 0; value < 256; ++value) {
    for (const PageKind kind :
         {PageKind::kMeta, PageKind::kCenter, PageKind::kEntries, PageKind::kNodes, PageKind::kTids,
          PageKind::kFree, PageKind::kDrift}) {
      const TestPage page = make_page(kind, content_bytes(kBlock));
      std::ranges::fill(page.content(), static_cast<std::byte>(value));
      (void)verify(index, page);
      (void)verify_meta_page(page.bytes());
    }
  }
}

/// Each of these changes must be found.
TEST(Verify, finds_what_cannot_be) {
  const TestIndex index;
  const auto finds = [&](TestPage page, auto&& change) {
    change(page);
    return verify(index, page) != nullptr;
  };
  const auto node = [&](const TestPage& page) -> NodeView {
    return node_at(page.content(), index.shape, 1);
  };
  const TestPage nodes = index.node_page(3);
  const float nan = std::nanf("");
  EXPECT_TRUE(finds(index.node_page(3), [](auto& page) { page.header().lower += 8; }));
  EXPECT_TRUE(finds(index.node_page(3), [](auto& page) { page.header().upper -= 8; }));
  EXPECT_TRUE(finds(index.node_page(3), [](auto& page) { page.header().flags = 1; }));
  EXPECT_TRUE(finds(index.node_page(3), [](auto& page) { page.trailer().next = 5; }));
  EXPECT_TRUE(finds(index.node_page(3), [](auto& page) { page.trailer().page_id = 0; }));
  EXPECT_TRUE(finds(index.node_page(3),
                    [](auto& page) { at<NodePageHeader>(page.content(), 0)->n_nodes = 2; }));
  const auto finds_in_node = [&](auto&& change) {
    return finds(index.node_page(3), [&](auto& page) { change(node(page)); });
  };
  EXPECT_FALSE(finds_in_node([](const NodeView&) {}));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.header().n_links = 9; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.header().n_tids = 11; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.header().state = NodeState::kEmptied; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.header().state = NodeState{3}; }));
  EXPECT_TRUE(finds_in_node([&](const NodeView& n) { n.header().code.scale = nan; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.header().code.scale = 0; }));
  EXPECT_TRUE(finds_in_node([&](const NodeView& n) { n.header().code.error = nan; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.header().code.square += 1; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.group(0).packed_a[4] = 0x7FC0; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.group(0).packed_b[0] = 0xFF80; }));
  EXPECT_FALSE(finds_in_node([](const NodeView& n) { n.group(0).packed_b[5] = 0xFF80; }));
  EXPECT_TRUE(finds_in_node([&](const NodeView& n) { n.header().traits.norm = 1e9F; }));
  EXPECT_TRUE(finds_in_node([&](const NodeView& n) { n.header().traits.center_product = nan; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.code()[3] += 1; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.code()[1] = -128; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.tids()[0].offset = 0; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.tids()[0].offset = 292; }));
  EXPECT_TRUE(finds_in_node([](const NodeView& n) { n.tids()[0] = {0xFFFF, 0xFFFF, 1}; }));
}

TEST(Verify, says_which_node) {
  const TestIndex index;
  const TestPage page = index.node_page(3);
  node_at(page.content(), index.shape, 2).header().state = NodeState{3};
  EXPECT_EQ(verify_page(page.bytes(), index.expected).slot, 2);
}

TEST(Verify, compares_the_center_with_its_length) {
  TestIndex index;
  EXPECT_EQ(center_fault(index.meta, index.center.data()), nullptr);
  EXPECT_NE(center_fault(index.meta, nullptr), nullptr);
  index.center[5] = 0.26F;
  EXPECT_NE(center_fault(index.meta, index.center.data()), nullptr);
  index.center[5] = std::nanf("");
  EXPECT_NE(center_fault(index.meta, index.center.data()), nullptr);
  index.meta.center_norm = 0;
  EXPECT_EQ(center_fault(index.meta, nullptr), nullptr);
}

TEST(ChainGuard, finds_rings_and_nothing_else) {
  for (std::uint32_t tail = 0; tail < 40; ++tail) {
    for (std::uint32_t ring = 1; ring < 40; ++ring) {
      ChainGuard guard;
      std::uint32_t steps = 0;
      for (std::uint32_t at = 0;; ++steps) {
        if (guard.is_ring(at + 1)) break;
        ASSERT_LT(steps, 4 * (tail + ring)) << tail << " " << ring;
        at = at + 1 < tail + ring ? at + 1 : tail;
      }
      EXPECT_GE(steps, ring);
    }
  }
  ChainGuard guard;
  for (BlockId block = 1; block < 100000; ++block) ASSERT_FALSE(guard.is_ring(block));
}

}  // namespace
}  // namespace nearest::format
