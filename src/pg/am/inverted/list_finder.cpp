#include "pg/am/inverted/list_finder.hpp"

#include <algorithm>

#include "core/runner.hpp"

namespace nearest::pg::inverted {
namespace {

constexpr std::size_t kWidth = 64;  // of a panel at most

/// The groups that look nearest to a row.
struct NearestGroups {
  float scores[ListFinder::kGroupsTried];
  std::uint32_t groups[ListFinder::kGroupsTried];
  std::size_t n = 0;

  void take(float score, std::uint32_t group) {
    if (n < ListFinder::kGroupsTried) {
      scores[n] = score;
      groups[n++] = group;
      return;
    }
    const auto worst = static_cast<std::size_t>(std::min_element(scores, scores + n) - scores);
    if (score <= scores[worst]) return;
    scores[worst] = score;
    groups[worst] = group;
  }
};

/// Calls take(i, products, first, n): the products of row i with the n centroids from `first` on.
/// At most kChunkRows rows.
template <std::size_t kRows, class Take>
void multiply(const core::CentroidPanels& panels, const core::Rows& y, Take&& take) {
  float products[kRows * kWidth];
  const std::size_t width = panels.shape.width();
  for (std::size_t first = 0; first < panels.shape.n; first += width) {
    core::kernels().panel_products_f32(y.values, y.n, y.dim, panels.panels + first * y.dim, width,
                                       products);
    const std::size_t n = std::min(width, panels.shape.n - first);
    for (std::size_t i = 0; i < y.n; ++i) take(i, products + i * width, first, n);
  }
}

}  // namespace

ListFinder::ListFinder(const Model& model, ThreadTeam team)
    : arena_{CurrentMemoryContext},
      team_(team),
      groups_(core::is_trained_by_groups(model.state.meta.lists) ? model.state.meta.groups : 1),
      dim_(model.state.meta.dim) {
  if (groups_ == 1) {
    all_ = core::allocate_panels(arena_, model.state.meta.lists, dim_);
    all_.fill(model.centroids);
    return;
  }
  all_ = core::allocate_panels(arena_, groups_, dim_);
  all_.fill(model.group_centers);
  begins_ = model.trained.groups.begins;
  members_ = allocate_in<core::CentroidPanels>(arena_.context, groups_);
  for (std::size_t g = 0; g < groups_; ++g) {
    members_[g] = core::allocate_panels(arena_, begins_[g + 1] - begins_[g], dim_);
    members_[g].fill(model.centroids + std::size_t{begins_[g]} * dim_);
  }
  constexpr std::size_t kWishes = kBatchRows * kGroupsTried;
  wished_ = allocate_in<std::uint32_t>(arena_.context, kWishes);
  best_ = allocate_in<core::BestCentroid>(arena_.context, kWishes);
  wishes_.starts = allocate_in<std::uint32_t>(arena_.context, groups_ + 1);
  wishes_.order = allocate_in<std::uint32_t>(arena_.context, kWishes);
  gathered_ = allocate_in<float>(arena_.context, team_.size() * kChunkRows * dim_);
}

void ListFinder::release() {
  core::release_panels(arena_, all_);
  if (groups_ == 1) return;
  for (std::size_t g = 0; g < groups_; ++g) core::release_panels(arena_, members_[g]);
  arena_.release(members_);
  arena_.release(wished_);
  arena_.release(best_);
  arena_.release(wishes_.starts);
  arena_.release(wishes_.order);
  arena_.release(gathered_);
}

void ListFinder::find(const core::Rows& y, std::uint32_t* lists) {
  if (groups_ == 1) {
    team_.run(core::chunk_count(y.n, kChunkRows), [&](std::size_t chunk) {
      const core::Chunk part = core::chunk_range(chunk, y.n, kChunkRows);
      core::find_nearest(all_, {y.row(part.begin), part.end - part.begin, dim_},
                         lists + part.begin);
    });
    return;
  }
  for (std::size_t begin = 0; begin < y.n; begin += kBatchRows) {
    const std::size_t n = std::min(kBatchRows, y.n - begin);
    find_in_groups({y.row(begin), n, dim_}, lists + begin);
  }
}

void ListFinder::find_in_groups(const core::Rows& y, std::uint32_t* lists) {
  team_.run(core::chunk_count(y.n, kChunkRows), [&](std::size_t chunk) {
    const core::Chunk part = core::chunk_range(chunk, y.n, kChunkRows);
    choose_groups({y.row(part.begin), part.end - part.begin, dim_}, part.begin);
  });
  wishes_.fill(wished_, y.n * kGroupsTried, groups_);
  team_.run(groups_, [&](std::size_t group) { compare_with_group(y, group); });
  for (std::size_t i = 0; i < y.n; ++i) {
    // Of equals the first list, so that the order of groups does not count.
    const core::BestCentroid* const found = best_ + i * kGroupsTried;
    lists[i] = std::min_element(found, found + kGroupsTried,
                                [](const core::BestCentroid& a, const core::BestCentroid& b) {
                                  return a.score != b.score ? a.score > b.score : a.id < b.id;
                                })
                   ->id;
  }
}

/// y: a part of the batch that begins with the batch's row `begin`.
void ListFinder::choose_groups(const core::Rows& y, std::size_t begin) {
  NearestGroups nearest[kChunkRows];
  multiply<kChunkRows>(all_, y,
                       [&](std::size_t i, const float* products, std::size_t first, std::size_t n) {
                         for (std::size_t j = 0; j < n; ++j) {
                           // A group may be without lists.
                           if (members_[first + j].shape.n == 0) continue;
                           nearest[i].take(products[j] - all_.half_squares[first + j],
                                           static_cast<std::uint32_t>(first + j));
                         }
                       });
  for (std::size_t i = 0; i < y.n; ++i) {
    std::uint32_t* const to = wished_ + (begin + i) * kGroupsTried;
    // With fewer groups than tries, the first one comes again.
    for (std::size_t k = 0; k < kGroupsTried; ++k) {
      to[k] = nearest[i].groups[k < nearest[i].n ? k : 0];
    }
  }
}

void ListFinder::compare_with_group(const core::Rows& y, std::size_t group) {
  const core::CentroidPanels& members = members_[group];
  float* const rows = gathered_ + ThreadTeam::thread() * kChunkRows * dim_;
  for (std::size_t begin = wishes_.starts[group]; begin < wishes_.starts[group + 1];
       begin += kChunkRows) {
    const std::size_t n = std::min(kChunkRows, wishes_.starts[group + 1] - begin);
    const std::uint32_t* const wishes = wishes_.order + begin;
    for (std::size_t i = 0; i < n; ++i) {
      std::copy_n(y.row(wishes[i] / kGroupsTried), dim_, rows + i * dim_);
      best_[wishes[i]] = {};
    }
    multiply<kChunkRows>(
        members, {rows, n, dim_},
        [&](std::size_t i, const float* products, std::size_t first, std::size_t n_products) {
          best_[wishes[i]].take(products, members.half_squares + first, n_products,
                                begins_[group] + first);
        });
  }
}

}  // namespace nearest::pg::inverted
