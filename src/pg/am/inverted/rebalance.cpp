#include "pg/am/inverted/rebalance.hpp"

extern "C" {
#include "miscadmin.h"
#include "utils/inval.h"
}

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/arena.hpp"
#include "core/cluster/far_rows.hpp"
#include "core/cluster/halves.hpp"
#include "core/cluster/kmeans.hpp"
#include "core/ivf/list_reach.hpp"
#include "core/ivf/params.hpp"
#include "pg/am/common/drift_sample.hpp"
#include "pg/am/inverted/centroids.hpp"
#include "pg/am/inverted/generation.hpp"
#include "pg/am/inverted/page_group.hpp"
#include "pg/am/inverted/retired_pages.hpp"
#include "pg/am/inverted/row_mover.hpp"
#include "pg/thread_team.hpp"

namespace nearest::pg::inverted {
namespace {

/// Parts of one list at most: more come from its parts, next time.
constexpr std::size_t kMostParts = 64;
/// Rows that the training of a part looks at.
constexpr std::size_t kRowsPerPart = 256;
/// If one part keeps more of the rows, they are too much alike to be split.
constexpr double kMostInOnePart = 0.8;
constexpr std::uint32_t kNewRecord = ~0U;

struct KMeansRunner {
  ThreadTeam team = ThreadTeam::of_maintenance();

  template <class F>
  void run(std::size_t n, F&& f) {
    team.run(n, f);
  }
  void round(std::size_t, std::size_t) const {}
};

/// One of the lists that take the place of those that are split. Rows go to the nearest of all
/// parts, not only to those of their list: where rows of a new kind fell into several lists, each
/// has some of every part of that kind.
struct Part {
  std::uint32_t list, version;
  float* centroid;  ///< (dim)
  core::ListReach reach;
  format::Tid* tids;        ///< (slots) rows of the page that is being made
  std::byte* records;       ///< likewise
  std::uint32_t n;          ///< of them
  BlockNumber first, last;  ///< pages so far
};

/// A list that becomes several, or stays one whose rows may go to parts of others.
struct Split {
  std::uint32_t list, group;
  std::uint32_t n_parts;
  float* centroids;  ///< (n_parts, dim)
  Part* parts;
  core::ArenaArray<BlockNumber> blocks;  ///< pages whose rows are in parts

  /// Whether it stays one, around the same centroid.
  bool is_beside() const { return n_parts == 1; }
};

/// A row that goes in front of the list that is now the nearest.
struct MovedRow {
  std::uint32_t list;
  float squared;  ///< its distance from the list's centroid, for products
  format::Tid tid;
  std::byte* record;

  friend bool operator<(const MovedRow& a, const MovedRow& b) { return a.list < b.list; }
};

class Rebalancer {
 public:
  Rebalancer(Relation heap, Relation index, const InvertedState& state, const ListLimits& limits)
      : heap_(heap),
        index_(index),
        state_(&state),
        limits_(limits),
        dim_(state.meta.dim),
        arena_{CurrentMemoryContext},
        copy_(index, state),
        mover_(heap, index, state) {
    y_ = static_cast<float*>(palloc(dim_ * sizeof(float)));
    centroid_ = static_cast<float*>(palloc(dim_ * sizeof(float)));
    list_context_ =
        AllocSetContextCreate(CurrentMemoryContext, "split list", ALLOCSET_DEFAULT_SIZES);
  }

  Rebalanced run() {
    count_all_rows();
    choose();
    if (!splits_.empty() || !merged_.empty()) move();
    mover_.end();
    return done_;
  }

 private:
  // What is to be done ----------------------------------------------------------------------------

  void count_all_rows() {
    const std::uint32_t lists = state_->meta.lists;
    rows_ = allocate_in<std::uint64_t>(CurrentMemoryContext, lists);
    for (std::uint32_t list = 0; list < lists; ++list) {
      ListWalk walk(index_, state_, list, read_entry(index_, state_->meta, list));
      while (!walk.is_at_end()) {
        walk.visit([&](const format::ConstListPage& page) -> const char* {
          rows_[list] += count_rows(page);
          return nullptr;
        });
      }
    }
  }

