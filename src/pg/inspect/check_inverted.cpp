#include "pg/inspect/check_inverted.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "format/chain.hpp"
#include "format/inverted_verify.hpp"
#include "pg/am/inverted/generation.hpp"
#include "pg/am/inverted/list_pages.hpp"
#include "pg/am/inverted/state.hpp"
#include "pg/inspect/check_pages.hpp"

namespace nearest::pg {
namespace {

using format::Fault;
using format::PageKind;
using inverted::kMetaBlock;

class Checker {
 public:
  Checker(Relation heap, Relation index) : index_(index), reader_(index), rows_(heap) {
    page_ = static_cast<std::byte*>(palloc(BLCKSZ));
    other_page_ = static_cast<std::byte*>(palloc(BLCKSZ));
  }

  InvertedFindings run() {
    check_meta();
    n_blocks_ = std::max<BlockNumber>(RelationGetNumberOfBlocks(index_), 1);  // read one just now
    led_to_.prepare(n_blocks_);
    check_model();
    if (meta_.groups > 1) check_groups();
    merged_.prepare(meta_.lists);
    check_centroids(meta_.centroids_block, meta_.lists,
                    [this](std::uint32_t list, const format::CentroidHeader& header) {
                      if (header.begin == format::CentroidHeader::kMerged) merged_.add(list);
                      return header.begin <= format::CentroidHeader::kMerged;
                    });
    check_directory();
    read_kind(kMetaBlock, meta_.drift_block, PageKind::kDrift, page_);
    lead_to_fixed(meta_.drift_block);
    for (std::uint32_t list = 0; list < format::directory_entries(meta_); ++list) check_list(list);
    for (BlockNumber block = kMetaBlock + 1; block < n_blocks_; ++block) {
      if (!led_to_.has(block)) check_unled(block);
    }
    found_.blocks = n_blocks_;
    found_.slots_per_page = shape_.slots;
    found_.is_trained = meta_.sample_rows > 0;
    return found_;
  }

 private:
  [[noreturn]] void raise(BlockNumber block, const Fault& fault) const {
    if (meta_.magic != 0 && inverted::read_meta(index_).directory_block != meta_.directory_block) {
      // Replay knows nothing of the lock that keeps others from it.
      ereport(ERROR, (errcode(ERRCODE_OBJECT_IN_USE),
                      errmsg("lists of index \"%s\" were split or merged while it was checked",
                             RelationGetRelationName(index_)),
                      errhint("Check it again.")));
    }
    reader_.raise(block, fault);
  }

  /// Copies a page that something leads to, and verifies it by itself.
  WholePage read_kind(BlockNumber from, BlockNumber block, PageKind kind, std::byte* to) const {
    if (block == format::kNoBlock || !reader_.has(block)) {
      raise(from, {"It leads to a page that is not there."});
    }
    const WholePage page = reader_.read(block, to);
    if (const Fault fault = format::verify_inverted_page(page, expected_)) raise(block, fault);
    if (format::trailer_of(page).kind != kind) raise(from, {"It leads to a page of another kind."});
    return page;
  }

  void check_meta() {
    const WholePage page = reader_.read(kMetaBlock, page_);
    if (const Fault fault = format::verify_inverted_meta_page(page)) raise(kMetaBlock, fault);
    meta_ = inverted::read_meta(index_);  // also compares it with the catalogs
    shape_ = format::list_shape(meta_, BLCKSZ);
    tid_shape_ = format::tid_list_shape(BLCKSZ);
    expected_ = {&meta_, &shape_, &tid_shape_, rows_.most_offset()};
  }

  // What was trained: no one changes it. ----------------------------------------------------------

