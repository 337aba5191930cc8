// Which vendor gets a call, and which callers get one: the rules of R-05..R-13, R-18, R-19, R-22
// and R-24 in whole calls, and what explain says of them.
#include "flow/flow.hpp"
#include "tandem/route_choices.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// `count` vendors of one priority, each with an account and a deck of its own price a minute.
SwitchConfig priced_config(const std::vector<std::string>& prices) {
  SwitchConfig config = base_config(static_cast<int>(prices.size()));
  for (std::size_t i = 0; i < prices.size(); ++i) {
    const std::string id = "clearing-" + std::to_string(i + 1);
    config.provision.rate_decks.push_back(deck("deck-" + id, prices[i]));
    AccountConfig clearing = account(id, "0", "deck-" + id);
    clearing.kind = AccountKind::clearing;
    config.provision.accounts.push_back(clearing);
    config.provision.vendor_gateways[i].account = id;
    config.provision.vendor_gateways[i].priority = 0;
  }
  return config;
}

VendorGateway& v(SwitchConfig& config, int number) {
  return config.provision.vendor_gateways[static_cast<std::size_t>(number - 1)];
}

/// Dials, lets every vendor refuse with 503, and gives the order in which they were tried: "v2 v1".
std::string tried(Bench& bench) {
  for (Endpoint* vendor : bench.vendors)
    vendor->set_plan(refuse(503));
  const std::size_t before = bench.world.cdrs().size();
  auto call = bench.dial();
  bench.run_s(2);
  REQUIRE(bench.world.run_until_idle());
  REQUIRE(bench.world.cdrs().size() == before + 1);
  std::string order;
  for (const Attempt& attempt : bench.world.cdrs().back().attempts)
    order += (order.empty() ? "" : " ") + attempt.vendor_gateway;
  return order;
}

std::string explained(Bench& bench, const std::string& callee = "442079460000") {
  auto text = bench.tandem->explain({"cust", "1000", callee, std::nullopt});
  REQUIRE(text.ok());
  return *text;
}

bool says(const std::string& json, const std::string& part) {
  return json.find(part) != std::string::npos;
}

/// The last record; its call is over.
Cdr last_cdr(Bench& bench) {
  bench.run_s(1);
  REQUIRE_FALSE(bench.world.cdrs().empty());
  return bench.world.cdrs().back();
}

}  // namespace

TEST_CASE("Choice: a customer beyond its calls a second gets 503 with Retry-After 1 (R-22)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].calls_per_second = 2;
  Bench bench(config);
  bench.b->set_plan(refuse(404));
  std::vector<std::shared_ptr<EndpointCall>> calls;
  for (int i = 0; i < 3; ++i)
    calls.push_back(bench.dial());
  bench.run_ms(100);
  CHECK(calls[0]->status() == 404);
  CHECK(calls[1]->status() == 404);
  CHECK(calls[2]->status() == 503);
  CHECK(calls[2]->retry_after_s() == 1);
  CHECK(says(explained(bench), R"("reject":"RateLimited")"));
  bench.run_ms(500);
  auto later = bench.dial();
  bench.run_ms(100);
  CHECK(later->status() == 404);
  bench.check_clean();
  int limited = 0;
  for (const Cdr& cdr : bench.world.cdrs())
    limited += cdr.end_reason == Reason::RateLimited && cdr.sip_status == 503 ? 1 : 0;
  CHECK(limited == 1);
}

TEST_CASE("Choice: a vendor beyond its calls a second is passed over (R-22)") {
  SwitchConfig config = base_config(2);
  v(config, 1).calls_per_second = 1;
  v(config, 1).burst = 2;
  Bench bench(config);
  std::vector<std::shared_ptr<EndpointCall>> calls;
  for (int i = 0; i < 4; ++i)
    calls.push_back(bench.dial());
  bench.run_ms(100);
  CHECK(bench.vendors[0]->received("INVITE") == 2);
  CHECK(bench.vendors[1]->received("INVITE") == 2);
  CHECK(says(explained(bench),
             R"({"gateway":"v1","reason":"RateLimited","rule":"calls_per_second")"));
  bench.run_ms(1000);
  calls.push_back(bench.dial());
  bench.run_ms(100);
  CHECK(bench.vendors[0]->received("INVITE") == 3);
  for (const auto& call : calls)
    call->hang_up();
  bench.check_clean();
}

