/// Which link of a finished graph keeps each node reachable, whatever later links replace.
#pragma once

#include <cstdint>
#include <span>

#include "core/arena.hpp"
#include "core/graph/candidate_table.hpp"

namespace nearest::core {

/// Grows a tree from the entries, breadth first. parents: (graph.size()) receives for each node the
/// one whose link to it is to be kept; entries are their own. A node that no links lead to gets
/// one, in place of the farthest link that is not part of the tree, from the nearest of the nodes
/// that it links to itself, else from an entry, else from a leaf of the tree, which has room.
///
/// Graph: size(), links(id) sorted by distance, force_link(from, to, may_go) which returns whether
/// a place was found. checkpoint() is called every now and then.
template <class Graph, Arena A, class Checkpoint>
void keep_links(Graph& graph, std::span<const NodeId> entries, A arena, ArenaArray<NodeId>& parents,
                Checkpoint&& checkpoint) {
  const std::size_t n = graph.size();
  parents.reserve(arena, n + 1);
  parents.set_size(n);
  for (NodeId& parent : parents) parent = kNoNode;
  ArenaArray<NodeId> queue;
  queue.reserve(arena, n + 1);
  for (const NodeId entry : entries) {
    if (parents[entry] != kNoNode) continue;
    parents[entry] = entry;
    queue.push_back(arena, entry);
  }
  const auto attach = [&](NodeId node) {
    const auto try_from = [&](NodeId from) {
      const auto may_go = [&](NodeId to) { return parents[to] != from; };
      if (!graph.force_link(from, node, may_go)) return false;
      parents[node] = from;
      queue.push_back(arena, node);
      return true;
    };
    for (const auto& link : graph.links(node)) {
      if (parents[link.id] != kNoNode && try_from(link.id)) return;
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
        if (parents[link.id] != kNoNode) continue;
        parents[link.id] = from;
        queue.push_back(arena, link.id);
      }
      continue;
    }
    while (next_unknown < n && parents[next_unknown] != kNoNode) ++next_unknown;
    if (next_unknown == n) break;
    attach(next_unknown++);
  }
  arena.release(queue.begin());
}

}  // namespace nearest::core