  /// Walks along a stream of n numbers: take(float, index).
  template <class Take>
  void check_floats(BlockNumber first, std::size_t n, Take&& take) {
    BlockNumber from = kMetaBlock, block = first;
    for (std::size_t have = 0; have < n;) {
      const WholePage page = read_kind(from, block, PageKind::kFloats, page_);
      if (block >= n_blocks_ || !led_to_.add(block)) raise(from, {"Numbers are not a chain."});
      const format::ConstPageBytes content = format::content_of(page);
      const std::size_t here = format::at<format::FloatPageHeader>(content, 0)->n_floats;
      if (here != std::min<std::size_t>(n - have, format::floats_per_page(BLCKSZ))) {
        raise(block, {"Numbers that were trained have no right length."});
      }
      const auto* const floats = format::at<float>(content, sizeof(format::FloatPageHeader));
      for (std::size_t i = 0; i < here; ++i) {
        if (const char* const fault = take(floats[i], have + i)) raise(block, {fault});
      }
      have += here;
      found_.model_blocks += 1;
      from = block;
      block = format::trailer_of(page).next;
    }
    if (block != format::kNoBlock) raise(from, {"There are more numbers than were trained."});
  }

  void check_model() {
    const std::size_t dim = meta_.dim;
    if (meta_.center_block != format::kNoBlock) {
      double squares = 0;
      check_floats(meta_.center_block, dim, [&](float x, std::size_t) -> const char* {
        squares += static_cast<double>(x) * static_cast<double>(x);
        return nullptr;
      });
      // Sums in another order differ in their last digits.
      if (!(std::fabs(std::sqrt(squares) - meta_.center_norm) <= 1e-9 * meta_.center_norm)) {
        raise(meta_.center_block, {"The center has not the length that the metapage says."});
      }
    } else if (meta_.center_norm != 0) {
      raise(kMetaBlock, {"It does not say where its center is."});
    }
    if (meta_.codec == format::Codec::kProduct) {
      const core::ProductShape shape{meta_.dim, meta_.segments, meta_.bits};
      check_floats(meta_.codebook_block, shape.codebook_floats(),
                   [](float, std::size_t) -> const char* { return nullptr; });
    }
    if (meta_.rotation == format::Rotation::kTrained) {
      auto* const row = allocate_in<float>(CurrentMemoryContext, dim);
      check_floats(meta_.matrix_block, dim * dim, [&](float x, std::size_t i) -> const char* {
        row[i % dim] = x;
        return i % dim + 1 == dim ? format::rotation_fault(row, meta_.dim) : nullptr;
      });
    }
  }

  /// Centroids of lists or groups: accept(block, slot, header).
  template <class Accept>
  void check_centroids(BlockNumber first, std::uint32_t n, Accept&& accept) {
    const std::uint32_t per_page = format::centroids_per_page(meta_.dim, BLCKSZ);
    for (std::uint32_t begin = 0; begin < n; begin += per_page) {
      const BlockNumber block = first + begin / per_page;
      const WholePage page = read_kind(kMetaBlock, block, PageKind::kCentroids, page_);
      lead_to_fixed(block);
      const format::ConstPageBytes content = format::content_of(page);
      const format::PageUse& use = format::at<format::CentroidPageHeader>(content, 0)->use;
      check_use(block, use);
      if (!use.is_open()) raise(block, {"Centroids are closed, which only lists can be."});
      const std::uint32_t here = std::min(n - begin, per_page);
      if (const char* const fault = format::centroid_page_fault(content, here)) {
        raise(block, {fault});
      }
      for (std::uint32_t i = 0; i < here; ++i) {
        const auto* header =
            format::at<format::CentroidHeader>(content, format::centroid_header_offset(i));
        if (!accept(begin + i, *header)) {
          raise(block,
                {"Groups of lists do not lie behind one another.", static_cast<std::int32_t>(i)});
        }
      }
      found_.centroid_blocks += 1;
    }
  }

  void check_groups() {
    std::uint32_t before = 0;
    check_centroids(meta_.groups_block, meta_.groups,
                    [&](std::uint32_t group, const format::CentroidHeader& header) {
                      const bool is_next = group == 0 ? header.begin == 0 : header.begin >= before;
                      before = header.begin;
                      return is_next && header.begin <= meta_.lists && header.reach == 0;
                    });
  }

