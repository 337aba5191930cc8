// Number portability in whole calls (R-20): who is asked, what routing, billing and vendors make of
// the answer, and what becomes of a call meanwhile.
#include <algorithm>
#include <cctype>
#include <filesystem>

#include "flow/flow.hpp"
#include "flow/tls_front.hpp"
#include "support/certificates.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr std::string_view dialled = "12125550123";
const std::string server_address = "10.0.9.1:5060";
constexpr LrnResolverKind server_kinds[] = {LrnResolverKind::sip302, LrnResolverKind::http,
                                            LrnResolverKind::naptr};

LrnResolverConfig resolver(LrnResolverKind kind, const std::string& address = server_address) {
  LrnResolverConfig one;
  one.id = "db";
  one.kind = kind;
  if (kind != LrnResolverKind::host) one.addresses = {at(address)};
  return one;
}

/// v1 takes 1212, v2 takes 1646; customer "cust" looks callees up without their first digit.
SwitchConfig lrn_config(LrnResolverKind kind) {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].prefixes = {"1212"};
  config.provision.vendor_gateways[1].prefixes = {"1646"};
  config.provision.lrn_resolvers = {resolver(kind)};
  LrnGatewayConfig lrn;
  lrn.resolver = "db";
  lrn.eat_prefix_length = 1;
  config.provision.customer_gateways[0].lrn = lrn;
  return config;
}

LrnGatewayConfig& lrn_of(SwitchConfig& config) {
  return *config.provision.customer_gateways[0].lrn;
}

/// A switch with a server that knows where 2125550123 went.
struct LrnBench : Bench {
  LrnServer* server = nullptr;
  explicit LrnBench(SwitchConfig settings, SwitchHooks host = {})
      : Bench(std::move(settings), {}, std::move(host)) {
    const LrnResolverKind kind = config.provision.lrn_resolvers.front().kind;
    if (kind == LrnResolverKind::host) return;
    auto made = world.add_lrn_server(server_address, kind);
    if (!made) FAIL(made.error().message);
    server = *made;
    server->set("2125550123", {"6465550000", "NY"});
  }
  std::shared_ptr<EndpointCall> call(const std::string& callee = std::string(dialled),
                                     const std::string& caller = "12015550199",
                                     const DialPlan& plan = {}) {
    return dial(plan, callee, caller);
  }
  /// Calls, hangs up, and gives the record.
  Cdr record(const std::string& callee = std::string(dialled),
             const std::string& caller = "12015550199") {
    auto made = call(callee, caller);
    run_s(5);
    made->hang_up();
    REQUIRE(world.run_until_idle());
    return world.cdrs().back();
  }
  [[nodiscard]] LrnCounters counters() const { return tandem->counters().lrn.front(); }
};

}  // namespace

TEST_CASE(
    "LRN: routing goes by where the number was ported to, the vendor gets what was dialled "
    "(R-20)") {
  for (const LrnResolverKind kind : server_kinds) {
    CAPTURE(lrn_resolver_kind_name(kind));
    LrnBench bench(lrn_config(kind));
    const Cdr cdr = bench.record();
    CHECK(bench.server->asked() == std::vector<std::string>{"2125550123"});
    CHECK(cdr.vendor_gateway == "v2");
    CHECK(cdr.callee == dialled);
    CHECK(cdr.callee_out == dialled);
    CHECK(cdr.lrn == "6465550000");
    CHECK(cdr.callee_region == "NY");
    CHECK(cdr.caller_region == "");
    CHECK(cdr.end_reason == Reason::NormalCallClearing);
    const auto arrived = bench.vendors[1]->last_call();
    CHECK(arrived->callee() == dialled);
    CHECK(arrived->npdi());
    CHECK(arrived->rn() == "6465550000");
    if (kind == LrnResolverKind::sip302) CHECK(bench.server->acknowledged() == 1);
    bench.check_clean();
  }
}

