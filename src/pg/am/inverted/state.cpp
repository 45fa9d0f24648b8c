#include "pg/am/inverted/state.hpp"

extern "C" {
#include "utils/memutils.h"
}

#include <algorithm>
#include <cstring>
#include <span>

#include "format/chain.hpp"
#include "format/inverted_verify.hpp"
#include "pg/am/common/meta_page.hpp"
#include "pg/buffer.hpp"
#include "pg/compat.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::inverted {
namespace {

constexpr MetaRules<format::InvertedMeta> kMetaRules = {
    format::kInvertedMagic, format::kInvertedVersion,
    "The metapage does not begin as one of an inverted file.", format::inverted_meta_fault};

/// Reads a stream of n numbers that begins on a page.
void read_floats(Relation index, BlockNumber block, std::size_t n, float* out) {
  const BlockNumber n_blocks = RelationGetNumberOfBlocks(index);
  std::size_t have = 0;
  while (have < n) {
    if (block == format::kNoBlock || block >= n_blocks) {
      report_damaged(index, kMetaBlock, "What was trained is not complete.");
    }
    BlockNumber next = format::kNoBlock;
    bool is_sound = false;
    with_shared_page(index, block, format::PageKind::kFloats, [&](Page page) {
      const format::ConstPageBytes content = content_of(page);
      const auto* header = format::at<format::FloatPageHeader>(content, 0);
      const std::size_t here = header->n_floats;
      is_sound = here > 0 && here <= n - have && here <= format::floats_per_page(BLCKSZ) &&
                 used_bytes(page) == sizeof *header + here * sizeof(float);
      if (!is_sound) return;
      std::memcpy(out + have, content.data() + sizeof *header, here * sizeof(float));
      have += here;
      next = trailer_of(page)->next;
    });
    if (!is_sound) report_damaged(index, block, "Numbers that were trained have no right length.");
    block = next;
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!(out[i] - out[i] == 0)) {
      report_damaged(index, kMetaBlock, "What was trained is not finite.");
    }
  }
}

/// Reads what was trained into a new context.
InvertedState* read_state(Relation index, const format::InvertedMeta& meta, MemoryContext context) {
  auto* const state = allocate_in<InvertedState>(context);
  const std::size_t dim = meta.dim;
  state->meta = meta;
  state->context = context;
  state->shape = format::list_shape(meta, BLCKSZ);
  state->tid_shape = format::tid_list_shape(BLCKSZ);
  float* center = nullptr;
  if (meta.center_block != format::kNoBlock) {
    center = allocate_in<float>(context, 2 * dim);
    read_floats(index, meta.center_block, dim, center);
  }
  float* matrix = nullptr;
  if (meta.rotation == format::Rotation::kTrained) {
    matrix = allocate_in<float>(context, dim * dim);
    read_floats(index, meta.matrix_block, dim * dim, matrix);
  }
  state->space = make_space(meta, center, matrix, center + (center == nullptr ? 0 : dim));
  if (meta.codec == format::Codec::kProduct) {
    state->books.shape = {meta.dim, meta.segments, meta.bits};
    const core::ProductShape& shape = state->books.shape;
    auto* const columns = allocate_in<float>(context, shape.codebook_floats());
    auto* const squares = allocate_in<float>(context, shape.segments * shape.codewords());
    read_floats(index, meta.codebook_block, shape.codebook_floats(), columns);
    core::fill_half_squares(shape, columns, squares);
    state->books.columns = columns;
    state->books.half_squares = squares;
  }
  return state;
}

// What this backend keeps -------------------------------------------------------------------------

/// The state of one file, in a context of its own.
struct Kept {
  RelationFile file;
  bool is_local;  ///< files of temporary tables have numbers of their own
  MemoryContext context;
  InvertedState* state;  ///< null: nothing is kept here
  std::size_t bytes;
  std::uint64_t last_use;
  LocalTransactionId transaction;  ///< of the last use
};

constexpr std::size_t kMostKept = 32;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;
Kept kept[kMostKept];
std::uint64_t uses = 0;

/// To the last bit of what is constant.
bool is_same(const format::InvertedMeta& a, format::InvertedMeta b) {
  b.has_left = a.has_left;
  const auto bytes = [](const format::InvertedMeta& meta) {
    return std::as_bytes(std::span(&meta, 1));
  };
  return std::ranges::equal(bytes(a), bytes(b));
}

void forget(Kept* one) {
  MemoryContextDelete(one->context);
  *one = {};
}

