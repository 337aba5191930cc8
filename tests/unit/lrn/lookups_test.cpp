// Who is asked when, and who is told.
#include "lrn/lookups.hpp"

#include <doctest/doctest.h>

#include <string>

#include "support/fake_network.hpp"
#include "tandem/config.hpp"

using namespace tandem;
using namespace tandem::lrn;
using tandem::test::FakeNetwork;

namespace {

constexpr std::uint64_t first_id = 100;

struct Fixture : LookupEvents {
  FakeNetwork network;
  io::Loop& loop = network.create_loop();
  SeededRandom random{20};
  Log log{network.clock};
  std::vector<LrnQuestion> asked;
  bool host_takes = true;
  std::string told;
  std::function<void()> when_told;
  Lookups lookups{loop,
                  random,
                  log,
                  first_id,
                  [this](LrnQuestion question) {
                    if (host_takes) asked.push_back(std::move(question));
                    return host_takes;
                  },
                  *this};

  std::shared_ptr<ResolverState> resolver(std::int32_t queries_max = 10) {
    LrnResolverConfig config;
    config.id = "db";
    config.kind = LrnResolverKind::host;
    config.queries_max = queries_max;
    return std::make_shared<ResolverState>(config);
  }
  void on_lookup(Waiter waiter, const std::optional<LrnRecord>& record) override {
    told += std::to_string(waiter) + "=" + (record ? record->lrn : "failed") + ";";
    if (auto then = std::exchange(when_told, {})) then();
  }
  std::string take() { return std::exchange(told, std::string()); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "Lookups: equal numbers are asked for once, and every waiter is told "
                  "(R-20)") {
  const auto db = resolver();
  CHECK(lookups.ask(db, "1", 11));
  CHECK(lookups.ask(db, "2", 12));
  CHECK(lookups.ask(db, "1", 13));
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].token == first_id);
  CHECK(asked[0].number == "1");
  CHECK(db->under_way.load() == 2);
  lookups.answer(asked[0].token, {false, {"646", ""}});
  CHECK(take() == "11=646;13=646;");
  lookups.answer(asked[1].token, {true, {}});
  CHECK(take() == "12=failed;");
  lookups.answer(asked[1].token, {false, {"9", ""}});
  CHECK(take() == "");
  CHECK(db->cache.find("1", loop.clock().monotonic_us()) == LrnRecord{"646", ""});
  CHECK_FALSE(db->cache.find("2", loop.clock().monotonic_us()));
  const LrnCounters counters = counters_of(*db);
  CHECK(counters.questions == 2);
  CHECK(counters.coalesced == 1);
  CHECK(counters.answers == 1);
  CHECK(counters.failures == 1);
  CHECK(counters.under_way == 0);
}

TEST_CASE_FIXTURE(Fixture, "Lookups: a waiter may ask again from what it is told (R-20)") {
  const auto db = resolver(1);
  CHECK(lookups.ask(db, "1", 11));
  when_told = [&] { CHECK(lookups.ask(db, "2", 12)); };
  lookups.answer(asked[0].token, {false, {"646", ""}});
  CHECK(take() == "11=646;");
  REQUIRE(asked.size() == 2);
  lookups.answer(asked[1].token, {false, {"647", ""}});
  CHECK(take() == "12=647;");
}

TEST_CASE_FIXTURE(Fixture,
                  "Lookups: bounds hold, and what could not be asked fails later, not from "
                  "inside (R-20)") {
  const auto db = resolver(2);
  CHECK(lookups.ask(db, "1", 11));
  CHECK(lookups.ask(db, "2", 12));
  CHECK_FALSE(lookups.ask(db, "3", 13));
  CHECK(lookups.ask(db, "2", 14));  // nothing more is asked for it
  for (std::size_t i = 2; i < Lookups::waiters_max; ++i)
    REQUIRE(lookups.ask(db, "2", 1000 + i));
  CHECK_FALSE(lookups.ask(db, "2", 15));
  CHECK(db->overflows.load() == 2);
  lookups.answer(asked[1].token, {});
  take();
  host_takes = false;
  CHECK(lookups.ask(db, "4", 16));
  CHECK(take() == "");
  network.run_for(2'000);
  CHECK(take() == "16=failed;");
  CHECK(db->questions.load() == 2);
}

TEST_CASE_FIXTURE(Fixture, "Lookups: each look-up ends in time (R-20)") {
  const auto db = resolver();
  CHECK(lookups.ask(db, "1", 11));
  network.run_for(990'000);
  CHECK(take() == "");
  network.run_for(20'000);
  CHECK(take() == "11=failed;");
  CHECK(db->timeouts.load() == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "Lookups: a resolver that is gone keeps its questions until they are "
                  "answered (R-20)") {
  auto old = resolver();
  const std::weak_ptr<ResolverState> watched = old;
  CHECK(lookups.ask(old, "1", 11));
  lookups.keep_only({resolver()});
  old.reset();
  CHECK_FALSE(watched.expired());
  lookups.answer(asked[0].token, {false, {"646", ""}});
  CHECK(take() == "11=646;");
  network.settle();
  CHECK(watched.expired());
}

TEST_CASE_FIXTURE(Fixture,
                  "Lookups: what is under way goes with them, and leaves no count behind "
                  "(R-20)") {
  const auto db = resolver();
  {
    Lookups others{loop, random, log, 500, [](const LrnQuestion&) { return true; }, *this};
    CHECK(others.ask(db, "1", 11));
    CHECK(db->under_way.load() == 1);
  }
  network.run_for(5'000'000);
  CHECK(take() == "");
  CHECK(db->under_way.load() == 0);
}
