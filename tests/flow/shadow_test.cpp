// Shadow routing: what the report says of whole calls, and that no call ever notices (R-23).
#include <map>

#include "flow/flow.hpp"
#include "tandem/shadow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// `count` vendors of one priority, each with an account and a deck of its own price a minute.
SwitchConfig priced_config(const std::vector<std::string>& prices, bool by_price = true) {
  SwitchConfig config = base_config(static_cast<int>(prices.size()));
  config.provision.accounts[0].balance = money("100000.00");
  for (std::size_t i = 0; i < prices.size(); ++i) {
    const std::string id = std::to_string(i + 1);
    config.provision.rate_decks.push_back(deck("deck-" + id, prices[i]));
    AccountConfig clearing = account("clearing-" + id, "0", "deck-" + id);
    clearing.kind = AccountKind::clearing;
    config.provision.accounts.push_back(clearing);
    VendorGateway& vendor = config.provision.vendor_gateways[i];
    vendor.account = clearing.id;
    vendor.priority = 0;
    vendor.least_cost = by_price;
  }
  return config;
}

VendorGateway& v(SwitchConfig& config, int number) {
  return config.provision.vendor_gateways[static_cast<std::size_t>(number - 1)];
}

/// The plan that gives vendor `number` another price.
std::string price_plan(int number, const std::string& price) {
  const std::string id = std::to_string(number);
  return R"({"provision": {"rate_decks": [{"id": "deck-)" + id +
         R"(", "rates": [{"prefix": "", "price": ")" + price + R"("}]}]}})";
}

void start(Bench& bench, const std::string& plan) {
  const auto started = bench.tandem->start_shadow(plan);
  if (!started) FAIL(started.error().message);
}

/// One call of `seconds`, over and done with.
void call(Bench& bench, std::int64_t seconds = 60, const std::string& callee = "442079460000") {
  auto made = bench.dial({}, callee);
  if (bench.world.run_until([&] { return made->was_answered() || made->is_over(); },
                            200 * second_us) &&
      made->was_answered()) {
    bench.run_ms(20);
    bench.world.run_for_us(seconds * second_us - 20'000);
    made->hang_up();
  }
  REQUIRE(bench.world.run_until_idle());
}

std::string report(Bench& bench) {
  auto text = bench.tandem->shadow_report();
  REQUIRE(text.ok());
  return *text;
}

bool says(const std::string& json, const std::string& part) {
  const bool found = json.find(part) != std::string::npos;
  if (!found) MESSAGE(json << " does not say " << part);
  return found;
}

/// The counts of all calls, as they stand at the beginning of a report.
std::string totals(const std::string& calls, const std::string& rest) {
  return R"("dropped":0,"calls":)" + calls + "," + rest;
}
const std::string nothing_changes = R"("changed":0,"no_route":0,"gained":0,)";

}  // namespace

TEST_CASE(
    "Shadow: a cheaper deck moves the calls, and cost and margin differ by the prices (R-23)") {
  Bench bench(priced_config({"0.30", "0.40"}));
  call(bench);  // before the shadow: not counted
  start(bench, price_plan(2, "0.10"));
  for (int i = 0; i < 3; ++i)
    call(bench, 60);
  const std::string text = report(bench);
  CHECK(says(text, totals("3", R"("changed":3,"no_route":0,"gained":0,"answered":3,)"
                               R"("answered_moved":3,"answered_lost":0,"unpriced":0,)"
                               R"("talk_time_ms":180003,"money":[{"currency":"USD",)"
                               R"("live_revenue":"1.80","shadow_revenue":"1.80",)"
                               R"("live_cost":"0.90","shadow_cost":"0.30",)"
                               R"("cost_difference":"-0.60","margin_difference":"0.60"}])")));
  CHECK(says(text, R"("moves":[{"from":"v1","to":"v2","calls":3}])"));
  CHECK(says(text, R"({"vendor_gateway":"v1","live_first":3,"shadow_first":0,"live_carried":3,)"
                   R"("shadow_carried":0,"money":[{"currency":"USD","live_cost":"0.90",)"));
  CHECK(says(text, R"("customers":[{"customer_gateway":"cust","calls":3,)"));
  const auto last = bench.tandem->stop_shadow();
  REQUIRE(last.ok());
  CHECK(says(*last, R"("calls":3,"changed":3,)"));
  CHECK(bench.tandem->shadow_report().error().code == ErrorCode::not_found);
  CHECK(bench.tandem->stop_shadow().error().code == ErrorCode::not_found);
  CHECK(bench.balance("clearing-1") == money("-1.20"));
  CHECK(bench.balance("clearing-2") == money("0"));
  for (const Cdr& cdr : bench.world.cdrs())
    CHECK(cdr.vendor_gateway == "v1");
  bench.check_clean();
}

