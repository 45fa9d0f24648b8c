/// The pages of a new index, in the order in which they are written.
#pragma once

#include "pg/postgres.hpp"

#include "pg/buffer.hpp"

namespace nearest::pg::inverted {

/// Nothing is logged: the caller logs the pages when all are there.
class PageFile {
 public:
  PageFile(Relation index, ForkNumber fork) : index_(index), fork_(fork) {}

  BlockNumber next() const { return next_; }

  /// Appends n pages that are to be put later. They hold nothing until then.
  void reserve(std::size_t n);
  /// Writes a page that was reserved.
  void put(BlockNumber block, Page image);
  void append(Page image) {
    reserve(1);
    put(next_ - 1, image);
  }

 private:
  Relation index_;
  ForkNumber fork_;
  BlockNumber next_ = 0;
};

}  // namespace nearest::pg::inverted