  void check_use(BlockNumber block, const format::PageUse& use) const {
    if (use.has_left()) raise(block, {"The page is not in use, but something leads to it."});
  }

  /// A page that is in its place, one behind the other.
  void lead_to_fixed(BlockNumber block) {
    if (block >= n_blocks_ || !led_to_.add(block)) {
      raise(block, {"The page has more than one place."});
    }
  }

  void check_directory() {
    const std::uint32_t n = format::directory_entries(meta_);
    const std::uint32_t per_page = format::entries_per_page(BLCKSZ);
    for (std::uint32_t begin = 0; begin < n; begin += per_page) {
      const BlockNumber block = inverted::directory_page(meta_, begin);
      const WholePage page = read_kind(kMetaBlock, block, PageKind::kDirectory, page_);
      lead_to_fixed(block);
      check_use(block, format::at<format::DirectoryPageHeader>(format::content_of(page), 0)->use);
      const std::uint32_t here = std::min(n - begin, per_page);
      if (const char* const fault = format::directory_page_fault(format::content_of(page), here)) {
        raise(block, {fault});
      }
      found_.directory_blocks += 1;
    }
  }

  // Lists -----------------------------------------------------------------------------------------

  format::ListEntry entry_of(std::uint32_t list) const {
    return inverted::read_entry(index_, meta_, list);
  }

  void check_list(std::uint32_t list) {
    const format::ListEntry entry = entry_of(list);
    const BlockNumber directory = inverted::directory_page(meta_, list);
    const Fault at{nullptr, static_cast<std::int32_t>(list % format::entries_per_page(BLCKSZ))};
    format::ChainGuard guard;
    std::int64_t rows = 0;
    bool has_last = entry.last == format::kNoBlock, has_room = entry.room == format::kNoBlock;
    BlockNumber from = directory, end = format::kNoBlock;
    for (BlockNumber block = entry.first; block != format::kNoBlock;) {
      const bool is_new = block >= n_blocks_ || led_to_.add(block);
      if (!is_new || guard.is_ring(block)) {
        raise(from, {"The pages of a list are not a chain.", from == directory ? at.slot : -1});
      }
      const BlockNumber next = check_list_page(from, block, list, entry.version, &rows);
      if (has_left_ && is_led_to(from, list, block)) {
        raise(block, {"A page of a list is not in use, but something leads to it."});
      }
      has_last = has_last || block == entry.last;
      has_room = has_room || block == entry.room;
      from = end = block;
      block = next;
    }
    // It has changed meanwhile, or the directory is wrong.
    const format::ListEntry now = entry_of(list);
    if ((!has_last && now.last == entry.last) || (!has_room && now.room == entry.room)) {
      raise(directory, {"It names a page of a list that is not in its chain.", at.slot});
    }
    if (end != entry.last && now.last == entry.last) {
      raise(directory, {"The last page of a list is another one.", at.slot});
    }
    if (list == format::zero_rows_list(meta_)) {
      found_.zero_rows = rows;
    } else if (list == format::null_rows_list(meta_)) {
      found_.null_rows = rows;
    } else {
      found_.rows += rows;
      if (merged_.has(list)) {
        if (entry.first != format::kNoBlock) {
          raise(directory, {"A list whose rows went to others has pages.", at.slot});
        }
        return;
      }
      found_.lists += 1;
      found_.empty_lists += rows == 0 ? 1 : 0;
      found_.largest_list = std::max(found_.largest_list, rows);
    }
  }

  /// Whether the directory (the list's first page) or a page of the list leads to a block now,
  /// unless that page has left the list itself.
  bool is_led_to(BlockNumber from, std::uint32_t list, BlockNumber block) {
    if (from == inverted::directory_page(meta_, list)) return entry_of(list).first == block;
    const WholePage page = read_kind(from, from, PageKind::kList, other_page_);
    return !list_header_of(page).has_left() && format::trailer_of(page).next == block;
  }

