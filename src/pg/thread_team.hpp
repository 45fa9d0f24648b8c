/// Threads of a backend for loops over plain memory, which can be left at interrupts.
#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "miscadmin.h"
}

#include <csignal>

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>

namespace nearest::pg {

/// 1. What runs on threads neither allocates, fails nor calls the server (core/runner.hpp).
/// 2. Signals are blocked while threads are made, who thus never run a handler of the server; the
///    leader's mask is restored at once, so that it learns of cancels and timeouts.
/// 3. The first chunk runs alone, and tells whether the others are worth threads.
/// 4. The leader looks for interrupts after each of its chunks. If there is one, all leave the
///    loop, the leader serves it, which may raise, and if it returns the loop goes on.
class ThreadTeam {
 public:
  /// As many as maintenance commands may have processes, but no more than there are processors.
  static ThreadTeam of_maintenance() {
    return ThreadTeam(std::min(max_parallel_maintenance_workers + 1, omp_get_num_procs()));
  }
  explicit ThreadTeam(int threads) : threads_(std::max(threads, 1)) {}

  std::size_t size() const { return static_cast<std::size_t>(threads_); }
  /// Which one of the team runs this: below size(), for work memory of its own.
  static std::size_t thread() { return static_cast<std::size_t>(omp_get_thread_num()); }

  /// Calls f(chunk) for every chunk in [0, n); chunks should be far below a second of work.
  template <class F>
  void run(std::size_t n, F&& f) {
    if (n == 0) return;
    CHECK_FOR_INTERRUPTS();
    const auto begin = std::chrono::steady_clock::now();
    f(0);
    const std::chrono::duration<double> one = std::chrono::steady_clock::now() - begin;
    if (threads_ == 1 || one.count() * static_cast<double>(n - 1) < kLeastSeconds) {
      for (std::size_t chunk = 1; chunk < n; ++chunk) {
        CHECK_FOR_INTERRUPTS();
        f(chunk);
      }
      return;
    }
    std::atomic<std::size_t> next{1};
    while (next.load(std::memory_order_relaxed) < n) {
      CHECK_FOR_INTERRUPTS();
      run_until_interrupt(&next, n, f);
    }
  }

 private:
  /// Less work than this is done by the leader: where processors are busy with other things,
  /// waiting for a thread to get its turn takes longer.
  static constexpr double kLeastSeconds = 0.001;

  template <class F>
  void run_until_interrupt(std::atomic<std::size_t>* next, std::size_t n, F& f) {
    std::atomic<bool> shall_stop{false};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#pragma omp parallel num_threads(threads_)
    {
      const bool is_leader = omp_get_thread_num() == 0;
      if (is_leader) pthread_sigmask(SIG_SETMASK, &before, nullptr);
      while (!shall_stop.load(std::memory_order_relaxed)) {
        const std::size_t chunk = next->fetch_add(1, std::memory_order_relaxed);
        if (chunk >= n) break;
        f(chunk);
        if (is_leader && InterruptPending) shall_stop.store(true, std::memory_order_relaxed);
      }
    }
  }

  int threads_;
};

}  // namespace nearest::pg