  void choose() {
    const std::uint32_t lists = state_->meta.lists;
    const NextLists now(index_, *state_, 0);
    std::uint64_t total = 0, n_live = 0;
    for (std::uint32_t list = 0; list < lists; ++list) {
      total += rows_[list];
      n_live += now.is_merged(list) ? 0 : 1;
    }
    if (n_live == 0) return;
    // Few lists that are left are many times too long, but none of them by the mean of these few.
    const std::uint64_t usual = std::min<std::uint64_t>(lists, core::default_lists(total));
    const double mean = static_cast<double>(total) / static_cast<double>(std::max(n_live, usual));
    std::size_t most_new = std::min<std::size_t>(
        core::kMaxLists - std::min<std::size_t>(lists, core::kMaxLists), parts_in_memory());
    std::uint64_t most_merged = rows_in_memory();
    for (std::uint32_t list = 0; list < lists; ++list) {
      if (now.is_merged(list)) continue;
      const auto rows = static_cast<double>(rows_[list]);
      if (rows > limits_.split_above * mean && rows_[list] > state_->shape.slots) {
        const auto wanted = static_cast<std::size_t>(std::lround(rows / mean));
        const std::size_t n =
            std::min({std::max<std::size_t>(wanted, 2), kMostParts, most_new + 1});
        if (n < 2) continue;
        Split split{};
        split.list = list;
        split.group = now.group_of(list);
        if (!train(&split, n)) continue;
        most_new -= split.n_parts - 1;
        n_new_ += split.n_parts - 1;
        splits_.push_back(arena_, split);
      } else if (rows < limits_.merge_below * mean && rows_[list] <= most_merged &&
                 merged_.size() + 1 < n_live) {
        most_merged -= rows_[list];
        merged_.push_back(arena_, list);
      }
    }
    done_.split = static_cast<std::int64_t>(splits_.size());
    done_.merged = static_cast<std::int64_t>(merged_.size());
    open_neighbors(now, most_new);
    std::stable_sort(splits_.begin(), splits_.end(),
                     [](const Split& a, const Split& b) { return a.group < b.group; });
  }

  /// Rows of lists beside may be nearer to a part than to what they are in now: those of the lists
  /// that a search at the part's place would read, `most` at most, are dealt out with the others.
  void open_neighbors(const NextLists& now, std::size_t most) {
    const std::uint32_t lists = state_->meta.lists;
    auto* const is_taken = allocate_in<bool>(CurrentMemoryContext, lists);
    for (const Split& split : splits_) is_taken[split.list] = true;
    for (const std::uint32_t list : merged_) is_taken[list] = true;
    auto* const ranked = static_cast<RankedList*>(palloc(lists * sizeof(RankedList)));
    auto* const z = static_cast<std::int16_t*>(palloc(dim_ * sizeof(std::int16_t)));
    std::int64_t pages = 0;
    const Centroids centroids(index_, state_, &pages);
    const std::size_t wanted = core::default_probes(lists), n_splits = splits_.size();
    for (std::size_t i = 0; i < n_splits; ++i) {
      const Split split = splits_[i];
      for (std::uint32_t part = 0; part < split.n_parts; ++part) {
        CHECK_FOR_INTERRUPTS();
        const core::ScalarQuery code = core::encode_query({split.centroids + part * dim_, dim_}, z);
        const std::size_t n =
            std::min(wanted, centroids.rank(arena_, {&code, false}, wanted, ranked));
        for (std::size_t j = 0; j < n; ++j) {
          const std::uint32_t list = ranked[j].list;
          if (is_taken[list] || rows_[list] == 0) continue;
          if (most-- == 0) return;
          is_taken[list] = true;
          Split beside{};
          beside.list = list;
          beside.group = now.group_of(list);
          beside.n_parts = 1;
          beside.centroids = static_cast<float*>(arena_.allocate(dim_ * sizeof(float)));
          centroids.read(list, beside.centroids);
          splits_.push_back(arena_, beside);
        }
      }
    }
  }

  /// How many rows may be held until lists are written.
  std::uint64_t rows_in_memory() const {
    return maintenance_work_mem * std::uint64_t{1024} / 2 /
           (mover_.record_bytes() + sizeof(MovedRow));
  }

  /// For how many parts a page's rows may be held.
  std::size_t parts_in_memory() const {
    return maintenance_work_mem * std::size_t{1024} / 2 / (state_->shape.slots * held_bytes());
  }
  std::size_t held_bytes() const { return mover_.record_bytes() + sizeof(format::Tid); }

