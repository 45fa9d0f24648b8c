// Tries codes for the inverted file: lists in memory, L2, one thread, no server.
//
//   bench_inverted FOLDER NAME [--lists N] [--queries N] [--lists-only]
//
// reads FOLDER/NAME.txt, NAME_base.f32, NAME_query.f32, NAME_truth_l2.i32 (bench/export.py). Prints
// tables for bench/README.md:
//   lists      probes and time for a recall, by the number of lists (one bit, random rotation);
//   with
//              --lists N, for N too
//   codes      by quantizer and rotation, with the probes that hold 0.95 and 0.99 of the true ten:
//              what the bound leaves to refine, true rows that it loses, time
//   refinement heap rows that the executor fetches, by what the cold pages hold
// Searches go on as the server's do (pg/am/inverted/row_supply.hpp): passes that keep the next rows
// by their lower bounds, rows refined a few at a time, and handed to an executor that stops at its
// tenth. Time is that of all steps: rotate, rank lists, make the table, scan, refine by 8-bit
// codes, distances of the rows handed out; the median over queries. Recall counts the found rows
// that are as near as the true tenth. Bytes are those of a row in the index: code, 10 bytes of
// factors, 6 of a TID; cold codes with 12 bytes of factors.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/cluster/two_level.hpp"
#include "core/ivf/next_nearest.hpp"
#include "core/ivf/params.hpp"
#include "core/ivf/rank_lists.hpp"
#include "core/ivf/scan_block.hpp"
#include "core/quantize/product_code.hpp"
#include "core/quantize/sign_code.hpp"
#include "core/rotate/hadamard.hpp"
#include "core/rotate/opq.hpp"

namespace {

using namespace nearest;

constexpr std::size_t kTruthColumns = 100, kRecallRows = 10;
constexpr std::size_t kRowsPerList = 64;      // of the sample that centroids are trained on
constexpr std::size_t kCodebookRows = 16384;  // of the one for codebooks and OPQ
// As in pg/am/inverted/row_supply.cpp: rows that a pass keeps, and that are refined at once.
constexpr std::size_t kRowsOfFirstPass = 128, kPassGrowth = 4;
constexpr std::size_t kRefinedFirst = 16, kRefinedLater = 8;
constexpr std::uint64_t kSeed = 20240601;
constexpr double kRecalls[] = {0.95, 0.99};

struct HeapArena {
  void* allocate(std::size_t bytes) const { return ::operator new (bytes, std::align_val_t{64}); }
  void release(void* memory) const { ::operator delete (memory, std::align_val_t{64}); }
};

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

template <class T>
std::vector<T> read_raw(const std::string& path, std::size_t n) {
  std::vector<T> values(n);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(n * sizeof(T)));
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return values;
}

/// A set around the origin: the mean of the rows is taken off all vectors.
struct VectorSet {
  std::size_t rows = 0, n_queries = 0, dim = 0;
  std::vector<float> base, queries;
  std::vector<std::int32_t> truth;

  static VectorSet read(const std::string& prefix, std::size_t most_queries) {
    VectorSet set;
    std::ifstream sizes(prefix + ".txt");
    if (!(sizes >> set.rows >> set.n_queries >> set.dim)) {
      throw std::runtime_error(prefix + ".txt: cannot be read");
    }
    set.base = read_raw<float>(prefix + "_base.f32", set.rows * set.dim);
    set.queries = read_raw<float>(prefix + "_query.f32", set.n_queries * set.dim);
    set.truth = read_raw<std::int32_t>(prefix + "_truth_l2.i32", set.n_queries * kTruthColumns);
    set.n_queries = std::min(set.n_queries, most_queries);
    std::vector<double> mean(set.dim);
    for (std::size_t i = 0; i < set.base.size(); ++i) mean[i % set.dim] += set.base[i];
    for (double& x : mean) x /= static_cast<double>(set.rows);
    for (std::vector<float>* vectors : {&set.base, &set.queries}) {
      for (std::size_t i = 0; i < vectors->size(); ++i) {
        (*vectors)[i] = static_cast<float>((*vectors)[i] - mean[i % set.dim]);
      }
    }
    return set;
  }
  core::Rows all() const { return {base.data(), rows, dim}; }
  const float* row(std::size_t i) const { return base.data() + i * dim; }
  const float* query(std::size_t i) const { return queries.data() + i * dim; }
  double squared(std::size_t query_no, std::size_t row_no) const {
    return static_cast<double>(core::kernels().l2_squared_f32(query(query_no), row(row_no), dim));
  }
};

/// Centroids, and which rows are in which list.
struct Lists {
  std::size_t n = 0;
  std::vector<float> centroids, group_centers;
  std::vector<std::uint32_t> group_starts, list_of, starts, order;
  double train_seconds = 0, assign_seconds = 0;

