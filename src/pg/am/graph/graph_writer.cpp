#include "pg/am/graph/graph_writer.hpp"

extern "C" {
#include "access/genam.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
}

#include <algorithm>
#include <cmath>

#include "core/graph/keep_links.hpp"
#include "core/graph/page_order.hpp"
#include "pg/am/graph/link_writer.hpp"
#include "pg/am/graph/row_figures.hpp"
#include "pg/am/graph/tid_chain.hpp"

namespace nearest::pg::graph {
namespace {

BlockNumber pages_for(std::size_t items, std::size_t per_page) {
  return static_cast<BlockNumber>((items + per_page - 1) / per_page);
}

/// Where everything will be.
struct Plan {
  BlockNumber center, entries, nodes, tids, side_rows;
  std::size_t n_entries;
};

/// Work space of one thread.
struct NodeCoder {
  explicit NodeCoder(const GraphState* state) : links(state) {
    const std::size_t dim = state->shape.link_code.dim;
    node_point = static_cast<float*>(palloc(dim * sizeof(float)));
    other_point = static_cast<float*>(palloc(dim * sizeof(float)));
  }

  LinkCoder links;
  float *node_point, *other_point;
};
static_assert(std::is_trivially_destructible_v<NodeCoder>);

class Writer {
 public:
  Writer(Relation index, ForkNumber fork, GraphState* state, BuildGraph* graph, ThreadTeam* team)
      : index_(index), fork_(fork), state_(state), graph_(graph), team_(team) {
    page_ = static_cast<Page>(palloc(BLCKSZ));
    coders_ = static_cast<NodeCoder*>(palloc(team->size() * sizeof(NodeCoder)));
    for (std::size_t i = 0; i < team->size(); ++i) new (coders_ + i) NodeCoder(state);
  }

  void write(const SideRows& side_rows, DriftBase* base) {
    order_nodes();
    plan_blocks();
    write_meta(side_rows);
    write_center();
    write_entries();
    write_nodes();
    write_extra_rows();
    write_chain(side_rows.null_rows, format::kNullRowsOwner);
    write_chain(side_rows.zero_rows, format::kZeroRowsOwner);
    write_drift(base);
  }

 private:
  const format::GraphShape& shape() const { return state_->shape; }
  std::size_t n_nodes() const { return graph_ == nullptr ? 0 : graph_->size(); }

  void order_nodes() {
    pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseOrder);
    const ContextArena arena{CurrentMemoryContext};
    if (n_nodes() == 0) return;
    graph_->finish(*team_);
    core::order_by_page(*graph_, arena, shape().nodes_per_page, order_,
                        [] { CHECK_FOR_INTERRUPTS(); });
    plan_.n_entries = core::entry_count(n_nodes());
    core::ArenaArray<core::NodeId> entries;
    for (std::size_t i = 0; i < plan_.n_entries; ++i) entries.push_back(arena, entry_node(i));
    core::keep_links(*graph_, std::span<const core::NodeId>{entries.begin(), entries.size()}, arena,
                     keepers_, [] { CHECK_FOR_INTERRUPTS(); });
    place_.reserve(arena, n_nodes() + 1);
    place_.set_size(n_nodes());
    for (std::size_t i = 0; i < order_.size(); ++i) {
      place_[order_[i]] = static_cast<std::uint32_t>(i);
    }
  }

  void plan_blocks() {
    plan_.center = kMetaBlock + 1;
    plan_.entries =
        plan_.center + (state_->space.center == nullptr
                            ? 0
                            : pages_for(shape().link_code.dim, shape().floats_per_page()));
    plan_.nodes = plan_.entries +
                  std::max<BlockNumber>(1, pages_for(plan_.n_entries, shape().entries_per_page()));
    plan_.tids = plan_.nodes + pages_for(n_nodes(), shape().nodes_per_page);
    plan_.side_rows = plan_.tids;
    for (core::NodeId id = 0; id < n_nodes(); ++id) plan_.side_rows += extra_pages(id);
  }

