#include "pg/am/graph/tid_chain.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <limits>

#include "format/verify.hpp"
#include "pg/am/graph/page_space.hpp"
#include "pg/am/graph/state.hpp"

namespace nearest::pg::graph {
namespace {

constexpr std::size_t kTidsOffset = sizeof(format::TidPageHeader);

format::TidPageHeader* tid_header(Page page) {
  return format::at<format::TidPageHeader>(content_of(page), 0);
}

bool is_chain_page(Page page, const ChainOwner& owner) {
  return is_page_of_kind(page, format::PageKind::kTids) && tid_header(page)->owner == owner.id &&
         tid_header(page)->version == owner.version;
}

const char* chain_page_fault(Page page, const format::GraphShape& shape) {
  return format::tid_page_fault(content_of(page), used_bytes(page), shape);
}

void append_tid(Page page, const format::Tid& tid) {
  format::TidPageHeader* const header = tid_header(page);
  *format::at<format::Tid>(content_of(page), kTidsOffset + header->n_tids * sizeof(format::Tid)) =
      tid;
  header->n_tids += 1;
  set_used_bytes(page, kTidsOffset + header->n_tids * sizeof(format::Tid));
}

/// Tells damage from a page that was given to another meanwhile: what leads to such a page leads
/// elsewhere when it is read again.
class Retries {
 public:
  void failed_at(Relation index, BlockNumber block) {
    n_ = block == block_ ? n_ + 1 : 1;
    block_ = block;
    constexpr int kMost = 3;
    if (n_ == kMost) report_damaged(index, block, "The pages of rows are not a chain.");
  }

