#include "tandem/log.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/bounded_queue.hpp"

using namespace tandem;

namespace {

struct Lines {
  std::vector<std::string> lines;
  LogSink sink() {
    return [this](const LogRecord& record) { lines.push_back(record.to_string()); };
  }
};

}  // namespace

TEST_CASE("Log: a line says time, level, room, text and fields") {
  SimulatedClock clock;
  Lines lines;
  Log log(clock, lines.sink());
  log.write(LogLevel::warning, "sip", "datagram refused",
            {{"source", "192.0.2.1:5060"}, {"bytes", "12"}});
  REQUIRE(lines.lines.size() == 1);
  CHECK(lines.lines[0] ==
        "2026-01-01T00:00:00.000000Z warning sip: datagram refused source=192.0.2.1:5060 bytes=12");
}

TEST_CASE(
    "Log: what came from the network cannot forge a line or a field, and secrets are not printed") {
  SimulatedClock clock;
  Lines lines;
  Log log(clock, lines.sink());
  log.write(LogLevel::error, "sip", "x",
            {{"a", "1\n2 b=\"c\"\\\x7f"}, {"empty", ""}, {"auth_password", "hunter2"}});
  CHECK(lines.lines[0].substr(28) ==
        "error sip: x a=\"1\\x0a2 b=\\\"c\\\"\\\\\\x7f\" empty=\"\" auth_password=***");
}

TEST_CASE("Log: lines below the level and without a sink go nowhere") {
  SimulatedClock clock;
  Lines lines;
  Log log(clock, lines.sink(), LogLevel::warning);
  log.write(LogLevel::info, "sip", "x");
  CHECK(lines.lines.empty());
  CHECK_FALSE(log.wants(LogLevel::info));
  CHECK(log.wants(LogLevel::error));
  Log silent(clock);
  silent.write(LogLevel::error, "sip", "x");
  CHECK_FALSE(silent.wants(LogLevel::error));
}

TEST_CASE("Log: each text passes so many times a second and says how many were held back") {
  SimulatedClock clock;
  Lines lines;
  Log log(clock, lines.sink(), LogLevel::info, 3);
  for (int i = 0; i < 10; ++i)
    log.write(LogLevel::info, "sip", "flood");
  log.write(LogLevel::info, "sip", "other");
  CHECK(lines.lines.size() == 4);
  clock.advance_us(999'999);
  log.write(LogLevel::info, "sip", "flood");
  CHECK(lines.lines.size() == 4);
  clock.advance_us(1);
  log.write(LogLevel::info, "sip", "flood");
  REQUIRE(lines.lines.size() == 5);
  CHECK(lines.lines[4] == "2026-01-01T00:00:01.000000Z info sip: flood suppressed=8");
}

TEST_CASE("Log: texts without number do not use memory without bound") {
  SimulatedClock clock;
  Lines lines;
  Log log(clock, lines.sink(), LogLevel::info, 1);
  for (int i = 0; i < 5'000; ++i)
    log.write(LogLevel::info, "sip", "text " + std::to_string(i));
  CHECK(lines.lines.size() == 1'025);
}

TEST_CASE("Log: a sink that throws does not end the one who logs") {
  SimulatedClock clock;
  Log log(clock, [](const LogRecord&) { throw std::runtime_error("full"); });
  log.write(LogLevel::error, "sip", "x");
}

TEST_CASE("BoundedQueue: turns away and counts what is beyond its bound, and keeps the order") {
  BoundedQueue<int> queue(3);
  for (int i = 0; i < 5; ++i)
    CHECK(queue.try_push(i) == (i < 3));
  CHECK(queue.dropped() == 2);
  CHECK(queue.size() == 3);
  std::vector<int> out{-1};
  CHECK(queue.pop_all(out));
  CHECK(out == std::vector<int>{-1, 0, 1, 2});
  CHECK(queue.pop_all_for(out, 0));
  CHECK(out.size() == 4);
  CHECK(queue.try_push(9));
  queue.close();
  CHECK_FALSE(queue.try_push(10));
  out.clear();
  CHECK(queue.pop_all(out));
  CHECK(out == std::vector<int>{9});
  CHECK_FALSE(queue.pop_all(out));
  CHECK_FALSE(queue.pop_all_for(out, 1'000'000));
}

TEST_CASE("BoundedQueue: every element that was taken in arrives once, from many threads") {
  BoundedQueue<int> queue(64);
  constexpr int threads = 4;
  constexpr int each = 5'000;
  std::vector<std::thread> producers;
  for (int t = 0; t < threads; ++t) {
    producers.emplace_back([&queue, t] {
      for (int i = 0; i < each; ++i) {
        while (!queue.try_push(t * each + i))
          std::this_thread::yield();
      }
    });
  }
  std::vector<int> last(threads, -1);
  int received = 0;
  bool in_order = true;
  std::vector<int> out;
  while (received < threads * each) {
    out.clear();
    REQUIRE(queue.pop_all(out));
    for (int element : out) {
      in_order = in_order && element % each == last[static_cast<std::size_t>(element / each)] + 1;
      last[static_cast<std::size_t>(element / each)] = element % each;
      ++received;
    }
  }
  for (auto& producer : producers)
    producer.join();
  CHECK(in_order);
  CHECK(queue.size() == 0);
}