  static Lists train(const VectorSet& set, std::size_t n_lists) {
    Lists lists;
    lists.n = n_lists;
    const std::size_t n_groups = core::group_count(n_lists), dim = set.dim;
    lists.centroids.resize(n_lists * dim);
    lists.group_centers.resize(n_groups * dim);
    lists.group_starts.resize(n_groups + 1);
    lists.list_of.resize(set.rows);
    lists.starts.resize(n_lists + 1);
    lists.order.resize(set.rows);
    const std::vector<float> sample = draw(set.base, dim, kRowsPerList * n_lists);
    const Stopwatch training;
    core::SerialRunner runner;
    core::train_lists(HeapArena{}, runner, {sample.data(), sample.size() / dim, dim},
                      {n_lists, kSeed}, lists.centroids.data(), lists.group_centers.data(),
                      lists.group_starts.data());
    lists.train_seconds = training.seconds();
    const Stopwatch assignment;
    const core::CentroidPanels panels = core::allocate_panels(HeapArena{}, n_lists, dim);
    panels.fill(lists.centroids.data());
    core::find_nearest(panels, set.all(), lists.list_of.data());
    core::release_panels(HeapArena{}, panels);
    lists.assign_seconds = assignment.seconds();
    core::ClusterOrder{lists.starts.data(), lists.order.data()}.fill(lists.list_of.data(), set.rows,
                                                                     n_lists);
    return lists;
  }

  /// Some rows, each once, in random order.
  static std::vector<float> draw(const std::vector<float>& from, std::size_t dim, std::size_t n) {
    std::vector<std::uint32_t> ids(from.size() / dim);
    std::iota(ids.begin(), ids.end(), 0U);
    std::shuffle(ids.begin(), ids.end(), std::mt19937_64(kSeed));
    ids.resize(std::min(n, ids.size()));
    std::vector<float> rows;
    for (const std::uint32_t id : ids) {
      rows.insert(rows.end(), &from[id * dim], &from[id * dim] + dim);
    }
    return rows;
  }
  double imbalance() const {
    std::vector<std::uint32_t> sizes(n);
    for (std::size_t c = 0; c < n; ++c) sizes[c] = starts[c + 1] - starts[c];
    return core::imbalance(sizes.data(), n);
  }
};

enum class Rotation : std::uint8_t { kNone, kRandom, kOpq };
constexpr const char* kRotationNames[] = {"none", "random", "opq"};

/// Residuals, centroids and queries after a rotation.
struct Rotated {
  Rotation rotation;
  std::size_t dim;
  std::vector<float> matrix, residuals, centroids;
  double seconds = 0;

  Rotated(const VectorSet& set, const Lists& lists, Rotation of)
      : rotation(of), dim(set.dim), residuals(set.base.size()), centroids(lists.centroids.size()) {
    const Stopwatch watch;
    for (std::size_t i = 0; i < set.rows; ++i) {
      for (std::size_t d = 0; d < dim; ++d) {
        residuals[i * dim + d] = set.row(i)[d] - lists.centroids[lists.list_of[i] * dim + d];
      }
    }
    if (rotation == Rotation::kOpq) {
      matrix.resize(dim * dim);
      const std::vector<float> sample = Lists::draw(residuals, dim, kCodebookRows);
      core::SerialRunner runner;
      const auto d = static_cast<std::uint32_t>(dim);
      core::train_opq(HeapArena{}, runner, {d, (d + 3) / 4, 4},
                      {sample.data(), sample.size() / dim, dim}, matrix.data());
    }
    std::vector<float> one(dim);
    for (std::vector<float>* vectors : {&residuals, &centroids}) {
      const bool is_residual = vectors == &residuals;
      for (std::size_t i = 0; i * dim < vectors->size(); ++i) {
        float* const place = vectors->data() + i * dim;
        turn(is_residual ? place : lists.centroids.data() + i * dim, one.data());
        std::copy(one.begin(), one.end(), place);
      }
    }
    seconds = watch.seconds();
  }

  void turn(const float* x, float* y) const {
    if (rotation == Rotation::kOpq) {
      core::apply_matrix(matrix.data(), {x, 1, dim}, y);
      return;
    }
    std::copy_n(x, dim, y);
    if (rotation == Rotation::kRandom) core::rotate({y, dim}, kSeed);
  }
};

struct Quantizer {
  const char* name;
  bool is_product;
  std::uint32_t bits, dims_per_segment;
};
constexpr Quantizer kQuantizers[] = {{"rabitq, 1 bit", false, 4, 4},
                                     {"pq4, d/4", true, 4, 4},
                                     {"pq4, d/8", true, 4, 8},
                                     {"pq8, d/8", true, 8, 8}};

