/// Who runs the work of a training or of a build: the caller, on threads of its own and with its
/// own interrupts.
#pragma once

#include <concepts>
#include <cstddef>
#include <utility>

namespace nearest::core {

/// Training is cut into rounds of chunks, each chunk far below a second of work.
///   run(n, f): calls f(chunk) once for every chunk in [0, n), in any order, on any threads.
///   round(done, total): after each round of a loop, on the thread that called. Progress of that
///   loop alone: seeds, Lloyd rounds, codebooks and groups of lists each count for themselves.
///
/// 1. f neither allocates, fails nor calls the caller, so threads may run it.
/// 2. run and round may leave by a jump between two calls of f: nothing needs to be cleaned up.
/// 3. What f writes depends on its chunk alone, so results are the same whatever the order.
template <class R>
concept Runner = requires(R runner, void (*f)(std::size_t), std::size_t n) {
  runner.run(n, f);
  runner.round(n, n);
};

/// Runs chunks likewise, and tells f which thread runs it: below size(), for work space of its own.
template <class T>
concept Team = requires(T team, void (*f)(std::size_t), std::size_t n) {
  team.run(n, f);
  { team.size() } -> std::convertible_to<std::size_t>;
  { team.thread() } -> std::convertible_to<std::size_t>;
};

/// All on the calling thread, without interrupts.
struct SerialRunner {
  template <class F>
  void run(std::size_t n, F&& f) const {
    for (std::size_t chunk = 0; chunk < n; ++chunk) f(chunk);
  }
  void round(std::size_t, std::size_t) const {}
  static constexpr std::size_t size() { return 1; }
  static constexpr std::size_t thread() { return 0; }
};

/// The range of one chunk.
struct Chunk {
  std::size_t begin, end;
};
constexpr std::size_t chunk_count(std::size_t n, std::size_t size) { return (n + size - 1) / size; }
constexpr Chunk chunk_range(std::size_t chunk, std::size_t n, std::size_t size) {
  const std::size_t begin = chunk * size;
  return {begin, n - begin < size ? n : begin + size};
}

}  // namespace nearest::core
