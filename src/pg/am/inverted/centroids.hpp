/// Centroids on their pages: which lists are nearest to a point, and where their centroids are.
///
/// Scans copy and keep nothing: some dozen pages hold those of hundreds of lists, and pages in
/// shared buffers serve all backends. They never change, but others may take
/// their place (README.md, rule 3). Lists whose rows went to others are passed over.
#pragma once

#include "pg/postgres.hpp"

#include "pg/am/inverted/state.hpp"
#include "pg/buffer_hints.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::inverted {

/// A list, or a group of lists, as a point sees it.
struct RankedList {
  float base;      ///< |q - ĉ|², or -<q, ĉ> for products
  float distance;  ///< |q - ĉ|
  float rank;      ///< what lists are ordered by: the base, for products of the best row's
  std::uint32_t list;

  friend bool operator<(const RankedList& a, const RankedList& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.list < b.list;
  }
};

/// What lists are ranked for.
struct RankedPoint {
  const core::ScalarQuery* code;
  bool by_product;  ///< by -<q, ĉ>, otherwise by |q - ĉ|²
};

/// Groups as a point sees them, the nearest first. Lent by an arena.
struct RankedGroups {
  RankedList* groups;
  std::uint32_t* begins;  ///< (groups + 1) their first lists, by number, and the end

  void release(ContextArena arena) const {
    arena.release(begins);
    arena.release(groups);
  }
};

class Centroids {
 public:
  /// pages: counts the pages that are read.
  Centroids(Relation index, const InvertedState* state, std::int64_t* pages)
      : index_(index), state_(state), hints_(BufferHints::of(index)), pages_(pages) {}

  /// Ranks lists, the `wanted` nearest of them sorted in front. ranked: (lists) work space. Of
  /// thousands of lists only those of the nearest groups are looked at. Returns how many were, at
  /// least `wanted` if there are as many. Memory comes from the arena.
  std::size_t rank(ContextArena arena, const RankedPoint& point, std::size_t wanted,
                   RankedList* ranked) const;
  /// The same for all lists, in no order.
  std::size_t score_all(const RankedPoint& point, RankedList* ranked) const;

  /// The list nearest to a row's point. Where lists are in groups, those of the nearest ones are
  /// looked at, as builds of thousands of lists do: a small part of all centroids.
  std::uint32_t find_nearest(ContextArena arena, const RankedPoint& point) const;

  /// All n of lists or groups, that begin on page `first`, as they are there. headers: (n); z: (n,
  /// dim).
  void read_codes(BlockNumber first, std::uint32_t n, format::CentroidHeader* headers,
                  std::int8_t* z) const;
  /// All of them, in memory of the context, which is freed by an error. Lists that were merged away
  /// have no scale.
  const KeptCentroids* copy(MemoryContext context) const;

  /// What the list's code stands for: centroid: (dim).
  void read(std::uint32_t list, float* centroid) const;

 private:
  /// Calls each(i, header, z) for the centroids [begin, end) of those that begin on a page.
  template <class Each>
  void visit(BlockNumber first, std::uint32_t n, std::uint32_t begin, std::uint32_t end,
             Each&& each) const;
  std::size_t score(const RankedPoint& point, std::uint32_t begin, std::uint32_t end,
                    RankedList* ranked) const;
  /// begins: (groups + 1) the first lists of groups, and the end. Raises unless they are in order.
  void check_begins(const std::uint32_t* begins) const;
  RankedGroups rank_groups(ContextArena arena, const RankedPoint& point) const;
  /// The lists of the group at a place of the ranking.
  std::size_t score_group(const RankedPoint& point, const RankedGroups& groups, std::uint32_t place,
                          RankedList* ranked) const;

  Relation index_;
  const InvertedState* state_;
  BufferHints* hints_;
  std::int64_t* pages_;
};

}  // namespace nearest::pg::inverted
