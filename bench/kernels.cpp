// Times the distance kernels of every instruction set that this CPU has.
//
//   load/SET/dim                 the yardstick: only loads the bytes that a distance needs
//   l2_squared/SET/dim           inner_product, cosine_sums, l1: one pair after another
//   l2_block/SET/dim             inner_product_block: 64 x 64 vectors by the blocked kernel
//   panel_products/SET/dim       60 vectors with 64 that are stored by columns
//   nearest_centroid/SET/dim     rows per second that k-means assigns to 1,024 centroids
//   inner_product_i8/SET/dim     codes of 8 bits; inner_product_i8_i16, l1_f32_i8, l1_i8
//   masked_sums/SET/bits         32 codes of one bit per dimension against a query of four bits
//   table_sums/SET/segments      codes per second of 4-bit symbols, with their estimates: of one
//                                bit per dimension, four a segment, or of product quantization
//   byte_codes/segments          codes per second of 8-bit symbols
//   level_codes/bits/dim         codes per second of several bits per dimension, unpacked and
//                                multiplied with a query
//   shortest_digits/SET          decimal digits of 64 numbers, as text output finds them
//
// The data stay in the first- and second-level caches: one vector against kVectors others, as when
// a query meets rows. The counter "ns/pair" is the time of one distance; "vs_load" divides it by
// that of the loading loop with registers of the same width, measured just before.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "core/cluster/nearest_centroid.hpp"
#include "core/kernels/table.hpp"
#include "core/quantize/query_table.hpp"
#include "core/quantize/sign_code.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using nearest::core::DigitsBlock;
using nearest::core::KernelTable;

constexpr std::size_t kDims[] = {128, 384, 768, 1536, 3072};

/// At most 128 kB of vectors, which a second-level cache holds.
std::size_t n_vectors(std::size_t dim) { return 32 * 1024 / dim; }

std::vector<float> random_floats(std::size_t n) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> floats(n);
  for (float& x : floats) x = normal(random);
  return floats;
}

/// Loads both vectors in registers of the set's width and does nothing with them. The empty
/// assembler statement takes each loaded register as an input, so no load can be left out.
using LoadLoop = float (*)(const float*, const float*, std::size_t);

#if defined(__x86_64__)
__attribute__((target("avx512f"))) float load_avx512(const float* a, const float* b,
                                                     std::size_t dim) {
  for (std::size_t i = 0; i < dim; i += 16) {
    asm volatile("" : : "v"(_mm512_loadu_ps(a + i)), "v"(_mm512_loadu_ps(b + i)));
  }
  return 0;
}
__attribute__((target("avx2"))) float load_avx2(const float* a, const float* b, std::size_t dim) {
  for (std::size_t i = 0; i < dim; i += 8) {
    asm volatile("" : : "x"(_mm256_loadu_ps(a + i)), "x"(_mm256_loadu_ps(b + i)));
  }
  return 0;
}
float load_baseline(const float* a, const float* b, std::size_t dim) {
  for (std::size_t i = 0; i < dim; i += 4) {
    asm volatile("" : : "x"(_mm_loadu_ps(a + i)), "x"(_mm_loadu_ps(b + i)));
  }
  return 0;
}
const std::map<std::string, LoadLoop> kLoadLoops = {{"baseline", load_baseline},
                                                    {"avx2", load_avx2},
                                                    {"avx512", load_avx512},
                                                    {"avx512vnni", load_avx512}};
#else
float load_words(const float* a, const float* b, std::size_t dim) {
  for (std::size_t i = 0; i < dim; i += 4) {
    using Lanes __attribute__((vector_size(16))) = float;
    asm volatile(""
                 :
                 : "w"(*reinterpret_cast<const Lanes*>(a + i)),
                   "w"(*reinterpret_cast<const Lanes*>(b + i)));
  }
  return 0;
}
const std::map<std::string, LoadLoop> kLoadLoops = {{"baseline", load_words}, {"neon", load_words}};
#endif

template <class Kernel>
void run_pairs(Kernel kernel, const float* query, const std::vector<float>& vectors,
               std::size_t dim) {
  for (std::size_t i = 0; i < vectors.size(); i += dim) {
    benchmark::DoNotOptimize(kernel(query, vectors.data() + i, dim));
  }
}

