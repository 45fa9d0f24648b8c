#include "pg/am/inverted/file_writer.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "pg/am/common/drift_sample.hpp"
#include "pg/am/inverted/list_pages.hpp"

namespace nearest::pg::inverted {
namespace {

class HeadWriter {
 public:
  HeadWriter(PageFile* file, InvertedState* state) : file_(file), state_(state) {
    page_ = static_cast<Page>(palloc(BLCKSZ));
  }

  void write(const Trained& trained, const std::uint64_t* sizes,
             const core::FigureMoments& figures) {
    format::InvertedMeta& meta = state_->meta;
    const core::GraphSpace& space = state_->space;
    const std::size_t dim = meta.dim;
    const bool has_books = state_->books.columns != nullptr;
    const std::size_t book_floats = has_books ? state_->books.shape.codebook_floats() : 0;
    BlockNumber next = kMetaBlock + 1;
    const auto place = [&next](bool is_there, BlockNumber pages) {
      const BlockNumber block = is_there ? next : format::kNoBlock;
      if (is_there) next += pages;
      return block;
    };
    const auto place_floats = [&](const float* floats, std::size_t n) {
      return place(floats != nullptr, pages_for(n, format::floats_per_page(BLCKSZ)));
    };
    const std::uint32_t per_page = format::centroids_per_page(meta.dim, BLCKSZ);
    meta.center_block = place_floats(space.center, dim);
    meta.codebook_block = place_floats(state_->books.columns, book_floats);
    meta.matrix_block = place_floats(space.matrix, dim * dim);
    meta.groups_block = place(meta.groups > 1, pages_for(meta.groups, per_page));
    meta.centroids_block = place(true, pages_for(meta.lists, per_page));
    meta.directory_block = place(true, directory_pages(meta));
    meta.drift_block = place(true, 1);

    write_meta();
    write_floats(space.center, dim);
    write_floats(state_->books.columns, book_floats);
    write_floats(space.matrix, dim * dim);
    if (meta.groups > 1) write_centroids(trained.groups, meta.groups);
    write_centroids(trained.lists, meta.lists);
    write_directory(sizes, next);
    write_drift(sizes, figures);
    pfree(page_);
  }

 private:
  void write_meta() {
    init_page(page_, format::PageKind::kMeta);
    *format::at<format::InvertedMeta>(content_of(page_), 0) = state_->meta;
    set_used_bytes(page_, sizeof(format::InvertedMeta));
    file_->append(page_);
  }

  void write_floats(const float* floats, std::size_t n) {
    if (floats == nullptr) return;
    for (std::size_t begin = 0; begin < n;) {
      const std::size_t here = std::min<std::size_t>(n - begin, format::floats_per_page(BLCKSZ));
      init_page(page_, format::PageKind::kFloats);
      *format::at<format::FloatPageHeader>(content_of(page_), 0) = {
          static_cast<std::uint16_t>(here), {}};
      std::memcpy(content_of(page_).data() + sizeof(format::FloatPageHeader), floats + begin,
                  here * sizeof(float));
      set_used_bytes(page_, sizeof(format::FloatPageHeader) + here * sizeof(float));
      begin += here;
      if (begin < n) trailer_of(page_)->next = file_->next() + 1;
      file_->append(page_);
    }
  }

  void write_centroids(const CentroidCodes& codes, std::uint32_t n) {
    const std::uint32_t dim = state_->meta.dim;
    const std::uint32_t per_page = format::centroids_per_page(dim, BLCKSZ);
    auto* const headers =
        static_cast<format::CentroidHeader*>(palloc(per_page * sizeof(format::CentroidHeader)));
    for (std::uint32_t begin = 0; begin < n; begin += per_page) {
      const std::uint32_t here = std::min(n - begin, per_page);
      for (std::uint32_t i = 0; i < here; ++i) {
        const std::uint32_t c = begin + i;
        headers[i] = {codes.scales[c], codes.squares[c],
                      codes.begins == nullptr ? 0 : codes.begins[c],
                      codes.reaches == nullptr ? 0 : codes.reaches[c]};
      }
      init_centroid_page(page_, dim, here, headers, codes.z + std::size_t{begin} * dim);
      file_->append(page_);
    }
    pfree(headers);
  }

  void write_directory(const std::uint64_t* sizes, std::uint64_t next) {
    const std::uint32_t n = format::directory_entries(state_->meta);
    const std::uint32_t per_page = format::entries_per_page(BLCKSZ);
    for (std::uint32_t begin = 0; begin < n; begin += per_page) {
      const std::uint32_t here = std::min(n - begin, per_page);
      format::ListEntry* const entries = init_directory_page(page_, here);
      for (std::uint32_t i = 0; i < here; ++i) {
        const std::uint32_t list = begin + i;
        const ListPages pages = ListPages::of(
            list < state_->meta.lists ? state_->shape : state_->tid_shape, sizes[list]);
        entries[i] = {};
        if (pages.hot > 0) {
          entries[i].first = static_cast<BlockNumber>(next);
          entries[i].last = static_cast<BlockNumber>(next + pages.hot - 1);
        }
        next += pages.hot + pages.cold;
        if (next >= MaxBlockNumber) {
          ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                          errmsg("index would have more than %u blocks", MaxBlockNumber)));
        }
      }
      file_->append(page_);
    }
  }

  void write_drift(const std::uint64_t* sizes, const core::FigureMoments& figures) {
    const std::uint32_t lists = state_->meta.lists;
    const std::uint64_t rows = std::accumulate(sizes, sizes + lists, std::uint64_t{0});
    init_drift_page(page_, {figures, rows, lists, sizes});
    file_->append(page_);
  }

  PageFile* file_;
  InvertedState* state_;
  Page page_;
};

}  // namespace

ListPages ListPages::of(const format::ListShape& shape, std::uint64_t rows) {
  const std::uint64_t full = rows / shape.slots, rest = rows % shape.slots;
  ListPages pages{full + (rest > 0 ? 1 : 0), full * shape.n_cold};
  if (shape.cold_per_page > 0) {
    pages.cold += (rest + shape.cold_per_page - 1) / shape.cold_per_page;
  }
  return pages;
}

void write_head(PageFile* file, InvertedState* state, const Trained& trained,
                const std::uint64_t* sizes, const core::FigureMoments& figures) {
  HeadWriter writer(file, state);
  writer.write(trained, sizes, figures);
}

}  // namespace nearest::pg::inverted
