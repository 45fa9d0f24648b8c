#include "pg/am/inverted/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "core/cluster/far_rows.hpp"
#include "core/cluster/two_level.hpp"
#include "core/graph/settle_space.hpp"
#include "core/ivf/list_reach.hpp"
#include "core/ivf/rank_lists.hpp"
#include "core/quantize/estimator.hpp"
#include "core/quantize/sign_code.hpp"
#include "core/rotate/opq.hpp"
#include "pg/am/inverted/describe.hpp"
#include "pg/am/inverted/list_finder.hpp"
#include "pg/am/inverted/progress.hpp"
#include "pg/am/inverted/row_coder.hpp"
#include "pg/memory.hpp"
#include "pg/thread_team.hpp"

namespace nearest::pg::inverted {
namespace {

/// Rows that codebooks and rotations are trained on, for each codeword of a segment, and pairs that
/// the error ratio is measured on.
constexpr std::size_t kRowsPerCodeword = 256;
constexpr std::size_t kErrorPairs = 4096;
constexpr std::size_t kChunkRows = 64;

/// core's Runner: threads, interrupts, progress.
struct TrainingRunner {
  ThreadTeam team = ThreadTeam::of_maintenance();

  template <class F>
  void run(std::size_t n, F&& f) {
    team.run(n, f);
  }
  void round(std::size_t done, std::size_t total) {
    CHECK_FOR_INTERRUPTS();
    show_progress(done, total);
  }
  /// f(begin, end) for parts of n rows.
  template <class F>
  void run_rows(std::size_t n, F&& f) {
    run(core::chunk_count(n, kChunkRows), [&](std::size_t chunk) {
      const core::Chunk part = core::chunk_range(chunk, n, kChunkRows);
      f(part.begin, part.end);
    });
  }
};

template <class T>
T* allocate(std::size_t n) {
  return allocate_in<T>(CurrentMemoryContext, n + 1);
}

/// Codes centroids and leaves in their place what the codes stand for.
CentroidCodes code_centroids(float* centroids, std::size_t n, std::size_t dim) {
  auto* const z = allocate<std::int8_t>(n * dim);
  auto* const scales = allocate<float>(n);
  auto* const squares = allocate<std::uint32_t>(n);
  core::encode_centroids(centroids, n, dim, z, scales, squares);
  for (std::size_t c = 0; c < n; ++c) {
    core::decode_scalar({z + c * dim, dim}, scales[c], centroids + c * dim);
  }
  return {z, scales, squares, nullptr, nullptr};
}

/// Center and sizes, by the rows.
float* settle(format::InvertedMeta* meta, const core::Rows& rows) {
  auto* const center = allocate<float>(meta->dim);
  const core::SpaceSizes sizes =
      core::settle_space(meta->metric, {rows.values, rows.n * rows.dim}, meta->dim,
                         ContextArena{CurrentMemoryContext}, center);
  meta->center_norm = sizes.center_norm;
  meta->unit = sizes.unit;
  meta->query_norm = sizes.query_norm;
  return center;
}

/// Moves rows that are many times longer than nearly all others behind the rest, and returns how
/// many are left. A few of them would take center and unit with them, and lists to themselves. They
/// go to the list that is nearest. cosine knows no length.
std::size_t drop_long_rows(const format::InvertedMeta& meta, float* rows, std::size_t n) {
  if (meta.metric == core::Metric::kCosine) return n;
  const std::size_t dim = meta.dim;
  auto* const norms = allocate<double>(2 * n + 1);
  for (std::size_t i = 0; i < n; ++i) norms[i] = core::norm_of({rows + i * dim, dim});
  const std::size_t left = core::drop_far_rows(rows, n, dim, norms, norms + n);
  pfree(norms);
  return left >= meta.lists ? left : n;
}

class Trainer {
 public:
  Trainer(const format::InvertedMeta& meta, float* rows, std::size_t n)
      : meta_(meta), rows_(rows), n_(n) {}

  Model run() {
    const std::size_t dim = meta_.dim, lists = meta_.lists;
    begin_phase(Phase::kCluster, core::kKMeansRounds);
    meta_.groups = static_cast<std::uint32_t>(core::group_count(lists));
    meta_.sample_rows = n_;
    float* const center = settle(&meta_, {rows_, n_, dim});
    model_.state = make_state(meta_, center, nullptr);
    const bool is_turned_later = meta_.rotation == format::Rotation::kTrained;
    if (is_turned_later) model_.state.space.turn = core::Turn::kNone;
    place_rows();
    train_centroids();
    nearest_ = allocate<std::uint32_t>(n_);
    if (is_turned_later) {
      find_nearest();
      turn(center);
    }
    code_all_centroids();
    find_nearest();
    take_residuals();
    train_codes();
    model_.state.meta = meta_;
    return model_;
  }