TEST_CASE("Choice: with 71 of 100 group lines taken retail is refused and VIP served (R-11)") {
  SwitchConfig config = base_config(1);
  config.provision.accounts[0].balance = money("1000.00");
  config.provision.customer_gateways = {customer("vip", "10.0.1.1"),
                                        customer("retail", "10.0.1.2")};
  config.provision.gateway_groups = {{"shared", 100, {{"vip", 0}, {"retail", 30}}}};
  Bench bench(config);
  Endpoint* const retail = bench.endpoint("10.0.1.2:5060");
  std::vector<std::shared_ptr<EndpointCall>> calls;
  for (int i = 0; i < 71; ++i)
    calls.push_back(bench.dial());
  bench.run_s(1);
  CHECK(bench.lines("vip") == 71);
  auto refused = retail->dial("442079460000", "1000");
  bench.run_s(1);
  CHECK(refused->status() == 503);
  CHECK(last_cdr(bench).end_reason == Reason::LineLimitExceeded);
  for (int i = 0; i < 30; ++i)
    calls.push_back(bench.dial());
  bench.run_s(1);
  CHECK_MESSAGE(bench.lines("vip") == 100, "29 more, not 30");
  for (int i = 0; i < 40; ++i)
    calls[static_cast<std::size_t>(i)]->hang_up();
  bench.run_s(1);
  auto served = retail->dial("442079460000", "1000");
  bench.run_s(1);
  CHECK(served->was_answered());
  served->hang_up();
  for (const auto& call : calls)
    call->hang_up();
  bench.check_clean();
}

TEST_CASE("Choice: a full group passes its vendors over, not only one of them (R-11)") {
  SwitchConfig config = base_config(3);
  config.provision.gateway_groups = {{"carrier", 1, {{"v1", 0}, {"v2", 0}}}};
  Bench bench(config);
  auto first = bench.connect();
  auto second = bench.connect();
  CHECK(bench.lines("v1") == 1);
  CHECK(bench.lines("v2") == 0);
  CHECK(bench.lines("v3") == 1);
  CHECK(says(explained(bench), R"({"gateway":"v2","reason":"AllGatewayBusy","rule":"line_limit")"));
  first->hang_up();
  second->hang_up();
  bench.check_clean();
}

TEST_CASE("Choice: a group has more lines while its hours say so (R-11, R-12)") {
  SwitchConfig config = base_config(2);
  config.provision.gateway_groups = {{"carrier", 1, {{"v1", 0}}}};
  Bench bench(config);
  PeriodConfig peak;  // The world begins at midnight.
  peak.to_s = 2;
  peak.line_limit = 2;
  config.provision.gateway_groups[0].periods = {peak};
  REQUIRE(bench.tandem->reload(config).ok());
  auto first = bench.connect();
  auto second = bench.connect();
  CHECK(bench.lines("v1") == 2);
  bench.run_s(3);
  auto third = bench.connect();
  CHECK_MESSAGE(bench.lines("v1") == 2, "running calls keep their lines");
  CHECK(bench.lines("v2") == 1);
  for (const auto& call : {first, second, third})
    call->hang_up();
  bench.check_clean();
}

