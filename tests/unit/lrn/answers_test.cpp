// What servers answer, and what is kept of it.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lrn/cache.hpp"
#include "lrn/http_resolver.hpp"
#include "lrn/number.hpp"
#include "lrn/resolver_state.hpp"
#include "tandem/clock.hpp"
#include "tandem/config.hpp"

using namespace tandem;
using namespace tandem::lrn;

TEST_CASE("LRN: what is a routing number, and what becomes one (R-20, RFC 4694)") {
  for (const std::string_view good : {"6465550000", "+16465550000", "1", "A1b"})
    CHECK_MESSAGE(is_lrn(good), good);
  for (const std::string& bad :
       {std::string(), std::string("+"), std::string(32, '1'), std::string("12 3"),
        std::string("12+3"), std::string("12#"), std::string("++1"), std::string("12g")})
    CHECK_FALSE_MESSAGE(is_lrn(bad), bad);
  CHECK(make_record("+1-(646) 555.0000", "NY") == LrnRecord{"+16465550000", "NY"});
  CHECK(make_record("", "") == LrnRecord{});
  CHECK(make_record("646", "New York") == LrnRecord{"646", "New York"});
  CHECK_FALSE(make_record("none", ""));
  CHECK_FALSE(make_record("646", std::string(33, 'x')));
  CHECK_FALSE(make_record("646", "a\nb"));
  CHECK_FALSE(make_record("646", "\xC3\xA9"));
}

TEST_CASE("LRN: JSON answers are read by key and by pointer, everything else is refused (R-20)") {
  struct Row {
    std::string_view json;
    std::optional<LrnRecord> record;
  };
  for (const Row& row : {
           Row{R"({"lrn": "6465550000", "region": "NY"})", LrnRecord{"6465550000", "NY"}},
           Row{R"({"lrn": 6465550000, "region": 132})", LrnRecord{"6465550000", "132"}},
           Row{R"({"lrn": null, "other": [1]})", LrnRecord{}},
           Row{R"({})", LrnRecord{}},
           Row{R"({"lrn": "", "region": null})", LrnRecord{}},
           Row{R"({"lrn": -5})", std::nullopt},
           Row{R"({"lrn": 1.5})", std::nullopt},
           Row{R"({"lrn": true})", std::nullopt},
           Row{R"({"lrn": ["6465550000"]})", std::nullopt},
           Row{R"({"lrn": "nobody"})", std::nullopt},
           Row{R"([])", std::nullopt},
           Row{R"("6465550000")", std::nullopt},
           Row{R"({"lrn": "646")", std::nullopt},
           Row{"", std::nullopt},
       }) {
    CAPTURE(row.json);
    CHECK(record_from_json(row.json, "lrn", "region") == row.record);
  }
  const std::string_view deep = R"({"result": {"lrn": "646", "where": [{"state": "NY"}]}})";
  CHECK(record_from_json(deep, "/result/lrn", "/result/where/0/state") == LrnRecord{"646", "NY"});
  CHECK(record_from_json(deep, "/result/none", "/result/where/1/state") == LrnRecord{});
  CHECK_FALSE(record_from_json(deep, "/result/~2", "region"));
  CHECK(record_from_json(std::string(5000, '[') + std::string(5000, ']'), "lrn", "region") ==
        std::nullopt);
}

TEST_CASE("LRN: an HTTP question names the number, escaped, and carries the headers (R-20)") {
  LrnResolverConfig config;
  config.kind = LrnResolverKind::http;
  config.path = "/v1/{number}/lrn?n={number}&k=1";
  config.headers = {"X-Key: secret"};
  CHECK(http_question(config, SocketAddress::parse("127.0.0.1:8080").value(), "+12#*") ==
        "GET /v1/%2B12%23%2A/lrn?n=%2B12%23%2A&k=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
        "Accept: application/json\r\nX-Key: secret\r\n\r\n");
}

TEST_CASE("LRN: resolvers that are asked otherwise have another state (R-20)") {
  LrnResolverConfig config;
  config.id = "db";
  const std::string first = state_id(config);
  CHECK(state_id(config) == first);
  LrnResolverConfig other = config;
  other.cache_s = 10;
  CHECK(state_id(other) != first);
  other = config;
  other.region_key = "state";
  CHECK(state_id(other) != first);
  other.addresses = {SocketAddress::parse("127.0.0.1:0").value()};
  CHECK(server_of(other, 3).port == 5060);
  other.kind = LrnResolverKind::http;
  CHECK(server_of(other, 3).port == 80);
}

TEST_CASE(
    "LRN cache: it says what a map with times says, and never holds more than it may (R-20)") {
  SeededRandom random(20);
  constexpr std::int64_t good_for_us = 1000;
  Cache cache(160, good_for_us);
  std::map<std::string, std::pair<LrnRecord, std::int64_t>> oracle;  // what was put last
  std::int64_t now_us = 0;
  int hits = 0;
  for (int i = 0; i < 20'000; ++i) {
    now_us += static_cast<std::int64_t>(random.below(5));
    const std::string number = std::to_string(random.below(400));
    if (random.below(2) == 0) {
      const LrnRecord record{std::to_string(random.below(1000)), "r"};
      cache.put(number, record, now_us);
      oracle[number] = {record, now_us};
      continue;
    }
    const auto found = cache.find(number, now_us);
    if (!found) continue;
    ++hits;
    const auto known = oracle.find(number);
    REQUIRE(known != oracle.end());
    REQUIRE(known->second.first == *found);
    REQUIRE(now_us - known->second.second < good_for_us);
  }
  CHECK(hits > 1000);
  CHECK(cache.size() <= 160);
  // With room for all only time takes them away.
  Cache roomy(100'000, good_for_us);
  for (int i = 0; i < 1000; ++i)
    roomy.put(std::to_string(i), {std::to_string(i), ""}, 5);
  CHECK(roomy.size() == 1000);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(roomy.find(std::to_string(i), 1004) == LrnRecord{std::to_string(i), ""});
    REQUIRE_FALSE(roomy.find(std::to_string(i), 1005));
  }
  Cache none(10, 0);
  none.put("1", {}, 0);
  CHECK(none.size() == 0);
}

TEST_CASE("LRN cache: threads may put and look at once (R-20)") {
  Cache cache(320, 1000);
  std::vector<std::thread> threads;
  std::array<int, 4> wrong{};
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&cache, &bad = wrong[t], t] {
      SeededRandom random(t);
      for (int i = 0; i < 20'000; ++i) {
        const std::string number = std::to_string(random.below(500));
        if (random.below(3) == 0) {
          cache.put(number, {number, "r"}, 0);
        } else if (const auto found = cache.find(number, 0)) {
          bad += found->lrn == number ? 0 : 1;
        }
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const int bad : wrong)
    CHECK(bad == 0);
  CHECK(cache.size() <= 320);
}
