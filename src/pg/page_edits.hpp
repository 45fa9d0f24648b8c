/// Pages changed in place, as one WAL record, by whoever knows which bytes change.
///
/// GenericXLog copies each page, and compares it with its copy byte by byte to find what has
/// changed: for a row of a list's page and its cold page that is a quarter of an insert. Where the
/// changed bytes are known, the same record can be written without: of each page, fragments |
/// offset 2 | length 2 | bytes |, or the page as a whole, which the server's generic_redo puts in
/// place (access/transam/generic_xlog.c; the same in all versions so far).
///
/// Contract:
///   1. From begin() to finish() is a critical section: nothing may raise or allocate.
///   2. Pages are pinned and exclusive-locked by the caller, and stay so until after finish().
///   3. Whatever changes is named before finish(), by fragment() or compare(). Redo clears what
///   lies
///      between pd_lower and pd_upper, so there must be zeros there.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/rel.h"
}

#include "pg/buffer.hpp"

namespace nearest::pg {

class PageEdits {
 public:
  static constexpr int kMostPages = 2;

  explicit PageEdits(Relation index) : is_logged_(RelationNeedsWAL(index)) {}

  void begin();
  /// Adds a page. is_whole: it is logged whole, and need not say what changes.
  Page add(Buffer buffer, bool is_whole);
  /// Of a page that was added, a part of it that has changed.
  void fragment(Page page, const void* part, std::size_t bytes);
  /// The same of a part that may have changed; before: what it was.
  void compare(Page page, const void* part, const void* before, std::size_t bytes);
  void finish();

 private:
  struct Edited {
    Buffer buffer;
    Page page;
    bool is_whole;
    std::size_t bytes;
    std::byte fragments[BLCKSZ];
  };

  Edited* edited(Page page);

  bool is_logged_;
  int n_ = 0;
  Edited pages_[kMostPages];
};
static_assert(std::is_trivially_destructible_v<PageEdits>);

}  // namespace nearest::pg