TEST_CASE("LRN: a server that is asked by HTTPS must prove who it is (R-20)") {
  tandem::test::Certificates certificates;
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  LrnResolverConfig& asked = config.provision.lrn_resolvers[0];
  asked.addresses = {at("10.0.9.2:8443")};
  asked.https.is_on = true;
  asked.https.name = "lrn.example";
  asked.https.ca = certificates.authority();
  bool is_proven = true;
  SUBCASE("it does") {}
  SUBCASE("it is another") { is_proven = false; }
  const auto files =
      certificates.issue("server", {is_proven ? "DNS:lrn.example" : "DNS:other.example"});
  LrnBench bench(config);
  const TlsFront front(bench.world, at("10.0.9.2:8443"), at(server_address),
                       {files.certificate, files.key, "", false, {}});
  const Cdr cdr = bench.record();
  CHECK(cdr.vendor_gateway.value_or("") == (is_proven ? "v2" : ""));
  CHECK(cdr.end_reason == (is_proven ? Reason::NormalCallClearing : Reason::LrnFailed));
  CHECK(bench.server->asked().size() == (is_proven ? 1 : 0));
  CHECK(front.connections() == (is_proven ? 1 : 2));  // with the retry

  // A file that is gone keeps nobody from changing other things; a resolver that needs it is none.
  SwitchConfig changed = config;
  changed.provision.vendor_gateways[0].prefixes = {"1213"};
  std::filesystem::remove(certificates.authority());
  CHECK(bench.tandem->reload(changed).ok());
  changed.provision.lrn_resolvers[0].timeout_ms = 900;
  const auto refused = bench.tandem->reload(changed);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.starts_with("LRN resolver \"db\": tls_ca: "));
}

TEST_CASE(
    "LRN: the request line carries npdi and rn as RFC 4694 has them, for vendors that want "
    "them (R-20)") {
  std::string line;
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  SUBCASE("shown") {}
  SUBCASE("hidden") { config.provision.vendor_gateways[1].send_npdi = false; }
  LrnBench bench(config);
  bench.world.set_tap([&](const DatagramView& view) {
    const std::string text(view.bytes);
    if (text.starts_with("INVITE ") && view.to.to_string() == "10.0.2.2:5060" && line.empty())
      line = text.substr(0, text.find('\r'));
  });
  bench.record();
  if (config.provision.vendor_gateways[1].send_npdi) {
    CHECK(line == "INVITE sip:12125550123;npdi;rn=6465550000@10.0.2.2:5060;user=phone SIP/2.0");
  } else {
    CHECK(line == "INVITE sip:12125550123@10.0.2.2:5060 SIP/2.0");
  }
}

TEST_CASE(
    "LRN: a number that was not ported goes where it always went, marked as looked up "
    "(R-20)") {
  LrnBench bench(lrn_config(LrnResolverKind::sip302));
  bench.server->set("2125550123", {"", "NY"});
  Cdr cdr = bench.record();
  CHECK(cdr.vendor_gateway == "v1");
  CHECK(bench.b->last_call()->npdi());
  CHECK(bench.b->last_call()->rn() == "");
  // Many servers name the number itself.
  bench.server->set("2125550124", {"2125550124", "NY"});
  cdr = bench.record("12125550124");
  CHECK(cdr.vendor_gateway == "v1");
  CHECK(bench.b->last_call()->rn() == "");
  CHECK(cdr.lrn == "2125550124");
}

TEST_CASE("LRN: with route_by dialled the answer is for billing alone (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  lrn_of(config).routes_by_lrn = false;
  LrnBench bench(config);
  const Cdr cdr = bench.record();
  CHECK(cdr.vendor_gateway == "v1");
  CHECK(cdr.lrn == "6465550000");
  CHECK_FALSE(bench.b->last_call()->npdi());
}

TEST_CASE("LRN: a callee that nobody knows is refused with LrnFailed, 404 and cause 3 (R-20)") {
  for (const LrnResolverKind kind : server_kinds) {
    LrnBench bench(lrn_config(kind));
    auto call = bench.call("12125559999");
    bench.run_s(1);
    CHECK(call->status() == 404);
    CHECK(call->q850_cause() == 3);
    const Cdr& cdr = bench.only_cdr();
    CHECK(cdr.end_reason == Reason::LrnFailed);
    CHECK(cdr.end_code == -33);
    CHECK(cdr.attempts.empty());
    CHECK(bench.server->asked().size() == 1);  // a server's word is final: no retry
    CHECK(bench.counters().failures == 1);
  }
}

