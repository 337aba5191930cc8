#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "route/lines.hpp"
#include "tandem/clock.hpp"

using namespace tandem;
using route::GatewayLines;
using route::GroupShare;
using route::LineCounters;
using route::LineLease;

TEST_CASE("GatewayLines: R-11 with 71 of 100 lines taken a reserve of 30 refuses, 0 serves 29") {
  LineCounters gateways, groups;
  const auto group = groups.counter("g");
  const GatewayLines vip(gateways.counter("vip"), {GroupShare(group, 100, 0)});
  const GatewayLines retail(gateways.counter("retail"), {GroupShare(group, 100, 30)});
  std::vector<LineLease> calls;
  for (int i = 0; i < 71; ++i) {
    CHECK(retail.has_room(-1, 0) == (i < 71));
    calls.push_back(retail.try_take(-1, 0));
    REQUIRE(calls.back().held());
  }
  CHECK(group->current() == 71);
  CHECK_FALSE(retail.has_room(-1, 0));
  CHECK_FALSE(retail.try_take(-1, 0).held());
  CHECK_MESSAGE(retail.current() == 71, "the refused call took no line of the gateway");
  for (int i = 0; i < 29; ++i) {
    calls.push_back(vip.try_take(-1, 0));
    REQUIRE(calls.back().held());
  }
  CHECK_FALSE(vip.try_take(-1, 0).held());
  calls.clear();
  CHECK(group->current() == 0);
  CHECK(vip.current() == 0);
  CHECK(retail.current() == 0);
}

TEST_CASE("GatewayLines: R-11 all groups of a gateway must have room, and none keeps a line") {
  LineCounters counters;
  const auto a = counters.counter("a"), b = counters.counter("b"), c = counters.counter("c");
  const GatewayLines lines(counters.counter("gw"),
                           {GroupShare(a, 5, 0), GroupShare(b, 1, 0), GroupShare(c, -1, 7)});
  LineLease held = lines.try_take(10, 0);
  REQUIRE(held.held());
  CHECK_FALSE(lines.try_take(10, 0).held());
  CHECK(a->current() == 1);
  CHECK(b->current() == 1);
  CHECK(c->current() == 1);
  CHECK(lines.current() == 1);
  LineLease moved = std::move(held);
  held.release();
  CHECK(b->current() == 1);
  moved = LineLease();
  CHECK(a->current() + b->current() + c->current() + lines.current() == 0);
}

TEST_CASE("GroupShare: R-11 the limits of a reserve") {
  LineCounters counters;
  const auto g = counters.counter("g");
  CHECK(GroupShare(g, 10, 0).limit_at(0) == 10);
  CHECK(GroupShare(g, 10, 1).limit_at(0) == 10);
  CHECK(GroupShare(g, 10, 10).limit_at(0) == 1);
  CHECK(GroupShare(g, 10, 11).limit_at(0) == 0);
  CHECK(GroupShare(g, 0, 0).limit_at(0) == 0);
  CHECK(GroupShare(g, -1, 30).limit_at(0) == -1);
}

TEST_CASE("GroupShare: R-12 hours give the group another limit, from which the reserve is kept") {
  PeriodConfig peak;
  peak.days = DaySet::parse({"work"}).value();
  peak.from_s = 8 * 3600;
  peak.to_s = 18 * 3600;
  peak.line_limit = 3;
  const auto hours = std::make_shared<const route::Periods>(
      route::Periods::build({peak}, std::make_shared<Calendar>()).value());
  const std::int64_t friday_us = parse_time_us("2026-11-27T17:59:59Z").value();
  const std::int64_t evening_us = parse_time_us("2026-11-27T18:00:00Z").value();
  const std::int64_t saturday_us = parse_time_us("2026-11-28T12:00:00Z").value();
  LineCounters counters;
  const GroupShare share(counters.counter("g"), 1, 0, hours);
  CHECK(share.limit_at(friday_us) == 3);
  CHECK(share.limit_at(evening_us) == 1);
  CHECK(share.limit_at(saturday_us) == 1);
  CHECK(GroupShare(counters.counter("g"), 1, 2, hours).limit_at(friday_us) == 2);
  CHECK(GroupShare(counters.counter("g"), 1, 2, hours).limit_at(saturday_us) == 0);

  const GatewayLines lines(counters.counter("gw"), {share});
  std::vector<LineLease> calls;
  for (int i = 0; i < 3; ++i) {
    calls.push_back(lines.try_take(-1, friday_us));
    CHECK(calls.back().held());
  }
  CHECK_FALSE(lines.has_room(-1, friday_us));
  CHECK_FALSE(lines.try_take(-1, evening_us).held());
  calls.resize(1);
  CHECK_FALSE(lines.has_room(-1, evening_us));
  CHECK(lines.has_room(-1, friday_us));
}

TEST_CASE(
    "GatewayLines: R-10 R-11 a million operations of four threads on shared groups stay true") {
  constexpr int threads_count = 4, operations = 250'000;
  LineCounters gateways, groups;
  const auto big = groups.counter("big"), small = groups.counter("small");
  const GatewayLines lines[] = {
      GatewayLines(gateways.counter("g0"), {GroupShare(big, 40, 0)}),
      GatewayLines(gateways.counter("g1"), {GroupShare(big, 40, 15), GroupShare(small, 7, 0)}),
      GatewayLines(gateways.counter("g2"), {GroupShare(small, 7, 3)}),
      GatewayLines(gateways.counter("g3"), {})};
  constexpr int limits[] = {30, -1, 5, 2};
  std::atomic<int> truth[4] = {}, in_big{0}, in_small{0}, wrong{0};
  const auto count = [&](std::size_t i, int by) {
    const int big_now = i <= 1 ? in_big += by : 0;
    const int small_now = i == 1 || i == 2 ? in_small += by : 0;
    const int own = truth[i] += by;
    if (big_now > 40 || small_now > 7 || (limits[i] >= 0 && own > limits[i])) ++wrong;
    if (big_now < 0 || small_now < 0 || own < 0) ++wrong;
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < threads_count; ++t) {
    threads.emplace_back([&, t] {
      SeededRandom random(static_cast<std::uint64_t>(t) + 100);
      struct Held {
        LineLease lease;
        std::size_t object;
      };
      std::vector<Held> held;
      const auto give_back = [&] {
        count(held.back().object, -1);  // before the lease does: never above the real number
        held.pop_back();
      };
      for (int i = 0; i < operations; ++i) {
        if (held.size() < 20 && random.below(2) == 0) {
          const std::size_t object = random.below(4);
          LineLease lease = lines[object].try_take(limits[object], 0);
          if (!lease) continue;
          count(object, 1);
          held.push_back({std::move(lease), object});
        } else if (!held.empty()) {
          std::swap(held[random.below(held.size())], held.back());
          give_back();
        }
      }
      while (!held.empty())
        give_back();
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(wrong == 0);
  for (const GatewayLines& gateway : lines)
    CHECK(gateway.current() == 0);
  CHECK(big->current() == 0);
  CHECK(small->current() == 0);
}