TEST_CASE(
    "Shadow: the same tables change nothing, whatever loads, turns, limits and failures did") {
  SwitchConfig config = priced_config({"0.30", "0.30", "0.30", "0.40"});
  v(config, 1).line_limit = 1;
  v(config, 2).line_limit = 3;
  v(config, 3).calls_per_second = 1;
  config.provision.customer_gateways[0].line_limit = 8;
  Bench bench(config);
  start(bench, "{}");
  for (Endpoint* vendor : bench.vendors)
    vendor->set_plan(answer_after(100'000));
  int refused = 0;
  for (int round = 0; round < 10; ++round) {
    if (round == 4) bench.vendors[1]->set_plan(refuse(503));
    if (round == 7) bench.vendors[0]->set_plan(never_responds());
    std::vector<std::shared_ptr<EndpointCall>> calls;
    for (int i = 0; i < 9; ++i) {
      calls.push_back(bench.dial());
      bench.run_ms(70);
    }
    bench.run_s(30);
    for (const auto& one : calls) {
      if (!one->was_answered()) ++refused;
      one->hang_up();
    }
    REQUIRE(bench.world.run_until_idle());
  }
  CHECK(refused >= 10);  // of the customer's limit at least
  const std::string text = report(bench);
  CHECK(says(text, nothing_changes));
  CHECK(says(text, R"("answered_moved":0,"answered_lost":0,"unpriced":0,)"));
  CHECK(says(text, R"("cost_difference":"0.00","margin_difference":"0.00")"));
  CHECK(says(text, R"("moves":[],"refusals":[])"));
  CHECK(says(text, R"("calls":80,)"));  // those beyond the customer's limit say nothing of tables
  bench.check_clean();
}

TEST_CASE("Shadow: a run with one is the same run, byte for byte") {
  const auto trace = [](bool has_shadow) {
    SwitchConfig config = priced_config({"0.30", "0.30", "0.20"}, false);
    config.provision.customer_gateways[0].split = {{3, ""}, {1, ""}};
    v(config, 3).caller_pool = CallerPoolConfig{"pool", 1, true};
    config.provision.number_groups = {{"pool", {"4420790001", "4420790002"}}};
    Bench bench(config);
    if (has_shadow)
      start(bench,
            R"({"remove": {"vendor_gateways": ["v1"]}, "parameters": {"fee_precision": 2}})");
    for (int i = 0; i < 12; ++i)
      call(bench, 7 + i);
    bench.check_clean();
    std::string records;
    for (const Cdr& cdr : bench.world.cdrs())
      records += to_json(cdr) + "\n";
    return std::pair(bench.world.trace_hash(), records);
  };
  const auto without = trace(false);
  const auto with = trace(true);
  CHECK(without.first == with.first);
  CHECK(without.second == with.second);
}

TEST_CASE("Shadow: what it says is what comes true when its tables are put in force") {
  const auto config = [] { return priced_config({"0.30", "0.31", "0.32", "0.33"}); };
  const std::vector<std::string> callees = {"4420", "4421",  "4475", "33140",
                                            "4930", "12125", "861",  "7495"};
  const auto run = [&](Bench& bench) {
    SeededRandom random(7);
    for (int i = 0; i < 60; ++i) {
      for (std::size_t k = 0; k < bench.vendors.size(); ++k)
        bench.vendors[k]->set_plan(random.below(4) == 0 ? refuse(503) : answer_after(10'000));
      call(bench, 1 + static_cast<std::int64_t>(random.below(90)),
           callees[random.below(callees.size())] + "5550100");
    }
  };
  const std::string changes =
      R"({"provision": {"rate_decks": [
        {"id": "deck-1", "rates": [{"prefix": "44", "price": "0.50"}, {"prefix": "33", "price": "0.10"}]},
        {"id": "deck-3", "rates": [{"prefix": "", "price": "0.315"}, {"prefix": "447", "price": "0.01"}]}],
        "vendor_gateways": [
          {"id": "v1", "addresses": ["10.0.2.1:5060"], "account": "clearing-1", "least_cost": true,
           "require_rate": true},
          {"id": "v2", "addresses": ["10.0.2.2:5060"], "account": "clearing-2", "least_cost": true,
           "prefixes": ["44", "49", "1"]}]},
        "remove": {"vendor_gateways": ["v4"]}})";

  Bench shadowed(config());
  start(shadowed, changes);
  run(shadowed);
  const std::string said = report(shadowed);

  SwitchConfig changed = config();
  v(changed, 1).require_rate = true;
  v(changed, 2).prefixes = {"44", "49", "1"};
  const auto set_rates = [&](const std::string& id,
                             const std::vector<std::pair<std::string, std::string>>& rates) {
    for (RateDeckConfig& one : changed.provision.rate_decks) {
      if (one.id != id) continue;
      one.rates.clear();
      for (const auto& [prefix, price] : rates) {
        Rate rate;
        rate.prefix = prefix;
        rate.price = money(price);
        one.rates.push_back(rate);
      }
    }
  };
  set_rates("deck-1", {{"44", "0.50"}, {"33", "0.10"}});
  set_rates("deck-3", {{"", "0.315"}, {"447", "0.01"}});
  changed.provision.vendor_gateways.pop_back();
  Bench real(changed);
  real.vendors.push_back(real.endpoint("10.0.2.4:5060"));  // so that both draw the same plans
  run(real);

  std::map<std::string, int> first;
  int tried = 0;
  for (const Cdr& cdr : real.world.cdrs()) {
    if (cdr.attempts.empty()) continue;
    ++first[cdr.attempts.front().vendor_gateway];
    ++tried;
  }
  CHECK(real.world.cdrs().size() == 60);
  CHECK(tried == 60);
  REQUIRE(first.size() == 3);
  for (const auto& [id, calls] : first) {
    const std::size_t row = said.find(R"("vendor_gateway":")" + id + '"');
    REQUIRE(row != std::string::npos);
    const std::string key = R"("shadow_first":)";
    const std::size_t count = said.find(key, row);
    CHECK(std::stoi(said.substr(count + key.size())) == calls);
  }
}