  static const format::ListPageHeader& list_header_of(WholePage page) {
    return *format::at<format::ListPageHeader>(format::content_of(page), 0);
  }

  /// Returns the next page. Sets has_left_: the page has left the list, and counts as unused.
  BlockNumber check_list_page(BlockNumber from, BlockNumber block, std::uint32_t list,
                              std::uint32_t version, std::int64_t* rows) {
    const format::ListShape& shape = expected_.shape_of(list);
    WholePage page = read_kind(from, block, PageKind::kList, page_);
    format::ConstListPage hot{format::content_of(page), &shape};
    const auto check_owner = [&] {
      if (hot.header().list != format::number_on_pages(meta_, list))
        raise(block, {"A page of a list belongs to another one."});
      if (hot.header().version != version) {
        raise(block, {"A page of a list is of another version of it."});
      }
    };
    check_owner();
    has_left_ = hot.header().has_left();
    if (has_left_) {
      found_.unused_blocks += 1;
      return format::trailer_of(page).next;
    }
    std::uint32_t cold_pages = 0;
    for (std::uint32_t slot = 0; shape.n_cold > 0 && slot < hot.header().n_slots;) {
      const BlockNumber cold = hot.cold_pages()[slot / shape.cold_per_page];
      const Fault fault = check_cold_page(hot, block, cold, slot);
      if (fault) {
        // The list page may have changed since it was read: then all of it once more.
        const WholePage now = reader_.read(block, other_page_);
        if (std::equal(page.begin() + format::kServerHeaderBytes, page.end(),
                       now.begin() + format::kServerHeaderBytes)) {
          raise(block, fault);
        }
        page = read_kind(from, block, PageKind::kList, page_);
        check_owner();
        slot = cold_pages = 0;
        continue;
      }
      slot += shape.cold_per_page;
      cold_pages += 1;
    }
    for (std::uint32_t i = 0; i < cold_pages; ++i) {
      const BlockNumber cold = hot.cold_pages()[i];
      if (cold < n_blocks_ && !led_to_.add(cold)) {
        raise(block, {"It leads to a page that is another's."});
      }
    }
    for (std::uint32_t slot = 0; slot < hot.header().n_slots; ++slot) {
      const format::Tid& tid = hot.tids()[slot];
      if (format::is_dead(tid)) {
        found_.dead_slots += 1;
        continue;
      }
      if (!rows_.has(tid)) {
        raise(block, {"A row is behind the table's end.", static_cast<std::int32_t>(slot)});
      }
      *rows += 1;
    }
    found_.cold_blocks += cold_pages;
    (list < meta_.lists ? found_.list_blocks : found_.row_blocks) += 1;
    return format::trailer_of(page).next;
  }

  /// Compares a cold page with the copy of its list page. What does not fit is returned.
  Fault check_cold_page(const format::ConstListPage& hot, BlockNumber block, BlockNumber cold,
                        std::uint32_t slot) {
    const Fault not_there = {"It leads to a page that is not there."};
    if (cold == format::kNoBlock || cold == block || !reader_.has(cold)) return not_there;
    const WholePage page = reader_.read(cold, other_page_);
    if (const Fault fault = format::verify_inverted_page(page, expected_)) raise(cold, fault);
    if (format::trailer_of(page).kind != PageKind::kCold) return not_there;
    const format::ConstPageBytes content = format::content_of(page);
    const auto* header = format::at<format::ColdPageHeader>(content, 0);
    if (header->hot != block || header->first_slot != slot) {
      return {"A page that refines a list's rows belongs to another one."};
    }
    return format::verify_cold_rows(hot, content, slot, expected_);
  }

  // The rest --------------------------------------------------------------------------------------

  /// Whether a list's chain has a page by now.
  bool is_in_list(std::uint32_t list, BlockNumber wanted) {
    format::ChainGuard guard;
    BlockNumber from = inverted::directory_page(meta_, list), block = entry_of(list).first;
    while (block != format::kNoBlock) {
      if (block == wanted) return true;
      if (guard.is_ring(block)) raise(from, {"The pages of a list are not a chain."});
      from = block;
      block = format::trailer_of(read_kind(from, block, PageKind::kList, other_page_)).next;
    }
    return false;
  }

