#include "pg/am/inverted/generation.hpp"

extern "C" {
#include "miscadmin.h"
#include "storage/lmgr.h"
}

#include <algorithm>
#include <cstring>

#include "core/quantize/scalar_code.hpp"
#include "pg/am/graph/page_space.hpp"
#include "pg/am/inverted/centroids.hpp"
#include "pg/am/inverted/retired_pages.hpp"
#include "pg/compat.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::inverted {
namespace {

/// Pages at the end of the index, one behind the other, that nobody else knows of. Returns the
/// first one.
BlockNumber extend_by_run(Relation index, BlockNumber n) {
  const bool needs_lock = !RELATION_IS_LOCAL(index);
  if (needs_lock) LockRelationForExtension(index, ExclusiveLock);
  BlockNumber first = InvalidBlockNumber;
  for (BlockNumber i = 0; i < n; ++i) {
    const Buffer buffer = extend_locked_relation(index, MAIN_FORKNUM);
    if (i == 0) first = BufferGetBlockNumber(buffer);
    UnlockReleaseBuffer(buffer);
  }
  if (needs_lock) UnlockRelationForExtension(index, ExclusiveLock);
  return first;
}

}  // namespace

void lock_lists(Relation index, LOCKMODE mode) { LockPage(index, kMetaBlock, mode); }
void unlock_lists(Relation index, LOCKMODE mode) { UnlockPage(index, kMetaBlock, mode); }

void await_lists(Relation index, const InvertedState& state) {
  const BlockNumber directory = state.meta.directory_block;
  if (read_meta(index).directory_block != directory) return;
  lock_lists(index, ExclusiveLock);
  if (read_meta(index).directory_block == directory) {
    // Whoever closed it did not come to replace it.
    for (std::uint32_t i = 0; i < directory_pages(state.meta); ++i) {
      bool has_left = false;
      with_exclusive_page(index, directory + i, format::PageKind::kDirectory, [&](Page page) {
        format::PageUse& use = directory_header(page)->use;
        has_left = use.has_left();
        if (use.value() != format::PageUse::kClosed) return false;
        use.set(format::PageUse::kOpen);
        return true;
      });
      // Inserts would wait for its successor for ever.
      if (has_left)
        report_damaged(index, directory + i, "The directory in use has left the index.");
    }
  }
  unlock_lists(index, ExclusiveLock);
}

NextLists::NextLists(Relation index, const InvertedState& before, std::uint32_t n_new)
    : index_(index), before_(&before), state_(before), room_(before.meta.lists + n_new) {
  page_ = static_cast<Page>(palloc(BLCKSZ));
  const format::InvertedMeta& meta = before.meta;
  lists_ = read_centroids(meta.centroids_block, meta.lists, room_);
  if (meta.groups > 1) {
    groups_ = read_centroids(meta.groups_block, meta.groups, meta.groups + n_new);
  }
  entries_ = allocate_in<format::ListEntry>(CurrentMemoryContext, room_ + 2);
  entries_before_ =
      allocate_in<format::ListEntry>(CurrentMemoryContext, format::directory_entries(meta));
}

NextLists::Codes NextLists::read_centroids(BlockNumber first, std::uint32_t n,
                                           std::uint32_t room) const {
  const std::uint32_t dim = before_->meta.dim;
  const Codes codes = {allocate_in<format::CentroidHeader>(CurrentMemoryContext, room),
                       allocate_in<std::int8_t>(CurrentMemoryContext, std::size_t{room} * dim)};
  std::int64_t pages = 0;
  Centroids(index_, before_, &pages).read_codes(first, n, codes.headers, codes.z);
  return codes;
}

std::uint32_t NextLists::group_of(std::uint32_t list) const {
  if (before_->meta.groups == 1) return 0;
  const format::CentroidHeader* const begin = groups_.headers;
  const auto* const behind = std::upper_bound(
      begin, begin + before_->meta.groups, list,
      [](std::uint32_t one, const format::CentroidHeader& group) { return one < group.begin; });
  return static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(behind - begin, 1) - 1);
}

