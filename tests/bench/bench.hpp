// The frame of tandem-bench: a figure is a function that measures once and says what it ran.
#pragma once

#include <cstdint>
#include <string>

namespace tandem::bench {

/// What a benchmark measured.
struct Figure {
  Figure(double measured_value, std::string detail_json = "{}")
      : value(measured_value), detail(std::move(detail_json)) {}
  double value = 0;  ///< In the unit that the benchmark was registered with.
  std::string
      detail;  ///< A JSON object: sizes, rates, threads; `peer` and `ratio` where one was run.
  std::string not_run;  ///< Why there is no figure: printed instead of it. Empty: there is one.
  static Figure skipped(std::string why) {
    Figure figure(0);
    figure.not_run = std::move(why);
    return figure;
  }
};

using Function = Figure (*)();

/// Enters a benchmark under its name. For TANDEM_BENCH.
struct Entry {
  Entry(const char* name, const char* unit, Function function) noexcept;
};

/// CPU time that this process has used, user and system, in ns.
std::int64_t cpu_ns() noexcept;
/// CPU time of the calling thread alone, in ns.
std::int64_t thread_cpu_ns() noexcept;
/// Time that never steps, in ns.
std::int64_t wall_ns() noexcept;
/// How long one figure shall be measured (`--seconds`, 1 by default).
double seconds() noexcept;

/// Keeps the compiler from dropping the computation of `value`.
template <class T>
void keep(const T& value) noexcept {
  asm volatile("" : : "r,m"(value) : "memory");
}

/// Runs `round(n)`, which does `n` operations, for about seconds() in rounds, and returns the CPU
/// ns per operation of the best round: the others were disturbed, and what disturbs is not what is
/// measured.
template <class Round>
double best_ns_per_operation(std::uint64_t n, Round&& round) {
  double best = 0;
  const std::int64_t end_ns = wall_ns() + static_cast<std::int64_t>(seconds() * 1e9);
  int rounds = 0;
  do {
    const std::int64_t before_ns = thread_cpu_ns();
    round(n);
    const double ns = static_cast<double>(thread_cpu_ns() - before_ns) / static_cast<double>(n);
    if (rounds++ == 0 || ns < best) best = ns;
  } while (rounds < 3 || wall_ns() < end_ns);
  return best;
}

}  // namespace tandem::bench

#define TANDEM_BENCH_JOIN2(a, b) a##b
#define TANDEM_BENCH_JOIN(a, b) TANDEM_BENCH_JOIN2(a, b)

/// TANDEM_BENCH("route.lpm_1m", "ns_cpu") { ... return Figure{value, "{...}"}; }, inside namespace
/// tandem::bench.
#define TANDEM_BENCH(name, unit) TANDEM_BENCH_AT(name, unit, TANDEM_BENCH_JOIN(bench_, __LINE__))
#define TANDEM_BENCH_AT(name, unit, function)                                                     \
  static ::tandem::bench::Figure function();                                                      \
  static const ::tandem::bench::Entry TANDEM_BENCH_JOIN(function, _entry){name, unit, &function}; \
  static ::tandem::bench::Figure function()