  /// Trains centroids for the rows of a list; false if they do not come apart. Takes rows from
  /// pages that may change meanwhile.
  bool train(Split* split, std::size_t n_parts) {
    MemoryContextReset(list_context_);
    const ContextArena scratch{list_context_};
    const std::uint64_t rows = rows_[split->list];
    const std::size_t most = std::max<std::size_t>(
        2 * n_parts, std::min(n_parts * kRowsPerPart, maintenance_work_mem * std::size_t{1024} / 2 /
                                                          (dim_ * sizeof(float))));
    const std::uint64_t step = rows / most + 1;
    auto* const sample =
        static_cast<float*>(scratch.allocate((rows / step + 1) * dim_ * sizeof(float)));
    read_centroid(split->list);
    std::size_t n = 0;
    std::uint64_t seen = 0;
    for_each_page(read_entry(index_, state_->meta, split->list), [&](BlockNumber block) {
      copy_.copy(block, state_->shape);
      for (std::uint32_t slot = 0; slot < copy_.n_slots(); ++slot) {
        if (format::is_dead(copy_.tid(slot)) || seen++ % step != 0 || n > rows / step) continue;
        CHECK_FOR_INTERRUPTS();
        const bool is_there = mover_.place(copy_, slot, centroid_, sample + n * dim_);
        n += is_there && mover_.is_bounded() ? 1 : 0;
      }
    });
    n = drop_far_rows(sample, n);
    if (n < 2 * n_parts) return false;
    auto* const centroids = static_cast<float*>(arena_.allocate(n_parts * dim_ * sizeof(float)));
    KMeansRunner runner;
    const core::KMeansOptions options{n_parts, state_->meta.seed + split->list};
    core::kmeans(scratch, runner, {sample, n, dim_}, options, centroids);
    split->centroids = centroids;
    split->n_parts = drop_empty(centroids, n_parts, {sample, n, dim_});
    if (split->n_parts == 0) {
      // A few rows of another kind, which were in the list before, may have got most of them.
      n_parts = core::train_by_halves(scratch, runner, sample, n, dim_, options, centroids);
      split->n_parts = drop_empty(centroids, n_parts, {sample, n, dim_});
    }
    if (split->n_parts < 2) arena_.release(centroids);
    return split->n_parts >= 2;
  }

  /// Moves rows of the list whose centroid was read that are far out of all others behind the rest:
  /// they would be parts by themselves, and nearly all others one. Returns how many are left.
  std::size_t drop_far_rows(float* sample, std::size_t n) const {
    auto* const distances = allocate_in<double>(list_context_, 2 * n + 1);
    for (std::size_t i = 0; i < n; ++i) {
      distances[i] = std::sqrt(squared_distance(sample + i * dim_, centroid_));
    }
    return core::drop_far_rows(sample, n, dim_, distances, distances + n);
  }
  double squared_distance(const float* a, const float* b) const {
    double squared = 0;
    for (std::size_t i = 0; i < dim_; ++i) {
      const double r = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      squared += r * r;
    }
    return squared;
  }

  /// Keeps centroids that have rows, and returns how many; 0 if one of them has nearly all.
  std::uint32_t drop_empty(float* centroids, std::size_t n_parts, const core::Rows& sample) const {
    const ContextArena scratch{list_context_};
    auto* const nearest =
        static_cast<std::uint32_t*>(scratch.allocate(sample.n * sizeof(std::uint32_t)));
    auto* const sizes = allocate_in<std::uint32_t>(list_context_, n_parts);
    const core::CentroidPanels panels = core::allocate_panels(scratch, n_parts, dim_);
    panels.fill(centroids);
    core::find_nearest(panels, sample, nearest);
    for (std::size_t i = 0; i < sample.n; ++i) ++sizes[nearest[i]];
    if (*std::max_element(sizes, sizes + n_parts) >
        kMostInOnePart * static_cast<double>(sample.n)) {
      return 0;
    }
    std::uint32_t kept = 0;
    for (std::size_t part = 0; part < n_parts; ++part) {
      if (sizes[part] == 0) continue;
      if (kept != part) std::copy_n(centroids + part * dim_, dim_, centroids + kept * dim_);
      ++kept;
    }
    return kept;
  }

  // Lists that are split --------------------------------------------------------------------------

