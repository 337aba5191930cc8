// Corrections of charges of calls that are over, one by one and by re-rating (B-25).
#include <functional>
#include <string>
#include <utility>

#include "flow/flow.hpp"
#include "switch/past_calls.hpp"
#include "tandem/charge_terms.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;
using cdr::test::TemporaryFolder;

namespace {

/// Whole minutes at 0.60, with an agent at 0.40, and decks to rate anew by.
SwitchConfig minute_config(const TemporaryFolder& folder) {
  SwitchConfig config = base_config();
  CdrSinkConfig sink;
  sink.type = "sqlite";
  sink.path = folder / "cdr";
  config.cdr_sinks = {sink};
  for (RateDeckConfig each : {deck("agents", "0.40"), deck("cheap", "0.30"), deck("dear", "1.20")})
    config.provision.rate_decks.push_back(each);
  Rate& rate = config.provision.rate_decks[0].rates[0];
  rate.first_s = rate.next_s = 60;
  AccountConfig agent = account("agent", "50.00", "agents");
  agent.kind = AccountKind::agent;
  config.provision.accounts.push_back(agent);
  config.provision.accounts[0].agent = "agent";
  return config;
}

struct Books {
  TemporaryFolder folder;  // of day files, which are not of the simulated world
  Bench bench{minute_config(folder)};

  /// A call of so many seconds; its record is stored when this returns.
  void call(std::int64_t seconds, const std::string& callee = "442079460000") {
    DialPlan plan;
    plan.hang_up_after_us = seconds * second_us;
    bench.dial(plan, callee);
    bench.run_s(seconds + 2);
    bench.check_clean();
    bench.run_s(1);
  }
  /// The record of the call, as it is now.
  [[nodiscard]] Cdr record(std::size_t index = 0) const {
    CdrQuery query;
    return bench.tandem->cdrs(query).value().at(index);
  }
  /// The switch starts again, with the configuration of now.
  void restart() {
    bench.tandem.reset();
    bench.open();
  }
  [[nodiscard]] std::vector<LedgerEntry> ledger(const std::string& account) const {
    LedgerQuery query;
    query.account = account;
    return bench.tandem->ledger(query).value();
  }
};

CorrectionRequest request_of(std::uint64_t record_id, const char* charge, std::string key = {}) {
  CorrectionRequest request;
  request.record_id = record_id;
  request.sides[CallSide::customer].charge = money(charge);
  request.reason = "disputed";
  request.author = "ann";
  request.idempotency_key = std::move(key);
  return request;
}

}  // namespace

TEST_CASE("Corrections: 1.20 becomes 0.90: the balance gets 0.30, and the history stays (B-25)") {
  Books books;
  books.call(70);
  const Cdr before = books.record();
  REQUIRE(before.customer.charge == money("1.20"));
  REQUIRE(books.bench.balance() == money("98.80"));
  CHECK_FALSE(before.original);

  CorrectionRequest request = request_of(before.record_id, "0.90");
  request.sides[CallSide::customer].billed_time_s = 90;
  request.is_dry_run = true;
  CHECK(books.bench.tandem->correct(request)->sides[0].difference() == money("0.30"));
  CHECK(books.bench.balance() == money("98.80"));
  request.is_dry_run = false;
  const Correction made = books.bench.tandem->correct(request).value();
  CHECK(books.bench.balance() == money("99.10"));
  const auto check = [&] {
    const Cdr now = books.record();
    CHECK(now.customer.charge == money("0.90"));
    CHECK(now.customer.billed_time_s == 90);
    CHECK(now.talk_time_ms == before.talk_time_ms);
    REQUIRE(now.original);
    CHECK(now.original->customer == before.customer);
    CHECK(now.original->corrections == 1);
    CHECK(now.original->correction_id == made.id);
    CHECK(now.original->reason == "disputed");
    const std::string json = to_json(now);
    CHECK(json.find("\"charge\":\"0.90\"") != std::string::npos);
    CHECK(json.find("\"corrected\":true,\"original\":{\"corrections\":1") != std::string::npos);
    CHECK(json.find("\"charge\":\"1.20\",\"billed_time_s\":120") != std::string::npos);
  };
  check();  // before the ledger has it
  books.bench.run_s(1);
  check();
  const auto entries = books.ledger("acme");
  CHECK(entries[0].kind == LedgerKind::correction);
  CHECK(entries[0].amount == money("0.30"));
  CHECK(entries[0].balance == money("99.10"));
  CHECK(entries[0].reference == std::to_string(before.record_id));
  CHECK(entries[0].memo == "disputed");

  // A second one begins with what the first left.
  const Correction again =
      books.bench.tandem->correct(request_of(before.record_id, "2.00")).value();
  CHECK(again.sides[0].charge_before == money("0.90"));
  CHECK(books.bench.balance() == money("98.00"));
  CHECK(books.record().original->customer.charge == money("1.20"));
  CHECK(books.record().original->corrections == 2);
  books.bench.run_s(1);
  CorrectionQuery query;
  query.account = "acme";
  const auto kept = books.bench.tandem->corrections(query).value();
  REQUIRE(kept.size() == 2);
  CHECK(kept[0] == again);
  CHECK(kept[1] == made);
  CHECK(books.bench.tandem->check_ledger()->ok());
}

