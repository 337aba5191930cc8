#include "route/quality.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <thread>
#include <vector>

#include "tandem/clock.hpp"

using namespace tandem;
using route::Quality;
using route::QualityMeter;

namespace {

constexpr std::int64_t second_us = 1'000'000;

void add(QualityMeter& meter, std::int64_t now_us, int attempts, int answered) {
  for (int i = 0; i < attempts; ++i)
    meter.add_attempt(now_us, i < answered);
}

}  // namespace

TEST_CASE("QualityMeter: R-05 fewer than 20 attempts say nothing") {
  QualityMeter meter(3600, 300);
  add(meter, 0, 19, 19);
  CHECK_FALSE(meter.answer_percent(0).has_value());
  CHECK(meter.at(0).attempts == 19);
  add(meter, 0, 1, 0);
  REQUIRE(meter.answer_percent(0).has_value());
  CHECK(*meter.answer_percent(0) == 95);
}

TEST_CASE("QualityMeter: R-05 old slices age out one by one") {
  QualityMeter meter(600, 100);  // six slices
  for (int slice = 0; slice < 6; ++slice)
    add(meter, slice * 100 * second_us, 10, slice);
  const std::int64_t last = 500 * second_us;
  CHECK(meter.at(last).attempts == 60);
  CHECK(meter.at(last).answered == 15);
  CHECK(*meter.answer_percent(last) == 25);
  CHECK(*meter.answer_percent(last + 100 * second_us) == 30);  // 15 of 50
  CHECK(*meter.answer_percent(last + 300 * second_us) == 40);  // 3 + 4 + 5 of 30
  CHECK_FALSE(meter.answer_percent(last + 500 * second_us).has_value());
  CHECK(meter.at(last + 600 * second_us).attempts == 0);
}

TEST_CASE("QualityMeter: R-05 average talk time counts ended calls") {
  QualityMeter meter(3600, 300);
  add(meter, 0, 4, 3);
  CHECK(meter.at(0).average_talk_s() == 0);
  meter.add_talk(10 * second_us, 60'000);
  meter.add_talk(10 * second_us, 30'500);
  CHECK(meter.at(10 * second_us).average_talk_s() == 45);
  CHECK(meter.at(10 * second_us).answer_percent() == 75);
}

TEST_CASE("QualityMeter: R-05 equals a list of attempts, for windows of every shape") {
  SeededRandom random(5);
  for (int round = 0; round < 300; ++round) {
    const auto slice_s = static_cast<std::int32_t>(1 + random.below(50));
    const auto window_s = static_cast<std::int32_t>(slice_s + random.below(500));
    QualityMeter meter(window_s, slice_s);
    const std::int64_t slices = (window_s + slice_s - 1) / slice_s;
    struct One {
      std::int64_t slice;
      bool is_answered;
    };
    std::deque<One> all;
    std::int64_t now_us = 0;
    for (int i = 0; i < 300; ++i) {
      now_us +=
          static_cast<std::int64_t>(random.below(random.below(10) == 0 ? 600 : 4)) * second_us;
      const bool is_answered = random.below(3) == 0;
      meter.add_attempt(now_us, is_answered);
      const std::int64_t slice = now_us / (slice_s * second_us);
      all.push_back({slice, is_answered});
      while (all.front().slice <= slice - slices)
        all.pop_front();
      std::uint64_t answered = 0;
      for (const One& one : all)
        answered += one.is_answered ? 1 : 0;
      const Quality quality = meter.at(now_us);
      REQUIRE(quality.attempts == all.size());
      REQUIRE(quality.answered == answered);
      const auto percent = meter.answer_percent(now_us);
      REQUIRE(percent.has_value() == (all.size() >= 20));
      if (percent) REQUIRE(*percent == answered * 100 / all.size());
    }
  }
}

TEST_CASE("QualityMeter: R-05 threads lose no attempt and readers see no more than there are") {
  QualityMeter meter(86'400, 600);
  constexpr int threads_count = 4, adds = 50'000;
  std::atomic<bool> wrong{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < threads_count; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < adds; ++i) {
        const std::int64_t now_us = i / 1000 * second_us;
        meter.add_attempt(now_us, (i + t) % 2 == 0);
        const auto percent = meter.answer_percent(now_us);
        if (percent && *percent > 100) wrong = true;
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK_FALSE(wrong);
  const Quality quality = meter.at(50 * second_us);
  CHECK(quality.attempts == threads_count * adds);
  CHECK(quality.answered == threads_count * adds / 2);
  CHECK(*meter.answer_percent(50 * second_us) == 50);
}

TEST_CASE("QualityMeter: R-05 talk times are the mean of 20 ended calls and more, and age out") {
  QualityMeter meter(300, 60);
  for (int i = 0; i < 19; ++i)
    meter.add_talk(second_us, 100'000);
  CHECK_FALSE(meter.talk_time_s(second_us).has_value());
  meter.add_talk(2 * second_us, 300'000);
  CHECK(meter.talk_time_s(2 * second_us) == 110U);
  meter.add_talk(2 * second_us, 320'000);
  CHECK(meter.talk_time_s(2 * second_us) == 120U);  // 2,520 s of 21
  CHECK(meter.talk_time_s(299 * second_us) == 120U);
  CHECK_FALSE(meter.talk_time_s(301 * second_us).has_value());
  for (int i = 0; i < 20; ++i)
    meter.add_talk(400 * second_us, INT64_C(20'000'000'000));
  CHECK(meter.talk_time_s(400 * second_us) == 0xFFFFFEU);  // as long as there is room for
}