TEST_CASE(
    "Choice: a customer has other lines, or none at all, while its hours say so (R-12, A-02)") {
  SwitchConfig config = base_config();
  PeriodConfig early, late;  // The world begins at midnight.
  early.to_s = 60;
  early.line_limit = 1;
  late.from_s = 60;
  late.to_s = 120;
  late.closed = true;
  config.provision.customer_gateways[0].periods = {early, late};
  Bench bench(config);
  auto first = bench.connect();
  bench.dial();
  bench.run_s(1);
  REQUIRE(bench.world.cdrs().size() == 1);
  CHECK(bench.world.cdrs()[0].end_reason == Reason::LineLimitExceeded);
  bench.run_s(65);
  CHECK_FALSE_MESSAGE(first->is_over(), "running calls go on");
  CHECK(says(explained(bench), R"("reject":"GatewayLocked")"));
  CHECK(says(explained(bench), R"("rules":["periods"])"));
  bench.dial();
  bench.run_s(1);
  CHECK(bench.world.cdrs()[1].end_reason == Reason::GatewayLocked);
  bench.run_s(60);
  auto third = bench.connect();
  for (const auto& call : {first, third})
    call->hang_up();
  bench.check_clean();
}

TEST_CASE("Choice: a group of the customer's list is all it may use, or all but it (R-09)") {
  SwitchConfig config = base_config(3);
  config.provision.gateway_groups = {{"good", -1, {{"v2", 0}}}, {"other", -1, {{"v3", 0}}}};
  config.provision.customer_gateways[0].vendor_groups_allow = {"good", "other"};
  {
    Bench bench(config);
    CHECK(tried(bench) == "v2 v3");
    CHECK(says(explained(bench), R"({"gateway":"v1","reason":"customer_not_allowed"})"));
  }
  config.provision.customer_gateways[0].vendor_groups_allow.clear();
  config.provision.customer_gateways[0].vendor_groups_deny = {"good"};
  Bench bench(config);
  CHECK(tried(bench) == "v1 v3");
}

TEST_CASE("Choice: least cost compares the price of a second behind the priority (R-06)") {
  SwitchConfig config = priced_config({"0.30", "0.10", "0.20"});
  for (int i = 1; i <= 3; ++i)
    v(config, i).least_cost = true;
  {
    Bench bench(config);
    CHECK(tried(bench) == "v2 v3 v1");
    CHECK(says(explained(bench), R"("priority":0,"lowest_rate":"0.00166666","load")"));
  }
  v(config, 2).priority = 1;
  {
    Bench bench(config);
    CHECK(tried(bench) == "v3 v1 v2");
  }
  config.parameters.rate_sort_position = 2;
  {
    Bench bench(config);
    CHECK(tried(bench) == "v2 v3 v1");
  }
  config.parameters.rate_sort_position = 0;
  Bench bench(config);
  CHECK(tried(bench) == "v1 v3 v2");
}

TEST_CASE("Choice: a customer's own policies replace those of the parameters (R-07)") {
  SwitchConfig config = priced_config({"0.30", "0.10", "0.20"});
  v(config, 2).priority = 7;
  config.provision.customer_gateways[0].sort = {RoutePolicy::lowest_rate};
  Bench bench(config);
  CHECK(tried(bench) == "v2 v3 v1");
  CHECK(says(explained(bench), R"("prefix_length":0,"lowest_rate":"0.00166666","priority":7)"));
}

