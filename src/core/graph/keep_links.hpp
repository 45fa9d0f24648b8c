/// Which link keeps each node reachable, whatever later links replace.
///
/// Kept links lead from entries to all other nodes: each node that is no entry is kept by one of
/// lower rank, so that no circle of nodes keeps itself. Ranks of a finished graph follow from
/// depths in a tree. They have steps of random size, so that of two nodes of one depth one can keep
/// the other when that is called for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/arena.hpp"
#include "core/graph/candidate_table.hpp"

namespace nearest::core {

inline constexpr std::uint32_t kMostRank = 0xFF'FFFF;  ///< three bytes
inline constexpr std::uint32_t kRankStep = 16;

/// random: any bits of the node, as the hash of its vector.
inline std::uint32_t rank_at_depth(std::uint32_t depth, std::uint64_t random) {
  const std::uint64_t rank =
      std::uint64_t{kRankStep} * depth + static_cast<std::uint32_t>(random % kRankStep);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(rank, kMostRank));
}
/// Of a node that one of this rank keeps; the same if that is the highest.
inline std::uint32_t rank_after(std::uint32_t rank, std::uint64_t random) {
  return std::min(rank + 1 + static_cast<std::uint32_t>(random % kRankStep), kMostRank);
}

/// What keeps a node reachable.
struct Keeper {
  NodeId parent;        ///< whose link to it is kept; an entry's own, kNoNode if there is none
  std::uint32_t depth;  ///< kept links from an entry
};

/// Grows a tree from the entries, breadth first. keepers: (graph.size()) receives for each node the
/// one whose link to it is to be kept. A node that no links lead to gets
/// one, in place of the farthest link that is not part of the tree, from the nearest of the nodes
/// that it links to itself, else from an entry, else from a leaf of the tree, which has room.
///
/// Graph: size(), links(id) sorted by distance, force_link(from, to, may_go) which returns whether
/// a place was found. checkpoint() is called every now and then.
template <class Graph, Arena A, class Checkpoint>
void keep_links(Graph& graph, std::span<const NodeId> entries, A arena, ArenaArray<Keeper>& keepers,
                Checkpoint&& checkpoint) {
  const std::size_t n = graph.size();
  keepers.reserve(arena, n + 1);
  keepers.set_size(n);
  for (Keeper& keeper : keepers) keeper = {kNoNode, 0};
  ArenaArray<NodeId> queue;
  queue.reserve(arena, n + 1);
  for (const NodeId entry : entries) {
    if (keepers[entry].parent != kNoNode) continue;
    keepers[entry].parent = entry;
    queue.push_back(arena, entry);
  }
  const auto keep = [&](NodeId from, NodeId to) {
    keepers[to] = {from, keepers[from].depth + 1};
    queue.push_back(arena, to);
  };
  const auto attach = [&](NodeId node) {
    const auto try_from = [&](NodeId from) {
      const auto may_go = [&](NodeId to) { return keepers[to].parent != from; };
      const bool is_linked = graph.force_link(from, node, may_go);
      if (is_linked) keep(from, node);
      return is_linked;
    };
    for (const auto& link : graph.links(node)) {
      if (keepers[link.id].parent != kNoNode && try_from(link.id)) return;
    }
    for (const NodeId entry : entries) {
      if (try_from(entry)) return;
    }
    if (!queue.empty()) try_from(queue[queue.size() - 1]);  // by now the last of it is a leaf
  };
  NodeId next_unknown = 0;
  for (std::size_t head = 0; queue.size() < n || head < queue.size();) {
    if (head < queue.size()) {
      const NodeId from = queue[head++];
      if (head % 4096 == 0) checkpoint();
      for (const auto& link : graph.links(from)) {
        if (keepers[link.id].parent == kNoNode) keep(from, link.id);
      }
      continue;
    }
    while (next_unknown < n && keepers[next_unknown].parent != kNoNode) ++next_unknown;
    if (next_unknown == n) break;
    attach(next_unknown++);
  }
  arena.release(queue.begin());
}

}  // namespace nearest::core
