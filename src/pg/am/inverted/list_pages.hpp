/// The pages of lists and the directory that leads to them.
#pragma once

#include "pg/postgres.hpp"

#include "format/chain.hpp"
#include "format/inverted_verify.hpp"
#include "pg/am/inverted/state.hpp"
#include "pg/buffer.hpp"
#include "pg/buffer_hints.hpp"

namespace nearest::pg::inverted {

/// The shape of a list's pages: rows without vectors have lists of their own.
inline const format::ListShape& shape_of(const InvertedState& state, std::uint32_t list) {
  return list < state.meta.lists ? state.shape : state.tid_shape;
}

inline format::ConstListPage list_page(Page page, const format::ListShape& shape) {
  return {content_of(page), &shape};
}

inline format::ListPageHeader* list_header(Page page) {
  return format::at<format::ListPageHeader>(content_of(page), 0);
}
inline format::DirectoryPageHeader* directory_header(Page page) {
  return format::at<format::DirectoryPageHeader>(content_of(page), 0);
}

constexpr BlockNumber pages_for(std::size_t items, std::size_t per_page) {
  return static_cast<BlockNumber>((items + per_page - 1) / per_page);
}
inline BlockNumber directory_pages(const format::InvertedMeta& meta) {
  return pages_for(format::directory_entries(meta), format::entries_per_page(BLCKSZ));
}

/// Makes a page one of n centroids. headers: (n); z: (n, dim).
void init_centroid_page(Page page, std::uint32_t dim, std::uint32_t n,
                        const format::CentroidHeader* headers, const std::int8_t* z);
/// Makes a page one of a directory; the caller fills in the n entries that it returns.
format::ListEntry* init_directory_page(Page page, std::uint32_t n);
/// Makes a page of ours the next one of a list.
void init_list_page(Page page, const InvertedState& state, std::uint32_t list,
                    std::uint32_t version);
/// Makes a page of ours what refines the slots of a list page from first_slot on.
void init_cold_page(Page page, BlockNumber hot, std::uint32_t first_slot);

/// The directory's page with a list's entry.
inline BlockNumber directory_page(const format::InvertedMeta& meta, std::uint32_t list) {
  return meta.directory_block + list / format::entries_per_page(BLCKSZ);
}
/// The entry on its page, which is locked and ours. Raises if the page is damaged.
format::ListEntry* entry_on(Relation index, const format::InvertedMeta& meta, Page page,
                            std::uint32_t list);
/// is_in_use: if wanted, whether the page is open, so that the entry may change.
format::ListEntry read_entry(Relation index, const format::InvertedMeta& meta, std::uint32_t list,
                             bool* is_in_use = nullptr);

/// Walks along the pages of a list, one share lock at a time.
class ListWalk {
 public:
  ListWalk() = default;
  ListWalk(Relation index, const InvertedState* state, std::uint32_t list,
           const format::ListEntry& entry)
      : index_(index),
        shape_(&shape_of(*state, list)),
        hints_(BufferHints::of(index)),
        number_(format::number_on_pages(state->meta, list)),
        version_(entry.version),
        next_(entry.first) {}

  /// The page that is visited next.
  BlockNumber block() const { return next_; }
  bool is_at_end() const { return next_ == format::kNoBlock; }

  /// Calls read(format::ConstListPage) under the page's lock, and goes on. read must not raise or
  /// allocate; it returns null, or what is wrong.
  template <class Read>
  void visit(Read&& read) {
    check_block();
    const char* fault = nullptr;
    const BlockNumber block = next_;
    with_shared_buffer(index_, hints_->read(index_, block), block, format::PageKind::kList,
                       [&](Page page) {
                         const format::ConstListPage list = list_page(page, *shape_);
                         fault = format::list_page_fault(list, used_bytes(page), number_, version_);
                         if (fault != nullptr) return;
                         next_ = trailer_of(page)->next;
                         // The server may find the next page while this one is read.
                         if (next_ != format::kNoBlock)
                           hints_->prefetch(next_, 0, sizeof(format::ListPageHeader));
                         fault = read(list);
                       });
    if (fault != nullptr) report_damaged(index_, block, fault);
  }

 private:
  /// Checks for interrupts, too.
  void check_block();

  Relation index_ = nullptr;
  const format::ListShape* shape_ = nullptr;
  BufferHints* hints_ = nullptr;
  std::uint32_t number_ = 0, version_ = 0;
  BlockNumber next_ = format::kNoBlock;
  format::ChainGuard guard_;
};

}  // namespace nearest::pg::inverted
