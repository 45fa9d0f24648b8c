#include "pg/am/graph/state.hpp"

extern "C" {
#include "utils/memutils.h"
}

#include "format/verify.hpp"
#include "pg/am/common/meta_page.hpp"
#include "pg/buffer.hpp"

namespace nearest::pg::graph {
namespace {

/// One chunk of memory, so that the relation cache can free it.
struct StateChunk {
  GraphState state;
  // Then the center and, for inner product, the rotated center: (dim) float each.
  float* floats() { return reinterpret_cast<float*>(this + 1); }
};

std::size_t chunk_bytes(std::uint32_t dim) {
  return sizeof(StateChunk) + 2 * sizeof(float) * std::size_t{dim};
}

/// Makes the pointers of a chunk point into it.
void settle(StateChunk* chunk) {
  float* const center = chunk->floats();
  const bool has_center = chunk->state.meta.center_block != format::kNoBlock;
  chunk->state.space.center = has_center ? center : nullptr;
  chunk->state.space.rotated_center =
      has_center && chunk->state.meta.metric == core::Metric::kInnerProduct
          ? center + chunk->state.meta.dim
          : nullptr;
}

void read_center(Relation index, const format::GraphMeta& meta, float* center) {
  std::uint32_t have = 0;
  BlockNumber block = meta.center_block;
  while (have < meta.dim) {
    BlockNumber next = format::kNoBlock;
    const std::uint32_t before = have;
    if (block == format::kNoBlock || block >= RelationGetNumberOfBlocks(index)) {
      report_damaged(index, kMetaBlock, "The center is not complete.");
    }
    with_shared_page(index, block, format::PageKind::kCenter, [&](Page page) {
      const format::ConstPageBytes content = content_of(page);
      const auto* header = format::at<format::CenterPageHeader>(content, 0);
      const std::uint32_t n = header->n_floats;
      if (n == 0 || n > meta.dim - have ||
          sizeof(format::CenterPageHeader) + n * sizeof(float) > content.size()) {
        return;
      }
      std::memcpy(center + have, content.data() + sizeof(format::CenterPageHeader),
                  n * sizeof(float));
      have += n;
      next = trailer_of(page)->next;
    });
    if (have == before) report_damaged(index, block, "A part of the center has no right length.");
    block = next;
  }
  if (const char* const fault = format::center_fault(meta, center)) {
    report_damaged(index, meta.center_block, fault);
  }
}

constexpr MetaRules<format::GraphMeta> kMetaRules = {
    format::kGraphMagic, format::kGraphVersion,
    "The metapage does not begin as one of an hnsw index.", format::meta_fault};

/// raise: otherwise null if the metapage is not one that can be used, and no center is read.
StateChunk* read_chunk(Relation index, bool raise) {
  format::GraphMeta meta;
  if (raise) {
    meta = read_meta(index);
  } else if (!is_readable(index, kMetaBlock) ||
             try_read_meta(index, kMetaRules, &meta).what != nullptr) {
    return nullptr;
  }
  auto* const chunk = static_cast<StateChunk*>(palloc0(chunk_bytes(meta.dim)));
  chunk->state.meta = meta;
  chunk->state.shape = format::shape_of(meta, BLCKSZ);
  const bool has_center = meta.center_block != format::kNoBlock;
  if (has_center && raise) read_center(index, meta, chunk->floats());
  chunk->state.space =
      make_space(meta, has_center ? chunk->floats() : nullptr, chunk->floats() + meta.dim);
  settle(chunk);
  return chunk;
}

}  // namespace

core::GraphSpace make_space(const format::GraphMeta& meta, const float* center, float* rotated) {
  core::GraphSpace space{};
  space.metric = meta.metric;
  space.dim = meta.dim;
  space.seed = meta.seed;
  space.center = center;
  space.center_norm = meta.center_norm;
  space.unit = meta.unit;
  space.longest = meta.longest;
  space.query_norm = meta.query_norm;
  if (center != nullptr && meta.metric == core::Metric::kInnerProduct) {
    std::memcpy(rotated, center, meta.dim * sizeof(float));
    core::rotate({rotated, meta.dim}, meta.seed);
    space.rotated_center = rotated;
  }
  return space;
}

format::GraphMeta read_meta(Relation index) { return pg::read_meta(index, kMetaRules); }

GraphState* load_state(Relation index) {
  if (index->rd_amcache == nullptr) {
    StateChunk* const chunk = read_chunk(index, true);
    const std::size_t bytes = chunk_bytes(chunk->state.meta.dim);
    // Reading may have emptied the cache or filled it; nothing below can.
    if (index->rd_amcache == nullptr && chunk->state.meta.has_constant_sizes()) {
      void* const cached = MemoryContextAlloc(index->rd_indexcxt, bytes);
      std::memcpy(cached, chunk, bytes);
      index->rd_amcache = cached;
    }
    return &chunk->state;
  }
  // A copy: the cache may go away whenever a message of invalidation arrives.
  const auto* const cached = static_cast<const StateChunk*>(index->rd_amcache);
  const std::size_t bytes = chunk_bytes(cached->state.meta.dim);
  auto* const chunk = static_cast<StateChunk*>(palloc(bytes));
  std::memcpy(chunk, index->rd_amcache, bytes);
  settle(chunk);
  return &chunk->state;
}

GraphState* try_load_state(Relation index) {
  if (index->rd_amcache != nullptr) return load_state(index);
  StateChunk* const chunk = read_chunk(index, false);
  return chunk == nullptr ? nullptr : &chunk->state;
}

}  // namespace nearest::pg::graph
