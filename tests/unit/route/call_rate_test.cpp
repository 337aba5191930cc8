#include "route/call_rate.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "route/by_id.hpp"
#include "tandem/clock.hpp"

using namespace tandem;
using route::CallRate;
using route::CallRateMeter;

namespace {

constexpr std::int64_t second_us = 1'000'000;

int taken(CallRateMeter& meter, const CallRate& rate, std::int64_t now_us, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i)
    count += meter.try_take(rate, now_us) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("CallRateMeter: R-22 a full bucket gives a burst, then calls_per_second") {
  CallRateMeter meter;
  const CallRate rate{3, 0};
  CHECK(taken(meter, rate, 5 * second_us, 10) == 3);
  CHECK(taken(meter, rate, 5 * second_us + 333'000, 10) == 0);
  CHECK(taken(meter, rate, 5 * second_us + 333'334, 10) == 1);
  CHECK(taken(meter, rate, 6 * second_us, 10) == 2);
  CHECK(taken(meter, rate, 60 * second_us, 10) == 3);
}

TEST_CASE("CallRateMeter: R-22 the burst may be smaller or larger than a second's calls") {
  CallRateMeter small, large;
  CHECK(taken(small, {10, 1}, second_us, 10) == 1);
  CHECK(taken(small, {10, 1}, second_us + 100'000, 10) == 1);
  CHECK(taken(large, {2, 50}, second_us, 100) == 50);
  CHECK(taken(large, {2, 50}, 2 * second_us, 100) == 2);
  CHECK(taken(large, {2, 50}, 100 * second_us, 100) == 50);
}

TEST_CASE("CallRateMeter: R-22 no rate is no limit, and a look takes nothing") {
  CallRateMeter meter;
  CHECK(taken(meter, {0, 0}, 0, 1000) == 1000);
  const CallRate rate{1, 0};
  for (int i = 0; i < 5; ++i)
    CHECK(meter.has_token(rate, second_us));
  CHECK(meter.try_take(rate, second_us));
  CHECK_FALSE(meter.has_token(rate, second_us));
  CHECK_MESSAGE(meter.has_token({5, 10}, second_us), "another rate counts at once");
}

TEST_CASE("CallRateMeter: R-22 a rate that does not divide a second is kept to a call in 100 s") {
  CallRateMeter meter;
  const CallRate rate{7919, 10};
  std::int64_t count = 0;
  for (std::int64_t us = 0; us < 100 * second_us; us += 50)
    count += meter.try_take(rate, us) ? 1 : 0;
  CHECK(count >= 7919 * 100);
  CHECK(count <= 7919 * 100 + 10 + 5);  // the burst, and nanoseconds cut off each interval
}

TEST_CASE("CallRateMeter: R-22 threads together never pass the rate") {
  CallRateMeter meter;
  const CallRate rate{1000, 100};
  std::atomic<int> total{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::int64_t us = 0; us < second_us; us += 50)
        total += meter.try_take(rate, us) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(total <= 1100);
  CHECK(total >= 100);
}

TEST_CASE("ById: R-22 state is found again by its id and forgotten when nobody holds it") {
  route::ById<CallRateMeter> meters;
  auto first = meters.of("v1");
  CHECK(meters.of("v1") == first);
  CHECK(meters.of("v2") != first);
  CHECK(meters.size() == 2);
  CHECK(meters.forget_unused() == 1);
  first.reset();
  CHECK(meters.forget_unused() == 1);
  CHECK(meters.size() == 0);
}