void NextLists::add_lists(std::uint32_t list, std::uint32_t n, std::uint32_t* numbers) {
  format::InvertedMeta& meta = state_.meta;
  const std::uint32_t group = group_of(list);
  std::uint32_t used = 0;
  for (std::uint32_t other = 0; used < n && other < before_->meta.lists; ++other) {
    if (!is_merged(other) || group_of(other) != group) continue;
    lists_.headers[other].begin = 0;
    numbers[used++] = other;
  }
  if (used < n && meta.groups > 1 && adding_to_ != group) {
    groups_.headers[meta.groups++].begin = meta.lists;
    adding_to_ = group;
  }
  while (used < n) {
    if (meta.lists == room_) elog(ERROR, "there are more new lists than expected");
    numbers[used++] = meta.lists++;
  }
}

void NextLists::set_centroid(std::uint32_t list, float* centroid) {
  const std::size_t dim = state_.meta.dim;
  std::int8_t* const z = lists_.z + list * dim;
  const core::ScalarCode code =
      core::encode_scalar({centroid, dim}, core::ErrorNorm::kEuclidean, z);
  lists_.headers[list] = {code.scale, code.square, 0, 0};
  core::decode_scalar({z, dim}, code.scale, centroid);
}

/// The centers of new groups are the means of their lists.
void NextLists::code_new_groups() {
  const format::InvertedMeta& meta = state_.meta;
  const std::size_t dim = meta.dim;
  auto* const mean = static_cast<float*>(palloc(2 * dim * sizeof(float)));
  float* const one = mean + dim;
  for (std::uint32_t group = before_->meta.groups; group < meta.groups; ++group) {
    format::CentroidHeader& header = groups_.headers[group];
    const std::uint32_t end =
        group + 1 < meta.groups ? groups_.headers[group + 1].begin : meta.lists;
    std::fill_n(mean, dim, 0.0F);
    for (std::uint32_t list = header.begin; list < end; ++list) {
      core::decode_scalar({lists_.z + list * dim, dim}, lists_.headers[list].scale, one);
      for (std::size_t i = 0; i < dim; ++i) mean[i] += one[i];
    }
    for (std::size_t i = 0; i < dim; ++i) mean[i] /= static_cast<float>(end - header.begin);
    const core::ScalarCode code =
        core::encode_scalar({mean, dim}, core::ErrorNorm::kEuclidean, groups_.z + group * dim);
    header = {code.scale, code.square, header.begin, 0};
  }
  pfree(mean);
}

BlockNumber NextLists::n_pages(const format::InvertedMeta& meta) {
  const std::uint32_t per_page = format::centroids_per_page(meta.dim, BLCKSZ);
  return (meta.groups > 1 ? pages_for(meta.groups, per_page) : 0) +
         pages_for(meta.lists, per_page) + directory_pages(meta);
}

void NextLists::write_centroids() {
  code_new_groups();
  // A page may be another's by the time it is written: a map that a crash left behind knows pages
  // that were not there.
  while (!write_run(extend_by_run(index_, n_pages(state_.meta)))) {
  }
}

/// Writes all pages behind one another, the directory's without its entries.
bool NextLists::write_run(BlockNumber first) {
  format::InvertedMeta& meta = state_.meta;
  BlockNumber next = first;
  if (meta.groups > 1) {
    meta.groups_block = next;
    if (!write_centroid_pages(&next, groups_, meta.groups)) return false;
  }
  meta.centroids_block = next;
  if (!write_centroid_pages(&next, lists_, meta.lists)) return false;
  meta.directory_block = next;
  return write_directory_pages(next, true);
}

bool NextLists::write_centroid_pages(BlockNumber* block, const Codes& codes, std::uint32_t n) {
  const std::uint32_t dim = state_.meta.dim;
  const std::uint32_t per_page = format::centroids_per_page(dim, BLCKSZ);
  for (std::uint32_t begin = 0; begin < n; begin += per_page) {
    const std::uint32_t here = std::min(n - begin, per_page);
    init_centroid_page(page_, dim, here, codes.headers + begin, codes.z + std::size_t{begin} * dim);
    if (!write_page((*block)++, format::PageKind::kCentroids, true)) return false;
  }
  return true;
}