struct Coarse {
  std::vector<std::int8_t> z;
  std::vector<float> scales;
  std::vector<std::uint32_t> squares;
  std::size_t dim = 0;

  void fill(const std::vector<float>& centroids, std::size_t of_dim) {
    dim = of_dim;
    z.resize(centroids.size());
    scales.resize(centroids.size() / dim);
    squares.resize(scales.size());
    core::encode_centroids(centroids.data(), scales.size(), dim, z.data(), scales.data(),
                           squares.data());
  }
  core::CoarseCodes view() const {
    return {z.data(), scales.data(), squares.data(), scales.size(), dim};
  }
};

/// A row's cold code of 8 bits: x̂ = c + scale·z.
struct ColdCode {
  float scale, error, a;  ///< a = |r̂|² + 2<c, r̂>
};

struct Place {
  std::uint32_t row, list;

  friend bool operator<(const Place& a, const Place& b) { return a.row < b.row; }
};

/// A row with a lower bound of its squared distance, or with that itself. The least is on top of a
/// heap of rows.
struct BoundedRow {
  double squared;
  std::uint32_t row;

  friend bool operator<(const BoundedRow& a, const BoundedRow& b) { return b.squared < a.squared; }
};

/// An executor that wants the nearest ten: takes rows in the order of their bounds.
class Executor {
 public:
  Executor(const VectorSet& set, std::size_t query) : set_(&set), query_(query) {}

  /// False if it has its ten, and has no use for this row or any after it.
  bool take(const BoundedRow& row) {
    if (nearest_.size() == kRecallRows && nearest_.front() <= row.squared) return false;
    ++rows;
    nearest_.push_back(set_->squared(query_, row.row));
    std::push_heap(nearest_.begin(), nearest_.end());
    if (nearest_.size() > kRecallRows) {
      std::pop_heap(nearest_.begin(), nearest_.end());
      nearest_.pop_back();
    }
    return true;
  }
  /// Of the ten, so many are as near as the true tenth.
  std::size_t right(double tenth) const {
    return static_cast<std::size_t>(std::count_if(
        nearest_.begin(), nearest_.end(), [tenth](double squared) { return squared <= tenth; }));
  }

  std::size_t rows = 0;  ///< taken

 private:
  const VectorSet* set_;
  std::size_t query_;
  std::vector<double> nearest_;  ///< a heap, the farthest first
};

/// One inverted file in memory.
class Index {
 public:
  Index(const VectorSet& set, const Lists& lists, const Rotated& rotated, const Quantizer& kind)
      : set_(&set), lists_(&lists), rotated_(&rotated), kind_(kind), dim_(set.dim) {
    const auto d = static_cast<std::uint32_t>(dim_);
    segments_ = (d + kind.dims_per_segment - 1) / kind.dims_per_segment;
    shape_ = {d, static_cast<std::uint32_t>(segments_), kind.bits};
    const Stopwatch watch;
    if (kind.is_product) train();
    train_seconds = watch.seconds();
    const Stopwatch encoding;
    encode();
    encode_seconds = encoding.seconds();
    error_ratio = measure_errors();
    coarse_.fill(rotated.centroids, dim_);
    std::vector<float> centers(lists.group_centers.size());
    for (std::size_t g = 0; g * dim_ < centers.size(); ++g) {
      rotated.turn(lists.group_centers.data() + g * dim_, centers.data() + g * dim_);
    }
    groups_.fill(centers, dim_);
    ranked_.resize(lists.n + groups_.scales.size());
    q_.resize(dim_), z_.resize(dim_);
    products_.resize(segments_ << kind.bits), entries_.resize(segments_ * 16);
  }
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  std::size_t hot_bytes() const { return row_bytes() + 10 + 6; }

  struct Result {
    std::size_t scored = 0, refined = 0, heap_rows = 0, right = 0;
    double microseconds = 0;
  };

  /// Leaves what was refined in refined(). tenth: the squared distance of the true tenth.
  Result search(std::size_t query, std::size_t probes, double tenth) {
    const Stopwatch watch;
    Result result;
    rotated_->turn(set_->query(query), q_.data());
    const core::ScalarQuery coded = core::encode_query(q_, z_.data());
    const core::ListGroups groups{groups_.view(), lists_->group_starts.data()};
    const std::size_t n = core::rank_lists(coarse_.view(), groups, coded, probes, ranked_.data());
    core::ByteTable table{};
    if (kind_.is_product) {
      core::code_products(books(), q_.data(), products_.data());
    } else {
      core::sign_products(q_, products_.data());
    }
    if (kind_.bits == 4)
      table = core::make_byte_table(products_.data(), segments_, entries_.data());
    probed_ = std::span(ranked_.data(), n);
    Executor executor(*set_, query);
    supply(coded, table, executor, &result);
    result.refined = refined_.size();
    result.heap_rows = executor.rows;
    result.microseconds = 1e6 * watch.seconds();
    result.right = executor.right(tenth);
    return result;
  }
  const std::vector<BoundedRow>& refined() const { return refined_; }
  const float* rotated_query() const { return q_.data(); }