  /// Row pages of a node beside its inline rows.
  BlockNumber extra_pages(core::NodeId id) const {
    const std::uint32_t rows = graph_->node(id).n_rows;
    return rows <= shape().inline_tids
               ? 0
               : pages_for(rows - shape().inline_tids, shape().tids_per_page());
  }

  core::NodeId page_id(core::NodeId id) const {
    return shape().node_id(plan_.nodes, 0) + place_[id];
  }

  void append(BlockNumber expected) { append(expected, page_); }

  void append(BlockNumber expected, const void* page) {
    CHECK_FOR_INTERRUPTS();
    const Buffer buffer = extend_index(index_, fork_);
    if (BufferGetBlockNumber(buffer) != expected) {
      elog(ERROR, "block %u of index \"%s\" is not new", expected, RelationGetRelationName(index_));
    }
    std::memcpy(BufferGetPage(buffer), page, BLCKSZ);
    MarkBufferDirty(buffer);
    UnlockReleaseBuffer(buffer);
  }

  void write_meta(const SideRows& side_rows) {
    format::GraphMeta& meta = state_->meta;
    meta.center_block = state_->space.center == nullptr ? format::kNoBlock : plan_.center;
    meta.entry_block = plan_.entries;
    meta.built_nodes = n_nodes();
    const BlockNumber null_pages = pages_for(side_rows.null_rows.size(), shape().tids_per_page());
    meta.null_rows = side_rows.null_rows.empty() ? format::kNoBlock : plan_.side_rows;
    const BlockNumber zero_pages = pages_for(side_rows.zero_rows.size(), shape().tids_per_page());
    meta.zero_rows = side_rows.zero_rows.empty() ? format::kNoBlock : plan_.side_rows + null_pages;
    meta.drift_block = plan_.side_rows + null_pages + zero_pages;
    init_page(page_, format::PageKind::kMeta);
    *format::at<format::GraphMeta>(content_of(page_), 0) = meta;
    set_used_bytes(page_, sizeof meta);
    append(kMetaBlock);
    next_ = kMetaBlock + 1;
  }

  void write_center() {
    if (state_->space.center == nullptr) return;
    const std::uint32_t dim = shape().link_code.dim;
    for (std::uint32_t begin = 0; begin < dim;) {
      const std::uint32_t n = std::min(dim - begin, shape().floats_per_page());
      init_page(page_, format::PageKind::kCenter);
      *format::at<format::CenterPageHeader>(content_of(page_), 0) = {static_cast<std::uint16_t>(n),
                                                                     {}};
      std::memcpy(content_of(page_).data() + sizeof(format::CenterPageHeader),
                  state_->space.center + begin, n * sizeof(float));
      set_used_bytes(page_, sizeof(format::CenterPageHeader) + n * sizeof(float));
      begin += n;
      trailer_of(page_)->next = begin < dim ? next_ + 1 : format::kNoBlock;
      append(next_++);
    }
  }

  LinkPoint decode(const LinkCoder& coder, core::NodeId id, float* y) const {
    const auto& node = graph_->node(id);
    return coder.decode(graph_->code(id).data(), node.code.scale, node.traits.norm, y);
  }

