// Objects that are put while calls run, and versions of rate decks, in virtual time.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

ProvisionOutcome put(Bench& bench, const std::string& kind, const std::string& id,
                     const std::string& json) {
  ProvisionChange change;
  change.puts.push_back({kind, id, json, std::nullopt});
  return bench.tandem->provisioning().change(change);
}

ProvisionOutcome put_rates(Bench& bench, const std::string& price,
                           std::optional<std::int64_t> valid_from_us = {}) {
  ProvisionChange change;
  change.puts.push_back({"rate_decks", "retail", "", "prefix,price\n\"\"," + price + "\n"});
  change.valid_from_us = valid_from_us;
  return bench.tandem->provisioning().change(change);
}

/// The charge of a call of so many seconds.
Amount charge_of_call(Bench& bench, std::int64_t seconds) {
  bench.world.clear_cdrs();
  auto call = bench.connect();
  bench.run_s(seconds);
  call->hang_up();
  REQUIRE(bench.world.run_until_idle());
  REQUIRE(bench.world.cdrs().size() == 1);
  return bench.world.cdrs()[0].customer.charge;
}

}  // namespace

TEST_CASE(
    "Provisioning: a vendor that is put takes the next call, running calls keep theirs (I-07)") {
  Bench bench;
  auto running = bench.connect();
  bench.endpoint("10.0.2.9:5060");
  const auto outcome =
      put(bench, "vendor_gateways", "v9",
          R"({"addresses": ["10.0.2.9:5060"], "prefixes": ["44"], "account": "clearing"})");
  for (const auto& fault : outcome.faults)
    MESSAGE(fault.pointer << ": " << fault.message);
  REQUIRE(outcome.faults.empty());
  auto fresh = bench.connect();
  bench.run_s(5);
  fresh->hang_up();
  running->hang_up();
  bench.check_clean();
  REQUIRE(bench.world.cdrs().size() == 2);
  for (const Cdr& cdr : bench.world.cdrs())
    CHECK(cdr.vendor_gateway == (cdr.call_id == running->call_id() ? "v1" : "v9"));
}

TEST_CASE("Provisioning: a refused change leaves accounts, tables and running calls as they were") {
  Bench bench;
  auto running = bench.connect();
  const auto bad = put(bench, "accounts", "acme", R"({"currency": "EUR", "locked": true})");
  CHECK_FALSE(bad.faults.empty());
  ProvisionChange removal;
  removal.removals.push_back({"accounts", "acme"});
  CHECK(bench.tandem->provisioning().change(removal).faults.at(0).code == ErrorCode::wrong_state);
  CHECK_FALSE(bench.tandem->account("acme")->settings.locked);
  running->hang_up();
  auto fresh = bench.connect();
  fresh->hang_up();
  bench.check_clean();
}

TEST_CASE("Provisioning: an account that is put can pay at once, and again after a crash") {
  Bench bench;
  REQUIRE(put(bench, "accounts", "fresh", R"({"balance": "3.00", "rate_deck": "retail"})")
              .faults.empty());
  REQUIRE(
      put(bench, "customer_gateways", "cust", R"({"addresses": ["10.0.1.1"], "account": "fresh"})")
          .faults.empty());
  CHECK(charge_of_call(bench, 60) == money("0.60"));
  CHECK(bench.tandem->account("fresh")->balance == money("2.40"));
  bench.world.crash(std::move(bench.tandem));
  bench.open();
  CHECK(bench.tandem->account("fresh")->balance == money("2.40"));
  // The configuration names the gateway too, and goes before.
  auto call = bench.connect();
  call->hang_up();
  bench.check_clean();
  CHECK(bench.tandem->account("fresh")->balance == money("2.40"));
}