TEST_CASE(
    "Choice: after 20 calls the better answering vendor goes first, until slices age (R-05)") {
  SwitchConfig config = base_config(2);
  config.provision.accounts[0].balance = money("1000.00");
  for (int i = 1; i <= 2; ++i) {
    v(config, i).priority = 0;
    v(config, i).quality = true;
  }
  config.parameters.quality_window_s = 600;
  config.parameters.quality_slice_s = 60;
  Bench bench(config);
  bench.vendors[0]->set_plan(refuse(503));
  AnswerPlan short_talk;
  short_talk.hang_up_after_us = second_us;
  bench.vendors[1]->set_plan(short_talk);
  const auto first_choice = [&] {
    const std::string answer = explained(bench);
    return answer.substr(answer.find("\"candidates\":[{\"gateway\":\"") + 26, 2);
  };
  for (int i = 0; i < 40; ++i) {  // equal at first: they take turns, v1 fails over to v2
    bench.dial();
    bench.run_s(3);
  }
  CHECK(bench.vendors[0]->received("INVITE") >= 20);
  CHECK(bench.vendors[0]->received("INVITE") < 40);
  CHECK(first_choice() == "v2");
  const std::string answer = explained(bench);
  CHECK(says(answer, R"("answer_ratio":100)"));
  CHECK(says(answer, R"("answer_ratio":0)"));
  CHECK(says(answer, R"("average_talk_s":1)"));
  const auto before = bench.vendors[0]->received("INVITE");
  bench.dial();
  bench.run_s(3);
  CHECK_MESSAGE(bench.vendors[0]->received("INVITE") == before, "v2 answers, v1 is not asked");
  bench.run_s(700);
  CHECK_MESSAGE(says(explained(bench), R"("answer_ratio":null)"), "the window is empty again");
  bench.check_clean();
}

TEST_CASE("Choice: calls that callers give up before ringing say nothing of a vendor (R-05)") {
  SwitchConfig config = base_config(1);
  v(config, 1).quality = true;
  Bench bench(config);
  AnswerPlan silent = never_answers();
  bench.b->set_plan(silent);
  DialPlan impatient;
  impatient.cancel_after_us = second_us;
  bench.dial(impatient);
  bench.run_s(3);
  CHECK(says(explained(bench), R"("quality":{"attempts":0)"));
  silent.ring_after_us = 100'000;
  bench.b->set_plan(silent);
  bench.dial(impatient);
  bench.run_s(3);
  CHECK(says(explained(bench), R"("quality":{"attempts":1,"answer_percent":0)"));
  bench.check_clean();
}

TEST_CASE("Choice: protect vendors come last, and only so long after arrival (R-08)") {
  SwitchConfig config = base_config(3);
  v(config, 1).protect = true;
  {
    Bench bench(config);
    CHECK(tried(bench) == "v2 v3 v1");
    CHECK(says(explained(bench), R"("keys":{"protect":true)"));
  }
  config.parameters.protect_delay_s = 5;
  {
    Bench bench(config);
    CHECK(tried(bench) == "v2 v3 v1");
  }
  Bench bench(config);
  bench.vendors[1]->set_plan(refuse(503, 3 * second_us));
  bench.vendors[2]->set_plan(refuse(503, 3 * second_us));
  auto call = bench.dial();
  bench.run_s(10);
  CHECK(call->status() == 503);
  CHECK(bench.vendors[0]->received("INVITE") == 0);
  bench.check_clean();
}

TEST_CASE(
    "Choice: vendors without a rate, money or profit are passed over with their rule (R-18)") {
  SwitchConfig config = priced_config({"0.30", "0.55", "0.20", "0.10"});
  config.provision.rate_decks[2].rates[0].prefix = "49";  // v1 has no rate for 44
  v(config, 1).require_rate = true;
  config.provision.customer_gateways[0].min_profit_hundredths = 1000;  // sells at 0.60
  v(config, 3).max_price_per_s = money("0.003");
  Bench bench(config);
  CHECK(tried(bench) == "v4");
  const std::string answer = explained(bench);
  CHECK(says(answer, R"({"gateway":"v1","reason":"RateNotFound","rule":"require_rate")"));
  CHECK(says(answer, R"({"gateway":"v2","reason":"ProfitGuard","rule":"min_profit_percent")"));
  CHECK(says(answer, R"({"gateway":"v3","reason":"ProfitGuard","rule":"max_price_per_s")"));
}