  void move() {
    set_has_left(index_, true);
    next_ = new (palloc(sizeof(NextLists))) NextLists(index_, *state_, n_new_);
    for (const Split& split : splits_) n_parts_ += split.n_parts;
    parts_ = allocate_in<Part>(CurrentMemoryContext, n_parts_);
    Part* next_part = parts_;
    for (Split& split : splits_) {
      split.parts = next_part;
      next_part += split.n_parts;
      number(&split);
    }
    // Its pages may be of lists that are only there afterwards.
    group_ = new (palloc(sizeof(PageGroup))) PageGroup(index_, next_->state());
    copy_rows();
    for (const std::uint32_t list : merged_) next_->merge_away(list);
    next_->write_centroids();

    next_->close();
    move_late_rows();
    for (const Split& split : splits_) set_entries(split);
    for (const std::uint32_t list : merged_) {
      next_->entry(list) = {format::kNoBlock, format::kNoBlock, format::kNoBlock,
                            next_->entry_before(list).version + 1};
    }
    write_moved_rows();
    if (mover_.has_left_out()) log_left_out(heap_, index_);
    next_->swap();

    retire();
    for (const Split& split : splits_) {
      for (std::uint32_t i = 0; i < split.n_parts; ++i) open_last_page(split.parts[i]);
    }
    tell_drift();
    CacheInvalidateRelcache(index_);  // plans know how many lists there are
    done_.written_blocks = group_->n_written() + next_->n_written();
  }

  /// Gives the parts of a list their numbers, the first one that of the list.
  void number(Split* split) {
    auto* const numbers = allocate_in<std::uint32_t>(CurrentMemoryContext, split->n_parts);
    numbers[0] = split->list;
    next_->add_lists(split->list, split->n_parts - 1, numbers + 1);
    for (std::uint32_t i = 0; i < split->n_parts; ++i) {
      Part& part = split->parts[i];
      part.list = numbers[i];
      part.centroid = split->centroids + i * dim_;
      // Pages of a list that had the number before may be still there.
      const bool is_known = part.list < state_->meta.lists;
      part.version = is_known ? read_entry(index_, state_->meta, part.list).version + 1 : 0;
      part.first = part.last = format::kNoBlock;
      if (!split->is_beside()) next_->set_centroid(part.list, part.centroid);
    }
  }

  /// Copies the rows of all lists that are split to parts.
  void copy_rows() {
    if (n_parts_ == 0) return;
    auto* const centroids = static_cast<float*>(arena_.allocate(n_parts_ * dim_ * sizeof(float)));
    const std::uint32_t slots = state_->shape.slots;
    for (std::size_t i = 0; i < n_parts_; ++i) {
      Part& part = parts_[i];
      std::copy_n(part.centroid, dim_, centroids + i * dim_);
      part.tids = static_cast<format::Tid*>(arena_.allocate(slots * sizeof(format::Tid)));
      part.records = static_cast<std::byte*>(arena_.allocate(slots * mover_.record_bytes()));
    }
    const core::CentroidPanels panels = core::allocate_panels(arena_, n_parts_, dim_);
    panels.fill(centroids);
    for (Split& split : splits_) copy_list(&split, panels);
    for (std::size_t i = 0; i < n_parts_; ++i) {
      Part& part = parts_[i];
      if (part.n > 0) write_last_page(&part);
      if (state_->meta.metric == core::Metric::kInnerProduct) {
        next_->set_reach(part.list, part.reach.value(dim_));
      }
    }
  }

  /// Closes the pages of a list and copies their rows to the nearest parts.
  void copy_list(Split* split, const core::CentroidPanels& panels) {
    read_centroid(split->list);
    for_each_page(read_entry(index_, state_->meta, split->list), [&](BlockNumber block) {
      close_page(index_, state_->shape, block);
      split->blocks.push_back(arena_, block);
    });
    for (const BlockNumber block : split->blocks) {
      copy_.copy(block, state_->shape);
      for (std::uint32_t slot = 0; slot < copy_.n_slots(); ++slot) {
        if (format::is_dead(copy_.tid(slot))) continue;
        CHECK_FOR_INTERRUPTS();
        if (!mover_.place(copy_, slot, centroid_, y_)) continue;
        std::uint32_t nearest = 0;
        core::find_nearest(panels, {y_, 1, dim_}, &nearest);
        add(parts_ + nearest, copy_.tid(slot),
            split->is_beside() && parts_ + nearest == split->parts ? slot : kNewRecord);
      }
    }
  }