TEST_CASE("Shadow: a removed vendor leaves calls without a route, answered ones are lost") {
  Bench bench(priced_config({"0.30"}));
  start(bench, R"({"remove": {"vendor_gateways": ["v1"]}})");
  call(bench, 60);
  bench.b->set_plan(refuse(486));
  call(bench, 60);
  const std::string text = report(bench);
  CHECK(says(text, totals("2", R"("changed":0,"no_route":2,"gained":0,"answered":1,)"
                               R"("answered_moved":0,"answered_lost":1,"unpriced":0,)")));
  CHECK(says(text,
             R"("live_revenue":"0.60","shadow_revenue":"0.00","live_cost":"0.30",)"
             R"("shadow_cost":"0.00","cost_difference":"-0.30","margin_difference":"-0.30")"));
  CHECK(says(text, R"("moves":[{"from":"v1","to":null,"calls":2}])"));
  CHECK(says(text, R"("refusals":[{"reason":"NoAvailableRouter","calls":2}])"));
}

TEST_CASE("Shadow: a call that has no rate or no vendor is gained by tables that have them") {
  SwitchConfig config = priced_config({"0.30"});
  config.provision.rate_decks[0].rates[0].prefix = "44";
  v(config, 1).prefixes = {"44"};
  Bench bench(config);
  start(bench, R"({"provision": {
      "rate_decks": [{"id": "retail", "rates": [{"prefix": "", "price": "0.70", "area": "world"}]}],
      "vendor_gateways": [{"id": "v1", "addresses": ["10.0.2.1:5060"], "account": "clearing-1"}]}})");
  call(bench, 1, "33145");  // RateNotFound
  call(bench, 60, "44207");
  const std::string text = report(bench);
  CHECK(says(text, totals("2", R"("changed":0,"no_route":0,"gained":1,"answered":1,)")));
  CHECK(says(text, R"("live_revenue":"0.60","shadow_revenue":"0.70")"));
  CHECK(says(text, R"({"prefix":"","area":"world","calls":1,)"));
  CHECK(says(text, R"({"prefix":"44","area":"","calls":1,)"));
  CHECK(says(text, R"("moves":[{"from":null,"to":"v1","calls":1}])"));
}

