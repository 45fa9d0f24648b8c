/// Rows of a vector query, nearest first.
///
/// Lists are probed in batches, the nearest first. A pass over a batch scores all of its rows and
/// keeps the next some hundred by their keys; more rows cost another pass, so memory is bounded
/// whatever is asked for. Where keys are estimates of hot codes, rows are refined in their order, a
/// few at a time, and a refined row is handed out once no estimate left is below its true bound:
/// how many are refined follows from how many rows are asked for.
///
/// Contract:
///   1. Every row of the lists is handed out once, as long as rows are asked for: passes follow a
///      total order of (key, TID), which does not change while the row is in its slot.
///   2. Bounds are true ones. Rows of a batch come in the order of their bounds but for what
///      estimates miss by chance; of an untrained index, or one of a single list, none are missed.
///   3. Rows whose slot was used again by the time they are refined are gone, and left out.
#pragma once

#include "pg/postgres.hpp"

#include "core/ivf/next_nearest.hpp"
#include "pg/am/common/heap_ahead.hpp"
#include "pg/am/common/heap_distance.hpp"
#include "pg/am/common/heap_tid.hpp"
#include "pg/am/common/row_place.hpp"
#include "pg/am/inverted/list_query.hpp"

namespace nearest::pg::inverted {

struct SupplyCounts {
  std::int64_t pages = 0;  ///< pins of index pages
  std::int64_t codes = 0;  ///< hot codes that were scored
  std::int64_t rows = 0;   ///< bounded by their cold code, or fetched
  std::int64_t passes = 0;
};

struct SuppliedRow {
  double key;
  double bound;  ///< of the operator's result, or the result itself
  format::Tid tid;

  /// The least is on top of a heap. Keys may be rounded where bounds are not.
  friend bool operator<(const SuppliedRow& a, const SuppliedRow& b) {
    return a.key != b.key ? b.key < a.key : b.bound < a.bound;
  }
};

class RowSupply {
 public:
  /// Prepares a query and ranks the lists for it. Memory comes from the context, which lives until
  /// end(); `first_probes` lists are the first batch, and there are no more than `most_probes`.
  void begin(IndexScanDesc scan, const InvertedState* state, core::VectorView<float> q,
             std::size_t first_probes, std::size_t most_probes, MemoryContext context);
  void end() { heap_.end(); }

  /// The next row; false if there is none. heap_ahead is told of rows that come soon.
  bool next(const HeapAhead& heap_ahead, SuppliedRow* row);

  /// Whether bounds are the operator's results.
  bool is_exact() const { return is_exact_; }
  const SupplyCounts& counts() const { return counts_; }
  /// Whether lists beyond the first batch were read.
  bool has_read_on() const { return n_probed_ > first_probes_; }

 private:
  /// Where a row's codes are. Ordered by TID, which no two rows of a list share.
  struct Place {
    BlockNumber hot, cold;
    format::Tid tid;
    std::uint16_t slot;
    std::uint32_t probe;  ///< of the batch

    friend bool operator<(const Place& a, const Place& b) {
      return std::memcmp(&a.tid, &b.tid, sizeof a.tid) < 0;
    }
  };
  using Kept = core::Keyed<Place>;

  /// A row while it is refined.
  struct Refined {
    Place place;
    std::uint8_t* hot_code;  ///< (hot_code_bytes) a copy
    double result;           ///< or a bound of it
  };

  enum class Keys : std::uint8_t {
    kEstimates,  ///< of hot codes: rows are refined as they are asked for
    kBounds,     ///< true bounds, of cold codes
    kResults,    ///< the operator's results, of vectors on cold pages or of the heap's rows
  };

  static std::size_t most_rows_per_pass();
  static Place place_of(const format::ConstListPage& page, BlockNumber block, std::uint32_t slot,
                        std::uint32_t probe);
  bool begin_batch();
  void rank_the_rest();
  void prefetch_page(BlockNumber block) const;
  void prefetch_ahead(const format::ConstListPage& page, const void* part, std::size_t bytes) const;
  void run_pass(const Kept* after);
  void score_list(std::uint32_t probe);
  void score_estimates(const format::ConstListPage& page, BlockNumber block, std::uint32_t probe);
  void score_copy(BlockNumber block, std::uint32_t probe);
  void score_cold_page(const format::ConstListPage& hot, BlockNumber block, std::uint32_t begin,
                       std::uint32_t end, std::uint32_t probe);
  void refine_some(const HeapAhead& heap_ahead);
  void push_result(const Refined& row, const HeapAhead& heap_ahead);
  void prefetch_cold(const Place& place) const;
  template <class PageOf, class Read>
  static void by_page(Refined* begin, Refined* end, PageOf&& page_of, Read&& read);
  Refined* read_hot_codes(Refined* begin, Refined* end);
  Refined* read_cold_rows(Refined* begin, Refined* end);
  /// Whether cold codes are complete only with hot ones.
  bool needs_hot_code() const { return state_->meta.refine == format::Refine::kExtraBits; }
  std::size_t hot_code_bytes() const { return state_->shape.row_bytes + 8; }
  static bool copy_hot_code(const format::ConstListPage& page, const Place& place,
                            std::uint8_t* code);
  template <class Read>
  void with_cold_page(const Place& place, Read&& read);
  const char* read_cold(Page page, const Place& place, const std::uint8_t* hot_code, bool* is_there,
                        double* result);
  bool fetch(const Place& place, double* result);
  void push(double key, double bound, const format::Tid& tid);

  IndexScanDesc scan_;
  const InvertedState* state_;
  MemoryContext context_, batch_context_;
  BufferHints* hints_;
  ListQuery query_;
  HeapDistance heap_;
  Keys keys_;
  bool is_exact_;

  RankedList* ranked_;    ///< in order from next_ranked_ to sorted_end_
  std::size_t n_ranked_;  ///< of them; lists of groups that are far away may be missing
  bool is_all_ranked_;    ///< no list is missing
  std::size_t next_ranked_, sorted_end_;
  std::size_t n_probed_, first_probes_, most_probes_, batch_probes_;
  std::uint64_t* is_probed_;  ///< bitmap of lists

  ProbedList* batch_;
  std::size_t n_batch_;
  BlockNumber ahead_;  ///< the page that a pass reads next, or none
  core::NextNearest<Place> nearest_;
  std::size_t rows_per_pass_, next_kept_;
  core::ArenaArray<SuppliedRow> supply_;  ///< a heap of refined rows
  std::uint8_t* block_scratch_;           ///< a block of codes
  std::uint8_t* hot_codes_;               ///< (kRefinedFirst, hot_code_bytes)
  std::byte* page_scratch_;               ///< content of a list page, if rows are scored from that
  RowPlaces row_places_;
  SupplyCounts counts_;
};
static_assert(std::is_trivially_destructible_v<RowSupply>);

}  // namespace nearest::pg::inverted