  /// Adds the row that was placed last to a part. kept: the slot of the copied page whose record
  /// stays what it is, as codes of codes lose more; kNewRecord if the row is coded anew.
  void add(Part* part, const format::Tid& tid, std::uint32_t kept) {
    const std::uint32_t slots = state_->shape.slots;
    if (part->n == slots) {
      part->first =
          write_page(part->list, part->version, part->tids, part->records, part->n, part->first);
      if (part->last == format::kNoBlock) part->last = part->first;
      part->n = 0;
    }
    part->reach.add(squared_distance(y_, part->centroid));
    part->tids[part->n] = tid;
    std::byte* const record = part->records + part->n * mover_.record_bytes();
    if (kept == kNewRecord) {
      mover_.encode(y_, part->centroid, record);
    } else {
      copy_.read(kept, record);
    }
    ++part->n;
  }

  /// Writes what is left: only the last page of a list has room that inserts use.
  void write_last_page(Part* part) {
    const BlockNumber block =
        write_page(part->list, part->version, part->tids, part->records, part->n, format::kNoBlock);
    if (part->last != format::kNoBlock) {
      with_exclusive_page(index_, part->last, format::PageKind::kList, [&](Page page) {
        trailer_of(page)->next = block;
        return true;
      });
    } else {
      part->first = block;
    }
    part->last = block;
  }

  BlockNumber write_page(std::uint32_t list, std::uint32_t version, const format::Tid* tids,
                         const std::byte* records, std::uint32_t n, BlockNumber next) {
    group_->begin(list, version);
    for (std::uint32_t i = 0; i < n; ++i) {
      group_->add(tids[i], records + i * mover_.record_bytes());
    }
    return group_->write(next);
  }

  // While inserts that need a page wait -----------------------------------------------------------

  void move_late_rows() {
    for (const Split& split : splits_) move_rows(split.list, split.blocks.size());
    for (const std::uint32_t list : merged_) move_rows(list, 0);
  }

  /// Takes the rows of a list's pages behind the first n to what is the nearest list now. No page
  /// is added to the list any more.
  void move_rows(std::uint32_t list, std::size_t n) {
    std::size_t seen = 0;
    read_centroid(list);
    for_each_page(next_->entry_before(list), [&](BlockNumber block) {
      if (seen++ < n) return;
      close_page(index_, state_->shape, block);
      copy_.copy(block, state_->shape);
      for (std::uint32_t slot = 0; slot < copy_.n_slots(); ++slot) {
        if (format::is_dead(copy_.tid(slot))) continue;
        CHECK_FOR_INTERRUPTS();
        if (mover_.place(copy_, slot, centroid_, y_)) add_moved(copy_.tid(slot));
      }
    });
  }

  void add_moved(const format::Tid& tid) {
    MemoryContextReset(list_context_);
    std::int64_t pages = 0;
    const Centroids centroids(index_, &next_->state(), &pages);
    auto* const z =
        static_cast<std::int16_t*>(MemoryContextAlloc(list_context_, dim_ * sizeof(std::int16_t)));
    const core::ScalarQuery code = core::encode_query({y_, dim_}, z);
    MovedRow row{};
    row.list = centroids.find_nearest(ContextArena{list_context_}, {&code, false});
    row.tid = tid;
    row.record = static_cast<std::byte*>(arena_.allocate(mover_.record_bytes()));
    auto* const centroid =
        static_cast<float*>(MemoryContextAlloc(list_context_, dim_ * sizeof(float)));
    centroids.read(row.list, centroid);
    row.squared = static_cast<float>(squared_distance(y_, centroid));
    mover_.encode(y_, centroid, row.record);
    moved_.push_back(arena_, row);
  }

  void set_entries(const Split& split) {
    for (std::uint32_t i = 0; i < split.n_parts; ++i) {
      const Part& part = split.parts[i];
      next_->entry(part.list) = {part.first, part.last, format::kNoBlock, part.version};
    }
  }

  /// Writes rows that moved to pages in front of their lists'.
  void write_moved_rows() {
    std::stable_sort(moved_.begin(), moved_.end());
    const std::size_t slots = state_->shape.slots;
    core::ListReach reach;
    for (std::size_t begin = 0; begin < moved_.size();) {
      std::size_t end = begin;
      const std::uint32_t list = moved_[begin].list;
      format::ListEntry& entry = next_->entry(list);
      group_->begin(list, entry.version);
      for (; end < moved_.size() && end < begin + slots && moved_[end].list == list; ++end) {
        group_->add(moved_[end].tid, moved_[end].record);
        reach.add(moved_[end].squared);
      }
      entry.first = group_->write(entry.first);
      if (entry.last == format::kNoBlock) entry.last = entry.first;
      begin = end;
      if (begin < moved_.size() && moved_[begin].list == list) continue;
      // They are farther out than what the list was made for.
      if (state_->meta.metric == core::Metric::kInnerProduct) {
        next_->widen_reach(list, reach.value(dim_));
      }
      reach = {};
    }
  }