 private:
  core::Rows rows() const { return {rows_, n_, meta_.dim}; }

  /// Vectors become points, in place.
  void place_rows() {
    const RowCoder coder(model_.state);
    const std::size_t dim = meta_.dim;
    runner_.run_rows(n_, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i)
        coder.place({rows_ + i * dim, dim}, rows_ + i * dim);
    });
  }

  /// Euclidean also for cosine and inner product: points lie around the center, where no length is
  /// special; the vectors of cosine have length 1 before that.
  void train_centroids() {
    const std::size_t dim = meta_.dim;
    model_.centroids = allocate<float>(meta_.lists * dim);
    model_.group_centers = allocate<float>(meta_.groups * dim);
    group_starts_ = allocate<std::uint32_t>(meta_.groups);
    core::train_lists(ContextArena{CurrentMemoryContext}, runner_, rows(),
                      {meta_.lists, meta_.seed}, model_.centroids, model_.group_centers,
                      group_starts_);
    model_.trained.groups.begins = group_starts_;
  }

  void code_all_centroids() {
    model_.trained.lists = code_centroids(model_.centroids, meta_.lists, meta_.dim);
    if (meta_.groups == 1) return;
    model_.trained.groups = code_centroids(model_.group_centers, meta_.groups, meta_.dim);
    model_.trained.groups.begins = group_starts_;
  }

  void find_nearest() {
    model_.state.meta = meta_;
    ListFinder finder(model_, runner_.team);
    finder.find(rows(), nearest_);
    finder.release();
  }