  double train_seconds = 0, encode_seconds = 0, error_ratio = 1;

 private:
  std::size_t row_bytes() const {
    return kind_.bits == 4 ? core::code_row_bytes(segments_) : segments_;
  }
  core::ProductCodebooks books() const { return {shape_, columns_.data(), half_squares_.data()}; }

  void train() {
    columns_.resize(shape_.codebook_floats());
    half_squares_.resize(segments_ << kind_.bits);
    const std::vector<float> sample = Lists::draw(rotated_->residuals, dim_, kCodebookRows);
    core::SerialRunner runner;
    core::train_codebooks(HeapArena{}, runner, shape_, {sample.data(), sample.size() / dim_, dim_},
                          kSeed, columns_.data());
    core::fill_half_squares(shape_, columns_.data(), half_squares_.data());
  }

  /// Of pairs of neighbors in a list, some thousand.
  double measure_errors() {
    constexpr std::size_t kPairs = 4096;
    core::ErrorRatio ratio;
    std::vector<float> decoded(dim_);
    std::vector<std::uint8_t> code(row_bytes());
    const std::size_t step = set_->rows / std::min(kPairs, set_->rows);
    for (std::size_t i = 0; i + 1 < set_->rows; i += step) {
      const std::uint32_t row = lists_->order[i], other = lists_->order[i + 1];
      if (lists_->list_of[row] != lists_->list_of[other]) continue;
      const float* const r = rotated_->residuals.data() + std::size_t{row} * dim_;
      if (kind_.is_product) {
        core::encode_product_rows(books(), {r, 1, dim_}, code.data());
        core::decode_product(books(), code.data(), decoded.data());
      } else {
        for (std::size_t d = 0; d < dim_; ++d) decoded[d] = r[d] < 0 ? -1.0F : 1.0F;
      }
      ratio.add(r, decoded.data(), rotated_->residuals.data() + std::size_t{other} * dim_, dim_);
    }
    return ratio.value();
  }

  /// A list's codes begin at a whole block.
  void encode() {
    const std::size_t n_lists = lists_->n;
    block_starts_.resize(n_lists + 1);
    for (std::size_t c = 0; c < n_lists; ++c) {
      const std::size_t size = lists_->starts[c + 1] - lists_->starts[c];
      block_starts_[c + 1] = block_starts_[c] + (size + 31) / 32;
    }
    const std::size_t places = 32 * block_starts_[n_lists];
    a_.resize(places), b_.resize(places), error_.resize(places);
    codes_.resize(places * row_bytes() + 16);
    cold_z_.resize(set_->rows * dim_);
    cold_.resize(set_->rows);
    std::vector<std::uint8_t> rows(32 * row_bytes());
    std::vector<float> decoded(dim_);
    for (std::size_t c = 0; c < n_lists; ++c) {
      const float* const centroid = rotated_->centroids.data() + c * dim_;
      for (std::size_t begin = lists_->starts[c]; begin < lists_->starts[c + 1]; begin += 32) {
        const std::size_t n = std::min<std::size_t>(32, lists_->starts[c + 1] - begin);
        const std::size_t place = 32 * block_starts_[c] + begin - lists_->starts[c];
        for (std::size_t j = 0; j < n; ++j) {
          const std::uint32_t row = lists_->order[begin + j];
          encode_row(row, centroid, &rows[j * row_bytes()], place + j, decoded.data());
        }
        if (kind_.bits == 4) {
          core::pack_block(rows.data(), row_bytes(), n, segments_,
                           codes_.data() + place / 32 * core::code_block_bytes(segments_));
        } else {
          std::copy_n(rows.data(), n * row_bytes(), codes_.data() + place * row_bytes());
        }
      }
    }
  }