  // Afterwards ------------------------------------------------------------------------------------

  void retire() {
    const std::uint64_t stamp = retired_stamp();
    const auto retire_one = [&](std::uint32_t list) {
      done_.retired_blocks += retire_list(index_, *state_, list, next_->entry_before(list), stamp);
    };
    for (const Split& split : splits_) retire_one(split.list);
    for (const std::uint32_t list : merged_) retire_one(list);
    next_->retire(stamp);
    done_.retired_blocks += next_->n_retired();
  }

  void tell_drift() const {
    const std::uint32_t lists = next_->state().meta.lists;
    auto* const sizes = allocate_in<std::uint64_t>(CurrentMemoryContext, lists);
    std::copy_n(rows_, state_->meta.lists, sizes);
    for (const std::uint32_t list : merged_) sizes[list] = 0;
    for (const Split& split : splits_) {
      for (std::uint32_t i = 0; i < split.n_parts; ++i) {
        sizes[split.parts[i].list] = static_cast<std::uint64_t>(split.parts[i].reach.n);
      }
    }
    for (const MovedRow& row : moved_) ++sizes[row.list];
    set_drift_lists(index_, state_->meta.drift_block, lists, sizes);
  }

  /// Lets inserts add to the last page of a new list.
  void open_last_page(const Part& part) {
    if (part.last == format::kNoBlock) return;
    with_exclusive_page(index_, part.last, format::PageKind::kList, [](Page page) {
      if (list_header(page)->page_use() != format::PageUse::kClosed) return false;
      list_header(page)->set_page_use(format::PageUse::kOpen);
      return true;
    });
  }

  // -----------------------------------------------------------------------------------------------

  /// Calls take(block) for the pages of a list that an entry of the present directory leads to.
  template <class Take>
  void for_each_page(const format::ListEntry& entry, Take&& take) {
    format::ChainGuard guard;
    for (BlockNumber block = entry.first; block != format::kNoBlock;) {
      CHECK_FOR_INTERRUPTS();
      if (block >= RelationGetNumberOfBlocks(index_)) {
        report_damaged(index_, kMetaBlock, "A list leads behind the index's end.");
      }
      if (guard.is_ring(block)) {
        report_damaged(index_, block, "The pages of a list are a ring.");
      }
      take(block);
      with_shared_page(index_, block, format::PageKind::kList,
                       [&](Page page) { block = trailer_of(page)->next; });
    }
  }

  void read_centroid(std::uint32_t list) {
    std::int64_t pages = 0;
    Centroids(index_, state_, &pages).read(list, centroid_);
  }

  Relation heap_, index_;
  const InvertedState* state_;
  ListLimits limits_;
  std::size_t dim_;
  ContextArena arena_;
  MemoryContext list_context_;  ///< of a list, or a row
  PageCopy copy_;
  RowMover mover_;
  float *y_, *centroid_;           ///< of a row, of the list that it was in
  std::uint64_t* rows_ = nullptr;  ///< (lists)
  core::ArenaArray<Split> splits_;
  core::ArenaArray<std::uint32_t> merged_;
  core::ArenaArray<MovedRow> moved_;
  Part* parts_ = nullptr;  ///< of all splits
  std::size_t n_parts_ = 0;
  std::uint32_t n_new_ = 0;
  NextLists* next_ = nullptr;
  PageGroup* group_ = nullptr;
  Rebalanced done_{};
};
static_assert(std::is_trivially_destructible_v<Rebalancer>);

}  // namespace

Rebalanced rebalance(Relation heap, Relation index, const ListLimits& limits) {
  const InvertedState* const state = load_state(index);
  // One list is an exact search, or an index without training: nobody asked for more.
  if (state->meta.lists == 1) return {};
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "rebalancing", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(context);
  auto* const rebalancer = new (palloc(sizeof(Rebalancer))) Rebalancer(heap, index, *state, limits);
  const Rebalanced done = rebalancer->run();
  MemoryContextSwitchTo(before);
  MemoryContextDelete(context);
  return done;
}

}  // namespace nearest::pg::inverted
