/// Rows that did not fit into their node, or have none: chains of row pages.
///
/// Locks: a page that leads to a chain before the chain's pages, these in the order of the chain.
/// Readers and appenders hold one at a time, so that a page that they were led to may be another's
/// by the time they lock it: they compare owner, version and serial, and begin anew.
#pragma once

#include "pg/postgres.hpp"

#include <limits>

#include "core/arena.hpp"
#include "format/graph_page.hpp"
#include "pg/am/common/heap_tid.hpp"
#include "pg/buffer.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::graph {

/// Whose rows: a node of a version, or one of the metapage's chains, whose version is 0.
struct ChainOwner {
  core::NodeId id;
  std::uint32_t version;
};

/// Where on its owner's page a chain begins; null if the node is not there any more. A fault of the
/// page is an error.
format::BlockId* chain_head(Relation index, const format::GraphShape& shape,
                            const ChainOwner& owner, Page page);
BlockNumber page_of_owner(const format::GraphShape& shape, const ChainOwner& owner);

/// Reads a chain's rows page by page: all that a snapshot taken before begin() can see, each once,
/// whatever VACUUM does to the chain between two pages.
class TidChainReader {
 public:
  /// first: where the chain began when its owner was read, or kNoBlock.
  void begin(const ChainOwner& owner, BlockNumber first) {
    owner_ = owner;
    next_ = first;
    read_serial_ = kNone;
  }

  /// Reads the next page that has rows into tids(), and counts what it reads. False at the end.
  bool read_page(Relation index, const format::GraphShape& shape, ContextArena arena,
                 std::int64_t* pages);

  const core::ArenaArray<format::Tid>& tids() const { return tids_; }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  ChainOwner owner_;
  BlockNumber next_;           ///< kNoBlock: at the end
  std::uint32_t read_serial_;  ///< of the page read last: those that follow have lower ones
  core::ArenaArray<format::Tid> tids_;
};

/// Adds a row. False if the owner is not there any more.
bool add_to_tid_chain(Relation index, const format::GraphShape& shape, const ChainOwner& owner,
                      const format::Tid& tid);

/// Gives a chain's empty pages back. Returns whether the chain has pages left; owners that are gone
/// have none.
bool drop_empty_pages(Relation index, const format::GraphShape& shape, const ChainOwner& owner);

}  // namespace nearest::pg::graph