  void encode_row(std::uint32_t row, const float* c, std::uint8_t* code, std::size_t place,
                  float* decoded) {
    const float* const r = rotated_->residuals.data() + std::size_t{row} * dim_;
    core::CodeFactors factors{};
    if (kind_.is_product) {
      core::encode_product_rows(books(), {r, 1, dim_}, code);
      core::decode_product(books(), code, decoded);
      factors = core::make_factors(core::EstimateOf::kSquaredDistance,
                                   core::ResidualSums::of(r, decoded, c, dim_), dim_);
    } else {
      core::encode_sign_row({r, dim_}, code);
      factors = core::sign_factors(core::EstimateOf::kSquaredDistance, {r, dim_}, c);
    }
    a_[place] = factors.a, b_[place] = factors.b, error_[place] = factors.error;
    std::int8_t* const z = cold_z_.data() + std::size_t{row} * dim_;
    const core::ScalarCode cold = core::encode_scalar({r, dim_}, core::ErrorNorm::kEuclidean, z);
    double with_c = 0;
    for (std::size_t d = 0; d < dim_; ++d) with_c += static_cast<double>(c[d]) * z[d];
    const double scale = cold.scale;
    cold_[row] = {cold.scale, cold.error,
                  static_cast<float>(scale * scale * cold.square + 2 * scale * with_c)};
  }

  /// Hands rows to the executor until it has its ten, or there are no more.
  void supply(const core::ScalarQuery& query, const core::ByteTable& table, Executor& executor,
              Result* result) {
    refined_.clear();
    heap_.clear();
    std::size_t rows_per_pass = kRowsOfFirstPass;
    result->scored = run_pass(table, rows_per_pass, nullptr);
    while (true) {
      const bool has_unrefined = next_kept_ < nearest_.size();
      double horizon = std::numeric_limits<double>::infinity();
      if (has_unrefined) {
        horizon = nearest_[next_kept_].key;
      } else if (nearest_.has_more()) {
        horizon = nearest_[nearest_.size() - 1].key;
      }
      if (!heap_.empty() && heap_.front().squared <= horizon) {
        if (!executor.take(heap_.front())) return;
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
      } else if (has_unrefined) {
        refine_some(query);
      } else if (nearest_.has_more()) {
        const core::Keyed<Place> mark = nearest_[nearest_.size() - 1];
        rows_per_pass *= kPassGrowth;
        result->scored += run_pass(table, rows_per_pass, &mark);
      } else {
        return;
      }
    }
  }

  std::size_t run_pass(const core::ByteTable& table, std::size_t rows,
                       const core::Keyed<Place>* after) {
    std::size_t scored = 0;
    nearest_.begin(HeapArena{}, rows, after);
    next_kept_ = 0;
    for (const core::RankedList& list : probed_) scored += scan(list.list, table);
    nearest_.finish();
    return scored;
  }

  std::size_t scan(std::uint32_t list, const core::ByteTable& table) {
    const float* const c = rotated_->centroids.data() + list * dim_;
    const float base = core::kernels().l2_squared_f32(q_.data(), c, dim_);
    const core::ListTerms terms{base, static_cast<float>(error_ratio) * std::sqrt(base)};
    const std::uint32_t* const rows = lists_->order.data() + lists_->starts[list];
    const std::size_t size = lists_->starts[list + 1] - lists_->starts[list];
    constexpr auto kMost = static_cast<double>(std::numeric_limits<float>::max());
    const auto limit = [&] { return static_cast<float>(std::min(nearest_.limit(), kMost)); };
    for (std::size_t begin = 0; begin < size; begin += 32) {
      const std::size_t place = 32 * block_starts_[list] + begin;
      const std::size_t n = std::min<std::size_t>(32, size - begin);
      const core::CodeFactors32 factors{&a_[place], &b_[place], &error_[place]};
      const auto keep = [&](std::size_t j, float lower) {
        nearest_.add(static_cast<double>(lower), {rows[begin + j], list});
      };
      if (kind_.bits == 4) {
        const core::CodeBlockView block{
            codes_.data() + place / 32 * core::code_block_bytes(segments_), factors, n};
        core::scan_block(table, segments_, terms, block, limit, keep);
        continue;
      }
      for (std::size_t j = 0; j < n; ++j) {
        const float product = core::product_of_bytes(
            products_.data(), codes_.data() + (place + j) * segments_, segments_);
        keep(j, base + factors.a[j] - factors.b[j] * product -
                    terms.deviations * terms.distance * factors.error[j]);
      }
    }
    return size;
  }

  void refine_some(const core::ScalarQuery& query) {
    const std::size_t wanted = next_kept_ == 0 ? kRefinedFirst : kRefinedLater;
    const std::size_t end = std::min(next_kept_ + wanted, nearest_.size());
    for (; next_kept_ < end; ++next_kept_) {
      heap_.push_back(refine(nearest_[next_kept_].place, query));
      refined_.push_back(heap_.back());
      std::push_heap(heap_.begin(), heap_.end());
    }
  }