bool NextLists::write_directory_pages(BlockNumber first, bool is_new) {
  const std::uint32_t n = format::directory_entries(state_.meta);
  const std::uint32_t per_page = format::entries_per_page(BLCKSZ);
  for (std::uint32_t begin = 0; begin < n; begin += per_page) {
    const std::uint32_t here = std::min(n - begin, per_page);
    std::copy_n(entries_ + begin, here, init_directory_page(page_, here));
    if (!write_page(first++, format::PageKind::kDirectory, is_new)) return false;
  }
  return true;
}

/// Writes and logs a page. False if it is another's.
bool NextLists::write_page(BlockNumber block, format::PageKind kind, bool is_new) {
  CHECK_FOR_INTERRUPTS();
  const Buffer buffer = ReadBuffer(index_, block);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  const Page now = BufferGetPage(buffer);
  const bool is_ours = is_new ? graph::is_free_page(now) : is_page_of_kind(now, kind);
  if (is_ours) {
    change_page(index_, buffer, GENERIC_XLOG_FULL_IMAGE, [&](Page page) {
      std::memcpy(page, page_, BLCKSZ);
      return true;
    });
  }
  UnlockReleaseBuffer(buffer);
  return is_ours;
}

/// Calls change(page) for the pages of a directory, and keeps what it returns true for.
template <class Change>
void NextLists::change_directory(const format::InvertedMeta& meta, Change&& change) {
  for (std::uint32_t i = 0; i < directory_pages(meta); ++i) {
    with_exclusive_page(index_, meta.directory_block + i, format::PageKind::kDirectory, change);
  }
}

void NextLists::close() {
  const format::InvertedMeta& meta = before_->meta;
  lock_lists(index_, ExclusiveLock);
  change_directory(meta, [](Page page) {
    directory_header(page)->use.set(format::PageUse::kClosed);
    return true;
  });
  for (std::uint32_t list = 0; list < format::directory_entries(meta); ++list) {
    entries_before_[list] = read_entry(index_, meta, list);
    const bool has_vectors = list < meta.lists;
    entries_[has_vectors ? list : state_.meta.lists + (list - meta.lists)] = entries_before_[list];
  }
}

void NextLists::widen_reach(std::uint32_t list, float reach) {
  if (!(reach > lists_.headers[list].reach)) return;
  lists_.headers[list].reach = reach;
  const std::uint32_t per_page = format::centroids_per_page(state_.meta.dim, BLCKSZ);
  with_exclusive_page(index_, state_.meta.centroids_block + list / per_page,
                      format::PageKind::kCentroids, [&](Page page) {
                        auto* const headers = format::at<format::CentroidHeader>(
                            content_of(page), sizeof(format::CentroidPageHeader));
                        headers[list % per_page].reach = reach;
                        return true;
                      });
}

void NextLists::swap() {
  if (!write_directory_pages(state_.meta.directory_block, false)) {
    elog(ERROR, "another took the pages of the next directory");
  }
  with_exclusive_page(index_, kMetaBlock, format::PageKind::kMeta, [&](Page page) {
    auto* const meta = format::at<format::InvertedMeta>(content_of(page), 0);
    meta->lists = state_.meta.lists;
    meta->groups = state_.meta.groups;
    meta->groups_block = state_.meta.groups_block;
    meta->centroids_block = state_.meta.centroids_block;
    meta->directory_block = state_.meta.directory_block;
    return true;
  });
  unlock_lists(index_, ExclusiveLock);
}

void NextLists::retire(std::uint64_t stamp) {
  const format::InvertedMeta& meta = before_->meta;
  const std::uint32_t per_page = format::centroids_per_page(meta.dim, BLCKSZ);
  const auto retire_pages = [&](BlockNumber first, std::uint32_t n) {
    for (std::uint32_t i = 0; i < n; ++i) {
      CHECK_FOR_INTERRUPTS();
      retire_page(index_, first + i, stamp);
    }
  };
  if (meta.groups > 1) retire_pages(meta.groups_block, pages_for(meta.groups, per_page));
  retire_pages(meta.centroids_block, pages_for(meta.lists, per_page));
  retire_pages(meta.directory_block, directory_pages(meta));
}

}  // namespace nearest::pg::inverted
