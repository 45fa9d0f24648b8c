/// In which order nodes go to pages: neighbors together, so that one page serves several visits.
#pragma once

#include <cstdint>

#include "core/arena.hpp"
#include "core/graph/candidate_table.hpp"

namespace nearest::core {

/// Writes to `order` the nodes of a graph in page order: each page begins with a node that an
/// earlier page links to, and is filled with the nearest nodes not placed yet that its nodes link
/// to, as long as there are any. graph.links(id) gives neighbors with distances. `checkpoint` is
/// called now and then. Takes time in proportion to the links.
template <class Graph, Arena A, class Checkpoint>
void order_by_page(const Graph& graph, A arena, std::size_t nodes_per_page,
                   ArenaArray<NodeId>& order, Checkpoint&& checkpoint) {
  const std::size_t n = graph.size();
  ArenaArray<NodeId> queue;
  ArenaArray<std::uint8_t> state;  // 0 unknown, 1 in the queue, 2 placed
  queue.reserve(arena, n + 1);
  state.reserve(arena, n + 1);
  order.reserve(arena, n + 1);
  for (std::size_t i = 0; i < n; ++i) state.push_back(arena, 0);

  NodeId next_unknown = 0;
  std::size_t head = 0;
  const auto place = [&](NodeId id) {
    state[id] = 2;
    order.push_back(arena, id);
  };
  while (order.size() < n) {
    if (order.size() % 4096 < nodes_per_page) checkpoint();
    while (head < queue.size() && state[queue[head]] == 2) ++head;
    NodeId first = 0;
    if (head < queue.size()) {
      first = queue[head++];
    } else {
      while (state[next_unknown] == 2) ++next_unknown;
      first = next_unknown;
    }
    const std::size_t begin = order.size() / nodes_per_page * nodes_per_page;  // of the page
    place(first);
    while (order.size() % nodes_per_page != 0 && order.size() < n) {
      NodeId nearest = kNoNode;
      float distance = 0;
      for (std::size_t i = begin; i < order.size(); ++i) {
        for (const auto& link : graph.links(order[i])) {
          if (state[link.id] == 2) continue;
          if (nearest == kNoNode || link.distance < distance) {
            nearest = link.id;
            distance = link.distance;
          }
          break;  // links are sorted: the first one not placed is the nearest
        }
      }
      if (nearest == kNoNode) break;  // the page is filled from elsewhere
      place(nearest);
    }
    for (std::size_t i = begin; i < order.size(); ++i) {
      for (const auto& link : graph.links(order[i])) {
        if (state[link.id] == 0) {
          state[link.id] = 1;
          queue.push_back(arena, link.id);
        }
      }
    }
  }
  arena.release(queue.begin());
  arena.release(state.begin());
}

}  // namespace nearest::core