 private:
  BlockNumber block_ = InvalidBlockNumber;
  int n_ = 0;
};

/// Where a chain begins now. False if the owner is gone.
bool read_head(Relation index, const format::GraphShape& shape, const ChainOwner& owner,
               BlockNumber* first) {
  const Buffer buffer = ReadBuffer(index, page_of_owner(shape, owner));
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const format::BlockId* const head = chain_head(index, shape, owner, BufferGetPage(buffer));
  if (head != nullptr) *first = *head;
  UnlockReleaseBuffer(buffer);
  return head != nullptr;
}

enum class Step : std::uint8_t { kNext, kEnd, kLost };

/// Reads one page of a chain; below: the serial of the page before, replaced by this page's. Copies
/// its rows if its serial is below `wanted`; room was made before.
Step read_page(Relation index, const format::GraphShape& shape, const ChainOwner& owner,
               BlockNumber* block, std::uint32_t* below, std::uint32_t wanted,
               core::ArenaArray<format::Tid>& tids) {
  if (*block >= RelationGetNumberOfBlocks(index)) return Step::kLost;
  const Buffer buffer = ReadBuffer(index, *block);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  const Page page = BufferGetPage(buffer);
  Step step = Step::kLost;
  const char* fault = nullptr;
  const BlockNumber here = *block;
  if (is_chain_page(page, owner) && tid_header(page)->serial < *below) {
    fault = chain_page_fault(page, shape);
    if (fault == nullptr) {
      *below = tid_header(page)->serial;
      if (*below < wanted) {
        const std::size_t n = tid_header(page)->n_tids;
        tids.set_size(n);
        const auto* const from = format::at<format::Tid>(content_of(page), kTidsOffset);
        std::copy(from, from + n, tids.begin());
      }
      *block = trailer_of(page)->next;
      step = *block == format::kNoBlock ? Step::kEnd : Step::kNext;
    }
  }
  UnlockReleaseBuffer(buffer);
  if (fault != nullptr) report_damaged(index, here, fault);
  return step;
}

enum class Appended : std::uint8_t { kDone, kFull, kLost };

/// Adds a row to a chain's first page; serial: receives the page's.
Appended append_to_first(Relation index, const format::GraphShape& shape, const ChainOwner& owner,
                         BlockNumber first, const format::Tid& tid, std::uint32_t* serial) {
  if (first >= RelationGetNumberOfBlocks(index)) return Appended::kLost;
  const Buffer buffer = ReadBuffer(index, first);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  const Page page = BufferGetPage(buffer);
  Appended result = Appended::kLost;
  const char* fault = nullptr;
  if (is_chain_page(page, owner)) {
    fault = chain_page_fault(page, shape);
    *serial = tid_header(page)->serial;
    result = Appended::kFull;
    if (fault == nullptr && tid_header(page)->n_tids < shape.tids_per_page()) {
      change_page(index, buffer, 0, [&](Page copy) {
        append_tid(copy, tid);
        return true;
      });
      result = Appended::kDone;
    }
  }
  UnlockReleaseBuffer(buffer);
  if (fault != nullptr) report_damaged(index, first, fault);
  return result;
}

enum class Pushed : std::uint8_t { kDone, kMoved, kPageTaken, kOwnerGone };

/// Puts a new page with a row in front of a chain that begins at `first`.
Pushed push_page(Relation index, const format::GraphShape& shape, const ChainOwner& owner,
                 BlockNumber first, BlockNumber spare, std::uint32_t serial,
                 const format::Tid& tid) {
  if (spare == page_of_owner(shape, owner)) return Pushed::kPageTaken;
  const Buffer owner_buffer = ReadBuffer(index, page_of_owner(shape, owner));
  const Buffer buffer = ReadBuffer(index, spare);
  LockBuffer(owner_buffer, BUFFER_LOCK_EXCLUSIVE);
  const format::BlockId* const head = chain_head(index, shape, owner, BufferGetPage(owner_buffer));
  Pushed result = head == nullptr ? Pushed::kOwnerGone : Pushed::kMoved;
  if (head != nullptr && *head == first) {
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    result = Pushed::kPageTaken;
    if (is_free_page(BufferGetPage(buffer))) {
      GenericXLogState* const log = GenericXLogStart(index);
      const Page owner_page = GenericXLogRegisterBuffer(log, owner_buffer, 0);
      const Page page = GenericXLogRegisterBuffer(log, buffer, GENERIC_XLOG_FULL_IMAGE);
      init_page(page, format::PageKind::kTids);
      *tid_header(page) = {owner.id, owner.version, serial, 0, 0};
      append_tid(page, tid);
      trailer_of(page)->next = first;
      *chain_head(index, shape, owner, owner_page) = spare;
      GenericXLogFinish(log);
      result = Pushed::kDone;
    }
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  }
  ReleaseBuffer(buffer);
  UnlockReleaseBuffer(owner_buffer);
  return result;
}

/// Takes an empty page out of a chain, under the locks of both; `lead`: where the page before, or
/// the owner, says what comes next.
template <class Lead>
void unlink_page(Relation index, Buffer before, Buffer buffer, Lead&& lead) {
  GenericXLogState* const log = GenericXLogStart(index);
  const Page before_page = GenericXLogRegisterBuffer(log, before, 0);
  const Page page = GenericXLogRegisterBuffer(log, buffer, 0);
  *lead(before_page) = trailer_of(page)->next;
  init_page(page, format::PageKind::kFree);
  set_used_bytes(page, 0);
  GenericXLogFinish(log);
}

}  // namespace

BlockNumber page_of_owner(const format::GraphShape& shape, const ChainOwner& owner) {
  const bool is_node = owner.id != format::kNullRowsOwner && owner.id != format::kZeroRowsOwner;
  return is_node ? shape.block_of(owner.id) : kMetaBlock;
}

format::BlockId* chain_head(Relation index, const format::GraphShape& shape,
                            const ChainOwner& owner, Page page) {
  const BlockNumber block = page_of_owner(shape, owner);
  if (block == kMetaBlock) {
    if (!is_page_of_kind(page, format::PageKind::kMeta)) {
      report_damaged(index, block, "The page is not of its kind.");
    }
    auto* const meta = format::at<format::GraphMeta>(content_of(page), 0);
    return owner.id == format::kNullRowsOwner ? &meta->null_rows : &meta->zero_rows;
  }
  if (!is_page_of_kind(page, format::PageKind::kNodes)) {
    report_damaged(index, block, "The page is not of its kind.");
  }
  if (const char* const fault =
          format::node_page_fault(content_of(page), used_bytes(page), shape)) {
    report_damaged(index, block, fault);
  }
  if (shape.slot_of(owner.id) >= format::at<format::NodePageHeader>(content_of(page), 0)->n_nodes) {
    return nullptr;
  }
  format::NodeHeader& header =
      format::node_at(content_of(page), shape, shape.slot_of(owner.id)).header();
  const bool is_there = header.version == owner.version && header.state == format::NodeState::kLive;
  return is_there ? &header.more_tids : nullptr;
}

bool TidChainReader::read_page(Relation index, const format::GraphShape& shape, ContextArena arena,
                               std::int64_t* pages) {
  tids_.clear();
  if (next_ == format::kNoBlock) return false;
  tids_.reserve(arena, shape.tids_per_page());
  Retries retries;
  std::uint32_t below = read_serial_;
  while (tids_.empty() && next_ != format::kNoBlock) {
    CHECK_FOR_INTERRUPTS();
    const Step step = graph::read_page(index, shape, owner_, &next_, &below, read_serial_, tids_);
    *pages += 1;
    if (step == Step::kLost) {
      // VACUUM freed the page since it was named: the rows that are still to be seen are on others,
      // behind those that were read already, which are passed over.
      retries.failed_at(index, next_);
      below = kNone;
      if (!read_head(index, shape, owner_, &next_)) next_ = format::kNoBlock;
    } else {
      read_serial_ = std::min(read_serial_, below);
    }
  }
  return !tids_.empty();
}

bool add_to_tid_chain(Relation index, const format::GraphShape& shape, const ChainOwner& owner,
                      const format::Tid& tid) {
  BlockNumber spare = InvalidBlockNumber;
  Retries retries;
  bool is_added = false, is_gone = false;
  while (!is_added && !is_gone) {
    CHECK_FOR_INTERRUPTS();
    BlockNumber first = format::kNoBlock;
    if (!read_head(index, shape, owner, &first)) break;
    std::uint32_t serial = 0;
    if (first != format::kNoBlock) {
      const Appended appended = append_to_first(index, shape, owner, first, tid, &serial);
      if (appended == Appended::kDone) {
        is_added = true;
        break;
      }
      if (appended == Appended::kLost) {
        retries.failed_at(index, first);
        continue;
      }
    }
    if (spare == InvalidBlockNumber) spare = find_page(index);
    switch (push_page(index, shape, owner, first, spare, serial + 1, tid)) {
      case Pushed::kDone:
        return true;
      case Pushed::kPageTaken:
        spare = InvalidBlockNumber;
        break;
      case Pushed::kOwnerGone:
        is_gone = true;
        break;
      case Pushed::kMoved:
        break;
    }
  }
  if (spare != InvalidBlockNumber) record_room(index, spare, Room::kPage);
  return is_added;
}

bool drop_empty_pages(Relation index, const format::GraphShape& shape, const ChainOwner& owner) {
  BlockNumber before_block = page_of_owner(shape, owner);
  Buffer before = ReadBuffer(index, before_block);
  bool is_owner = true;
  std::uint32_t below = std::numeric_limits<std::uint32_t>::max();
  const auto lead = [&](Page page) -> format::BlockId* {
    return is_owner ? chain_head(index, shape, owner, page) : &trailer_of(page)->next;
  };
  while (true) {
    // Between two locks a chain only grows in front: pages leave it by VACUUM alone.
    CHECK_FOR_INTERRUPTS();
    LockBuffer(before, BUFFER_LOCK_EXCLUSIVE);
    const format::BlockId* const next = lead(BufferGetPage(before));
    if (next == nullptr || *next == format::kNoBlock) break;
    const BlockNumber block = *next;
    // A page that leads to itself would be locked twice.
    if (block == before_block || block >= RelationGetNumberOfBlocks(index)) {
      report_damaged(index, before_block, "It leads to a page that is not there.");
    }
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const Page page = BufferGetPage(buffer);
    if (!is_chain_page(page, owner) || tid_header(page)->serial >= below) {
      report_damaged(index, block, "The pages of rows are not a chain.");
    }
    if (const char* const fault = chain_page_fault(page, shape)) {
      report_damaged(index, block, fault);
    }
    const bool is_empty = tid_header(page)->n_tids == 0;
    if (is_empty) {
      unlink_page(index, before, buffer, lead);
    } else {
      below = tid_header(page)->serial;
    }
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    LockBuffer(before, BUFFER_LOCK_UNLOCK);
    if (is_empty) {
      ReleaseBuffer(buffer);
      record_room(index, block, Room::kPage);
    } else {
      ReleaseBuffer(before);
      before = buffer;
      before_block = block;
      is_owner = false;
    }
  }
  UnlockReleaseBuffer(before);
  return !is_owner;
}

}  // namespace nearest::pg::graph