  /// Trains the rotation on residuals, then turns all there is.
  void turn(float* center) {
    const std::size_t dim = meta_.dim;
    begin_phase(Phase::kCodebooks, 0);
    const std::size_t n = std::min(n_, 16 * kRowsPerCodeword);
    auto* const residuals = allocate<float>(n * dim);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t row = i * n_ / n;
      for (std::size_t d = 0; d < dim; ++d) {
        residuals[i * dim + d] = rows_[row * dim + d] - model_.centroids[nearest_[row] * dim + d];
      }
    }
    auto* const matrix = allocate<float>(dim * dim);
    const core::ProductShape shape =
        meta_.codec == format::Codec::kProduct
            ? core::ProductShape{meta_.dim, meta_.segments, meta_.bits}
            : core::ProductShape{meta_.dim, static_cast<std::uint32_t>(core::sign_segments(dim)),
                                 4};
    core::train_opq(ContextArena{CurrentMemoryContext}, runner_, shape, {residuals, n, dim},
                    matrix);
    pfree(residuals);
    model_.state = make_state(meta_, center, matrix);
    turn_rows(rows_, n_);
    turn_rows(model_.centroids, meta_.lists);
    turn_rows(model_.group_centers, meta_.groups);
  }

  void turn_rows(float* values, std::size_t n) {
    const std::size_t dim = meta_.dim;
    runner_.run_rows(n, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        core::turn_in(model_.state.space, {values + i * dim, dim});
      }
    });
  }

  /// Points become residuals, in place, and say how far rows are from their centroids.
  void take_residuals() {
    const std::size_t dim = meta_.dim;
    auto* const squares = allocate<double>(n_);
    runner_.run_rows(n_, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        float* const row = rows_ + i * dim;
        const float* const centroid = model_.centroids + std::size_t{nearest_[i]} * dim;
        for (std::size_t d = 0; d < dim; ++d) row[d] -= centroid[d];
        squares[i] = core::kernels().inner_product_f32(row, row, dim);
      }
    });
    double sum = 0;
    auto* const reaches = allocate<core::ListReach>(meta_.lists);
    for (std::size_t i = 0; i < n_; ++i) {
      sum += squares[i];
      reaches[nearest_[i]].add(squares[i]);
    }
    meta_.training_error = static_cast<float>(std::sqrt(sum / static_cast<double>(n_)));
    auto* const values = allocate<float>(meta_.lists);
    for (std::size_t list = 0; list < meta_.lists; ++list) values[list] = reaches[list].value(dim);
    model_.trained.lists.reaches = values;
    pfree(reaches);
    pfree(squares);
  }

  void train_codes() {
    if (meta_.codec == format::Codec::kProduct) {
      begin_phase(Phase::kCodebooks, 0);
      const core::ProductShape& shape = model_.state.books.shape;
      const std::size_t n = std::min(n_, kRowsPerCodeword * shape.codewords());
      auto* const columns = allocate<float>(shape.codebook_floats());
      auto* const half_squares = allocate<float>(shape.segments * shape.codewords());
      core::train_codebooks(ContextArena{CurrentMemoryContext}, runner_, shape,
                            {spread(n), n, meta_.dim}, meta_.seed, columns);
      core::fill_half_squares(shape, columns, half_squares);
      model_.state.books.columns = columns;
      model_.state.books.half_squares = half_squares;
    }
    meta_.error_ratio = measure_errors();
  }

  /// Brings n residuals from all over the sample, which is in the order of the table, to its front.
  const float* spread(std::size_t n) {
    const std::size_t dim = meta_.dim;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t from = i * n_ / n;
      if (from == i) continue;
      std::swap_ranges(rows_ + i * dim, rows_ + (i + 1) * dim, rows_ + from * dim);
      std::swap(nearest_[i], nearest_[from]);
    }
    return rows_;
  }

  /// Of pairs of rows in a list.
  float measure_errors() {
    const std::size_t dim = meta_.dim;
    core::ClusterOrder order{};
    order.starts = allocate<std::uint32_t>(meta_.lists + 1);
    order.order = allocate<std::uint32_t>(n_);
    order.fill(nearest_, n_, meta_.lists);
    auto* const decoded = allocate<float>(dim);
    const InvertedState& state = model_.state;
    auto* const code = allocate<std::uint8_t>(state.shape.row_bytes);
    core::ErrorRatio ratio;
    const std::size_t step = std::max<std::size_t>(1, n_ / kErrorPairs);
    for (std::size_t i = 0; i + 1 < n_; i += step) {
      CHECK_FOR_INTERRUPTS();
      const std::uint32_t row = order.order[i], other = order.order[i + 1];
      if (nearest_[row] != nearest_[other]) continue;
      const float* const r = rows_ + std::size_t{row} * dim;
      if (meta_.codec == format::Codec::kProduct) {
        core::encode_product_rows(state.books, {r, 1, dim}, code);
        core::decode_product(state.books, code, decoded);
      } else {
        const std::size_t coded = std::min<std::size_t>(dim, std::size_t{4} * meta_.segments);
        for (std::size_t d = 0; d < coded; ++d) decoded[d] = r[d] < 0 ? -1.0F : 1.0F;
      }
      ratio.add(r, decoded, rows_ + std::size_t{other} * dim, dim);
    }
    return static_cast<float>(ratio.value());
  }

  format::InvertedMeta meta_;
  float* rows_;
  std::size_t n_;
  TrainingRunner runner_;
  Model model_{};
  std::uint32_t* group_starts_ = nullptr;
  std::uint32_t* nearest_ = nullptr;
};

}  // namespace

Model untrained_model(const format::InvertedMeta& meta, const core::Rows& rows) {
  format::InvertedMeta own = meta;
  make_untrained(&own);
  Model model{};
  float* const center = rows.n > 0 ? settle(&own, rows) : nullptr;
  model.state = make_state(own, center, nullptr);
  model.centroids = allocate<float>(own.dim);
  model.trained.lists = code_centroids(model.centroids, 1, own.dim);
  return model;
}

Model train(const format::InvertedMeta& meta, float* rows, std::size_t n) {
  Trainer trainer(meta, rows, drop_long_rows(meta, rows, n));
  return trainer.run();
}

TrainingMemory TrainingMemory::of(const format::InvertedMeta& meta, std::size_t lists) {
  const std::size_t vector = meta.dim * sizeof(float);
  // Centroids three times: as they are, in panels, as codes. Of a group's rows there is a copy.
  TrainingMemory memory{
      vector * (core::is_trained_by_groups(lists) ? 2 : 1) + 6 * sizeof(std::uint32_t),
      lists * (2 * vector + meta.dim + 64) + (std::size_t{1} << 16)};
  if (meta.rotation == format::Rotation::kTrained) memory.fixed += 5 * vector * meta.dim;
  return memory;
}

}  // namespace nearest::pg::inverted