TEST_CASE("Corrections: a key moves money once, over restarts and crashes (B-25)") {
  Books books;
  books.call(10);
  const std::uint64_t id = books.record().record_id;
  const CorrectionRequest request = request_of(id, "0.10", "ticket-7");
  const Correction first = books.bench.tandem->correct(request).value();
  CHECK_FALSE(first.is_repeated);
  CHECK(books.bench.balance() == money("99.90"));
  for (int i = 0; i < 2; ++i) {
    const Correction repeated = books.bench.tandem->correct(request).value();
    CHECK(repeated.is_repeated);
    CHECK(repeated.id == first.id);
    CHECK(books.bench.balance() == money("99.90"));
    CHECK(books.bench.tandem->correct(request_of(id, "0.20", "ticket-7")).error().code ==
          ErrorCode::already_exists);
    if (i == 0) {
      books.bench.world.crash(std::move(books.bench.tandem));
    } else {
      books.bench.tandem.reset();
    }
    books.bench.open();
    CHECK(books.bench.balance() == money("99.90"));
    CHECK(books.record().customer.charge == money("0.10"));
  }
  // Without a key a repetition finds nothing to do.
  CHECK(books.bench.tandem->correct(request_of(id, "0.10")).error().code ==
        ErrorCode::already_exists);
  CHECK(books.bench.balance() == money("99.90"));
}

TEST_CASE("Corrections: sides of vendor and agent move their own balances, all or none (B-25)") {
  Books books;
  books.call(60);
  const Cdr before = books.record();
  REQUIRE(books.bench.balance("clearing") == money("-0.30"));
  REQUIRE(books.bench.balance("agent") == money("49.60"));
  CorrectionRequest request = request_of(before.record_id, "0.70");
  request.sides[CallSide::vendor].charge = money("0.25");
  request.sides[CallSide::agent].charge = money("0.00");
  CHECK(books.bench.tandem->correct(request).ok());
  CHECK(books.bench.balance() == money("99.30"));
  CHECK(books.bench.balance("clearing") == money("-0.25"));
  CHECK(books.bench.balance("agent") == money("50.00"));
  const Cdr now = books.record();
  CHECK(now.vendor->charge == money("0.25"));
  CHECK(now.agent->charge.is_zero());
  CHECK(now.original->vendor->charge == money("0.30"));

  // The second side cannot be had: nothing of the first is moved.
  request.sides[CallSide::customer].charge = money("0.10");
  request.sides[CallSide::agent].charge = account_amount_max;
  REQUIRE(books.bench.tandem->pay("agent", money("-100"), "").ok());
  CHECK(books.bench.tandem->correct(request).error().code == ErrorCode::limit);
  CHECK(books.bench.balance() == money("99.30"));
  CHECK(books.record().customer.charge == money("0.70"));
}