TEST_CASE("Shadow: who failed in the live call fails in the shadow too") {
  Bench bench(priced_config({"0.30", "0.31", "0.32"}));
  bench.vendors[0]->set_plan(refuse(503));
  start(bench, price_plan(3, "0.29"));
  call(bench, 60);  // live: v1 fails, v2 answers; shadow: v3 first
  auto text = report(bench);
  CHECK(says(text, R"("moves":[{"from":"v1","to":"v3","calls":1}])"));
  CHECK(says(text, R"("live_cost":"0.31","shadow_cost":"0.29")"));
  (void)bench.tandem->stop_shadow();
  start(bench, price_plan(2, "0.33"));
  bench.vendors[2]->set_plan(refuse(503));
  call(bench, 60);  // live: v1, v2; shadow: v1 fails again, then v3, which was not tried
  text = report(bench);
  CHECK(says(text, R"("changed":0,"no_route":0,"gained":0,"answered":1,"answered_moved":1,)"));
  CHECK(says(text, R"("live_cost":"0.31","shadow_cost":"0.32")"));
}

TEST_CASE("Shadow: calls that are refused before the tables say nothing about them") {
  SwitchConfig config = priced_config({"0.30"});
  config.provision.accounts[0].balance = money("0.00");
  Bench bench(config);
  start(bench, R"({"remove": {"vendor_gateways": ["v1"]}})");
  call(bench, 1);
  Endpoint* const stranger = bench.endpoint("10.9.9.9:5060");
  auto strange = stranger->dial("44207", "1000", {});
  bench.run_s(1);
  REQUIRE(bench.world.run_until_idle());
  CHECK(says(report(bench), R"("calls":0,)"));
}

TEST_CASE("Shadow: the answer ratios of the call decide, not those of later (R-05)") {
  SwitchConfig config = priced_config({"0.30", "0.30"}, false);
  for (int i = 1; i <= 2; ++i)
    v(config, i).quality = true;
  Bench bench(config);
  bench.vendors[0]->set_plan(refuse(404));
  for (int i = 0; i < 45; ++i)
    call(bench, 1);
  start(bench, "{}");
  for (int i = 0; i < 30; ++i) {
    if (i == 10) bench.vendors[1]->set_plan(refuse(404));
    call(bench, 1);
  }
  CHECK(says(report(bench), nothing_changes));
}

TEST_CASE("Shadow: a stored version of a deck is tried before it is active (B-19)") {
  SwitchConfig config = priced_config({"0.30", "0.31"});
  Bench bench(config);
  ProvisionChange change;
  change.puts.push_back({"rate_decks", "deck-2", "", "prefix,price\n\"\",0.05\n"});
  change.valid_from_us = bench.world.wall_us() + 365 * 86'400 * second_us;
  const auto put = bench.tandem->provisioning().change(change);
  REQUIRE(put.faults.empty());
  const auto versions = bench.tandem->provisioning().deck_versions("deck-2");
  REQUIRE(versions.ok());
  const std::string number = std::to_string(versions->front().number);
  start(bench, R"({"decks": [{"id": "deck-2", "version": )" + number + "}]}");
  call(bench, 60);
  const std::string text = report(bench);
  CHECK(says(text, R"("plan":{"decks":[{"id":"deck-2","version":)" + number + "}]"));
  CHECK(says(text, R"("shadow_cost":"0.05")"));
  CHECK(bench.world.cdrs().back().vendor_gateway == "v1");
}