  BoundedRow refine(const Place& place, const core::ScalarQuery& query) const {
    const ColdCode& cold = cold_[place.row];
    const float* const c = rotated_->centroids.data() + std::size_t{place.list} * dim_;
    const double base = core::kernels().l2_squared_f32(q_.data(), c, dim_);
    const double squared =
        base + cold.a -
        2 * core::product_with(query, cold_z_.data() + std::size_t{place.row} * dim_, cold.scale,
                               dim_);
    const double distance = std::sqrt(std::max(0.0, squared));
    const double error = cold.error + query.error + 1e-5 * std::sqrt(base);
    const double lower = std::max(0.0, distance - error);
    return {lower * lower, place.row};
  }

  const VectorSet* set_;
  const Lists* lists_;
  const Rotated* rotated_;
  Quantizer kind_;
  std::size_t dim_, segments_ = 0;
  core::ProductShape shape_{};
  std::vector<float> columns_, half_squares_, a_, b_, error_;
  std::vector<std::size_t> block_starts_;
  std::vector<std::uint8_t> codes_;
  std::vector<std::int8_t> cold_z_;
  std::vector<ColdCode> cold_;
  Coarse coarse_, groups_;
  // Of one search.
  std::vector<core::RankedList> ranked_;
  std::vector<float> q_, products_;
  std::vector<std::int16_t> z_;
  std::vector<std::uint8_t> entries_;
  std::span<const core::RankedList> probed_;
  core::NextNearest<Place> nearest_;
  std::size_t next_kept_ = 0;
  std::vector<BoundedRow> heap_, refined_;
};

