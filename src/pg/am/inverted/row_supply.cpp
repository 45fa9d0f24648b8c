#include "pg/am/inverted/row_supply.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cmath>

#include "core/quantize/query_table.hpp"

namespace nearest::pg::inverted {
namespace {

/// Rows that the first pass keeps: enough for what a LIMIT mostly asks, few enough to sort.
constexpr std::size_t kRowsOfFirstPass = 128;
constexpr std::size_t kPassGrowth = 4;
/// Rows that are refined at once: as many as LIMIT 10 takes, then fewer, of which fewer are in
/// vain.
constexpr std::size_t kRefinedFirst = 16, kRefinedLater = 8;
/// Lists of a later batch at most: between two of them is time to stop.
constexpr std::size_t kMostBatchLists = 256;

}  // namespace

void RowSupply::begin(IndexScanDesc scan, const InvertedState* state, core::VectorView<float> q,
                      std::size_t first_probes, std::size_t most_probes, MemoryContext context) {
  *this = {};
  const format::InvertedMeta& meta = state->meta;
  scan_ = scan;
  state_ = state;
  context_ = context;
  batch_context_ = AllocSetContextCreate(context, "probed lists", ALLOCSET_DEFAULT_SIZES);
  hints_ = BufferHints::of(scan->indexRelation);
  const MemoryContext before = MemoryContextSwitchTo(context);
  query_.prepare(state, q);

  first_probes_ = batch_probes_ = std::min<std::size_t>(first_probes, meta.lists);
  const bool has_cold = state->shape.cold_bytes > 0, has_vectors = format::has_vectors(meta);
  // What estimates miss by chance must not be missed where there is but one list, or no training;
  // nor where all lists of vectors are asked for, which is how a search is made exact.
  const bool is_complete = meta.lists == 1 || (has_vectors && first_probes_ == meta.lists);
  const bool is_estimated = !is_complete && meta.sample_rows > 0;
  is_exact_ = has_vectors || !has_cold;
  keys_ = is_estimated ? Keys::kEstimates : is_exact_ ? Keys::kResults : Keys::kBounds;
  if (!has_cold) heap_.begin(scan, context);

  most_probes_ = std::min<std::size_t>(std::max(most_probes, first_probes_), meta.lists);
  rows_per_pass_ = kRowsOfFirstPass;
  ranked_ = static_cast<RankedList*>(palloc(meta.lists * sizeof(RankedList)));
  is_probed_ = allocate_in<std::uint64_t>(context, meta.lists / 64 + 1);
  const Centroids centroids(scan->indexRelation, state, &counts_.pages);
  n_ranked_ = centroids.rank(ContextArena{context}, query_.ranked_point(), first_probes_, ranked_);
  sorted_end_ = std::min(first_probes_, n_ranked_);
  is_all_ranked_ = n_ranked_ == meta.lists;
  if (state->shape.is_packed) {
    block_scratch_ = static_cast<std::uint8_t*>(palloc(state->shape.block_bytes()));
  }
  hot_codes_ = static_cast<std::uint8_t*>(palloc(kRefinedFirst * hot_code_bytes()));
  if (keys_ != Keys::kEstimates) page_scratch_ = static_cast<std::byte*>(palloc(BLCKSZ));
  MemoryContextSwitchTo(before);
}

bool RowSupply::next(const HeapAhead& heap_ahead, SuppliedRow* row) {
  while (true) {
    const bool has_unrefined = keys_ == Keys::kEstimates && next_kept_ < nearest_.size();
    // Rows that are not in the supply yet have no lesser key than this.
    double horizon = std::numeric_limits<double>::infinity();
    if (has_unrefined) {
      horizon = nearest_[next_kept_].key;
    } else if (nearest_.has_more()) {
      horizon = nearest_[nearest_.size() - 1].key;
    }
    if (!supply_.empty() && supply_[0].key <= horizon) {
      std::pop_heap(supply_.begin(), supply_.end());
      *row = supply_[supply_.size() - 1];
      supply_.set_size(supply_.size() - 1);
      if (!supply_.empty()) heap_ahead.fetch_row(to_item_pointer(supply_[0].tid));
      return true;
    }
    if (has_unrefined) {
      refine_some(heap_ahead);
    } else if (nearest_.has_more()) {
      const Kept mark = nearest_[nearest_.size() - 1];
      rows_per_pass_ = std::min(kPassGrowth * rows_per_pass_, most_rows_per_pass());
      run_pass(&mark);
    } else if (begin_batch()) {
      run_pass(nullptr);
    } else {
      return false;
    }
  }
}

/// As work_mem says, but not so few that passes follow passes.
std::size_t RowSupply::most_rows_per_pass() {
  constexpr std::size_t kFewest = 4096;
  // An array of twice as many, and as much again for what was refined.
  return std::max(kFewest, work_mem * std::size_t{1024} / (4 * sizeof(Kept)));
}

void RowSupply::rank_the_rest() {
  if (!is_all_ranked_) {
    const Centroids centroids(scan_->indexRelation, state_, &counts_.pages);
    n_ranked_ = centroids.score_all(query_.ranked_point(), ranked_);
    is_all_ranked_ = true;
  }
  RankedList* const end = std::remove_if(ranked_, ranked_ + n_ranked_, [&](const RankedList& one) {
    return (is_probed_[one.list / 64] >> (one.list % 64) & 1U) != 0;
  });
  std::sort(ranked_, end);
  next_ranked_ = 0;
  sorted_end_ = n_ranked_ = static_cast<std::size_t>(end - ranked_);
}

bool RowSupply::begin_batch() {
  if (n_probed_ == most_probes_) return false;
  if (next_ranked_ == sorted_end_) rank_the_rest();
  n_batch_ = std::min({batch_probes_, sorted_end_ - next_ranked_, most_probes_ - n_probed_});
  if (n_batch_ == 0) return false;  // the other lists have no rows any more
  MemoryContextReset(batch_context_);
  batch_ = allocate_in<ProbedList>(batch_context_, n_batch_);
  for (std::size_t i = 0; i < n_batch_; ++i) {
    const RankedList& ranked = ranked_[next_ranked_++];
    ProbedList& probed = batch_[i];
    probed.ranked = ranked;
    probed.entry = read_entry(scan_->indexRelation, state_->meta, ranked.list);
    probed.terms = query_.terms_of(ranked);
    is_probed_[ranked.list / 64] |= std::uint64_t{1} << (ranked.list % 64);
    prefetch_page(probed.entry.first);
    counts_.pages += 1;
  }
  n_probed_ += n_batch_;
  batch_probes_ = std::min(2 * batch_probes_, std::max(kMostBatchLists, first_probes_));
  return true;
}

/// Asks for a page that will be read soon, of the CPU or of the server.
void RowSupply::prefetch_page(BlockNumber block) const {
  if (block == format::kNoBlock || !hints_->has_block(scan_->indexRelation, block)) return;
  if (hints_->at(block) > 0) {
    hints_->prefetch(block, 0, 0);
  } else {
    PrefetchBuffer(scan_->indexRelation, MAIN_FORKNUM, block);
  }
}

/// Asks for what lies on the page that comes next where `part` lies on this one: pages of a list
/// are alike, and while one is scored memory can bring the next.
void RowSupply::prefetch_ahead(const format::ConstListPage& page, const void* part,
                               std::size_t bytes) const {
  if (ahead_ == format::kNoBlock) return;
  const auto offset =
      static_cast<std::size_t>(static_cast<const std::byte*>(part) - page.bytes.data());
  hints_->prefetch(ahead_, format::kServerHeaderBytes + offset, bytes);
}

void RowSupply::run_pass(const Kept* after) {
  nearest_.begin(ContextArena{context_}, rows_per_pass_, after);
  next_kept_ = 0;
  for (std::size_t i = 0; i < n_batch_; ++i) score_list(static_cast<std::uint32_t>(i));
  if (heap_.is_begun()) heap_.release_pages();
  nearest_.finish();
  counts_.passes += 1;
  if (keys_ == Keys::kEstimates) return;
  for (std::size_t i = 0; i < nearest_.size(); ++i) {
    push(nearest_[i].key, nearest_[i].key, nearest_[i].place.tid);
  }
}

void RowSupply::push(double key, double bound, const format::Tid& tid) {
  supply_.push_back(ContextArena{context_}, {key, bound, tid});
  std::push_heap(supply_.begin(), supply_.end());
}

// Passes ------------------------------------------------------------------------------------------

void RowSupply::score_list(std::uint32_t probe) {
  ListWalk walk(scan_->indexRelation, state_, batch_[probe].ranked.list, batch_[probe].entry);
  while (!walk.is_at_end()) {
    const BlockNumber block = walk.block();
    walk.visit([&](const format::ConstListPage& page) -> const char* {
      ahead_ = walk.block();
      if (walk.is_at_end() && probe + 1 < n_batch_) ahead_ = batch_[probe + 1].entry.first;
      if (keys_ == Keys::kEstimates) {
        score_estimates(page, block, probe);
      } else {
        std::memcpy(page_scratch_, page.bytes.data(), page.bytes.size());
      }
      counts_.codes += page.header().n_slots;
      return nullptr;
    });
    counts_.pages += 1;
    if (page_scratch_ != nullptr) score_copy(block, probe);
  }
}

RowSupply::Place RowSupply::place_of(const format::ConstListPage& page, BlockNumber block,
                                     std::uint32_t slot, std::uint32_t probe) {
  const format::ListShape& shape = *page.shape;
  const BlockNumber cold =
      shape.cold_bytes > 0 ? page.cold_pages()[slot / shape.cold_per_page] : format::kNoBlock;
  return {block, cold, page.tids()[slot], static_cast<std::uint16_t>(slot), probe};
}

void RowSupply::score_estimates(const format::ConstListPage& page, BlockNumber block,
                                std::uint32_t probe) {
  const format::ListShape& shape = *page.shape;
  const core::ListTerms& terms = batch_[probe].terms;
  const std::uint32_t n_slots = page.header().n_slots;
  if (!shape.is_packed) {
    const float slack = terms.deviations * terms.distance;
    for (std::uint32_t slot = 0; slot < n_slots; ++slot) {
      const float product =
          core::product_of_bytes(query_.byte_products(), page.row(slot), state_->meta.segments);
      const float lower =
          terms.base + page.a()[slot] - page.b()[slot] * product - slack * page.error()[slot];
      if (lower < std::numeric_limits<float>::infinity()) {
        nearest_.add(static_cast<double>(lower), place_of(page, block, slot, probe));
      }
    }
    return;
  }
  // The kernel takes floats: keys are, and so are limits.
  constexpr auto kMost = static_cast<double>(std::numeric_limits<float>::max());
  const auto limit = [&] { return static_cast<float>(std::min(nearest_.limit(), kMost)); };
  for (std::uint32_t begin = 0; begin < n_slots; begin += core::kBlockCodes) {
    const std::uint32_t n = std::min<std::uint32_t>(core::kBlockCodes, n_slots - begin);
    const std::uint8_t* codes = page.block(begin);
    prefetch_ahead(page, codes, shape.block_bytes());
    if (!page.is_in_block(begin)) {
      core::pack_block(codes, shape.row_bytes, n, shape.segments, block_scratch_);
      codes = block_scratch_;
    }
    const core::CodeBlockView view{
        codes, {page.a() + begin, page.b() + begin, page.error() + begin}, n};
    core::scan_block(
        query_.table(), shape.segments, terms, view, limit, [&](std::size_t j, float lower) {
          nearest_.add(static_cast<double>(lower),
                       place_of(page, block, begin + static_cast<std::uint32_t>(j), probe));
        });
  }
}

/// Scores all rows of the page that was copied, by what is exact.
void RowSupply::score_copy(BlockNumber block, std::uint32_t probe) {
  const format::ConstListPage page{{page_scratch_, format::content_bytes(BLCKSZ)}, &state_->shape};
  const std::uint32_t n_slots = page.header().n_slots;
  if (const std::uint32_t step = state_->shape.cold_per_page; step > 0) {
    for (std::uint32_t slot = 0; slot < n_slots; slot += step) {
      score_cold_page(page, block, slot, std::min(slot + step, n_slots), probe);
    }
    return;
  }
  for (std::uint32_t slot = 0; slot < n_slots; ++slot) {
    if (format::is_dead(page.tids()[slot])) continue;
    const Place place = place_of(page, block, slot, probe);
    double result = 0;
    if (fetch(place, &result)) nearest_.add(result, place);
  }
}

/// Scores the rows of slots [begin, end), which one cold page refines.
void RowSupply::score_cold_page(const format::ConstListPage& hot, BlockNumber block,
                                std::uint32_t begin, std::uint32_t end, std::uint32_t probe) {
  const std::uint32_t last = hot.header().n_slots - 1U;
  const char* fault = nullptr;
  with_cold_page(place_of(hot, block, begin, probe), [&](Page page) {
    for (std::uint32_t slot = begin; slot < end && fault == nullptr; ++slot) {
      // Cold pages are alike: while one is read, memory can bring the next.
      prefetch_cold(place_of(hot, block, std::min(slot + (end - begin), last), probe));
      if (format::is_dead(hot.tids()[slot])) continue;
      const Place place = place_of(hot, block, slot, probe);
      if (needs_hot_code()) copy_hot_code(hot, place, hot_codes_);
      double result = 0;
      bool is_there = false;
      fault = read_cold(page, place, hot_codes_, &is_there, &result);
      if (is_there) nearest_.add(result, place);
    }
  });
  if (fault != nullptr) {
    report_damaged(scan_->indexRelation, hot.cold_pages()[begin / state_->shape.cold_per_page],
                   fault);
  }
}

// Refinement --------------------------------------------------------------------------------------

void RowSupply::refine_some(const HeapAhead& heap_ahead) {
  CHECK_FOR_INTERRUPTS();
  const std::size_t wanted = next_kept_ == 0 ? kRefinedFirst : kRefinedLater;
  const std::size_t n = std::min(wanted, nearest_.size() - next_kept_);
  Refined rows[kRefinedFirst];
  for (std::size_t i = 0; i < n; ++i) {
    rows[i] = {nearest_[next_kept_ + i].place, hot_codes_ + i * hot_code_bytes(), 0};
  }
  next_kept_ += n;
  if (state_->shape.cold_bytes > 0) {
    for (std::size_t i = 0; i < n; ++i) prefetch_cold(rows[i].place);
    Refined* const end = read_cold_rows(rows, read_hot_codes(rows, rows + n));
    for (const Refined* row = rows; row < end; ++row) push_result(*row, heap_ahead);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (fetch(rows[i].place, &rows[i].result)) push_result(rows[i], heap_ahead);
  }
  heap_.release_pages();
}

void RowSupply::push_result(const Refined& row, const HeapAhead& heap_ahead) {
  push(query_.key_of(row.result), row.result, row.place.tid);
  heap_ahead.fetch_page(to_item_pointer(row.place.tid));
}

void RowSupply::prefetch_cold(const Place& place) const {
  const format::ListShape& shape = state_->shape;
  if (hints_->at(place.cold) > 0) {
    const std::size_t on_page = place.slot % shape.cold_per_page;
    hints_->prefetch(
        place.cold,
        format::kServerHeaderBytes + sizeof(format::ColdPageHeader) + on_page * shape.cold_bytes,
        shape.cold_bytes);
  } else {
    prefetch_page(place.cold);
  }
}

/// Calls read(run, end of the run) for runs of rows that are on one page.
template <class PageOf, class Read>
void RowSupply::by_page(Refined* begin, Refined* end, PageOf&& page_of, Read&& read) {
  std::sort(begin, end, [&](const Refined& a, const Refined& b) {
    return page_of(a) != page_of(b) ? page_of(a) < page_of(b) : a.place.slot < b.place.slot;
  });
  for (Refined *run = begin, *next = begin; run < end; run = next) {
    while (next < end && page_of(*next) == page_of(*run)) ++next;
    read(run, next);
  }
}

/// Takes what cold codes have in hot ones out of list pages. Returns the end of the rows that are
/// still in their slots.
RowSupply::Refined* RowSupply::read_hot_codes(Refined* begin, Refined* end) {
  if (!needs_hot_code()) return end;
  const Relation index = scan_->indexRelation;
  by_page(
      begin, end, [](const Refined& row) { return row.place.hot; },
      [&](Refined* run, Refined* run_end) {
        const BlockNumber block = run->place.hot;
        const ProbedList& probed = batch_[run->place.probe];
        const char* fault = nullptr;
        with_shared_buffer(index, hints_->read(index, block), block, format::PageKind::kList,
                           [&](Page page) {
                             const format::ConstListPage list = list_page(page, state_->shape);
                             fault = format::list_page_fault(
                                 list, used_bytes(page), probed.ranked.list, probed.entry.version);
                             for (; fault == nullptr && run < run_end; ++run) {
                               if (!copy_hot_code(list, run->place, run->hot_code)) {
                                 run->hot_code = nullptr;
                               }
                             }
                           });
        counts_.pages += 1;
        if (fault != nullptr) report_damaged(index, block, fault);
      });
  return std::remove_if(begin, end, [](const Refined& row) { return row.hot_code == nullptr; });
}

/// Makes results, or bounds of them, of what is on cold pages. Returns the end of the rows that are
/// still in their slots.
RowSupply::Refined* RowSupply::read_cold_rows(Refined* begin, Refined* end) {
  Refined* there = begin;
  by_page(
      begin, end, [](const Refined& row) { return row.place.cold; },
      [&](const Refined* run, const Refined* run_end) {
        const BlockNumber block = run->place.cold;
        const char* fault = nullptr;
        with_cold_page(run->place, [&](Page page) {
          for (; fault == nullptr && run < run_end; ++run) {
            Refined row = *run;
            bool is_there = false;
            fault = read_cold(page, row.place, row.hot_code, &is_there, &row.result);
            if (is_there) *there++ = row;
          }
        });
        if (fault != nullptr) report_damaged(scan_->indexRelation, block, fault);
      });
  return there;
}

/// Copies the hot code of a row out of its page. False if the row is gone.
bool RowSupply::copy_hot_code(const format::ConstListPage& page, const Place& place,
                              std::uint8_t* code) {
  if (place.slot >= page.header().n_slots || page.tids()[place.slot] != place.tid) return false;
  if (page.is_in_block(place.slot)) {
    core::get_code(page.block(place.slot), page.shape->segments, place.slot % core::kBlockCodes,
                   code);
  } else {
    std::memcpy(code, page.row(place.slot), page.shape->row_bytes);
  }
  return true;
}

/// Calls read(Page) under the lock of a row's cold page.
template <class Read>
void RowSupply::with_cold_page(const Place& place, Read&& read) {
  const Relation index = scan_->indexRelation;
  if (place.cold == format::kNoBlock || !hints_->has_block(index, place.cold)) {
    report_damaged(index, place.hot, "It leads to a page that is not there.");
  }
  with_shared_buffer(index, hints_->read(index, place.cold), place.cold, format::PageKind::kCold,
                     read);
  counts_.pages += 1;
}

/// A row's result, of the vector on its cold page, or a true lower bound of it, of the code there
/// and the copy of its hot code. Not there if its slot was used again. Returns what is wrong with
/// the page, or null.
const char* RowSupply::read_cold(Page page, const Place& place, const std::uint8_t* hot_code,
                                 bool* is_there, double* result) {
  const format::ListShape& shape = state_->shape;
  const format::ConstPageBytes content = content_of(page);
  const std::uint32_t on_page = place.slot % shape.cold_per_page;
  if (const char* const fault = format::cold_page_fault(content, used_bytes(page), shape, place.hot,
                                                        place.slot - on_page)) {
    return fault;
  }
  const auto* const header = format::at<format::ColdHeader>(
      content, sizeof(format::ColdPageHeader) + std::size_t{on_page} * shape.cold_bytes);
  *is_there =
      on_page < format::at<format::ColdPageHeader>(content, 0)->n_slots && header->tid == place.tid;
  if (!*is_there) return nullptr;
  counts_.rows += 1;
  if (format::has_vectors(state_->meta)) {
    const core::VectorView<float> q = query_.vector();
    const auto* const x = reinterpret_cast<const float*>(header + 1);
    *result = operator_distance(state_->meta.metric, q, {x, q.size()});
    if (std::isnan(*result)) *result = std::numeric_limits<double>::infinity();
    return nullptr;
  }
  const auto* const code = reinterpret_cast<const format::CodeHeader*>(header + 1);
  if (!format::is_code_sound(*code)) {
    *is_there = false;
    return "What refines a row has sizes that cannot be.";
  }
  *result = query_.bound(batch_[place.probe].ranked, {code, hot_code});
  return nullptr;
}

/// The operator's result of a row of the heap. False if the snapshot sees none.
bool RowSupply::fetch(const Place& place, double* result) {
  row_places_.check(scan_, place.tid);
  if (!heap_.find(state_->meta.metric, query_.vector(), to_item_pointer(place.tid), result)) {
    return false;
  }
  counts_.rows += 1;
  if (std::isnan(*result)) *result = std::numeric_limits<double>::infinity();
  return true;
}

}  // namespace nearest::pg::inverted