TEST_CASE("LRN: with failure action continue it goes on with the dialled number (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::sip302);
  lrn_of(config).failure_action = LrnFailureAction::go_on;
  LrnBench bench(config);
  const Cdr cdr = bench.record("12125559999");
  CHECK(cdr.vendor_gateway == "v1");
  CHECK(cdr.lrn == "");
  CHECK_FALSE(bench.b->last_call()->npdi());
  // Nothing is left to ask for once the prefix is eaten.
  lrn_of(config).eat_prefix_length = 32;
  LrnBench eaten(config);
  CHECK(eaten.record().vendor_gateway == "v1");
  CHECK(eaten.server->asked().empty());
}

TEST_CASE("LRN: a silent server is asked again once, then the failure action holds (R-20)") {
  for (const LrnResolverKind kind : server_kinds) {
    CAPTURE(lrn_resolver_kind_name(kind));
    LrnBench bench(lrn_config(kind));
    bench.server->set_silent(true);
    auto call = bench.call();
    bench.run_ms(1900);
    CHECK(call->status() == 0);
    CHECK(bench.counters().under_way == 1);
    bench.run_ms(200);
    CHECK(call->status() == 404);
    CHECK(bench.server->asked().size() == 2);
    const LrnCounters counters = bench.counters();
    CHECK(counters.questions == 2);
    CHECK(counters.timeouts == 2);
    CHECK(counters.failures == 1);
    CHECK(counters.under_way == 0);
    CHECK(bench.only_cdr().end_reason == Reason::LrnFailed);
  }
}

TEST_CASE("LRN: the repeated question goes to the next address (R-20)") {
  for (const LrnResolverKind kind : server_kinds) {
    SwitchConfig config = lrn_config(kind);
    config.provision.lrn_resolvers[0].addresses = {at("10.0.9.9:5060"), at(server_address)};
    LrnBench bench(config);
    const Cdr cdr = bench.record();
    CHECK(cdr.vendor_gateway == "v2");
    CHECK(bench.server->asked().size() == 1);
    CHECK(bench.counters().questions == 2);
  }
}