TEST_CASE("Corrections: a side rated anew carries the terms that make its charge again (B-25)") {
  Books books;
  books.call(61);
  CorrectionRequest request = request_of(books.record().record_id, "0");
  request.sides.clear();
  request.sides[CallSide::customer].rate_deck = "cheap";
  const Correction made = books.bench.tandem->correct(request).value();
  CHECK(made.sides[0].charge == money("0.305"));
  CHECK(made.sides[0].billed_time_s == 61);
  const Cdr now = books.record();
  CHECK(now.customer.rate_deck == "cheap");
  CHECK(recompute_charge(now.customer.rate_terms, now.talk_time_ms, now.answered_at_us)->charge ==
        money("0.305"));
  CHECK(books.bench.balance() == money("99.695"));
}

TEST_CASE("Corrections: what cannot be is refused and moves nothing (B-25)") {
  Books books;
  books.bench.b->set_plan(refuse(486));
  books.call(1);
  const std::uint64_t id = books.record().record_id;
  const auto code = [&](const CorrectionRequest& request) {
    return books.bench.tandem->correct(request).error().code;
  };
  CHECK(code(request_of(id + 1'000, "1")) == ErrorCode::not_found);
  CHECK(code(request_of(id, "-1")) == ErrorCode::invalid_argument);
  CorrectionRequest request = request_of(id, "1");
  request.reason.clear();
  CHECK(code(request) == ErrorCode::invalid_argument);
  request = request_of(id, "1");
  request.sides[CallSide::customer].rate_deck = "cheap";
  CHECK(code(request) == ErrorCode::invalid_argument);
  request.sides[CallSide::customer] = {{}, {}, "none"};
  CHECK(code(request) == ErrorCode::invalid_argument);
  request.sides.clear();
  CHECK(code(request) == ErrorCode::invalid_argument);
  CHECK(books.bench.balance() == money("100.00"));
  // An unanswered call can be given a charge: somebody was promised a fee.
  CHECK(books.bench.tandem->correct(request_of(id, "0.05")).ok());
  CHECK(books.bench.balance() == money("99.95"));
}

TEST_CASE("Re-rating: a dry run announces what applying does, and a repetition moves nothing") {
  Books books;
  SeededRandom random(9);
  for (int i = 0; i < 12; ++i)
    books.call(5 + static_cast<std::int64_t>(random.below(200)), i % 3 == 0 ? "4930" : "44207");
  CHECK(books.bench.tandem->correct(request_of(books.record(3).record_id, "0.01")).ok());
  const Amount before = books.bench.balance();
  const RerateQuery query{"dear", false, {}, {}, {}, true};
  const auto apply = [&](bool is_dry_run) {
    return books.bench.tandem->apply_rerate(query, {"new price", "bob", is_dry_run}).value();
  };
  const AppliedRerate announced = apply(true);
  CHECK(announced.corrected == 12);
  CHECK(books.bench.balance() == before);
  const RerateTotal total = announced.rerater.totals().at("acme");
  CHECK(total.calls == 12);
  CHECK(total.changed == 12);

  const AppliedRerate applied = apply(false);
  CHECK(to_json(applied.rerater) == to_json(announced.rerater));
  CHECK(applied.corrected == announced.corrected);
  CHECK(books.bench.balance() == Amount::subtract(before, total.difference()).value());
  Amount sum;
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(books.record(i).customer.rate_deck == "dear");
    sum = Amount::add(sum, books.record(i).customer.charge).value();
  }
  CHECK(sum == total.after);
  CHECK(books.record(3).original->customer.charge != money("0.01"));
  CHECK(books.record(3).original->corrections == 2);

  const AppliedRerate again = apply(false);
  CHECK(again.corrected == 0);
  CHECK(again.rerater.totals().at("acme").changed == 0);
  CHECK(again.rerater.totals().at("acme").before == total.after);
  CHECK(books.bench.balance() == Amount::subtract(before, total.difference()).value());

  const auto vendors =
      books.bench.tandem->apply_rerate({"cheap", true, {}, {}, {}}, {"their list", {}, false});
  CHECK(vendors->rerater.totals().at("clearing").calls == 12);
  books.bench.run_s(1);
  CHECK(books.bench.tandem->check_ledger()->ok());
  CHECK(books.bench.tandem->apply_rerate(query, {"", {}, false}).error().code ==
        ErrorCode::invalid_argument);
  CHECK(books.bench.tandem->apply_rerate({"none", false, {}, {}, {}}, {"x", {}, false})
            .error()
            .code == ErrorCode::invalid_argument);
}

TEST_CASE("Re-rating: a job does what applying does, and is known when it is over (B-25)") {
  Books books;
  for (int i = 0; i < 3; ++i)
    books.call(40);
  const RerateQuery query{"dear", false, {}, {}, {}};
  CHECK(books.bench.tandem->start_rerate({"none", false, {}, {}, {}}, {"list", {}, false})
            .error()
            .code == ErrorCode::invalid_argument);
  CHECK(books.bench.tandem->start_rerate(query, {"", {}, false}).error().code ==
        ErrorCode::invalid_argument);
  const auto announced = books.bench.tandem->apply_rerate(query, {"list", {}, true}).value();
  const std::uint64_t id = books.bench.tandem->start_rerate(query, {"list", "ann", false}).value();
  const RerateJob job = books.bench.tandem->rerate_job(id).value();
  CHECK(job.state == RerateJob::State::done);
  CHECK(job.looked_at == 3);
  CHECK(job.corrected == announced.corrected);
  CHECK(job.result == to_json(AppliedRerate{announced.rerater, false, 3, 0}));
  CHECK(books.record().customer.rate_deck == "dear");
  CHECK(books.bench.tandem->cancel_rerate(id).ok());
  CHECK(books.bench.tandem->rerate_job(id + 1).error().code == ErrorCode::not_found);
  books.bench.run_s(1);
  const LedgerCheck check = books.bench.tandem->check_ledger().value();
  CHECK(check.ok());
  CHECK(check.corrections == 3);
}

namespace {

/// An account that can take no more money: what is given back to it is refused, and the log says so
/// in the middle of a re-rating. `during` is called at that moment, on the thread of the re-rating.
struct FullAccount {
  std::function<void()> during;  // before the switch that calls it
  Books books;

  FullAccount() {
    books.bench.hooks.log = [this](const LogRecord& record) {
      if (record.text == "call was not rated anew" && during) std::exchange(during, {})();
    };
  }
  /// A call of its own, and then it is full.
  void call() {
    SwitchConfig& config = books.bench.config;
    config.provision.accounts.push_back(account("full", "1000000000.00"));
    config.provision.customer_gateways[0].account = "full";
    books.restart();
    books.call(10);
    const std::int64_t room = account_amount_max.units() - books.bench.balance("full").units();
    REQUIRE(books.bench.tandem
                ->book({"full", Amount::from_units(room), LedgerKind::payment, "", "", "fill"})
                .ok());
    config.provision.customer_gateways[0].account = "acme";
    books.restart();
  }
};

}  // namespace

TEST_CASE("Re-rating: what is settled by hand while it runs stays as it was settled (B-25)") {
  FullAccount world;
  Books& books = world.books;
  books.call(10);  // the older one, which the re-rating comes to last
  world.call();
  const std::uint64_t older = books.record(1).record_id;
  world.during = [&] { CHECK(books.bench.tandem->correct(request_of(older, "0.50")).ok()); };
  const AppliedRerate done =
      books.bench.tandem->apply_rerate({"cheap", false, {}, {}, {}}, {"new price", {}, false})
          .value();
  CHECK_FALSE(world.during);
  CHECK(done.corrected == 0);
  CHECK(done.refused == 1);
  CHECK(done.rerater.totals().at("acme").calls == 0);
  CHECK(done.rerater.totals().at("acme").not_rated == 1);
  CHECK(books.record(1).customer.charge == money("0.50"));
  CHECK(books.record(1).original->corrections == 1);
  books.bench.run_s(1);
  CHECK(books.bench.tandem->check_ledger()->ok());
}

TEST_CASE("Re-rating: a job that is cancelled keeps what it did, and a repetition goes on (B-25)") {
  FullAccount world;
  Books& books = world.books;
  books.call(10);
  world.call();
  books.call(10);  // the newest one, which is rated first
  Switch& tandem = *books.bench.tandem;
  const RerateQuery query{"cheap", false, {}, {}, {}};
  const std::uint64_t id = tandem.start_rerate(query, {"list", {}, true}).value() + 1;
  world.during = [&] {
    const RerateJob running = tandem.rerate_job(id).value();
    CHECK(running.state == RerateJob::State::running);
    CHECK(running.looked_at == 3);
    CHECK(running.corrected == 1);
    CHECK(tandem.start_rerate(query, {"list", {}, false}).error().code ==
          ErrorCode::already_exists);
    CHECK(tandem.cancel_rerate(id).ok());
  };
  REQUIRE(tandem.start_rerate(query, {"list", {}, false}).value() == id);
  CHECK_FALSE(world.during);
  const RerateJob job = tandem.rerate_job(id).value();
  CHECK(job.state == RerateJob::State::cancelled);
  CHECK(job.corrected == 1);
  CHECK(job.result.empty());
  CHECK(books.record(0).customer.rate_deck == "cheap");
  CHECK(books.record(2).customer.rate_deck == "retail");
  books.bench.run_s(1);
  CHECK(tandem.check_ledger()->ok());
  CHECK(tandem.check_ledger()->corrections == 1);

  const AppliedRerate rest = tandem.apply_rerate(query, {"list", {}, false}).value();
  CHECK(rest.corrected == 1);
  CHECK(rest.refused == 1);
  CHECK(books.record(2).customer.rate_deck == "cheap");
  books.bench.run_s(1);
  CHECK(tandem.check_ledger()->ok());
  CHECK(tandem.check_ledger()->corrections == 2);
}

TEST_CASE("Re-rating: guards of questions refuse it at its beginning, never a part of it (C-13)") {
  Books books;
  for (int i = 0; i < 3; ++i) {
    books.call(10);
    books.bench.world.step_wall_us(86'400 * second_us);
  }
  books.bench.config.parameters.query_guards.days_max = 1;
  books.restart();
  Switch& tandem = *books.bench.tandem;
  const Amount before = books.bench.balance();
  const auto refused = [&](const RerateQuery& query) {
    for (const bool is_dry_run : {true, false}) {
      CHECK(tandem.apply_rerate(query, {"list", {}, is_dry_run}).error().code ==
            ErrorCode::invalid_argument);
      CHECK(tandem.start_rerate(query, {"list", {}, is_dry_run}).error().code ==
            ErrorCode::invalid_argument);
    }
    CHECK(tandem.rerate_history(query).error().code == ErrorCode::invalid_argument);
  };
  RerateQuery query{"dear", false, {}, {}, {}};
  refused(query);
  const std::int64_t began_us = books.bench.world.cdrs().front().ended_at_us;
  query.since_us = began_us;
  refused(query);
  CHECK(books.bench.balance() == before);
  query.until_us = began_us + 86'400 * second_us;
  CHECK(tandem.rerate_history(query)->totals().at("acme").calls == 1);
  CHECK(tandem.apply_rerate(query, {"list", {}, false})->corrected == 1);

  books.bench.config.parameters.query_denied_hours = 0xFFFFFF;
  books.restart();
  CHECK(books.bench.tandem->start_rerate(query, {"list", {}, false}).error().code ==
        ErrorCode::wrong_state);
}

TEST_CASE("Re-rating: a call that was free by rule stays free (B-09, B-25)") {
  Books books;
  books.bench.config.parameters.free_numbers = {"800*"};
  books.restart();
  books.call(10, "8001");
  books.call(10, "442079460000");
  REQUIRE(books.record(1).customer.charge.is_zero());
  books.bench.config.parameters.free_numbers.clear();
  books.restart();
  const Amount before = books.bench.balance();
  const RerateQuery query{"dear", false, {}, {}, {}};
  for (const bool is_dry_run : {true, false}) {
    const auto done = books.bench.tandem->apply_rerate(query, {"new price", {}, is_dry_run});
    REQUIRE(done.ok());
    CHECK(done->corrected == 1);
    CHECK(done->rerater.totals().at("acme").calls == 1);
    CHECK(done->rerater.totals().at("acme").not_rated == 1);
  }
  CHECK(books.record(1).customer.charge.is_zero());
  CHECK_FALSE(books.record(1).original);
  CHECK(books.bench.balance() == Amount::add(before, money("0.40")).value());  // 0.60 became 0.20
  CorrectionRequest request = request_of(books.record(1).record_id, "0");
  request.sides[CallSide::customer] = {{}, {}, "dear"};
  CHECK(books.bench.tandem->correct(request).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("Re-rating: what was settled by hand or given is left out (B-25, B-26)") {
  Books books;
  books.call(10);
  books.call(10);
  CHECK(books.bench.tandem->correct(request_of(books.record(0).record_id, "0.01")).ok());
  ExternalCall given;
  given.customer_gateway = "cust";
  given.callee = "442079460000";
  given.started_at_us = given.answered_at_us = books.record(0).started_at_us;
  given.ended_at_us = given.started_at_us + 10 * second_us;
  given.charge = money("0.05");
  CHECK(books.bench.tandem->record_call(given).ok());
  books.bench.run_s(1);
  RerateQuery query{"dear", false, {}, {}, {}};
  const auto done = books.bench.tandem->apply_rerate(query, {"new price", {}, false}).value();
  CHECK(done.corrected == 1);
  CHECK(done.rerater.totals().at("acme").not_rated == 2);
  CHECK(done.rerater.totals().at("acme").not_rated_before == money("0.06"));
  query.includes_settled = true;
  const auto all = books.bench.tandem->apply_rerate(query, {"new price", {}, false}).value();
  CHECK(all.corrected == 2);
  CHECK(all.rerater.totals().at("acme").not_rated == 0);
}

TEST_CASE("Re-rating: records of an account that is gone do not hold up the others (B-25)") {
  Books books;
  books.call(10);  // of "acme"
  books.bench.config.provision.accounts.push_back(account("bolt", "10.00"));
  books.bench.config.provision.customer_gateways[0].account = "bolt";
  books.restart();
  books.call(10);
  books.bench.config.provision.accounts.erase(books.bench.config.provision.accounts.end() - 1);
  books.bench.config.provision.customer_gateways[0].account = "acme";
  books.restart();  // the newest record is of nobody
  const RerateQuery query{"dear", false, {}, {}, {}};
  const AppliedRerate announced =
      books.bench.tandem->apply_rerate(query, {"new price", {}, true}).value();
  const AppliedRerate applied =
      books.bench.tandem->apply_rerate(query, {"new price", {}, false}).value();
  CHECK(to_json(applied.rerater) == to_json(announced.rerater));
  CHECK(announced.corrected == 1);
  CHECK(applied.corrected == 1);
  CHECK(applied.refused == 0);
  CHECK(applied.rerater.totals().at("bolt").not_rated == 1);
  CHECK(books.record(1).customer.rate_deck == "dear");
}

TEST_CASE("Re-rating: another currency of the account moves nothing (B-25)") {
  Books books;
  books.call(10);
  const std::uint64_t id = books.record().record_id;
  SwitchConfig& config = books.bench.config;
  for (AccountConfig& each : config.provision.accounts)
    each.currency = "EUR";
  for (std::size_t i = 0; i < 3; ++i)  // "dear" and "cheap" stay
    config.provision.rate_decks[i].currency = "EUR";
  books.restart();
  const Amount before = books.bench.balance();
  CHECK(books.bench.tandem->correct(request_of(id, "0.10")).error().code == ErrorCode::wrong_state);
  const auto done =
      books.bench.tandem->apply_rerate({"dear", false, {}, {}, {}}, {"new price", {}, false});
  REQUIRE(done.ok());
  CHECK(done->corrected == 0);
  CHECK(done->rerater.totals().at("acme").not_rated == 1);
  CHECK(books.bench.balance() == before);
}

namespace {

/// 100 seconds of "acme" to `callee`, whose record shows `billed`.
Cdr past_call(const std::string& callee, const std::string& billed) {
  Cdr cdr;
  cdr.record_id = 7;
  cdr.callee_in = callee;
  cdr.callee = billed;
  cdr.callee_out = callee;
  cdr.started_at_us = cdr.answered_at_us = 1'767'225'600'000'000;
  cdr.talk_time_ms = 100'000;
  cdr.ended_at_us = cdr.answered_at_us + 100 * second_us;
  cdr.customer.account = "acme";
  cdr.customer.currency = base_config().provision.rate_decks[0].currency;
  cdr.customer.charge = money("0.60");
  return cdr;
}

}  // namespace

TEST_CASE("Re-rating: not more seconds are charged than the account could pay for (B-11, B-25)") {
  const PastCalls calls = PastCalls::create(base_config(), "wholesale").value();
  Cdr cdr = past_call("44207", "44207");
  CHECK(calls.rated(cdr, CallSide::customer)->charge == money("0.50"));
  ChargeTerms terms;
  terms.rate = base_config().provision.rate_decks[0].rates[0];
  terms.charged_s = 60;
  cdr.customer.rate_terms = to_text(terms, cdr.answered_at_us, cdr.ended_at_us);
  const ChargeFacts facts = calls.rated(cdr, CallSide::customer).value();
  CHECK(facts.charge == money("0.30"));
  CHECK(recompute_charge(facts.rate_terms, cdr.talk_time_ms, cdr.answered_at_us)->charge ==
        money("0.30"));
}

TEST_CASE("Re-rating: route prefixes are taken off as the deck that is asked wants it (B-14)") {
  SwitchConfig config = base_config();
  config.parameters.gateway_route_prefix.prefixes = {"99"};
  const auto priced = [](const char* prefix, const char* price) {
    Rate rate;
    rate.prefix = prefix;
    rate.price = money(price);
    return rate;
  };
  config.provision.rate_decks[0].rates = {priced("44", "0.60")};
  config.provision.rate_decks[1].rates = {priced("44", "0.60"), priced("9944", "6.00")};
  const PastCalls plain = PastCalls::create(config, "retail").value();
  const PastCalls whole = PastCalls::create(config, "wholesale").value();
  const auto charge = [](const PastCalls& calls, const Cdr& cdr) {
    const auto facts = calls.rated(cdr, CallSide::customer);
    return facts ? facts->charge.to_string() : std::string("left out");
  };
  const Cdr kept = past_call("9944207", "9944207");  // the customer's deck priced the prefix
  CHECK(charge(plain, kept) == "1.00");
  CHECK(charge(whole, kept) == "10.00");
  const Cdr lost = past_call("9944207", "44207");  // it did not
  CHECK(charge(plain, lost) == "1.00");
  CHECK(charge(whole, lost) == "left out");
  const Cdr none = past_call("44207", "44207");
  CHECK(charge(plain, none) == "1.00");
  CHECK(charge(whole, none) == "1.00");
}
