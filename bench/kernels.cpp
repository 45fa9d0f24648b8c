// Times the distance kernels of every instruction set that this CPU has.
//
//   load/SET/dim            the yardstick: only loads the bytes that a distance needs, no
//   arithmetic l2_squared/SET/dim      inner_product, cosine_sums, l1: one pair after another
//   l2_block/SET/dim        64 x 64 vectors by the blocked kernel; time per pair
//   inner_product_block/SET/dim
//   shortest_digits/SET     decimal digits of 64 numbers, as text output finds them; time per
//   number
//
// The data stay in the first- and second-level caches: one vector against kVectors others, as when
// a query meets rows. The counter "ns/pair" is the time of one distance; "vs_load" divides it by
// that of the loading loop with registers of the same width, measured just before.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/table.hpp"

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
const std::map<std::string, LoadLoop> kLoadLoops = {
    {"baseline", load_baseline}, {"avx2", load_avx2}, {"avx512", load_avx512}};
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

void block(benchmark::State& state, BlockKernel kernel, std::size_t dim) {
  constexpr std::size_t kRows = 64;
  const std::vector<float> a = random_floats(kRows * dim), b = random_floats(kRows * dim);
  std::vector<float> out(kRows * kRows);
  for (auto _ : state) {
    kernel(a.data(), kRows, b.data(), kRows, dim, out.data());
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["ns/pair"] =
      benchmark::Counter(1e-9 * kRows * kRows * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
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
  benchmark::RunSpecifiedBenchmarks();
}