TEST_CASE("Choice: what is sold for nothing has a profit of 0 or below any limit (R-18, B-13)") {
  const auto shown = [](const std::string& buy, std::int32_t hundredths) {
    SwitchConfig config = priced_config({buy});
    config.provision.rate_decks[0].rates[0].price = {};
    v(config, 1).min_profit_hundredths = hundredths;
    Bench bench(config);
    return explained(bench);
  };
  CHECK(says(shown("0", 0), R"("profit_percent":"0.00")"));
  CHECK(says(shown("0", 0), R"("reject":null)"));
  CHECK(says(shown("0", 1), R"("reason":"ProfitGuard","rule":"min_profit_percent")"));
  const std::string loss = shown("0.01", -1'000'000);
  CHECK(says(loss, R"("reason":"ProfitGuard","rule":"min_profit_percent")"));
  CHECK(says(loss, R"("profit_percent":null)"));
}

TEST_CASE("Choice: the profit guard is exact at its limit, below zero too (R-18, B-13)") {
  // Sold at 0.60: 16.67 % is a buy of 0.50 (0.49998 exactly).
  const auto passes = [](const std::string& buy, std::int32_t hundredths) {
    SwitchConfig config = priced_config({buy});
    v(config, 1).min_profit_hundredths = hundredths;
    Bench bench(config);
    return tried(bench) == "v1";
  };
  CHECK(passes("0.49998", 1667));
  CHECK_FALSE(passes("0.49999", 1667));
  CHECK(passes("0.60", 0));
  CHECK_FALSE(passes("0.60000001", 0));
  CHECK(passes("0.90", -5000));
  CHECK_FALSE(passes("0.91", -5000));
}

TEST_CASE("Choice: a vendor whose account has less than the minimum is passed over (R-18)") {
  SwitchConfig config = priced_config({"0.30", "0.30"});
  config.parameters.vendor_balance_minimum = money("10.00");
  config.provision.accounts[2].balance = money("9.99");
  config.provision.accounts[3].balance = money("10.00");
  Bench bench(config);
  CHECK(tried(bench) == "v2");
  CHECK(says(explained(bench), R"({"gateway":"v1","reason":"AccountBalanceNotEnough",)"
                               R"("rule":"vendor_balance_minimum")"));
}

TEST_CASE("Choice: when all are passed over the best one's reason is told (R-18, C-08)") {
  SwitchConfig config = priced_config({"0.90"});
  v(config, 1).min_profit_hundredths = 0;
  Bench bench(config);
  auto call = bench.dial();
  CHECK(bench.only_cdr().end_reason == Reason::ProfitGuard);
  CHECK(call->status() == 503);
  CHECK(says(explained(bench), R"("reject":"ProfitGuard")"));
}

TEST_CASE(
    "Choice: a record says of each vendor it came to why it was taken or passed over (R-23)") {
  SwitchConfig config = priced_config({"0.90", "0.20", "0.30", "0.10"});
  for (int i = 1; i <= 4; ++i)
    v(config, i).priority = i;
  v(config, 3).line_limit = 5;
  config.provision.customer_gateways[0].min_profit_hundredths = 0;
  Bench bench(config);
  bench.vendors[1]->set_plan(refuse(503));
  auto call = bench.connect();
  call->hang_up();
  const auto choices = parse_route_choices(last_cdr(bench).choices);
  REQUIRE(choices.ok());
  REQUIRE(choices->size() == 3);  // the fourth was not come to
  const RouteChoice& guarded = choices->at(0);
  CHECK(guarded.vendor_gateway == "v1");
  CHECK(guarded.passed_over == Reason::ProfitGuard);
  CHECK(guarded.rule == "min_profit_percent");
  CHECK(guarded.priority == 1);
  CHECK(guarded.load_limit == -1);
  CHECK(choices->at(1).passed_over == Reason::none);
  CHECK(choices->at(2).vendor_gateway == "v3");
  CHECK(choices->at(2).passed_over == Reason::none);
  CHECK(choices->at(2).rank == 2);
  CHECK(choices->at(2).load_limit == 5);
  CHECK(says(to_json(bench.world.cdrs().back()),
             R"("outcome":"ProfitGuard","rule":"min_profit_percent"})"));
}