TEST_CASE("LRN: an answer is good until it expires by the monotonic clock (R-20)") {
  LrnBench bench(lrn_config(LrnResolverKind::http));
  bench.record();
  bench.world.step_wall_us(3'600 * second_us);
  bench.record();
  CHECK(bench.server->asked().size() == 1);
  CHECK(bench.counters().cache_hits == 1);
  CHECK(bench.counters().cache_entries == 1);
  bench.run_s(300);
  bench.record();
  CHECK(bench.server->asked().size() == 2);
}

TEST_CASE("LRN: the cache holds as many answers as it may, and none when it may not (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  config.provision.lrn_resolvers[0].cache_s = 0;
  LrnBench bench(config);
  bench.record();
  bench.record();
  CHECK(bench.server->asked().size() == 2);
  CHECK(bench.counters().cache_entries == 0);
}

TEST_CASE("LRN: calls to one number share one question (R-20)") {
  LrnBench bench(lrn_config(LrnResolverKind::http));
  bench.server->set_delay_us(400'000);
  std::vector<std::shared_ptr<EndpointCall>> calls;
  for (int i = 0; i < 5; ++i)
    calls.push_back(bench.call());
  bench.run_s(1);
  for (const auto& call : calls)
    CHECK(call->was_answered());
  CHECK(bench.server->asked().size() == 1);
  CHECK(bench.counters().coalesced == 4);
  for (const auto& call : calls)
    call->hang_up();
  bench.check_clean();
}

TEST_CASE(
    "LRN: a caller may give up while its number is looked up, and the answer is kept (R-20)") {
  for (const LrnResolverKind kind : server_kinds) {
    LrnBench bench(lrn_config(kind));
    bench.server->set_delay_us(600'000);
    DialPlan plan;
    plan.cancel_after_us = 200'000;
    auto call = bench.call(std::string(dialled), "12015550199", plan);
    bench.run_ms(300);
    CHECK(call->status() == 487);
    CHECK(bench.tandem->counters().calls_live == 0);
    CHECK(bench.only_cdr().end_reason == Reason::CallerCancel);
    bench.server->set_delay_us(0);
    CHECK(bench.record().vendor_gateway == "v2");
    CHECK(bench.server->asked().size() == 1);
  }
}

TEST_CASE("LRN: a call that waits ends with the switch, and by order of its operator (R-20)") {
  LrnBench bench(lrn_config(LrnResolverKind::sip302));
  bench.server->set_silent(true);
  auto first = bench.call();
  bench.run_ms(200);
  REQUIRE(bench.tandem->calls().size() == 1);
  CHECK(bench.tandem->disconnect(bench.tandem->calls()[0].id).ok());
  bench.run_ms(100);
  CHECK(first->is_over());
  auto second = bench.call();
  bench.run_ms(200);
  bench.tandem->close();
  bench.run_s(1);
  CHECK(second->is_over());
  REQUIRE(bench.world.cdrs().size() == 2);
  CHECK(bench.world.cdrs()[0].end_reason == Reason::AdminDisconnect);
  CHECK(bench.world.cdrs()[1].end_reason == Reason::ServerShutdown);
}

TEST_CASE("LRN: more numbers at once than allowed fail at once and are counted (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::sip302);
  config.provision.lrn_resolvers[0].queries_max = 2;
  LrnBench bench(config);
  bench.server->set_silent(true);
  auto first = bench.call("12125550001");
  auto second = bench.call("12125550002");
  auto third = bench.call("12125550003");
  bench.run_ms(100);
  CHECK(first->status() == 0);
  CHECK(second->status() == 0);
  CHECK(third->status() == 404);
  CHECK(bench.counters().overflows == 1);
  bench.check_clean();
  for (const Cdr& cdr : bench.world.cdrs())
    CHECK(cdr.end_reason == Reason::LrnFailed);
}

TEST_CASE(
    "LRN: regions decide which price the customer pays, vendors are owed for the number "
    "(R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  lrn_of(config).interstate_billing_prefix = "8";
  lrn_of(config).undetermined_billing_prefix = "9";
  auto& rates = config.provision.rate_decks[0].rates;
  rates.clear();
  for (const auto& [prefix, price] : {std::pair{"1", "0.60"}, {"81", "1.20"}, {"91", "1.80"}}) {
    Rate rate;
    rate.prefix = prefix;
    rate.price = money(price);
    rates.push_back(rate);
  }
  LrnBench bench(config);
  bench.server->set("12015550101", {"", "NY"});
  bench.server->set("12015550102", {"", "NJ"});
  bench.server->set("12015550103", {"", ""});
  struct Row {
    const char *caller, *callee, *rate_prefix, *charge, *caller_region;
  };
  for (const Row& row : {Row{"12015550101", "12125550123", "1", "0.05", "NY"},
                         Row{"12015550102", "812125550123", "81", "0.1", "NJ"},
                         Row{"12015550103", "912125550123", "91", "0.15", ""},
                         Row{"12015550104", "912125550123", "91", "0.15", ""}}) {
    CAPTURE(row.caller);
    const Cdr cdr = bench.record(std::string(dialled), row.caller);
    CHECK(cdr.callee == row.callee);
    CHECK(cdr.callee_out == dialled);
    CHECK(cdr.customer.rate_prefix == row.rate_prefix);
    CHECK(cdr.customer.charge == money(row.charge));  // 5 s
    CHECK(cdr.caller_region == row.caller_region);
    REQUIRE(cdr.vendor.has_value());
    CHECK(cdr.vendor->charge == money("0.025"));
    CHECK(cdr.vendor->rate_prefix == "");
  }
  // The callee's answer was kept, and each caller was asked for beside it.
  std::vector<std::string> asked = bench.server->asked();
  std::sort(asked.begin(), asked.end());
  CHECK(asked == std::vector<std::string>{"12015550101", "12015550102", "12015550103",
                                          "12015550104", "2125550123"});
}

TEST_CASE("LRN: npdi of a trusted customer is believed, of another one it is not (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  SUBCASE("trusted") { lrn_of(config).trusts_npdi = true; }
  SUBCASE("not trusted") {}
  const bool is_trusted = lrn_of(config).trusts_npdi;
  LrnBench bench(config);
  bench.server->set("2125550123", {"", "NY"});
  DialPlan plan;
  plan.npdi = true;
  plan.rn = "+1-646-555-1111";
  auto call = bench.call(std::string(dialled), "12015550199", plan);
  bench.run_s(1);
  call->hang_up();
  bench.check_clean();
  const Cdr& cdr = bench.world.cdrs().back();
  CHECK(bench.server->asked().size() == (is_trusted ? 0 : 1));
  CHECK(cdr.lrn == (is_trusted ? "+16465551111" : ""));
  // What was eaten goes in front of the LRN, whoever named it.
  CHECK(cdr.vendor_gateway.value_or("") == (is_trusted ? "" : "v1"));
}

TEST_CASE("LRN: a trusted rn routes and is passed on (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  lrn_of(config).trusts_npdi = true;
  lrn_of(config).eat_prefix_length = 0;
  LrnBench bench(config);
  DialPlan plan;
  plan.npdi = true;
  plan.rn = "+16465551111";
  auto call = bench.call(std::string(dialled), "12015550199", plan);
  bench.run_s(1);
  call->hang_up();
  bench.check_clean();
  CHECK(bench.server->asked().empty());
  CHECK(bench.world.cdrs().back().vendor_gateway == "v2");
  CHECK(bench.vendors[1]->last_call()->npdi());
  CHECK(bench.vendors[1]->last_call()->rn() == "+16465551111");
}

TEST_CASE("LRN: the prefix of a split steers routing and is not asked for (R-20, R-19)") {
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  config.provision.customer_gateways[0].split = {{1, "77"}};
  config.provision.vendor_gateways[1].prefixes = {"771646"};
  config.provision.vendor_gateways[1].rewrite_callee = "77:";
  LrnBench bench(config);
  const Cdr cdr = bench.record();
  CHECK(bench.server->asked() == std::vector<std::string>{"2125550123"});
  CHECK(cdr.vendor_gateway == "v2");
  CHECK(cdr.callee_out == dialled);
}

TEST_CASE(
    "LRN: a policy hook that changes the callee takes what was known of the old one away "
    "(R-20)") {
  SwitchHooks hooks;
  std::unique_ptr<LrnBench> bench;
  hooks.on_policy = [&](const PolicyQuestion& question) {
    CHECK(question.callee == dialled);
    PolicyAnswer answer;
    answer.callee = "12125550777";
    bench->tandem->answer(question.token, answer);
  };
  bench = std::make_unique<LrnBench>(lrn_config(LrnResolverKind::http), hooks);
  const Cdr cdr = bench->record();
  CHECK(cdr.vendor_gateway == "v1");
  CHECK(cdr.callee == "12125550777");
  CHECK_FALSE(bench->b->last_call()->npdi());
}

TEST_CASE("LRN: a host answers at once, later, wrongly or not at all (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::host);
  std::vector<LrnQuestion> questions;
  std::unique_ptr<LrnBench> bench;
  std::function<void(const LrnQuestion&)> react;
  SwitchHooks hooks;
  hooks.on_lrn = [&](const LrnQuestion& question) {
    questions.push_back(question);
    if (react) react(question);
  };
  bench = std::make_unique<LrnBench>(config, hooks);
  react = [&](const LrnQuestion& question) {
    bench->tandem->answer_lrn(question.token, {false, {"6465550000", "NY"}});
  };
  CHECK(bench->record().vendor_gateway == "v2");
  REQUIRE(questions.size() == 1);
  CHECK(questions[0].resolver == "db");
  CHECK(questions[0].number == "2125550123");
  react = {};
  auto later = bench->call("12125550002");
  bench->run_ms(500);
  bench->tandem->answer_lrn(questions.back().token, {false, {"6465550000", "NY"}});
  bench->tandem->answer_lrn(questions.back().token, {true, {}});  // too late
  bench->tandem->answer_lrn(7, {true, {}});
  bench->run_ms(100);
  CHECK(later->was_answered());
  later->hang_up();
  auto wrong = bench->call("12125550003");
  bench->run_ms(100);
  bench->tandem->answer_lrn(questions.back().token, {false, {"no number", "NY"}});
  bench->run_ms(100);
  CHECK(wrong->status() == 404);
  auto never = bench->call("12125550004");
  bench->run_ms(900);
  CHECK(never->status() == 0);
  bench->run_ms(200);
  CHECK(never->status() == 404);  // a host is asked once
  CHECK(questions.size() == 4);
  bench->check_clean();
}

TEST_CASE("LRN: without a hook a resolver of kind host fails (R-20)") {
  LrnBench bench(lrn_config(LrnResolverKind::host));
  auto call = bench.call();
  bench.run_ms(100);
  CHECK(call->status() == 404);
  CHECK(bench.counters().failures == 1);
}

TEST_CASE("LRN: explain shows the stage, asks nobody, and takes what it is given (R-20, R-23)") {
  LrnBench bench(lrn_config(LrnResolverKind::http));
  const auto explain = [&](std::optional<LrnRecord> lrn = {}) {
    ExplainRequest request{"cust", "12015550199", std::string(dialled)};
    request.lrn = std::move(lrn);
    auto text = bench.tandem->explain(request);
    REQUIRE(text.ok());
    return *text;
  };
  std::string text = explain();
  CHECK(text.find(R"("lrn":{"resolver":"db","number":"2125550123","source":"none","lrn":null)") !=
        std::string::npos);
  CHECK(text.find(R"("candidates":[{"gateway":"v1")") != std::string::npos);
  text = explain(LrnRecord{"6465550000", "NY"});
  CHECK(text.find(R"("source":"given","lrn":"6465550000","callee_region":"NY")") !=
        std::string::npos);
  CHECK(text.find(R"("candidates":[{"gateway":"v2")") != std::string::npos);
  CHECK(text.find(R"({"name":"lrn","caller_before":"12015550199","callee_before":"12125550123",)"
                  R"("caller_after":"12015550199","callee_after":"16465550000")") !=
        std::string::npos);
  CHECK(text.find(R"("callee_routing":"16465550000")") != std::string::npos);
  CHECK(bench.server->asked().empty());
  bench.record();
  text = explain();
  CHECK(text.find(R"("source":"cache","lrn":"6465550000")") != std::string::npos);
  CHECK(bench.counters().cache_hits == 0);  // looking is no call
  ExplainRequest bad{"cust", "1", "2"};
  bad.lrn = LrnRecord{"not a number", ""};
  CHECK(bench.tandem->explain(bad).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("LRN: a changed resolver starts anew, calls under way end with the old one (R-20)") {
  LrnBench bench(lrn_config(LrnResolverKind::http));
  bench.record();
  bench.server->set_delay_us(500'000);
  auto waiting = bench.call("12125550123");  // of the cache
  auto under_way = bench.call("12125550002");
  bench.server->set("2125550002", {"6465550000", ""});
  bench.run_ms(100);
  SwitchConfig changed = bench.config;
  changed.provision.lrn_resolvers[0].region_key = "other";
  REQUIRE(bench.tandem->reload(changed).ok());
  bench.run_s(1);
  CHECK(waiting->was_answered());
  CHECK(under_way->was_answered());
  waiting->hang_up();
  under_way->hang_up();
  CHECK(bench.counters().cache_entries == 0);
  bench.server->set_delay_us(0);
  CHECK(bench.record().callee_region == "");
  bench.check_clean();
}

TEST_CASE("LRN: resolvers and the lrn of gateways are provisioned while calls run (R-20, I-07)") {
  LrnBench bench(lrn_config(LrnResolverKind::http));
  auto put = [&](const std::string& kind, const std::string& id, const std::string& json) {
    ProvisionChange change;
    change.puts.push_back({kind, id, json, std::nullopt});
    return bench.tandem->provisioning().change(change);
  };
  CHECK(put("lrn_resolvers", "other",
            R"({"kind": "http", "addresses": ["10.0.9.2:8080"], "path": "/{number}"})")
            .faults.empty());
  CHECK(put("customer_gateways", "cust",
            R"({"addresses": ["10.0.1.1"], "account": "acme",
                "lrn": {"resolver": "other", "failure_action": 1, "lrnEatPrefixLength": 1}})")
            .faults.empty());
  auto object = bench.tandem->provisioning().object("customer_gateways", "cust");
  REQUIRE(object.ok());
  CHECK(object->json.find(R"("lrn":{"resolver":"other","failure_action":1)") != std::string::npos);
  auto made = bench.world.add_lrn_server("10.0.9.2:8080", LrnResolverKind::http);
  REQUIRE(made.ok());
  (*made)->set("2125550123", {"6465550000", ""});
  CHECK(bench.record().vendor_gateway == "v2");
  CHECK((*made)->asked().size() == 1);
  CHECK(bench.server->asked().empty());

  ProvisionChange removal;
  removal.removals.push_back({"lrn_resolvers", "other"});
  const auto refused = bench.tandem->provisioning().change(removal);
  REQUIRE(refused.faults.size() == 1);
  CHECK(refused.faults[0].code == ErrorCode::wrong_state);
  const auto unknown = put("customer_gateways", "cust",
                           R"({"addresses": ["10.0.1.1"], "lrn": {"resolver": "nobody"}})");
  REQUIRE(unknown.faults.size() == 1);
  CHECK(unknown.faults[0].pointer == "/lrn/resolver");
  CHECK(bench.tandem->counters().lrn.size() == 2);
}

TEST_CASE("LRN: what one worker was told the others know (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::http);
  config.sip_workers = 4;
  config.provision.lrn_resolvers[0].cache_s = 3600;
  LrnBench bench(config);
  for (int i = 0; i < 12; ++i)
    CHECK(bench.record().vendor_gateway == "v2");
  const auto by_worker = bench.tandem->counters().calls_by_worker;
  CHECK(std::count(by_worker.begin(), by_worker.end(), 0U) < 3);
  CHECK(bench.server->asked().size() == 1);
  CHECK(bench.counters().cache_hits == 11);
}

TEST_CASE("LRN: ENUM asks name servers by the number, in the tree that is configured (R-20)") {
  SwitchConfig config = lrn_config(LrnResolverKind::naptr);
  config.provision.lrn_resolvers[0].suffix = "numbers.example";
  LrnBench bench(config);
  std::string query;
  bench.world.set_tap([&](const DatagramView& view) {
    if (view.to.to_string() == server_address && query.empty()) query = std::string(view.bytes);
  });
  CHECK(bench.record().vendor_gateway == "v2");
  REQUIRE(query.size() > 12);
  // Letters are asked in any case, so that an answer shows that its sender saw the question.
  std::string name = query.substr(12, 2 * 10 + 17);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return static_cast<char>(std::isupper(c) != 0 ? c + ('a' - 'A') : c);
  });
  CHECK(name == std::string("\1"
                            "3"
                            "\1"
                            "2"
                            "\1"
                            "1"
                            "\1"
                            "0"
                            "\1"
                            "5"
                            "\1"
                            "5"
                            "\1"
                            "5"
                            "\1"
                            "2"
                            "\1"
                            "1"
                            "\1"
                            "2"
                            "\7numbers\7example",
                            36) +
                    '\0');
  bench.check_clean();
}

TEST_CASE(
    "LRN: a name server that fails is not the last one asked, one that knows no name is (R-20)") {
  for (const int status : {500, 404}) {
    CAPTURE(status);
    SwitchConfig config = lrn_config(LrnResolverKind::naptr);
    config.provision.lrn_resolvers[0].addresses = {at(server_address), at("10.0.9.2:5060")};
    LrnBench bench(config);
    auto second = bench.world.add_lrn_server("10.0.9.2:5060", LrnResolverKind::naptr);
    REQUIRE(second.ok());
    (*second)->set("2125550123", {"6465550000", "NY"});
    bench.server->set_status(status);
    auto call = bench.call();
    bench.run_s(2);
    CHECK(bench.server->asked().size() == 1);
    CHECK((*second)->asked().size() == (status == 500 ? 1 : 0));
    if (status == 404) {
      CHECK(call->status() == 404);
      CHECK(bench.only_cdr().end_reason == Reason::LrnFailed);
    } else {
      CHECK(bench.vendors[1]->last_call()->rn() == "6465550000");
      call->hang_up();
    }
    REQUIRE(bench.world.run_until_idle());
  }
}
