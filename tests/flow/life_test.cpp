// A switch that is reloaded, drained, closed, killed, or whose disk is full.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

TEST_CASE("Life: a reload is for new calls, running ones keep their tables") {
  Bench bench(base_config(2));
  auto running = bench.connect();
  SwitchConfig update = bench.config;
  update.provision.vendor_gateways[0].locked = true;
  update.provision.rate_decks[0].rates[0].price = money("6.00");
  auto need_restart = bench.tandem->reload(update);
  REQUIRE(need_restart.ok());
  CHECK(need_restart->empty());
  auto fresh = bench.connect();
  bench.run_s(10);
  running->hang_up();
  bench.run_s(1);
  fresh->hang_up();
  bench.check_clean();
  REQUIRE(bench.world.cdrs().size() == 2);
  CHECK(bench.world.cdrs()[0].vendor_gateway == "v1");
  CHECK(bench.world.cdrs()[0].customer.charge == money("0.10"));
  CHECK(bench.world.cdrs()[1].vendor_gateway == "v2");
  CHECK(bench.world.cdrs()[1].customer.charge == money("1.10"));
}

TEST_CASE("Life: a reload names what needs a restart, and a bad one changes nothing") {
  Bench bench;
  SwitchConfig update = bench.config;
  update.sip_listen.pop_back();
  update.media_port_low = 20'000;
  update.cdr_commit_interval_ms = 1;
  auto need_restart = bench.tandem->reload(update);
  REQUIRE(need_restart.ok());
  CHECK(need_restart->size() == 3);
  SwitchConfig bad = bench.config;
  bad.provision.customer_gateways[0].account = "nobody";
  CHECK_FALSE(bench.tandem->reload(bad).ok());
  auto call = bench.connect();
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Life: an account keeps its currency, and a reload that wants another changes nothing") {
  Bench bench;
  SwitchConfig bad = bench.config;
  bad.provision.accounts[0].overdraft_limit = money("7.00");
  bad.provision.accounts.back().currency = "XTS";
  for (auto& tariff : bad.provision.rate_decks) {
    if (tariff.id == bad.provision.accounts.back().rate_deck) tariff.currency = "XTS";
  }
  CHECK_FALSE(bench.tandem->reload(bad).ok());
  CHECK(bench.tandem->account("acme")->settings.overdraft_limit.is_zero());
}

TEST_CASE("Life: a closed switch can still be asked") {
  Bench bench;
  bench.tandem->close();
  bench.tandem->drain();
  bench.tandem->answer(1, {});
  CHECK(bench.tandem->calls().empty());
  CHECK(bench.tandem->listening().empty());
  CHECK(bench.tandem->counters().calls_live == 0);
  CHECK_FALSE(bench.tandem->disconnect(1).ok());
  CHECK_FALSE(bench.tandem->reload(bench.config).ok());
}

TEST_CASE("Life: a draining switch refuses new calls and lets running ones go on") {
  Bench bench;
  auto running = bench.connect();
  bench.tandem->drain();
  auto fresh = bench.dial();
  bench.run_s(5);
  CHECK(fresh->status() == 503);
  CHECK(fresh->retry_after_s() > 0);
  CHECK_FALSE(running->is_over());
  running->hang_up();
  bench.check_clean();
  REQUIRE(bench.world.cdrs().size() == 2);
  CHECK(bench.world.cdrs()[0].end_reason == Reason::ServerShutdown);
  CHECK(bench.world.cdrs()[0].sip_status == 503);
  CHECK(bench.world.cdrs()[1].end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Life: closing ends calls with BYE, and nothing of them is lost") {
  Bench bench;
  auto call = bench.connect();
  auto far = bench.b->last_call();
  bench.run_s(10);
  bench.tandem->close();
  bench.run_s(40);
  CHECK(call->is_over());
  CHECK(far->is_over());
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs()[0];
  CHECK(cdr.end_reason == Reason::ServerShutdown);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.customer.charge == money("0.10"));
  bench.tandem.reset();
  bench.open();
  CHECK(bench.balance() == money("99.90"));
  CHECK(bench.world.cdrs().size() == 1);
}