TEST_CASE("Choice: a refused call has why no vendor was tried, 64 of them at most (R-23)") {
  SwitchConfig config = priced_config(std::vector<std::string>(70, "0.90"));
  config.provision.customer_gateways[0].min_profit_hundredths = 0;
  Bench bench(config);
  auto call = bench.dial();
  bench.run_s(1);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::ProfitGuard);
  CHECK(cdr.attempts.empty());
  const auto choices = parse_route_choices(cdr.choices);
  REQUIRE(choices.ok());
  REQUIRE(choices->size() == route_choices_max);
  for (const RouteChoice& choice : *choices)
    CHECK(choice.passed_over == Reason::ProfitGuard);
}

TEST_CASE("Choice: hours begin and end at the second, in the vendor's zone (R-12, R-13)") {
  SwitchConfig config = base_config(2);
  CalendarConfig berlin;
  berlin.id = "berlin";
  berlin.timezone = "Europe/Berlin";
  berlin.exceptions[20454] = DayClass::holiday;  // 2026-01-01
  config.provision.calendars = {berlin};
  PeriodConfig hours, closed;
  hours.days = DaySet::parse({"work"}).value();
  hours.from_s = 8 * 3600;
  hours.to_s = 18 * 3600;
  hours.closed = false;
  closed.closed = true;
  v(config, 1).periods = {hours, closed};
  v(config, 1).calendar = "berlin";
  v(config, 1).prefix_mode = PrefixMode::expiration;  // hides nobody while closed
  v(config, 1).prefixes = {"44"};
  Bench bench(config);  // 2026-01-01T00:00:00Z, a holiday
  CHECK(tried(bench) == "v2");
  CHECK(says(explained(bench), R"({"gateway":"v1","reason":"closed"})"));
  const auto run_to = [&](const char* time) {
    const std::int64_t now_us = bench.world.wall_us();
    bench.world.run_for_us(parse_time_us(time).value() - now_us);
  };
  run_to("2026-01-01T10:00:00Z");
  CHECK(tried(bench) == "v2");
  run_to("2026-01-02T06:59:59Z");  // Friday, one second before 08:00 in Berlin
  bench.vendors[0]->clear_ladder();
  auto early = bench.dial();
  bench.run_ms(900);
  CHECK(bench.vendors[0]->received("INVITE") == 0);
  bench.run_ms(100);
  CHECK(bench.world.wall_us() == parse_time_us("2026-01-02T07:00:00Z").value());
  auto on_time = bench.dial();
  bench.run_ms(500);
  CHECK(bench.vendors[0]->received("INVITE") == 1);
  run_to("2026-01-02T17:00:00Z");
  CHECK(tried(bench) == "v2");
  bench.check_clean();
}

TEST_CASE("Choice: a holiday begins and ends at midnight of the calendar's zone (R-12, R-13)") {
  SwitchConfig config = base_config(2);
  CalendarConfig nepal;  // +05:45: its second of January begins at 18:15 of the first
  nepal.id = "nepal";
  nepal.timezone = "Asia/Kathmandu";
  nepal.exceptions[20455] = DayClass::holiday;  // 2026-01-02, a Friday
  config.provision.calendars = {nepal};
  PeriodConfig& closed = v(config, 1).periods.emplace_back();
  closed.days = DaySet::parse({"holiday"}).value();
  closed.closed = true;
  v(config, 1).calendar = "nepal";
  config.parameters.timezone = "America/New_York";  // of calendars without a zone, so not of this
  Bench bench(config);
  const auto tried_at = [&](const char* time) {
    bench.world.run_for_us(parse_time_us(time).value() - bench.world.wall_us());
    for (Endpoint* vendor : bench.vendors)
      vendor->set_plan(refuse(503));
    auto call = bench.dial();
    bench.run_ms(500);
    REQUIRE(call->is_over());
    return bench.world.cdrs().back().attempts.front().vendor_gateway;
  };
  CHECK(tried_at("2026-01-01T18:14:59Z") == "v1");
  CHECK(tried_at("2026-01-01T18:15:00Z") == "v2");
  CHECK(tried_at("2026-01-02T18:14:59Z") == "v2");
  CHECK(tried_at("2026-01-02T18:15:00Z") == "v1");
}