/// The fastest of several passes of the loading loop, in ns per pair.
double load_time(LoadLoop load, const float* query, const std::vector<float>& vectors,
                 std::size_t dim) {
  using Clock = std::chrono::steady_clock;
  constexpr int kPasses = 200, kRepeats = 20;
  double best = 1e9;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto begin = Clock::now();
    for (int pass = 0; pass < kPasses; ++pass) run_pairs(load, query, vectors, dim);
    const std::chrono::duration<double, std::nano> spent = Clock::now() - begin;
    best = std::min(best, spent.count() / kPasses / static_cast<double>(vectors.size() / dim));
  }
  return best;
}

template <class Kernel>
void pairwise(benchmark::State& state, Kernel kernel, LoadLoop load, std::size_t dim) {
  const std::vector<float> query = random_floats(dim);
  const std::vector<float> vectors = random_floats(n_vectors(dim) * dim);
  const double ns_load = load_time(load, query.data(), vectors, dim);

  using Clock = std::chrono::steady_clock;
  double best =
      1e9;  // of single passes, as the yardstick's: both without what else the machine did
  for (auto _ : state) {
    const auto begin = Clock::now();
    for (int pass = 0; pass < 200; ++pass) run_pairs(kernel, query.data(), vectors, dim);
    const std::chrono::duration<double, std::nano> spent = Clock::now() - begin;
    best = std::min(best, spent.count() / 200 / static_cast<double>(vectors.size() / dim));
  }
  state.counters["ns/pair"] = best;
  state.counters["vs_load"] = best / ns_load;
}

using BlockKernel = void (*)(const float*, std::size_t, const float*, std::size_t, std::size_t,
                             float*);

/// Floating-point operations per second, counting a multiplication and an addition.
benchmark::Counter operations(benchmark::State& state, double at_once) {
  return {at_once * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate};
}