TEST_CASE(
    "Deck versions: calls keep the version they began with, a rollback is for the next (B-19)") {
  Bench bench;
  auto running = bench.connect();
  bench.run_s(30);
  REQUIRE(put_rates(bench, "6.00").faults.empty());
  bench.run_s(30);
  running->hang_up();
  REQUIRE(bench.world.run_until_idle());
  CHECK(bench.world.cdrs().at(0).customer.charge == money("0.60"));
  CHECK(charge_of_call(bench, 60) == money("6.00"));
  REQUIRE(bench.tandem->provisioning().roll_back_deck("retail", std::nullopt).ok());
  CHECK(charge_of_call(bench, 60) == money("0.60"));
}

TEST_CASE(
    "Deck versions: a planned one becomes active at its time, and at a start after it (B-19)") {
  Bench bench;
  constexpr std::int64_t hour_us = 3'600'000'000;
  const std::int64_t begin_us = bench.world.wall_us();
  REQUIRE(put_rates(bench, "1.20", begin_us + hour_us).faults.empty());
  CHECK(charge_of_call(bench, 60) == money("0.60"));
  bench.run_s(3600 - (bench.world.wall_us() - begin_us) / 1'000'000 - 2);
  CHECK(bench.tandem->provisioning().rates_csv("retail").value().find("0.60") != std::string::npos);
  bench.run_s(3);
  CHECK(bench.tandem->provisioning().rates_csv("retail").value().find("1.20") != std::string::npos);
  CHECK(charge_of_call(bench, 60) == money("1.20"));
  const auto versions = bench.tandem->provisioning().deck_versions("retail").value();
  REQUIRE(versions.size() == 2);
  CHECK(versions[0].is_active);
  CHECK(versions[0].due_at_us == 0);
  CHECK(versions[0].activated_at_us - begin_us - hour_us < 1'000'000);
}

TEST_CASE(
    "Deck versions: one whose time passed while no switch ran is what calls, lists and rates say "
    "(B-19)") {
  Bench bench;
  REQUIRE(put_rates(bench, "1.20", bench.world.wall_us() + 60'000'000).faults.empty());
  for (int start = 0; start < 2; ++start) {
    bench.world.crash(std::move(bench.tandem));
    bench.run_s(120);
    bench.open();
    CHECK(bench.tandem->provisioning().deck_versions("retail").value().at(0).is_active);
    CHECK(bench.tandem->provisioning().rates_csv("retail").value().find("1.20") !=
          std::string::npos);
    CHECK(charge_of_call(bench, 60) == money("1.20"));
    REQUIRE(bench.tandem->reload(bench.config).ok());
    CHECK(charge_of_call(bench, 60) == money("1.20"));
  }
  bench.config.provision.rate_decks.front() = deck("retail", "3.00");
  REQUIRE(bench.tandem->reload(bench.config).ok());
  CHECK(bench.tandem->provisioning().deck_versions("retail").value().at(0).number == 3);
  CHECK(charge_of_call(bench, 60) == money("3.00"));
}

TEST_CASE(
    "EventFeed: a watcher sees what the host's own hook sees, and a slow one loses for itself") {
  std::size_t seen_by_host = 0;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event&) { ++seen_by_host; };
  Bench bench(base_config(), {}, hooks);
  auto feed = bench.tandem->watch().value();
  auto slow = bench.tandem->watch(1).value();
  CHECK(bench.tandem->counters().event_feeds == 2);
  auto call = bench.connect();
  call->hang_up();
  bench.check_clean();
  std::vector<std::string> kinds;
  for (const FeedItem& item : feed.take(100)) {
    REQUIRE(item.event != nullptr);
    CHECK(item.lost == 0);
    kinds.emplace_back(event_kind_name(item.event->kind));
  }
  CHECK(kinds.front() == "call_started");
  CHECK(kinds.back() == "call_ended");
  CHECK(kinds.size() == seen_by_host);
  const auto few = slow.take(100);
  REQUIRE(few.size() == 2);
  CHECK(few[0].event->kind == Event::Kind::call_started);
  CHECK(few[1].lost == seen_by_host - 1);
  CHECK(bench.tandem->counters().feed_events_lost == seen_by_host - 1);
  CHECK(bench.tandem->counters().events_dropped == 0);
  bench.tandem->close();
  CHECK(feed.is_over());
}