TEST_CASE("Choice: a period's lines, priority and rules hold for calls that arrive in it (R-13)") {
  SwitchConfig config = base_config(2);
  PeriodConfig& peak = v(config, 2).periods.emplace_back();
  peak.from_s = 60;
  peak.to_s = 120;
  peak.line_limit = 1;
  peak.priority = 0;
  peak.rewrite_callee = "44:9944";
  peak.forbid_callee_prefixes = {"449"};
  v(config, 2).line_limit = 5;
  Bench bench(config);
  const auto last_callee = [&] { return bench.vendors[1]->last_call()->callee(); };
  bench.vendors[0]->set_plan(refuse(503));
  auto before = bench.connect();  // v1 fails, v2 takes it
  CHECK(last_callee() == "442079460000");
  bench.run_s(65);
  bench.vendors[0]->clear_ladder();
  auto full = bench.dial();  // v2 has its one call of the period: only v1 is left
  bench.run_s(1);
  CHECK(full->status() == 503);
  CHECK(bench.vendors[0]->received("INVITE") == 1);
  CHECK_MESSAGE(before->state() == EndpointCallState::answered, "running calls are not cut");
  before->hang_up();
  bench.run_s(1);
  auto during = bench.connect();
  CHECK(bench.vendors[0]->received("INVITE") == 1);
  CHECK(last_callee() == "99442079460000");
  during->hang_up();
  CHECK(says(explained(bench, "44900"),
             R"({"gateway":"v2","reason":"number_restricted","rule":"callee_denied")"));
  bench.run_s(60);
  CHECK_FALSE(says(explained(bench, "44900"), "number_restricted"));
  bench.check_clean();
}

TEST_CASE("Choice: a split sends exact shares by prefix and bills the number without it (R-19)") {
  SwitchConfig config = base_config(2);
  config.provision.accounts[0].balance = money("1000.00");
  config.provision.rate_decks[0].rates[0].prefix = "44";
  config.provision.customer_gateways[0].split = {{3, "a"}, {1, "b"}};
  v(config, 1).prefixes = {"a"};
  v(config, 1).rewrite_callee = "a:";
  v(config, 2).prefixes = {"b"};
  Bench bench(config);
  for (int i = 0; i < 8; ++i) {
    auto call = bench.connect();
    bench.run_s(1);
    call->hang_up();
    bench.run_s(1);
  }
  CHECK(bench.vendors[0]->received("INVITE") == 6);
  CHECK(bench.vendors[1]->received("INVITE") == 2);
  CHECK(bench.vendors[0]->last_call()->callee() == "442079460000");
  CHECK(bench.vendors[1]->last_call()->callee() == "b442079460000");
  const std::string answer = explained(bench);
  CHECK(says(answer, R"("callee":"a442079460000","callee_billing":"442079460000")"));
  bench.check_clean();
  for (const Cdr& cdr : bench.world.cdrs()) {
    CHECK(cdr.callee == "442079460000");
    CHECK(cdr.customer.rate_prefix == "44");
    CHECK_FALSE(cdr.customer.charge.is_zero());
  }
}

