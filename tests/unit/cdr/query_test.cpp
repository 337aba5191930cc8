#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "cdr/cdr_sqlite.hpp"
#include "report_oracle.hpp"
#include "support/sanitizers.hpp"
#include "tandem/cdr_query.hpp"
#include "temporary_folder.hpp"
#include "unit/cdr/stored_days.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::TemporaryFolder;

namespace {

struct Days : test::StoredDays {
  Days(std::uint64_t count, std::uint64_t seed) : StoredDays(count, seed) {
    std::sort(all.begin(), all.end(), [](const Cdr& a, const Cdr& b) {  // newest first
      return a.ended_at_us != b.ended_at_us ? a.ended_at_us > b.ended_at_us
                                            : a.record_id > b.record_id;
    });
  }
};

std::vector<std::uint64_t> ids_of(CdrCursor& cursor) {
  std::vector<std::uint64_t> ids;
  for (;;) {
    auto next = cursor.next();
    REQUIRE_MESSAGE(next.ok(), (next.ok() ? std::string() : next.error().message));
    if (!*next) return ids;
    ids.push_back((*next)->record_id);
  }
}

/// A clock whose every look is 1 ms later: a question takes as long as it looks.
class RestlessClock final : public Clock {
 public:
  std::int64_t monotonic_us() const noexcept override { return now_us_ += 1'000; }
  std::int64_t wall_us() const noexcept override { return test::noon_us; }

 private:
  mutable std::int64_t now_us_ = 0;
};

}  // namespace

TEST_CASE(
    "CdrStore: every member of a filter is judged as a plain scan does, page by page (C-13)") {
  constexpr int rounds = checked_build::is_sanitized ? 60 : 300;
  const Days days(700, 1);
  const CdrStore store(days.folder.path());
  SeededRandom random(2);
  std::size_t found_some = 0;
  for (int round = 0; round < rounds; ++round) {
    CdrQuery query;
    static_cast<CdrFilter&>(query) = test::some_filter(days.all, random, 3 + random.below(20));
    std::vector<std::uint64_t> expected;
    for (const Cdr& cdr : days.all) {
      if (test::wants(query, cdr)) expected.push_back(cdr.record_id);
    }
    // Of few records each on a page of its own, of many some dozens of pages.
    query.limit = 1 + expected.size() / 40 + random.below(expected.size() < 100 ? 20 : 400);
    found_some += expected.empty() ? 0 : 1;
    auto cursor = store.cursor(query);
    REQUIRE(cursor.ok());
    CHECK(ids_of(*cursor) == expected);
    std::vector<std::uint64_t> paged;
    for (;;) {
      const auto page = store.query(query);
      REQUIRE(page.ok());
      for (const Cdr& cdr : *page)
        paged.push_back(cdr.record_id);
      if (page->size() < query.limit) break;
      query.before_record_id = page->back().record_id;
    }
    CHECK(paged == expected);
  }
  CHECK(found_some > rounds / 3);
}

TEST_CASE("CdrCursor: goes on behind a record, also one that is not stored or not wanted (C-13)") {
  const Days days(300, 3);
  const CdrStore store(days.folder.path());
  CdrFilter filter;
  filter.until_us = days.all[100].ended_at_us;
  const auto from = [&](std::uint64_t id) {
    auto cursor = store.cursor(filter, id);
    REQUIRE(cursor.ok());
    return ids_of(*cursor);
  };
  const auto expected = [&](std::size_t behind) {
    std::vector<std::uint64_t> ids;
    for (std::size_t i = behind + 1; i < days.all.size(); ++i) {
      if (test::wants(filter, days.all[i])) ids.push_back(days.all[i].record_id);
    }
    return ids;
  };
  CHECK(from(days.all[0].record_id) == expected(0));  // of a day that the filter leaves out
  CHECK(from(days.all[150].record_id) == expected(150));
  CHECK(from(1'000'000).size() == expected(0).size());
  CHECK(from(UINT64_MAX).size() == expected(0).size());
  CHECK(from(0).empty());
}

TEST_CASE("CdrCursor: holds no lock on a day file between two records (C-13)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(4);
  std::uint64_t id = 0;
  const auto write = [&](std::uint64_t day) {
    Cdr cdr = test::sample_cdr(day * 86'400, random);
    cdr.record_id = ++id;
    REQUIRE((*sink)->write(cdr).ok());
    REQUIRE((*sink)->flush().ok());
  };
  write(0);
  write(0);
  auto cursor = CdrStore(folder.path()).cursor({});
  REQUIRE(cursor.ok());
  REQUIRE(cursor->next().value().has_value());
  write(1);  // closes the day before, which empties its log
  write(1);
  const std::string log = folder / "cdr-20261125.db-wal";
  CHECK((!std::filesystem::exists(log) || std::filesystem::file_size(log) == 0));
  CHECK(cursor->next().value()->record_id == 1);
  CHECK_FALSE(cursor->next().value().has_value());
}

TEST_CASE("CdrStore: a question that takes too long is ended with what it did (C-13)") {
  const Days days(2'000, 5);
  const RestlessClock clock;
  CdrGuards guards;
  guards.time_max_ms = 500;
  auto cursor = CdrStore(days.folder.path(), guards, &clock).cursor({});
  REQUIRE(cursor.ok());
  std::size_t count = 0;
  Result<std::optional<Cdr>> last = std::optional<Cdr>();
  while ((last = cursor->next()) && *last)
    ++count;
  REQUIRE_FALSE(last.ok());
  CHECK(last.error().code == ErrorCode::timeout);
  CHECK(count < 500);
  CHECK(last.error().message.find("read " + std::to_string(count) + " records") !=
        std::string::npos);
  // A statement that finds nothing is ended as well.
  CdrFilter nothing;
  nothing.call_id = "none";
  guards.time_max_ms = 1;
  auto empty = CdrStore(days.folder.path(), guards, &clock).cursor(nothing);
  REQUIRE(empty.ok());
  CHECK(empty->next().error().code == ErrorCode::timeout);
  guards.time_max_ms = 0;
  auto free = CdrStore(days.folder.path(), guards, &clock).cursor({});
  REQUIRE(free.ok());
  CHECK(ids_of(*free).size() == 2'000);
}

TEST_CASE("CdrStore: more records and longer periods than the guards allow are refused (C-13)") {
  const Days days(100, 6);
  SimulatedClock clock(test::noon_us + 4LL * 86'400'000'000);
  CdrGuards guards;
  guards.rows_max = 99;
  const auto drained = [&](const CdrFilter& filter) -> Result<std::size_t> {
    auto cursor = CdrStore(days.folder.path(), guards, &clock).cursor(filter);
    if (!cursor) return cursor.error();
    std::size_t count = 0;
    for (;; ++count) {
      auto next = cursor->next();
      if (!next) return next.error();
      if (!*next) return count;
    }
  };
  CHECK(drained({}).error().code == ErrorCode::limit);
  guards.rows_max = 100;
  CHECK(drained({}).value() == 100);
  guards.days_max = 2;
  CdrFilter filter;
  filter.since_us = clock.wall_us() - 3LL * 86'400'000'000;
  const auto refused = drained(filter);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::invalid_argument);
  CHECK(refused.error().message.find("longer than 2 days") != std::string::npos);
  filter.until_us = *filter.since_us + 2LL * 86'400'000'000;
  CHECK(drained(filter).ok());
  // Without a beginning: so far back from the end only.
  const auto expected = std::count_if(days.all.begin(), days.all.end(), [&](const Cdr& cdr) {
    return cdr.ended_at_us >= clock.wall_us() - 2LL * 86'400'000'000;
  });
  CHECK(drained({}).value() == static_cast<std::size_t>(expected));
  // Pages do not end there as if the list did.
  const CdrStore store(days.folder.path(), guards, &clock);
  const std::uint64_t oldest = days.all.back().record_id;
  REQUIRE(days.all.back().ended_at_us < clock.wall_us() - 2LL * 86'400'000'000);
  CHECK(store.cursor({}, oldest).error().code == ErrorCode::invalid_argument);
  CdrFilter around;
  around.until_us = days.all.back().ended_at_us + 1;
  CHECK(store.cursor(around, oldest).ok());
}

TEST_CASE(
    "set_filter: reads each member by its name, and leaves the filter alone otherwise (C-13)") {
  CdrFilter filter;
  CHECK(set_filter(filter, "customer-gateway", "c1").value());
  CHECK(filter.customer_gateway == "c1");
  CHECK(set_filter(filter, "since", "2026-11-25").value());
  CHECK(filter.since_us == 1'795'564'800'000'000);
  CHECK(set_filter(filter, "answered", "no").value());
  CHECK(filter.is_answered == false);
  CHECK(set_filter(filter, "release_side", "server").value());
  CHECK(filter.release_side == ReleaseSide::server);
  CHECK_FALSE(set_filter(filter, "colour", "red").value());
  for (const auto& [name, value] : {std::pair{"answered", "maybe"},
                                    {"since", "yesterday"},
                                    {"reason", "Nonsense"},
                                    {"talk_min_ms", "-1"},
                                    {"sip_status", "700"},
                                    {"release_side", "nobody"}}) {
    const auto refused = set_filter(filter, name, value);
    REQUIRE_FALSE_MESSAGE(refused.ok(), name);
    CHECK(refused.error().code == ErrorCode::invalid_argument);
  }
  CHECK(filter.is_answered == false);
  CHECK(filter.reason.empty());
  // Each member takes a value of its kind: a number, a moment, a flag, a side or a reason.
  constexpr const char* values[] = {"1", "2026-11-25", "yes", "caller", "CalleeBusy"};
  for (const std::string_view name : cdr_filter_names()) {
    const bool is_taken =
        std::any_of(std::begin(values), std::end(values), [&filter, name](const char* value) {
          const auto known = set_filter(filter, name, value);
          return known.ok() && *known;
        });
    CHECK_MESSAGE(is_taken, std::string(name));
  }
}