TEST_CASE("Life: after a crash each call gets its record up to its last mark") {
  Bench bench;
  auto first = bench.connect();
  bench.run_s(5);
  auto second = bench.connect();
  bench.run_s(31);
  auto done = bench.connect();
  bench.run_s(10);
  done->hang_up();
  bench.b->set_plan(answer_after(-1));
  auto ringing = bench.dial();
  bench.run_ms(500);
  bench.world.crash(std::move(bench.tandem));
  CHECK(bench.world.cdrs().size() == 1);
  bench.open();
  bench.run_s(1);
  REQUIRE(bench.world.cdrs().size() >= 3);
  CHECK(bench.world.cdrs()[0].end_reason == Reason::NormalCallClearing);
  Amount sum;
  std::vector<std::int64_t> talk_ms;
  for (const Cdr& cdr : bench.world.cdrs()) {
    sum = Amount::add(sum, cdr.customer.charge).value();
    if (cdr.end_reason != Reason::ServerCrash) continue;
    talk_ms.push_back(cdr.talk_time_ms);
    CHECK(cdr.release_side == ReleaseSide::server);
    CHECK(cdr.sip_status == 200);
    CHECK(cdr.ended_at_us >= cdr.answered_at_us);
    CHECK(cdr.customer.charge ==
          Amount::from_units(money("0.01").units() * cdr.customer.billed_time_s));
  }
  REQUIRE(talk_ms.size() >= 2);
  // 46 s and 41 s and a bit of talk with a mark every ten seconds.
  CHECK(talk_ms[0] >= 40'000);
  CHECK(talk_ms[0] <= 47'000);
  CHECK(talk_ms[1] >= 40'000);
  CHECK(talk_ms[1] <= 42'000);
  CHECK(bench.balance() == Amount::subtract(money("100.00"), sum).value());
  first->hang_up();
  second->hang_up();
  ringing->hang_up();
  for (const auto& call : bench.b->calls())
    call->hang_up();
  bench.run_s(40);
  bench.b->set_plan(AnswerPlan{});
  auto fresh = bench.connect();
  fresh->hang_up();
  bench.check_clean();
}

TEST_CASE("Life: a crash while nothing is up leaves the balances as they were") {
  Bench bench;
  for (int i = 0; i < 3; ++i) {
    auto call = bench.connect();
    bench.run_s(10);
    call->hang_up();
    bench.run_s(1);
    bench.world.crash(std::move(bench.tandem));
    bench.open();
  }
  bench.run_s(1);
  CHECK(bench.world.cdrs().size() == 3);
  CHECK(bench.balance() == money("99.70"));
}

TEST_CASE("Life: with a full disk new calls get 503 and answered ones are still billed") {
  Bench bench;
  auto call = bench.connect();
  bench.run_s(3);
  bench.world.set_disk_full(true);
  bench.run_s(12);  // a mark finds out
  CHECK_FALSE(bench.tandem->counters().journal_writable);
  auto fresh = bench.dial();
  bench.run_s(1);
  CHECK(fresh->status() == 503);
  CHECK_FALSE(call->is_over());
  bench.run_s(4);
  call->hang_up();
  bench.run_s(5);
  CHECK(bench.world.cdrs().empty());
  bench.world.set_disk_full(false);
  bench.run_s(10);
  CHECK(bench.tandem->counters().journal_writable);
  auto after = bench.connect();
  after->hang_up();
  bench.check_clean();
  Amount sum;
  bool found = false;
  for (const Cdr& cdr : bench.world.cdrs()) {
    sum = Amount::add(sum, cdr.customer.charge).value();
    if (cdr.call_id == call->call_id()) {
      found = true;
      CHECK(cdr.customer.billed_time_s == 20);
    }
  }
  CHECK(found);
  CHECK(bench.balance() == Amount::subtract(money("100.00"), sum).value());
}

TEST_CASE("Life: a disk that fails raises an alarm once, and says when it works again (O-03)") {
  std::vector<std::string> alarms;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind != Event::Kind::alarm || !event.text.starts_with("journal")) return;
    alarms.push_back(event.text);
  };
  Bench bench(base_config(), {}, hooks);
  auto call = bench.connect();
  bench.world.set_disk_full(true);
  bench.run_s(20);
  REQUIRE(alarms.size() == 1);
  CHECK(alarms[0] == "journal cannot be written, new calls are refused");
  bench.world.set_disk_full(false);
  bench.run_s(20);
  CHECK(alarms.back() == "journal works again");
  CHECK(alarms.size() == 2);
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Life: CSV sinks write to the world's disk (C-04)") {
  SwitchConfig config = base_config();
  config.cdr_sinks = {{"csv", "csv", true, "csv"}, {"sqlite", "cdr", true, "csv"}};
  Bench bench(config);
  auto call = bench.connect();
  call->hang_up();
  bench.only_cdr();
  bench.run_s(1);
  auto file = bench.world.read_file("/switch/csv/2026010100.csv");
  REQUIRE(file.ok());
  CHECK(file->find(call->call_id()) != std::string::npos);
}