TEST_CASE("Choice: a pool of three numbers serves three calls, the fourth skips it (R-24)") {
  SwitchConfig config = base_config(2);
  config.provision.number_groups = {{"clis", {"101", "102", "103"}}};
  v(config, 1).caller_pool = CallerPoolConfig{"clis", 1, false};
  v(config, 1).rewrite_caller = "1000:9";  // what the pool gives replaces it
  Bench bench(config);
  std::vector<std::shared_ptr<EndpointCall>> calls;
  std::string callers;
  for (int i = 0; i < 3; ++i) {
    calls.push_back(bench.connect());
    callers += bench.vendors[0]->last_call()->caller() + " ";
  }
  CHECK(callers == "101 102 103 ");
  CHECK(says(explained(bench),
             R"({"gateway":"v1","reason":"CallerPoolExhausted","rule":"caller_pool")"));
  calls.push_back(bench.connect());
  CHECK(bench.vendors[0]->received("INVITE") == 3);
  CHECK(bench.vendors[1]->last_call()->caller() == "1000");
  calls[1]->hang_up();
  bench.run_s(1);
  CHECK(bench.world.cdrs().back().caller_out == "102");
  CHECK(says(explained(bench), R"("caller_out":"102")"));
  calls.push_back(bench.connect());
  CHECK(bench.vendors[0]->last_call()->caller() == "102");
  for (const auto& call : calls)
    call->hang_up();
  bench.check_clean();
}

TEST_CASE("Choice: a number and its lines are free again after every way to fail (R-10, R-24)") {
  SwitchConfig config = base_config(1);
  config.provision.number_groups = {{"clis", {"101"}}};
  v(config, 1).caller_pool = CallerPoolConfig{"clis", 1, false};
  config.provision.gateway_groups = {{"one", 1, {{"v1", 0}}}};
  config.parameters.trying_timeout_s = 5;
  Bench bench(config);
  DialPlan impatient;
  impatient.cancel_after_us = second_us;
  const auto dial_with = [&](const AnswerPlan& plan, const DialPlan& dial = {}) {
    bench.b->set_plan(plan);
    auto call = bench.dial(dial);
    bench.run_s(40);
    CHECK(call->is_over());
    CHECK(bench.lines("v1") == 0);
  };
  dial_with(refuse(486));
  dial_with(refuse(503));
  dial_with(never_responds());
  dial_with(never_answers());
  dial_with(never_answers(), impatient);
  bench.b->set_plan(AnswerPlan{});
  auto call = bench.connect();
  CHECK(bench.b->last_call()->caller() == "101");
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Choice: a reload keeps groups, pools and quality of running calls (R-10, R-11, R-24)") {
  SwitchConfig config = base_config(2);
  config.provision.gateway_groups = {{"g", 1, {{"v1", 0}}}};
  config.provision.number_groups = {{"clis", {"101", "102"}}};
  v(config, 2).caller_pool = CallerPoolConfig{"clis", 1, false};
  Bench bench(config);
  auto first = bench.connect();   // v1, the group's only line
  auto second = bench.connect();  // v2 with 101
  REQUIRE(bench.tandem->reload(config).ok());
  CHECK(says(explained(bench), R"({"gateway":"v1","reason":"AllGatewayBusy")"));
  CHECK(says(explained(bench), R"("caller_out":"102")"));
  first->hang_up();
  bench.run_s(1);
  config.provision.gateway_groups[0].line_limit = 2;
  REQUIRE(bench.tandem->reload(config).ok());
  auto third = bench.connect();
  CHECK(bench.lines("v1") == 1);
  second->hang_up();
  third->hang_up();
  bench.check_clean();
}

TEST_CASE("Choice: equal vendors of 10 and 30 lines fill in proportion 1 to 3 (R-04)") {
  SwitchConfig config = base_config(2);
  config.provision.accounts[0].balance = money("1000.00");
  for (int i = 1; i <= 2; ++i) {
    v(config, i).priority = 0;
    v(config, i).line_limit = i == 1 ? 100 : 300;
  }
  Bench bench(config);
  std::vector<std::shared_ptr<EndpointCall>> calls;
  for (int i = 1; i <= 400; ++i) {
    calls.push_back(bench.dial());
    bench.run_ms(50);
    if (i % 40 == 0) {
      CHECK(bench.lines("v1") >= i / 4 - 1);
      CHECK(bench.lines("v1") <= i / 4 + 1);
    }
  }
  CHECK(bench.lines("v1") == 100);
  CHECK(bench.lines("v2") == 300);
  for (const auto& call : calls)
    call->hang_up();
  bench.check_clean();
}
