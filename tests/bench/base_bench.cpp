#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crc32c.hpp"
#include "base/prefix_table.hpp"
#include "base/timer_wheel.hpp"
#include "bench.hpp"
#include "tandem/clock.hpp"

namespace tandem::bench {
namespace {

// A dial plan of a million prefixes: operators own runs of neighbouring prefixes, most of 7 to 9
// digits.
std::vector<std::string> dial_plan(std::size_t size, SeededRandom& random) {
  std::vector<std::string> plan;
  plan.reserve(size + 20);
  PrefixTable<>::Builder seen;
  const auto take = [&](std::string prefix) {
    if (seen.add(prefix, 0)) plan.push_back(std::move(prefix));
  };
  while (plan.size() < size) {
    const std::string stem =
        std::to_string(100 + random.below(900)) + std::to_string(100 + random.below(9'900));
    const std::uint64_t first = random.below(10);
    for (std::uint64_t digit = first;
         digit < std::min<std::uint64_t>(10, first + 1 + random.below(8)); ++digit) {
      take(stem + static_cast<char>('0' + digit));
      for (char last = '0'; random.below(2) == 0 && last <= '9'; ++last) {
        take(stem + static_cast<char>('0' + digit) + last);
      }
    }
  }
  plan.resize(size);
  return plan;
}

}  // namespace

/// A million prefixes, and numbers uniform over them: the worst case for the caches.
struct LargePlan {
  static constexpr std::size_t numbers = 1 << 18;
  static constexpr std::size_t digits = 13;

  LargePlan() {
    SeededRandom random(1);
    const std::vector<std::string> plan = dial_plan(1'000'000, random);
    PrefixTable<>::Builder builder;
    for (const std::string& prefix : plan)
      (void)builder.add(prefix, 1);  // all differ
    const std::int64_t before_ns = cpu_ns();
    table = builder.build();
    build_ms = (cpu_ns() - before_ns) / 1'000'000;
    for (std::size_t i = 0; i < numbers; ++i) {
      std::string number = plan[random.below(plan.size())];
      while (number.size() < digits)
        number += static_cast<char>('0' + random.below(10));
      text += number;
    }
  }
  [[nodiscard]] std::string_view number(std::size_t i) const {
    return std::string_view(text).substr(i * digits, digits);
  }

  PrefixTable<> table;
  std::string text;  // the numbers side by side, as in a packet's buffer
  std::int64_t build_ms = 0;
};

TANDEM_BENCH("route.lpm_1m", "ns_cpu") {
  const LargePlan plan;
  std::uint64_t sum = 0;
  const double ns = best_ns_per_operation(LargePlan::numbers, [&](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
      const auto match = plan.table.find(plan.number(i));
      sum += match ? match->prefix_length : 0u;
    }
  });
  keep(sum);
  const double bytes = static_cast<double>(plan.table.memory_bytes()) / 1e6;
  return {ns, "{\"prefixes\":1000000,\"numbers\":\"uniform\",\"bytes_per_prefix\":" +
                  std::to_string(bytes) + ",\"build_ms\":" + std::to_string(plan.build_ms) +
                  ",\"threads\":1}"};
}

/// The same for one who has many numbers at hand, such as re-rating.
TANDEM_BENCH("route.lpm_1m_many", "ns_cpu") {
  const LargePlan plan;
  std::vector<std::string_view> numbers;
  for (std::size_t i = 0; i < LargePlan::numbers; ++i)
    numbers.push_back(plan.number(i));
  std::uint64_t sum = 0;
  const double ns = best_ns_per_operation(numbers.size(), [&](std::uint64_t n) {
    plan.table.find_each(std::span(numbers).first(n), [&](std::size_t, const auto& match) {
      sum += match ? match->prefix_length : 0u;
    });
  });
  keep(sum);
  return {ns, "{\"prefixes\":1000000,\"numbers\":\"uniform\",\"threads\":1}"};
}

TANDEM_BENCH("timer.start_cancel_1m_pending", "ns_cpu") {
  TimerWheel wheel(0);
  SeededRandom random(1);
  const auto nothing = [](void*) {};
  constexpr std::size_t pending = 1'000'000;
  std::vector<std::unique_ptr<Timer>> timers;
  for (std::size_t i = 0; i < pending; ++i) {
    timers.push_back(std::make_unique<Timer>(nothing, nullptr));
    wheel.start(*timers.back(), static_cast<std::int64_t>(random.below(64'000'000)));
  }
  // What a transaction does: start for half a second to 32 seconds, cancel when the answer comes.
  constexpr std::size_t own = 4096;
  std::vector<std::int64_t> delays_us;
  std::vector<std::unique_ptr<Timer>> transaction;
  for (std::size_t i = 0; i < own; ++i) {
    delays_us.push_back(static_cast<std::int64_t>(500'000 + random.below(31'500'000)));
    transaction.push_back(std::make_unique<Timer>(nothing, nullptr));
  }
  const double ns = best_ns_per_operation(own * 64, [&](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; i += own) {
      for (std::size_t t = 0; t < own; ++t)
        wheel.start(*transaction[t], delays_us[t]);
      for (std::size_t t = 0; t < own; ++t)
        transaction[t]->cancel();
    }
  });
  return {ns, "{\"pending\":1000000,\"operation\":\"one start and one cancel\",\"threads\":1}"};
}

TANDEM_BENCH("base.crc32c_64k", "ns_cpu") {
  const std::vector<char> bytes(65'536, 'x');
  std::uint32_t crc = 0;
  const double ns = best_ns_per_operation(1'000, [&](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i)
      crc = crc32c(bytes.data(), bytes.size(), crc);
  });
  keep(crc);
  return {ns, "{\"bytes\":65536,\"threads\":1}"};
}

TANDEM_BENCH("base.secure_random", "ns_cpu") {
  SecureRandom random;
  std::uint64_t sum = 0;
  const double ns = best_ns_per_operation(100'000, [&](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i)
      sum += random.next();
  });
  keep(sum);
  return {ns, "{\"operation\":\"one 64-bit number\",\"threads\":1}"};
}

}  // namespace tandem::bench