TEST_CASE("Shadow: its tables are frozen while live ones change") {
  Bench bench(priced_config({"0.30", "0.31"}));
  start(bench, "{}");
  ProvisionChange change;
  change.puts.push_back({"rate_decks", "deck-2", "", "prefix,price\n\"\",0.05\n"});
  REQUIRE(bench.tandem->provisioning().change(change).faults.empty());
  call(bench, 60);
  CHECK(bench.world.cdrs().back().vendor_gateway == "v2");
  CHECK(says(report(bench), R"("moves":[{"from":"v2","to":"v1","calls":1}])"));
}

TEST_CASE("Shadow: wrong plans are refused with their place, and nothing runs") {
  Bench bench(priced_config({"0.30"}));
  const auto refusal = [&](const std::string& plan) {
    const auto started = bench.tandem->start_shadow(plan);
    REQUIRE_FALSE(started.ok());
    CHECK(bench.tandem->shadow_report().error().code == ErrorCode::not_found);
    return started.error().message;
  };
  CHECK(refusal("[]") == "plan was no JSON object");
  CHECK(refusal("{").starts_with("text is no JSON"));
  CHECK(refusal(R"({"deck": []})") == "/deck: unknown key, or no text");
  CHECK(refusal(R"({"decks": [{"id": "deck-1"}]})").starts_with("/decks/0: "));
  CHECK(refusal(R"({"decks": [{"id": "none", "version": 1}]})") == "no rate deck \"none\"");
  CHECK(refusal(R"({"provision": {"vendors": []}})") == "/provision/vendors: no such list");
  CHECK(refusal(R"({"provision": {"accounts": [{"id": "b"}],
                    "vendor_gateways": [{"id": "a", "addresses": ["1.2.3.4"]},
                                        {"id": "b", "addresses": ["no host here"]}]}})")
            .starts_with("/provision/vendor_gateways/1/addresses/0: "));
  CHECK(refusal(R"({"remove": {"accounts": ["clearing-1"]}})").starts_with("/provision/"));
  CHECK(refusal(R"({"remove": {"vendor_gateways": ["v9"]}})") ==
        "/remove/vendor_gateways: no object \"v9\"");
  CHECK(
      refusal(R"({"parameters": {"fee_precision": 9}})").starts_with("/parameters/fee_precision"));
  start(bench, "{}");
  const auto second = bench.tandem->start_shadow("{}");
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::wrong_state);
}

TEST_CASE("Shadow: one of the configuration starts with the switch") {
  SwitchConfig config = priced_config({"0.30", "0.31"});
  config.shadow = price_plan(2, "0.01");
  Bench bench(config);
  call(bench, 60);
  CHECK(says(report(bench), R"("changed":1,)"));

  config.shadow = R"({"decks": [{"id": "none", "version": 1}]})";
  World world;
  const auto refused = world.create_switch(config);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "/shadow: no rate deck \"none\"");
}

TEST_CASE("Shadow: the report for people has every vendor and the sums of each currency") {
  Bench bench(priced_config({"0.30", "0.40"}));
  start(bench, price_plan(2, "0.10"));
  call(bench, 60);
  const auto table = shadow_table(report(bench));
  REQUIRE(table.ok());
  CHECK(says(*table, "1 calls, 1 to another first vendor, 0 without one"));
  CHECK(says(*table, "\nv1    v2      1\n"));
  CHECK_FALSE(shadow_table("{}").ok());
  CHECK_FALSE(shadow_table("no json").ok());
  CHECK(shadow_table(R"({"moves": 1, "customers": [3, {"calls": "x"}], "vendors": [[]],
                         "prefixes": [{"money": [1]}], "refusals": [null]})")
            .ok());
}