/// Makes room for a state: those go that were not used for longest, as long as there are too many
/// or they are too large together. Null if all are in use by this transaction.
Kept* make_room(std::size_t bytes) {
  while (true) {
    Kept *oldest = nullptr, *empty = nullptr;
    std::size_t total = bytes;
    for (Kept& one : kept) {
      if (one.state == nullptr) {
        empty = &one;
        continue;
      }
      total += one.bytes;
      if (one.transaction == local_transaction()) continue;
      if (oldest == nullptr || one.last_use < oldest->last_use) oldest = &one;
    }
    if (empty != nullptr && (total <= kMostBytes || oldest == nullptr)) return empty;
    if (oldest == nullptr) return nullptr;
    forget(oldest);
  }
}

}  // namespace

core::GraphSpace make_space(const format::InvertedMeta& meta, const float* center,
                            const float* matrix, float* rotated) {
  core::GraphSpace space{};
  space.metric = meta.metric;
  space.dim = meta.dim;
  space.seed = meta.seed;
  space.center = center;
  space.center_norm = meta.center_norm;
  space.unit = meta.unit;
  space.query_norm = meta.query_norm;
  space.matrix = matrix;
  space.turn = meta.rotation == format::Rotation::kNone      ? core::Turn::kNone
               : meta.rotation == format::Rotation::kTrained ? core::Turn::kTrained
                                                             : core::Turn::kFixed;
  // Without its matrix the rotation is still to be trained: the center is not turned yet.
  const bool is_complete = space.turn != core::Turn::kTrained || matrix != nullptr;
  if (center != nullptr && is_complete && meta.metric == core::Metric::kInnerProduct) {
    std::memcpy(rotated, center, meta.dim * sizeof(float));
    core::turn_in(space, {rotated, meta.dim});
    space.rotated_center = rotated;
  }
  return space;
}

std::size_t KeptCentroids::bytes(const format::InvertedMeta& meta) {
  constexpr std::size_t kMost = std::size_t{4} << 20;
  const std::size_t n = std::size_t{meta.lists} + meta.groups;
  const std::size_t bytes = n * (meta.dim + sizeof(float) + 2 * sizeof(std::uint32_t));
  const bool has_any = meta.lists > 1 && meta.centroids_block != format::kNoBlock;
  return has_any && bytes <= kMost ? bytes : 0;
}

format::InvertedMeta read_meta(Relation index) { return pg::read_meta(index, kMetaRules); }

const InvertedState* load_state(Relation index) {
  const format::InvertedMeta meta = read_meta(index);
  const RelationFile file = relation_file(index);
  const bool is_local = RelationUsesLocalBuffers(index);
  for (Kept& one : kept) {
    if (one.state == nullptr || one.is_local != is_local || !is_same_file(one.file, file)) continue;
    // Files' numbers come again, and a build of this transaction may have written the file anew.
    if (is_same(one.state->meta, meta)) {
      one.last_use = ++uses;
      one.transaction = local_transaction();
      return one.state;
    }
    if (one.transaction != local_transaction()) forget(&one);
  }
  // Complete before it is kept: an error leaves it to the current context.
  MemoryContext const context =
      AllocSetContextCreate(CurrentMemoryContext, "inverted file", ALLOCSET_SMALL_SIZES);
  InvertedState* const state = read_state(index, meta, context);
  const std::size_t bytes = MemoryContextMemAllocated(context, true) + KeptCentroids::bytes(meta);
  // Without room it lasts as long as the transaction.
  Kept* const place = make_room(bytes);
  MemoryContextSetParent(context, place == nullptr ? TopTransactionContext : TopMemoryContext);
  if (place != nullptr) {
    *place = {file, is_local, context, state, bytes, ++uses, local_transaction()};
  }
  return state;
}

bool try_load_shape(Relation index, format::InvertedMeta* meta) {
  if (index->rd_amcache != nullptr) {
    std::memcpy(meta, index->rd_amcache, sizeof *meta);
    return true;
  }
  if (!is_readable(index, kMetaBlock) || try_read_meta(index, kMetaRules, meta).what != nullptr)
    return false;
  // It is constant as long as the relation's file is the same.
  void* const cached = MemoryContextAlloc(index->rd_indexcxt, sizeof *meta);
  std::memcpy(cached, meta, sizeof *meta);
  index->rd_amcache = cached;
  return true;
}

}  // namespace nearest::pg::inverted
