#include "pg/am/inverted/centroids.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ivf/rank_lists.hpp"
#include "format/inverted_verify.hpp"
#include "pg/buffer.hpp"

namespace nearest::pg::inverted {
namespace {

RankedList rank_one(const RankedPoint& point, const format::CentroidHeader& header,
                    const std::int8_t* z, std::size_t dim, std::uint32_t list) {
  const double product = core::product_with(*point.code, z, header.scale, dim);
  const double scale = header.scale;
  const double squared = point.code->square + scale * scale * header.square - 2 * product;
  const double distance = squared > 0 ? std::sqrt(squared) : 0;
  const double base = point.by_product ? -product : distance * distance;
  const double rank = point.by_product ? base - std::sqrt(point.code->square) * header.reach : base;
  return {static_cast<float>(base), static_cast<float>(distance), static_cast<float>(rank), list};
}

}  // namespace

template <class Each>
void Centroids::visit(BlockNumber first, std::uint32_t n, std::uint32_t begin, std::uint32_t end,
                      Each&& each) const {
  const std::size_t dim = state_->meta.dim;
  const std::uint32_t per_page = format::centroids_per_page(state_->meta.dim, BLCKSZ);
  for (std::uint32_t i = begin; i < end;) {
    CHECK_FOR_INTERRUPTS();
    const BlockNumber block = first + i / per_page;
    const std::uint32_t page_begin = i / per_page * per_page;
    const std::uint32_t on_page = std::min(per_page, n - page_begin);
    if (!hints_->has_block(index_, block)) {
      report_damaged(index_, kMetaBlock, "Its centroids lie behind the index's end.");
    }
    const char* fault = nullptr;
    with_shared_buffer(
        index_, hints_->read(index_, block), block, format::PageKind::kCentroids, [&](Page page) {
          const format::ConstPageBytes content = content_of(page);
          fault = format::centroid_page_fault(content, on_page);
          if (fault != nullptr) return;
          const auto* const headers =
              format::at<format::CentroidHeader>(content, sizeof(format::CentroidPageHeader));
          const auto* const codes = format::at<std::int8_t>(
              content, sizeof(format::CentroidPageHeader) + on_page * sizeof *headers);
          for (; i < end && i < page_begin + on_page; ++i) {
            const format::CentroidHeader& header = headers[i - page_begin];
            if (!format::is_centroid_sound(header)) {
              fault = "A centroid has sizes that cannot be.";
              return;
            }
            each(i, header, codes + std::size_t{i - page_begin} * format::align_up(dim, 8));
          }
        });
    if (fault != nullptr) report_damaged(index_, block, fault);
    *pages_ += 1;
  }
}

std::size_t Centroids::score(const RankedPoint& point, std::uint32_t begin, std::uint32_t end,
                             RankedList* ranked) const {
  const format::InvertedMeta& meta = state_->meta;
  if (meta.centroids_block == format::kNoBlock) {
    // One list, around the center itself.
    const double distance = std::sqrt(point.code->square);
    const float base = point.by_product ? 0 : static_cast<float>(point.code->square);
    ranked[0] = {base, static_cast<float>(distance), base, 0};
    return 1;
  }
  const RankedList* const first = ranked;
  visit(meta.centroids_block, meta.lists, begin, end,
        [&](std::uint32_t list, const format::CentroidHeader& header, const std::int8_t* z) {
          if (header.begin == format::CentroidHeader::kMerged) return;
          *ranked++ = rank_one(point, header, z, meta.dim, list);
        });
  return static_cast<std::size_t>(ranked - first);
}

std::size_t Centroids::score_all(const RankedPoint& point, RankedList* ranked) const {
  return score(point, 0, state_->meta.lists, ranked);
}

void Centroids::check_begins(const std::uint32_t* begins) const {
  const format::InvertedMeta& meta = state_->meta;
  if (begins[0] != 0) {
    report_damaged(index_, meta.groups_block, "Groups of lists do not begin with the first list.");
  }
  for (std::uint32_t group = 0; group < meta.groups; ++group) {
    if (begins[group] > begins[group + 1]) {
      report_damaged(index_, meta.groups_block, "Groups of lists do not lie behind one another.");
    }
  }
}

RankedGroups Centroids::rank_groups(ContextArena arena, const RankedPoint& point) const {
  const format::InvertedMeta& meta = state_->meta;
  const RankedGroups ranked = {
      static_cast<RankedList*>(arena.allocate(meta.groups * sizeof(RankedList))),
      static_cast<std::uint32_t*>(arena.allocate((meta.groups + 1) * sizeof(std::uint32_t)))};
  visit(meta.groups_block, meta.groups, 0, meta.groups,
        [&](std::uint32_t group, const format::CentroidHeader& header, const std::int8_t* z) {
          ranked.groups[group] = rank_one(point, header, z, meta.dim, group);
          ranked.begins[group] = header.begin;
        });
  ranked.begins[meta.groups] = meta.lists;
  check_begins(ranked.begins);
  std::sort(ranked.groups, ranked.groups + meta.groups);
  return ranked;
}

std::size_t Centroids::score_group(const RankedPoint& point, const RankedGroups& groups,
                                   std::uint32_t place, RankedList* ranked) const {
  const std::uint32_t group = groups.groups[place].list;
  return score(point, groups.begins[group], groups.begins[group + 1], ranked);
}

std::uint32_t Centroids::find_nearest(ContextArena arena, const RankedPoint& point) const {
  const format::InvertedMeta& meta = state_->meta;
  if (meta.lists == 1) return 0;
  auto* const ranked = static_cast<RankedList*>(arena.allocate(meta.lists * sizeof(RankedList)));
  std::size_t n = 0;
  if (meta.groups == 1) {
    n = score(point, 0, meta.lists, ranked);
  } else {
    const RankedGroups groups = rank_groups(arena, point);
    const std::size_t most_tried = core::groups_tried_alone(meta.lists);
    std::size_t tried = 0;
    for (std::uint32_t g = 0; g < meta.groups && tried < most_tried; ++g) {
      const std::size_t here = score_group(point, groups, g, ranked + n);
      n += here;
      tried += here > 0 ? 1 : 0;  // a group may be without lists
    }
    groups.release(arena);
  }
  if (n == 0) report_damaged(index_, meta.centroids_block, "All lists were merged into others.");
  const std::uint32_t nearest = std::min_element(ranked, ranked + n)->list;
  arena.release(ranked);
  return nearest;
}

std::size_t Centroids::rank(ContextArena arena, const RankedPoint& point, std::size_t wanted,
                            RankedList* ranked) const {
  const format::InvertedMeta& meta = state_->meta;
  std::size_t n = 0;
  if (meta.groups == 1 || !core::is_trained_by_groups(meta.lists) ||
      core::kScoredPerProbe * wanted >= meta.lists) {
    n = score(point, 0, meta.lists, ranked);
  } else {
    const RankedGroups groups = rank_groups(arena, point);
    const std::size_t enough = std::max(core::kFewestScored, core::kScoredPerProbe * wanted);
    for (std::uint32_t g = 0; g < meta.groups && n < enough; ++g) {
      n += score_group(point, groups, g, ranked + n);
    }
    groups.release(arena);
  }
  const std::size_t front = std::min(wanted, n);
  if (front < n) std::nth_element(ranked, ranked + front, ranked + n);
  std::sort(ranked, ranked + front);
  return n;
}

void Centroids::read_codes(BlockNumber first, std::uint32_t n, format::CentroidHeader* headers,
                           std::int8_t* z) const {
  const std::size_t dim = state_->meta.dim;
  visit(first, n, 0, n,
        [&](std::uint32_t i, const format::CentroidHeader& header, const std::int8_t* from) {
          headers[i] = header;
          std::copy_n(from, dim, z + std::size_t{i} * dim);
        });
}

const KeptCentroids* Centroids::copy(MemoryContext context) const {
  const format::InvertedMeta& meta = state_->meta;
  const auto copy_codes = [&](BlockNumber block, std::uint32_t n, std::uint32_t* begins) {
    auto* const z = allocate_in<std::int8_t>(context, std::size_t{n} * meta.dim);
    auto* const scales = allocate_in<float>(context, n);
    auto* const squares = allocate_in<std::uint32_t>(context, n);
    visit(block, n, 0, n,
          [&](std::uint32_t i, const format::CentroidHeader& header, const std::int8_t* from) {
            std::copy_n(from, meta.dim, z + std::size_t{i} * meta.dim);
            scales[i] = header.scale;
            squares[i] = header.square;
            if (begins != nullptr) {
              begins[i] = header.begin;
            } else if (header.begin == format::CentroidHeader::kMerged) {
              scales[i] = std::numeric_limits<float>::quiet_NaN();
            }
          });
    return core::CoarseCodes{z, scales, squares, n, meta.dim};
  };
  auto* const kept = allocate_in<KeptCentroids>(context);
  kept->lists = copy_codes(meta.centroids_block, meta.lists, nullptr);
  if (meta.groups > 1) {
    auto* const begins = allocate_in<std::uint32_t>(context, std::size_t{meta.groups} + 1);
    kept->groups = {copy_codes(meta.groups_block, meta.groups, begins), begins};
    begins[meta.groups] = meta.lists;
    check_begins(begins);
  }
  return kept;
}

void Centroids::read(std::uint32_t list, float* centroid) const {
  const format::InvertedMeta& meta = state_->meta;
  if (meta.centroids_block == format::kNoBlock) {
    std::fill_n(centroid, meta.dim, 0.0F);
    return;
  }
  visit(meta.centroids_block, meta.lists, list, list + 1,
        [&](std::uint32_t, const format::CentroidHeader& header, const std::int8_t* z) {
          core::decode_scalar({z, meta.dim}, header.scale, centroid);
        });
}

}  // namespace nearest::pg::inverted
