#include "pg/am/inverted/list_finder.hpp"

#include <algorithm>

namespace nearest::pg::inverted {
namespace {

/// The groups that look nearest to a row, in no order.
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
    const std::size_t worst =
        static_cast<std::size_t>(std::min_element(scores, scores + n) - scores);
    if (score <= scores[worst]) return;
    scores[worst] = score;
    groups[worst] = group;
  }
};

constexpr std::size_t kWidth = 64;  // of a panel at most

/// Calls take(i, products, first, n): the products of row i with the n centroids from `first` on.
template <class Take>
void multiply(const core::CentroidPanels& panels, const core::Rows& y, Take&& take) {
  float products[ListFinder::kRowsAtOnce * kWidth];
  const std::size_t width = panels.shape.width();
  for (std::size_t first = 0; first < panels.shape.n; first += width) {
    core::kernels().panel_products_f32(y.values, y.n, y.dim, panels.panels + first * y.dim, width,
                                       products);
    const std::size_t n = std::min(width, panels.shape.n - first);
    for (std::size_t i = 0; i < y.n; ++i) take(i, products + i * width, first, n);
  }
}

}  // namespace

ListFinder::ListFinder(MemoryContext context, const Model& model)
    : arena_{context}, groups_(model.state.meta.groups) {
  const std::size_t dim = model.state.meta.dim, lists = model.state.meta.lists;
  if (groups_ == 1) {
    all_ = core::allocate_panels(arena_, lists, dim);
    all_.fill(model.centroids);
    return;
  }
  all_ = core::allocate_panels(arena_, groups_, dim);
  all_.fill(model.group_centers);
  members_ = allocate_in<core::CentroidPanels>(context, groups_);
  begins_ = model.trained.groups.begins;
  for (std::size_t g = 0; g < groups_; ++g) {
    members_[g] = core::allocate_panels(arena_, begins_[g + 1] - begins_[g], dim);
    members_[g].fill(model.centroids + std::size_t{begins_[g]} * dim);
  }
}

void ListFinder::release() {
  core::release_panels(arena_, all_);
  if (groups_ == 1) return;
  for (std::size_t g = 0; g < groups_; ++g) core::release_panels(arena_, members_[g]);
  pfree(members_);
}

void ListFinder::find(const core::Rows& y, std::uint32_t* lists) const {
  if (groups_ == 1) return core::find_nearest(all_, y, lists);
  NearestGroups nearest[kRowsAtOnce];
  multiply(all_, y, [&](std::size_t i, const float* products, std::size_t first, std::size_t n) {
    for (std::size_t j = 0; j < n; ++j) {
      nearest[i].take(products[j] - all_.half_squares[first + j],
                      static_cast<std::uint32_t>(first + j));
    }
  });
  for (std::size_t i = 0; i < y.n; ++i) {
    core::BestCentroid best;
    // In the order of lists, so that of equals the first one is taken.
    std::sort(nearest[i].groups, nearest[i].groups + nearest[i].n);
    for (std::size_t k = 0; k < nearest[i].n; ++k) {
      const std::uint32_t group = nearest[i].groups[k];
      const core::CentroidPanels& members = members_[group];
      multiply(members, {y.row(i), 1, y.dim},
               [&](std::size_t, const float* products, std::size_t first, std::size_t n) {
                 best.take(products, members.half_squares + first, n, begins_[group] + first);
               });
    }
    lists[i] = best.id;
  }
}

}  // namespace nearest::pg::inverted