  void write_entries() {
    const std::uint32_t per_page = shape().entries_per_page();
    NodeCoder& coder = coders_[0];
    std::size_t written = 0;
    do {
      init_page(page_, format::PageKind::kEntries);
      const format::PageBytes content = content_of(page_);
      const auto n =
          static_cast<std::uint32_t>(std::min<std::size_t>(per_page, plan_.n_entries - written));
      auto* const header = format::at<format::EntryPageHeader>(content, 0);
      *header = {static_cast<std::uint16_t>(n), {}};
      const std::uint32_t n_groups = shape().n_groups(n);
      std::memset(content.data() + sizeof *header, 0, std::size_t{n_groups} * shape().group_bytes);
      for (std::uint32_t i = 0; i < n; ++i) {
        const core::NodeId id = entry_node(written + i);
        store_link(shape(), format::entry_group(content, shape(), i / core::kLinkGroup),
                   i % core::kLinkGroup, page_id(id),
                   coder.links.encode_entry(decode(coder.links, id, coder.other_point)));
      }
      set_used_bytes(page_, sizeof *header + std::size_t{n_groups} * shape().group_bytes);
      written += n;
      trailer_of(page_)->next = written < plan_.n_entries ? next_ + 1 : format::kNoBlock;
      append(next_++);
    } while (written < plan_.n_entries);
  }

  /// Spread over the page order, which follows the graph, so that they lie far apart.
  core::NodeId entry_node(std::size_t i) const {
    return order_[(2 * i + 1) * n_nodes() / (2 * plan_.n_entries)];
  }