template <class T>
T percentile(std::vector<T> values, double share) {
  const auto place =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

struct Measured {
  double recall = 0, refined = 0, heap_rows = 0, scored = 0, microseconds = 0;
  std::size_t refined_p99 = 0;
};

class Experiment {
 public:
  explicit Experiment(const VectorSet& set) : set_(&set) {
    for (std::size_t q = 0; q < set.n_queries; ++q) {
      const auto tenth = static_cast<std::size_t>(set.truth[q * kTruthColumns + kRecallRows - 1]);
      tenth_.push_back(set.squared(q, tenth) * (1 + 1e-5));
    }
  }

  /// The share of the true ten that the nearest lists hold, by the number of lists.
  std::vector<double> held(const Lists& lists) const {
    Coarse coarse;
    coarse.fill(lists.centroids, set_->dim);
    std::vector<double> held(lists.n + 1);
    std::vector<core::RankedList> ranked(lists.n);
    std::vector<std::int16_t> z(set_->dim);
    std::vector<std::size_t> rank_of(lists.n);
    for (std::size_t q = 0; q < set_->n_queries; ++q) {
      const core::ScalarQuery coded = core::encode_query({set_->query(q), set_->dim}, z.data());
      core::rank_lists(coarse.view(), {}, coded, lists.n, ranked.data());
      for (std::size_t p = 0; p < lists.n; ++p) rank_of[ranked[p].list] = p;
      for (std::size_t k = 0; k < kRecallRows; ++k) {
        const auto row = static_cast<std::size_t>(set_->truth[q * kTruthColumns + k]);
        held[rank_of[lists.list_of[row]] + 1] += 1;
      }
    }
    const auto all = static_cast<double>(set_->n_queries * kRecallRows);
    for (std::size_t p = 1; p <= lists.n; ++p) held[p] = held[p - 1] + held[p] / all;
    return held;
  }

  Measured run(Index& index, std::size_t probes) const {
    Measured measured;
    std::vector<double> times;
    std::vector<std::size_t> refined;
    const auto n = static_cast<double>(set_->n_queries);
    for (std::size_t q = 0; q < set_->n_queries; ++q) {
      const Index::Result result = index.search(q, probes, tenth_[q]);
      times.push_back(result.microseconds);
      refined.push_back(result.refined);
      measured.scored += static_cast<double>(result.scored) / n;
      measured.refined += static_cast<double>(result.refined) / n;
      measured.heap_rows += static_cast<double>(result.heap_rows) / n;
      measured.recall += static_cast<double>(result.right) / kRecallRows / n;
    }
    measured.microseconds = percentile(times, 0.5);
    measured.refined_p99 = percentile(refined, 0.99);
    return measured;
  }

  double tenth(std::size_t query) const { return tenth_[query]; }

 private:
  const VectorSet* set_;
  std::vector<double> tenth_;
};

/// The fewest probes that hold so much.
std::size_t probes_for(const std::vector<double>& held, double recall) {
  std::size_t probes = 1;
  while (probes + 1 < held.size() && held[probes] < recall) ++probes;
  return probes;
}

void lists_line(const VectorSet& set, std::size_t n, const Experiment& experiment) {
  constexpr double kGoals[] = {0.9, 0.95, 0.99};
  const Lists lists = Lists::train(set, n);
  const std::vector<double> held = experiment.held(lists);
  const Rotated rotated(set, lists, Rotation::kRandom);
  Index index(set, lists, rotated, kQuantizers[0]);
  std::printf("| %zu | %zu | %.2f | %.2f | %.2f", n, set.rows / n, lists.train_seconds,
              lists.assign_seconds, lists.imbalance());
  for (const double goal : kGoals) {
    const std::size_t probes = probes_for(held, goal);
    const Measured measured = experiment.run(index, probes);
    std::printf(" | %zu: %.3f, %.0f, %.0f", probes, measured.recall, measured.scored,
                measured.microseconds);
  }
  const std::size_t usual = core::default_probes(n);
  const Measured measured = experiment.run(index, usual);
  std::printf(" | %zu: %.3f, %.0f, %.0f |\n", usual, measured.recall, measured.scored,
              measured.microseconds);
  std::fflush(stdout);
}

void lists_table(const VectorSet& set, std::size_t n_lists, const Experiment& experiment) {
  std::puts(
      "\n| lists | rows a list | k-means s | assign s | imbalance | probes: recall, scored, us for "
      "0.9 | for 0.95 | for 0.99 | default probes |");
  std::puts("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  const double root = std::sqrt(static_cast<double>(set.rows));
  for (const double factor : {0.5, 1.0, 2.0, 4.0}) {
    lists_line(set, static_cast<std::size_t>(factor * root), experiment);
  }
  if (n_lists > 0) lists_line(set, n_lists, experiment);
}

void codes_table(const VectorSet& set, const Lists& lists, const Experiment& experiment) {
  const std::vector<double> held = experiment.held(lists);
  std::printf(
      "\n%zu lists, trained in %.2f s, rows assigned in %.2f s, imbalance %.2f; %zu and %zu "
      "probes hold %.4f and %.4f of the true ten\n",
      lists.n, lists.train_seconds, lists.assign_seconds, lists.imbalance(),
      probes_for(held, kRecalls[0]), probes_for(held, kRecalls[1]),
      held[probes_for(held, kRecalls[0])], held[probes_for(held, kRecalls[1])]);
  std::puts(
      "\n| quantizer | rotation | bytes | train, rotate, encode s | error ratio | refined at 0.95: "
      "mean, p99 | "
      "missed % | us | at 0.99: mean, p99 | missed % | us |");
  std::puts("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const Rotation rotation : {Rotation::kNone, Rotation::kRandom, Rotation::kOpq}) {
    if (rotation == Rotation::kOpq && set.dim > core::kMaxOpqDim) continue;
    const Rotated rotated(set, lists, rotation);
    for (const Quantizer& kind : kQuantizers) {
      Index index(set, lists, rotated, kind);
      std::printf("| %s | %s | %zu | %.1f, %.1f, %.1f | %.2f", kind.name,
                  kRotationNames[static_cast<int>(rotation)], index.hot_bytes(),
                  index.train_seconds, rotated.seconds, index.encode_seconds, index.error_ratio);
      for (const double recall : kRecalls) {
        const std::size_t probes = probes_for(held, recall);
        const Measured measured = experiment.run(index, probes);
        std::printf(" | %.0f, %zu | %.2f | %.0f", measured.refined, measured.refined_p99,
                    100 * (held[probes] - measured.recall) / held[probes], measured.microseconds);
      }
      std::puts(" |");
      std::fflush(stdout);
    }
  }
}

float to_half(float x) {
  if (std::fabs(x) < 0x1p-14F) return std::round(x * 0x1p24F) * 0x1p-24F;
  int exponent = 0;
  const float fraction = std::frexp(x, &exponent);
  return std::ldexp(std::round(fraction * 2048) / 2048, exponent);
}

/// What a cold code of so many bits stands for a residual by; 16 are half floats, 0 is 8 bits of
/// one scale (sq8), the others levels with the sign in front.
std::vector<float> refined_residual(const float* r, std::size_t dim, unsigned bits) {
  std::vector<float> stood_for(dim);
  std::vector<std::int8_t> w(dim);
  if (bits == 16) {
    std::transform(r, r + dim, stood_for.begin(), to_half);
  } else if (bits == 0) {
    const core::ScalarCode code =
        core::encode_scalar({r, dim}, core::ErrorNorm::kEuclidean, w.data());
    core::decode_scalar(w, code.scale, stood_for.data());
  } else {
    const float scale = core::encode_levels({r, dim}, bits, w.data());
    for (std::size_t d = 0; d < dim; ++d) {
      stood_for[d] = scale * (2 * static_cast<float>(w[d]) + 1);
    }
  }
  return stood_for;
}

void refinement_table(const VectorSet& set, const Lists& lists, const Experiment& experiment) {
  struct Refinement {
    const char* name;
    unsigned bits;
    std::size_t bytes;
  };
  const std::size_t d = set.dim;
  const Refinement kinds[] = {{"extra bits, 3 in all", 3, core::extra_bits_bytes(d, 3) + 12},
                              {"extra bits, 4 in all", 4, core::extra_bits_bytes(d, 4) + 12},
                              {"extra bits, 5 in all", 5, core::extra_bits_bytes(d, 5) + 12},
                              {"extra bits, 6 in all", 6, core::extra_bits_bytes(d, 6) + 12},
                              {"extra bits, 8 in all", 8, core::extra_bits_bytes(d, 8) + 12},
                              {"sq8", 0, d + 12},
                              {"half", 16, 2 * d}};
  const std::size_t probes = probes_for(experiment.held(lists), 0.99);
  const Rotated rotated(set, lists, Rotation::kRandom);
  Index index(set, lists, rotated, kQuantizers[0]);
  double rows[std::size(kinds)] = {}, refined = 0;
  const std::size_t n_queries = std::min<std::size_t>(set.n_queries, 200);
  for (std::size_t q = 0; q < n_queries; ++q) {
    refined += static_cast<double>(index.search(q, probes, experiment.tenth(q)).refined);
    for (std::size_t k = 0; k < std::size(kinds); ++k) {
      std::vector<BoundedRow> bounds;
      for (const BoundedRow& one : index.refined()) {
        const float* const r = rotated.residuals.data() + one.row * d;
        const float* const c = rotated.centroids.data() + lists.list_of[one.row] * d;
        const std::vector<float> coded = refined_residual(r, d, kinds[k].bits);
        double squared = 0, lost = 0;
        for (std::size_t i = 0; i < d; ++i) {
          const double to = static_cast<double>(index.rotated_query()[i]) - c[i] - coded[i];
          squared += to * to;
          lost += std::pow(static_cast<double>(r[i]) - coded[i], 2);
        }
        const double lower = std::max(0.0, std::sqrt(squared) - std::sqrt(lost));
        bounds.push_back({lower * lower * (1 - 1e-5), one.row});
      }
      std::sort(bounds.rbegin(), bounds.rend());  // the nearest first
      Executor executor(set, q);
      std::all_of(bounds.begin(), bounds.end(),
                  [&](const BoundedRow& row) { return executor.take(row); });
      rows[k] += static_cast<double>(executor.rows);
    }
  }
  const auto raw = static_cast<double>(4 * d);
  std::puts(
      "\n| refinement | bytes a row, with the 1-bit code | of raw vectors | heap rows for 10 |");
  std::puts("| --- | --- | --- | --- |");
  std::printf("| none | %zu | %.3f | %.1f |\n", index.hot_bytes(),
              static_cast<double>(index.hot_bytes()) / raw,
              refined / static_cast<double>(n_queries));
  for (std::size_t k = 0; k < std::size(kinds); ++k) {
    const std::size_t bytes = index.hot_bytes() + kinds[k].bytes;
    std::printf("| %s | %zu | %.3f | %.1f |\n", kinds[k].name, bytes,
                static_cast<double>(bytes) / raw, rows[k] / static_cast<double>(n_queries));
  }
}

void run(const std::string& prefix, std::size_t n_lists, std::size_t n_queries, bool lists_only) {
  const VectorSet set = VectorSet::read(prefix, n_queries);
  const Experiment experiment(set);
  std::printf("%zu rows x %zu, %zu queries\n", set.rows, set.dim, set.n_queries);
  lists_table(set, n_lists, experiment);
  if (lists_only) return;
  if (n_lists == 0) n_lists = core::default_lists(set.rows);
  const Lists lists = Lists::train(set, n_lists);
  refinement_table(set, lists, experiment);
  codes_table(set, lists, experiment);
}

}  // namespace

int main(int argc, char** argv) {
  std::string prefix;
  std::size_t n_queries = 1000, n_lists = 0;
  bool lists_only = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (word == "--lists-only") {
      lists_only = true;
    } else if (word == "--queries" && i + 1 < argc) {
      n_queries = std::strtoul(argv[++i], nullptr, 10);
    } else if (word == "--lists" && i + 1 < argc) {
      n_lists = std::strtoul(argv[++i], nullptr, 10);
    } else {
      prefix += (prefix.empty() ? "" : "/") + std::string(word);
    }
  }
  if (prefix.empty() || n_queries == 0) {
    std::fputs("usage: bench_inverted FOLDER NAME [--lists N] [--queries N] [--lists-only]\n",
               stderr);
    return 2;
  }
  try {
    run(prefix, n_lists, n_queries, lists_only);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_inverted: %s\n", error.what());
    return 1;
  }
}