void block(benchmark::State& state, BlockKernel kernel, std::size_t dim) {
  constexpr std::size_t kRows = 64;
  const std::vector<float> a = random_floats(kRows * dim), b = random_floats(kRows * dim);
  std::vector<float> out(kRows * kRows);
  for (auto _ : state) {
    kernel(a.data(), kRows, b.data(), kRows, dim, out.data());
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["FLOP/s"] = operations(state, 2.0 * kRows * kRows * static_cast<double>(dim));
  state.counters["ns/pair"] =
      benchmark::Counter(1e-9 * kRows * kRows * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// As block, with the second vectors as a panel.
void panel(benchmark::State& state, const KernelTable& table, std::size_t dim) {
  constexpr std::size_t kRows = 60, kWidth = 64;
  const std::vector<float> a = random_floats(kRows * dim), b = random_floats(kWidth * dim);
  std::vector<float> out(kRows * kWidth);
  for (auto _ : state) {
    table.panel_products_f32(a.data(), kRows, dim, b.data(), kWidth, out.data());
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["FLOP/s"] = operations(state, 2.0 * kRows * kWidth * static_cast<double>(dim));
}

template <class T>
std::vector<T> random_integers(std::size_t n, std::uint64_t magnitude) {
  std::mt19937_64 random(7);
  std::vector<T> integers(n);
  for (T& x : integers) {
    x = static_cast<T>(static_cast<std::int64_t>(random() % (2 * magnitude + 1) - magnitude));
  }
  return integers;
}

/// One query against vectors of codes that the first-level cache holds; A: elements of the query.
template <class A, class Kernel>
void codes(benchmark::State& state, Kernel kernel, std::size_t dim) {
  const std::size_t n = 16 * 1024 / dim;
  const std::vector<A> query = random_integers<A>(dim, 100);
  const std::vector<std::int8_t> vectors = random_integers<std::int8_t>(n * dim, 127);
  for (auto _ : state) {
    for (std::size_t i = 0; i < n; ++i) {
      benchmark::DoNotOptimize(kernel(vectors.data() + i * dim, query.data(), dim));
    }
  }
  state.counters["ns/pair"] =
      benchmark::Counter(1e-9 * static_cast<double>(n) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void masked_sums(benchmark::State& state, const KernelTable& table, std::size_t bits) {
  constexpr std::size_t kCodes = 32, kAtOnce = 8;
  const std::size_t words = bits / 64;
  const std::vector<std::uint64_t> block =
      random_integers<std::uint64_t>(words * kCodes, std::uint64_t{1} << 62);
  const std::vector<std::uint64_t> planes =
      random_integers<std::uint64_t>(words * 4, std::uint64_t{1} << 62);
  std::int32_t sums[kCodes];
  for (auto _ : state) {
    for (std::size_t j = 0; j < kCodes; j += kAtOnce) {
      table.masked_sums_x8(block.data() + j * words, words, planes.data(), sums + j);
    }
    benchmark::DoNotOptimize(&sums);
    benchmark::ClobberMemory();
  }
  state.counters["ns/32codes"] =
      benchmark::Counter(1e-9 * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

benchmark::Counter codes_per_second(benchmark::State& state, std::size_t at_once) {
  return {static_cast<double>(at_once) * static_cast<double>(state.iterations()),
          benchmark::Counter::kIsRate};
}

/// Blocks that the second-level cache holds.
void table_sums(benchmark::State& state, const KernelTable& table, std::size_t segments) {
  constexpr std::size_t kCodes = 32, kBlocks = 64;
  const auto block = random_integers<std::uint8_t>(kBlocks * segments * 16, 1U << 20);
  const auto entries = random_integers<std::uint8_t>(segments * 16, 1U << 20);
  const std::vector<float> a = random_floats(kCodes), b = random_floats(kCodes);
  const nearest::core::CodeFactors32 factors{a.data(), b.data(), b.data()};
  std::uint32_t sums[kCodes];
  float estimates[kCodes];
  for (auto _ : state) {
    for (std::size_t i = 0; i < kBlocks; ++i) {
      table.table_sums_x32(block.data() + i * segments * 16, entries.data(), segments, sums);
      benchmark::DoNotOptimize(
          table.estimate_x32(sums, factors, {1, 0, 1e-4F, 0.1F, 0.1F, -10}, estimates));
      benchmark::DoNotOptimize(&estimates);
    }
  }
  state.counters["codes/s"] = codes_per_second(state, kBlocks * kCodes);
}

void byte_codes(benchmark::State& state, std::size_t segments) {
  constexpr std::size_t kCodes = 1024;
  const auto rows = random_integers<std::uint8_t>(kCodes * segments, 1U << 20);
  const std::vector<float> products = random_floats(segments * 256);
  for (auto _ : state) {
    for (std::size_t i = 0; i < kCodes; ++i) {
      benchmark::DoNotOptimize(
          nearest::core::product_of_bytes(products.data(), rows.data() + i * segments, segments));
    }
  }
  state.counters["codes/s"] = codes_per_second(state, kCodes);
}

/// Codes of more bits, as they are refined: unpacked and multiplied with a query.
void level_codes(benchmark::State& state, std::size_t dim, unsigned bits) {
  constexpr std::size_t kCodes = 64;
  const std::size_t row_bytes = nearest::core::code_row_bytes(nearest::core::sign_segments(dim));
  const std::size_t extra_bytes = nearest::core::extra_bits_bytes(dim, bits);
  const auto rows = random_integers<std::uint8_t>(kCodes * row_bytes, 1U << 20);
  const auto extra = random_integers<std::uint8_t>(kCodes * extra_bytes, 1U << 20);
  const auto query = random_integers<std::int16_t>(dim, 1000);
  std::vector<std::int8_t> w(dim);
  for (auto _ : state) {
    for (std::size_t i = 0; i < kCodes; ++i) {
      nearest::core::unpack_levels(&rows[i * row_bytes], &extra[i * extra_bytes], dim, bits,
                                   w.data());
      benchmark::DoNotOptimize(
          nearest::core::kernels().inner_product_i8_i16(w.data(), query.data(), dim));
    }
  }
  state.counters["codes/s"] = codes_per_second(state, kCodes);
}

struct HeapArena {
  void* allocate(std::size_t bytes) const { return ::operator new (bytes, std::align_val_t{64}); }
  void release(void* memory) const { ::operator delete (memory, std::align_val_t{64}); }
};

void nearest_centroid(benchmark::State& state, const KernelTable& table, std::size_t dim) {
  constexpr std::size_t kCentroids = 1024, kRows = 960;
  nearest::core::choose_kernels(table.name);
  const std::vector<float> rows = random_floats(kRows * dim);
  const std::vector<float> centroids = random_floats(kCentroids * dim);
  const auto panels = nearest::core::allocate_panels(HeapArena{}, kCentroids, dim);
  panels.fill(centroids.data());
  std::vector<std::uint32_t> nearest_of(kRows);
  for (auto _ : state) {
    nearest::core::find_nearest(panels, {rows.data(), kRows, dim}, nearest_of.data());
    benchmark::DoNotOptimize(nearest_of.data());
  }
  nearest::core::release_panels(HeapArena{}, panels);
  nearest::core::choose_kernels("auto");
  state.counters["rows/s"] = codes_per_second(state, kRows);
  state.counters["FLOP/s"] = operations(state, 2.0 * kRows * kCentroids * static_cast<double>(dim));
}

void digits(benchmark::State& state, const KernelTable& table) {
  const std::vector<float> values = random_floats(DigitsBlock::kSize);
  DigitsBlock out;
  for (auto _ : state) {
    table.shortest_digits_f32(values.data(), values.size(), out);
    benchmark::DoNotOptimize(&out);
    benchmark::ClobberMemory();
  }
  state.counters["ns/number"] =
      benchmark::Counter(1e-9 * DigitsBlock::kSize * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void register_set(const KernelTable& table) {
  const std::string set(table.name);
  const LoadLoop load = kLoadLoops.at(set);
  benchmark::RegisterBenchmark(("shortest_digits/" + set).c_str(),
                               [&table](benchmark::State& state) { digits(state, table); });
  for (const std::size_t bits : {256, 512, 768}) {
    benchmark::RegisterBenchmark(
        ("masked_sums/" + set + "/" + std::to_string(bits)).c_str(),
        [&table, bits](benchmark::State& state) { masked_sums(state, table, bits); });
  }
  for (const std::size_t dim : {128, 384, 768}) {
    const auto add_codes = [&]<class A>(const std::string& name, auto kernel, A) {
      benchmark::RegisterBenchmark((name + "/" + set + "/" + std::to_string(dim)).c_str(),
                                   [=](benchmark::State& state) { codes<A>(state, kernel, dim); });
    };
    add_codes("inner_product_i8", table.inner_product_i8, std::int8_t{});
    add_codes("inner_product_i8_i16", table.inner_product_i8_i16, std::int16_t{});
    const auto l1_f32_i8 = [l1 = table.l1_f32_i8](const std::int8_t* a, const float* b,
                                                  std::size_t n) { return l1(b, a, 0.01F, n); };
    add_codes("l1_f32_i8", l1_f32_i8, float{});
    const auto l1_i8 = [l1 = table.l1_i8](const std::int8_t* a, const std::int8_t* b,
                                          std::size_t n) { return l1(a, 0.01F, b, 0.02F, n); };
    add_codes("l1_i8", l1_i8, std::int8_t{});
  }
  for (const std::size_t segments : {96, 128, 196, 384}) {
    benchmark::RegisterBenchmark(
        ("table_sums/" + set + "/" + std::to_string(segments)).c_str(),
        [&table, segments](benchmark::State& state) { table_sums(state, table, segments); });
  }
  for (const std::size_t dim : {128, 384, 768}) {
    benchmark::RegisterBenchmark(
        ("nearest_centroid/" + set + "/" + std::to_string(dim)).c_str(),
        [&table, dim](benchmark::State& state) { nearest_centroid(state, table, dim); });
  }
  for (const std::size_t dim : {4, 8, 128, 384, 768, 1536}) {
    benchmark::RegisterBenchmark(
        ("panel_products/" + set + "/" + std::to_string(dim)).c_str(),
        [&table, dim](benchmark::State& state) { panel(state, table, dim); });
  }
  for (const std::size_t dim : kDims) {
    const std::string where = "/" + set + "/" + std::to_string(dim);
    const auto add = [&](const std::string& name, auto kernel) {
      benchmark::RegisterBenchmark((name + where).c_str(), [=](benchmark::State& state) {
        pairwise(state, kernel, load, dim);
      });
    };
    add("load", load);
    add("l2_squared", table.l2_squared_f32);
    add("inner_product", table.inner_product_f32);
    add("cosine_sums", table.cosine_sums_f32);
    add("l1", table.l1_f32);
    const auto add_block = [&](const std::string& name, BlockKernel kernel) {
      benchmark::RegisterBenchmark((name + where).c_str(),
                                   [=](benchmark::State& state) { block(state, kernel, dim); });
    };
    add_block("l2_block", table.l2_squared_block_f32);
    add_block("inner_product_block", table.inner_product_block_f32);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const KernelTable* table : nearest::core::available_kernels()) register_set(*table);
  for (const std::size_t segments : {48, 64, 96}) {
    benchmark::RegisterBenchmark(
        ("byte_codes/" + std::to_string(segments)).c_str(),
        [segments](benchmark::State& state) { byte_codes(state, segments); });
  }
  for (const std::size_t dim : {384, 768}) {
    for (const unsigned bits : {4U, 6U, 8U}) {
      benchmark::RegisterBenchmark(
          ("level_codes/" + std::to_string(bits) + "/" + std::to_string(dim)).c_str(),
          [dim, bits](benchmark::State& state) { level_codes(state, dim, bits); });
    }
  }
  benchmark::RunSpecifiedBenchmarks();
}
