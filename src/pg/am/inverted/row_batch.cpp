#include "pg/am/inverted/row_batch.hpp"

#include <algorithm>
#include <cstring>

#include "core/runner.hpp"
#include "pg/memory.hpp"

namespace nearest::pg::inverted {
namespace {

/// Rows of a chunk, and what a batch takes in all.
constexpr std::size_t kChunkRows = 48;
constexpr std::size_t kBatchBytes = std::size_t{8} << 20;
constexpr std::size_t kMostRows = ListFinder::kBatchRows;

}  // namespace

RowBatch::RowBatch(const Model* model, ListSorter* sorter, std::uint64_t* sizes)
    : model_(model),
      sorter_(sorter),
      sizes_(sizes),
      team_(ThreadTeam::of_maintenance()),
      coder_(model->state),
      finder_(*model, team_),
      dim_(model->state.meta.dim) {
  const MemoryContext context = CurrentMemoryContext;
  const std::size_t row_bytes = 2 * dim_ * sizeof(float) + coder_.record().bytes;
  capacity_ = std::clamp(kBatchBytes / row_bytes, kChunkRows, kMostRows);
  tids_ = allocate_in<format::Tid>(context, capacity_);
  x_ = allocate_in<float>(context, capacity_ * dim_);
  y_ = allocate_in<float>(context, capacity_ * dim_);
  work_ = allocate_in<float>(context, team_.size() * coder_.work_floats());
  placed_ = allocate_in<PlacedRow>(context, capacity_);
  lists_ = allocate_in<std::uint32_t>(context, capacity_);
  records_ = allocate_in<std::byte>(context, capacity_ * coder_.record().bytes);
  row_figures_ = allocate_in<core::RowFigures>(context, capacity_);
}

void RowBatch::add(const format::Tid& tid, core::VectorView<float> x) {
  tids_[n_] = tid;
  std::memcpy(x_ + n_ * dim_, x.data(), x.size_bytes());
  if (++n_ == capacity_) flush();
}

void RowBatch::flush() {
  const std::size_t chunks = core::chunk_count(n_, kChunkRows);
  const std::size_t bytes = coder_.record().bytes;
  team_.run(chunks, [this](std::size_t chunk) {
    const core::Chunk part = core::chunk_range(chunk, n_, kChunkRows);
    for (std::size_t i = part.begin; i < part.end; ++i) {
      placed_[i] = coder_.place({x_ + i * dim_, dim_}, y_ + i * dim_);
    }
  });
  finder_.find({y_, n_, dim_}, lists_);
  team_.run(chunks, [this, bytes](std::size_t chunk) {
    const core::Chunk part = core::chunk_range(chunk, n_, kChunkRows);
    float* const work = work_ + ThreadTeam::thread() * coder_.work_floats();
    for (std::size_t i = part.begin; i < part.end; ++i) {
      const core::VectorView<float> x{x_ + i * dim_, dim_};
      const float* const y = y_ + i * dim_;
      const float* const centroid = model_->centroids + std::size_t{lists_[i]} * dim_;
      std::byte* const record = records_ + i * bytes;
      coder_.encode(x, placed_[i], y, centroid, work, record);
      row_figures_[i] = coder_.figures(x, placed_[i], y, centroid, record);
    }
  });
  for (std::size_t i = 0; i < n_; ++i) {
    ++sizes_[lists_[i]];
    figures_.add(row_figures_[i]);
    sorter_->put(lists_[i], tids_[i], records_ + i * bytes, bytes);
  }
  n_ = 0;
}

}  // namespace nearest::pg::inverted
