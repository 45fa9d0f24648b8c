#include "pg/am/inverted/sample.hpp"

extern "C" {
#include "access/tableam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/sampling.h"
}

#include <algorithm>
#include <climits>
#include <cstring>

#include "core/random.hpp"
#include "pg/am/inverted/progress.hpp"
#include "pg/am/inverted/row_vector.hpp"

namespace nearest::pg::inverted {
namespace {

// The same for the same table, so that builds repeat.
constexpr std::uint32_t kBlockSeed = 0x6E65'6172;
constexpr int kEstimateBlocks = 64;

/// Calls take(value) for the rows of randomly drawn blocks that are not NULL. What it allocates is
/// freed after each.
template <class Take>
class BlockReader {
 public:
  BlockReader(Relation heap, Relation index, IndexInfo* info, Take& take)
      : heap_(heap), index_(index), info_(info), take_(&take) {
    row_context_ = AllocSetContextCreate(CurrentMemoryContext, "inverted file, sampled row",
                                         ALLOCSET_DEFAULT_SIZES);
  }

  /// Reads `wanted` blocks, or all. Returns how many the table has for each that was read.
  double run(BlockNumber wanted) {
    const BlockNumber blocks = RelationGetNumberOfBlocks(heap_);
    BlockSamplerData sampler;
    BlockSampler_Init(&sampler, blocks,
                      static_cast<int>(std::min<BlockNumber>({wanted, blocks, INT_MAX})),
                      kBlockSeed);
    // Rows that others are changing count too, but a concurrent build has a snapshot.
    const bool any_visible = !info_->ii_Concurrent;
    BlockNumber read = 0;
    while (BlockSampler_HasMore(&sampler)) {
      CHECK_FOR_INTERRUPTS();
      table_index_build_range_scan(heap_, index_, info_, false, any_visible, false,
                                   BlockSampler_Next(&sampler), 1, read_row, this, nullptr);
      ++read;
    }
    MemoryContextDelete(row_context_);
    return read > 0 ? static_cast<double>(blocks) / read : 1;
  }

 private:
  static void read_row(Relation /*index*/, ItemPointer /*tid*/, Datum* values, bool* is_null,
                       bool /*is_alive*/, void* opaque) {
    auto* const reader = static_cast<BlockReader*>(opaque);
    CHECK_FOR_INTERRUPTS();
    const MemoryContext before = MemoryContextSwitchTo(reader->row_context_);
    if (!is_null[0]) (*reader->take_)(values[0]);
    MemoryContextSwitchTo(before);
    MemoryContextReset(reader->row_context_);
  }

  Relation heap_, index_;
  IndexInfo* info_;
  Take* take_;
  MemoryContext row_context_;
};

/// Keeps each row that comes with the same probability (algorithm R, Vitter 1985). Rows that it
/// does not keep are not read from where the table stores long values.
struct Reservoir {
  const format::InvertedMeta* meta;
  std::size_t most;
  float* rows;
  core::Random random{kBlockSeed};
  std::size_t n = 0, seen = 0;

  void operator()(Datum value) {
    const std::size_t place = n < most ? n : random.below(++seen);
    if (place >= most) return;
    const RowVector row = read_row_vector(*meta, value, false);
    if (!row.has_place()) return;
    std::memcpy(rows + place * meta->dim, row.x.data(), row.x.size_bytes());
    if (place == n) {
      seen = ++n;
      if (n % 1024 == 0) show_done(n);
    }
  }
};

}  // namespace

double estimate_rows(Relation heap, Relation index, IndexInfo* info) {
  double rows = 0;
  auto count = [&rows](Datum) { rows += 1; };
  BlockReader reader(heap, index, info, count);
  return reader.run(kEstimateBlocks) * rows;
}

std::size_t draw_sample(Relation heap, Relation index, IndexInfo* info,
                        const format::InvertedMeta& meta, std::size_t most, float* rows) {
  begin_phase(Phase::kSample, most);
  Reservoir reservoir{&meta, most, rows};
  BlockReader reader(heap, index, info, reservoir);
  // As many blocks as rows: rows of a block may be much alike.
  reader.run(static_cast<BlockNumber>(std::min<std::size_t>(most, INT_MAX)));
  show_done(reservoir.n);
  return reservoir.n;
}

}  // namespace nearest::pg::inverted