  void write_nodes() {
    pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseWrite);
    pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL, static_cast<int64>(n_nodes()));
    BlockNumber next_tids = plan_.tids;
    constexpr std::size_t kBatchPages = 32;
    char* const pages = static_cast<char*>(palloc(kBatchPages * BLCKSZ));
    const std::size_t per_page = shape().nodes_per_page, per_batch = kBatchPages * per_page;
    auto* const more_tids = static_cast<BlockNumber*>(palloc(per_batch * sizeof(BlockNumber)));
    for (std::size_t begin = 0; begin < n_nodes(); begin += per_batch) {
      const std::size_t n = std::min(per_batch, n_nodes() - begin);
      const std::size_t n_pages = pages_for(n, per_page);
      for (std::size_t i = 0; i < n; ++i) {
        const BlockNumber extra = extra_pages(order_[begin + i]);
        more_tids[i] = extra > 0 ? next_tids : format::kNoBlock;
        next_tids += extra;
      }
      for (std::size_t i = 0; i < n_pages; ++i) {
        init_page(pages + i * BLCKSZ, format::PageKind::kNodes);
      }
      team_->run(n_pages, [&](std::size_t i) {
        const std::size_t first = i * per_page, end = std::min(first + per_page, n);
        fill_page(pages + i * BLCKSZ, begin + first, end - first, more_tids + first,
                  &coders_[ThreadTeam::thread()]);
      });
      for (std::size_t i = 0; i < n_pages; ++i) append(next_++, pages + i * BLCKSZ);
      pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(begin + n));
    }
    pfree(more_tids);
    pfree(pages);
  }

  /// Writes n nodes, in page order from `begin` on, to a page. Any thread may.
  void fill_page(Page page, std::size_t begin, std::size_t n, const BlockNumber* more_tids,
                 NodeCoder* coder) const {
    const format::PageBytes content = content_of(page);
    *format::at<format::NodePageHeader>(content, 0) = {static_cast<std::uint16_t>(n), {}};
    for (std::uint32_t slot = 0; slot < n; ++slot) {
      write_node(order_[begin + slot], format::node_at(content, shape(), slot), more_tids[slot],
                 coder);
    }
    set_used_bytes(page, shape().node_offset(static_cast<std::uint32_t>(n)));
  }

  void write_node(core::NodeId id, const format::NodeView& to, BlockNumber more_tids,
                  NodeCoder* coder) const {
    const auto& node = graph_->node(id);
    const std::span<const core::Neighbor> links = graph_->links(id);
    std::memset(to.bytes, 0, shape().node_bytes);
    format::NodeHeader& header = to.header();
    header.hash = node.hash;
    header.code = node.code;
    header.traits = node.traits;
    header.more_tids = more_tids;
    header.set_rank(core::rank_at_depth(keepers_[id].depth, node.hash));
    header.n_links = static_cast<std::uint8_t>(links.size());
    std::memcpy(to.code(), graph_->code(id).data(), shape().link_code.dim);

    to.tids()[0] = row_tid(node.row);
    std::uint8_t n_tids = 1;
    for (std::uint32_t more = node.more_rows; more != 0 && n_tids < shape().inline_tids;) {
      const auto& extra = graph_->extra_row(more);
      to.tids()[n_tids++] = row_tid(extra.row);
      more = extra.next;
    }
    header.n_tids = n_tids;

    const LinkPoint point = decode(coder->links, id, coder->node_point);
    for (std::size_t i = 0; i < links.size(); ++i) {
      const core::NodeId target = links[i].id;
      put_link(to, i, page_id(target),
               coder->links.encode(point, decode(coder->links, target, coder->other_point)));
      to.group(i / core::kLinkGroup).set_kept(i % core::kLinkGroup, keepers_[target].parent == id);
    }
  }

  void write_extra_rows() {
    core::ArenaArray<format::Tid> tids;
    const ContextArena arena{CurrentMemoryContext};
    for (std::size_t i = 0; i < n_nodes(); ++i) {
      const core::NodeId id = order_[i];
      const auto& node = graph_->node(id);
      if (node.n_rows <= shape().inline_tids) continue;
      tids.clear();
      std::uint32_t skip = shape().inline_tids - 1;
      for (std::uint32_t more = node.more_rows; more != 0;) {
        const auto& extra = graph_->extra_row(more);
        if (skip > 0) {
          --skip;
        } else {
          tids.push_back(arena, row_tid(extra.row));
        }
        more = extra.next;
      }
      write_chain(tids, page_id(id));
    }
  }

  void write_chain(const core::ArenaArray<format::Tid>& tids, core::NodeId owner) {
    std::uint32_t serial = pages_for(tids.size(), shape().tids_per_page());
    for (std::size_t begin = 0; begin < tids.size();) {
      const std::size_t n = std::min<std::size_t>(shape().tids_per_page(), tids.size() - begin);
      init_page(page_, format::PageKind::kTids);
      const format::PageBytes content = content_of(page_);
      *format::at<format::TidPageHeader>(content, 0) = {owner, 0, serial--,
                                                        static_cast<std::uint16_t>(n), 0};
      std::memcpy(content.data() + sizeof(format::TidPageHeader), tids.begin() + begin,
                  n * sizeof(format::Tid));
      set_used_bytes(page_, sizeof(format::TidPageHeader) + n * sizeof(format::Tid));
      begin += n;
      trailer_of(page_)->next = begin < tids.size() ? next_ + 1 : format::kNoBlock;
      append(next_++);
    }
  }

  void write_drift(DriftBase* base) {
    core::Moments& distances =
        base->figures.of[static_cast<std::size_t>(core::Figure::kNeighborDistance)];
    for (core::NodeId id = 0; id < n_nodes(); ++id) {
      const std::span<const core::Neighbor> links = graph_->links(id);
      if (!links.empty()) distances.add(length_of(state_->space, links[0].distance));
    }
    init_drift_page(page_, *base);
    append(next_++);
  }

  Relation index_;
  ForkNumber fork_;
  GraphState* state_;
  BuildGraph* graph_;
  ThreadTeam* team_;
  NodeCoder* coders_;  ///< one for each thread
  Page page_;
  core::ArenaArray<core::NodeId> order_;   ///< nodes in page order
  core::ArenaArray<std::uint32_t> place_;  ///< of a node in it
  core::ArenaArray<core::Keeper> keepers_;
  Plan plan_{};
  BlockNumber next_ = 0;
};

}  // namespace

void write_graph(Relation index, ForkNumber fork, GraphState* state, BuildGraph* graph,
                 const SideRows& side_rows, ThreadTeam* team, DriftBase* base) {
  Writer writer(index, fork, state, graph, team);
  writer.write(side_rows, base);
}

}  // namespace nearest::pg::graph