  /// Whether a list page has a cold page, and is in its list. Interrupted compactions leave cold
  /// pages that no list page has; a list page that misses one tells so itself.
  bool is_cold_page_in_use(BlockNumber block, const format::ColdPageHeader& header) {
    if (!reader_.has(header.hot)) return false;
    const WholePage of = reader_.read(header.hot, other_page_);
    if (is_unused(reader_, header.hot, of) || format::trailer_of(of).kind != PageKind::kList) {
      return false;
    }
    if (const Fault fault = format::verify_inverted_page(of, expected_)) raise(header.hot, fault);
    const std::uint32_t list = format::list_of_number(meta_, list_header_of(of).list);
    const format::ConstListPage hot{format::content_of(of), &expected_.shape_of(list)};
    return list < meta_.lists &&
           hot.cold_pages()[header.first_slot / shape_.cold_per_page] == block &&
           (led_to(header.hot) || is_in_list(list, header.hot));
  }
  /// Whether a walk came by a page, or it is newer than the walks.
  bool led_to(BlockNumber block) const { return block >= n_blocks_ || led_to_.has(block); }

  /// A page that no list led to: unused, or one that came after its list was looked at.
  void check_unled(BlockNumber block) {
    const WholePage page = reader_.read(block, page_);
    if (is_unused(reader_, block, page)) {
      found_.unused_blocks += 1;
      return;
    }
    if (const Fault fault = format::verify_inverted_page(page, expected_)) raise(block, fault);
    const format::ConstPageBytes content = format::content_of(page);
    bool is_led_to = false;
    const PageKind kind = format::trailer_of(page).kind;
    // Centroids and directories that others replaced, or were to replace others.
    const bool is_replaced = kind == PageKind::kCentroids || kind == PageKind::kDirectory;
    if (kind == PageKind::kFree || is_replaced) {
      found_.unused_blocks += 1;
      return;
    }
    if (kind == PageKind::kList) {
      const format::ListPageHeader header = list_header_of(page);
      const std::uint32_t list = format::list_of_number(meta_, header.list);
      // Pages that have left a list are kept for scans that are at work, and new ones are not yet
      // in it.
      is_led_to = list < format::directory_entries(meta_) && is_in_list(list, block);
      if (!is_led_to && !header.is_open()) {
        found_.unused_blocks += 1;
        return;
      }
      (list < meta_.lists ? found_.list_blocks : found_.row_blocks) += 1;
    } else if (kind == PageKind::kCold) {
      const format::ColdPageHeader header = *format::at<format::ColdPageHeader>(content, 0);
      if (!is_cold_page_in_use(block, header)) {
        found_.unused_blocks += 1;
        return;
      }
      is_led_to = true;
      found_.cold_blocks += 1;
    }
    if (!is_led_to) raise(block, {"Nothing leads to the page."});
  }

  Relation index_;
  PageReader reader_;
  RowBlocks rows_;
  std::byte *page_, *other_page_;  ///< other_page_ for looks aside while page_ is in use
  format::InvertedMeta meta_{};
  format::ListShape shape_{}, tid_shape_{};
  format::InvertedExpectations expected_{};
  BlockNumber n_blocks_ = 0;
  Bits led_to_{}, merged_{};  ///< blocks; lists
  bool has_left_ = false;     ///< the list page that was checked last
  InvertedFindings found_{};
};
static_assert(std::is_trivially_destructible_v<Checker>);

}  // namespace

InvertedFindings check_inverted(Relation heap, Relation index) {
  auto* const checker = new (palloc(sizeof(Checker))) Checker(heap, index);
  inverted::lock_lists(index, ShareLock);
  const InvertedFindings found = checker->run();
  inverted::unlock_lists(index, ShareLock);
  return found;
}

}  // namespace nearest::pg
