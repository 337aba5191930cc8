// Call traces: both legs of a call in one ladder, within bounds (O-12).
#include <algorithm>

#include "flow/flow.hpp"
#include "tandem/trace.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// "C INVITE", "V 200": side and first word or status of each message, '<' before what was sent.
std::vector<std::string> steps(const TracedCall& call) {
  std::vector<std::string> all;
  for (const TraceEntry& entry : call.entries) {
    if (entry.kind != TraceEntry::Kind::message) continue;
    std::string_view line = first_line(entry.text);
    if (line.starts_with("SIP/2.0 ")) line.remove_prefix(8);
    std::string step = entry.side == TraceEntry::Side::customer ? "C" : entry.gateway;
    step += entry.is_sent ? " < " : " > ";
    all.push_back(step + std::string(line.substr(0, line.find(' '))));
  }
  return all;
}

std::vector<std::string> notes(const TracedCall& call, std::string_view topic) {
  std::vector<std::string> all;
  for (const TraceEntry& entry : call.entries) {
    if (entry.kind == TraceEntry::Kind::note && entry.topic == topic) all.push_back(entry.text);
  }
  return all;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TraceRequest to_callee(std::string prefix) {
  TraceRequest request;
  request.filter.callee = std::move(prefix);
  return request;
}

void call_once(Bench& bench, const std::string& callee = "442079460000",
               const std::string& caller = "1000") {
  auto call = bench.dial({}, callee, caller);
  bench.run_s(2);
  if (call->was_answered()) call->hang_up();
  bench.run_s(2);
}

}  // namespace

TEST_CASE("Trace: a failover is one ladder of both legs in the order of time") {
  Bench bench(base_config(2));
  bench.vendors[0]->set_plan(refuse(503));
  const auto trace = bench.tandem->start_trace(to_callee("4420"));
  REQUIRE(trace.ok());
  call_once(bench);

  const auto calls = bench.tandem->traced_calls(trace->id).value();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].customer_gateway == "cust");
  CHECK(calls[0].vendor_gateway == "v2");
  CHECK(calls[0].end_reason == "NormalCallClearing");
  CHECK(calls[0].ended_at_us > calls[0].started_at_us);
  const TracedCall call = bench.tandem->traced_call(trace->id, calls[0].id).value();
  const std::vector<std::string> expected = {
      "C > INVITE", "v1 < INVITE", "C < 100", "v1 > 503", "v1 < ACK", "v2 < INVITE", "v2 > 200",
      "v2 < ACK",   "C < 200",     "C > ACK", "C > BYE",  "C < 200",  "v2 < BYE",    "v2 > 200"};
  std::vector<std::string> found = steps(call);
  CHECK(found.front() == "C > INVITE");
  std::vector<std::string> sorted = found, wanted = expected;
  std::sort(sorted.begin(), sorted.end());
  std::sort(wanted.begin(), wanted.end());
  CHECK(sorted == wanted);
  const auto place = [&](const std::string& step) {
    return std::find(found.begin(), found.end(), step) - found.begin();
  };
  CHECK(place("v1 < INVITE") < place("v1 > 503"));
  CHECK(place("v1 > 503") < place("v2 < INVITE"));
  CHECK(place("v2 > 200") < place("C > ACK"));
  CHECK(place("C > BYE") < place("v2 < BYE"));
  CHECK(std::is_sorted(call.entries.begin(), call.entries.end(),
                       [](const auto& x, const auto& y) { return x.at_us < y.at_us; }));

  const auto routes = notes(call, "route");
  REQUIRE(routes.size() == 2);
  CHECK(routes[0].starts_with("tries v1 at 10.0.2.1:5060"));
  CHECK(routes[1].starts_with("tries v2 at 10.0.2.2:5060"));
  const auto attempts = notes(call, "attempt");
  REQUIRE(attempts.size() == 2);
  CHECK(has(attempts[0], "v1 ended: VendorFailure, status 503"));
  CHECK(attempts[1] == "v2 answered");
  CHECK(notes(call, "stage").size() > 3);
  REQUIRE(notes(call, "call").size() == 1);
  CHECK(has(notes(call, "call")[0], "NormalCallClearing by caller"));
  const auto media = notes(call, "media");
  REQUIRE(media.size() == 4);  // of each vendor, and of each side at the end
  CHECK(has(media[3], "callee: received"));

  const std::string ladder = to_ladder(call);
  CHECK(has(ladder, "v2 udp:10.0.2.2:5060"));
  CHECK(has(ladder, "200 OK (BYE)"));
  bench.check_clean();
}

TEST_CASE("Trace: calls that do not fit leave nothing") {
  Bench bench(base_config(2));
  TraceRequest request;
  SUBCASE("callee") { request.filter.callee = "33"; }
  SUBCASE("caller") { request.filter.caller = "2"; }
  SUBCASE("gateway") { request.filter.gateway = "v2"; }
  SUBCASE("source") { request.filter.source = "10.9.0.0/16"; }
  SUBCASE("phone") { request.filter.phone = "1000"; }
  const auto trace = bench.tandem->start_trace(request);
  REQUIRE(trace.ok());
  call_once(bench);
  CHECK(bench.tandem->traced_calls(trace->id).value().empty());
  CHECK(bench.tandem->trace(trace->id)->bytes == 0);
}

TEST_CASE("Trace: a vendor that is tried last brings the whole call in") {
  Bench bench(base_config(2));
  bench.vendors[0]->set_plan(refuse(503));
  TraceRequest request;
  request.filter.gateway = "v2";
  request.filter.source = "10.0.1.1";
  request.filter.caller = "+10";
  const auto trace = bench.tandem->start_trace(request);
  REQUIRE(trace.ok());
  call_once(bench);
  const auto calls = bench.tandem->traced_calls(trace->id).value();
  REQUIRE(calls.size() == 1);
  const auto found = steps(bench.tandem->traced_call(trace->id, calls[0].id).value());
  CHECK(found.front() == "C > INVITE");
  CHECK(std::count(found.begin(), found.end(), "v1 > 503") == 1);
}

TEST_CASE("Trace: its bounds end it, and events tell") {
  SwitchHooks hooks;
  std::vector<std::string> news;
  hooks.on_event = [&news](const Event& event) {
    if (event.kind == Event::Kind::trace) news.push_back(event.text);
  };
  Bench bench(base_config(), {}, hooks);
  TraceRequest request;
  std::string why;
  SUBCASE("time") {
    request.duration_s = 10;
    why = "time";
  }
  SUBCASE("calls") {
    request.calls_max = 2;
    why = "calls";
  }
  SUBCASE("bytes") {
    request.bytes_max = 65'536;
    why = "bytes";
  }
  const auto trace = bench.tandem->start_trace(request);
  REQUIRE(trace.ok());
  for (int i = 0; i < 30; ++i)
    call_once(bench);
  const TraceView view = bench.tandem->trace(trace->id).value();
  CHECK(trace_end_name(view.end) == why);
  CHECK(view.bytes <= static_cast<std::uint64_t>(request.bytes_max));
  CHECK(view.calls == bench.tandem->traced_calls(trace->id)->size());
  if (why == "time") CHECK(view.calls == 3);
  if (why == "calls") CHECK(view.calls == 2);
  if (why == "bytes") CHECK(view.calls < 30);
  REQUIRE(news.size() == 2);
  CHECK(news[0] == "1 began");
  CHECK(news[1] == "1 ended: " + why);
  CHECK(bench.tandem->counters().traces_running == 0);
  CHECK(bench.tandem->stop_trace(trace->id).ok() == (why == "calls"));
  CHECK(bench.tandem->remove_trace(trace->id).ok());
  CHECK(bench.tandem->traces().empty());
}

TEST_CASE("Trace: the ring keeps the latest calls within its bytes, always") {
  SwitchConfig config = base_config();
  config.trace.ring_bytes = 65'536;
  Bench bench(config);
  for (int i = 0; i < 20; ++i)
    call_once(bench, "44207946" + std::to_string(1000 + i));
  const TraceView ring = bench.tandem->trace(0).value();
  CHECK(ring.calls == 20);
  CHECK(ring.bytes <= 65'536);
  const auto calls = bench.tandem->traced_calls(0).value();
  CHECK(calls.size() < 20);
  REQUIRE(!calls.empty());
  CHECK(calls[0].callee == "442079461019");
  CHECK(!bench.tandem->stop_trace(0).ok());
  CHECK(!bench.tandem->remove_trace(0).ok());
}

TEST_CASE("Trace: a challenged INVITE and the one with credentials are one call, redacted") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].auth = GatewayAuth{"cust", "secret", ""};
  Bench bench(config);
  const auto trace = bench.tandem->start_trace({});
  REQUIRE(trace.ok());
  DialPlan plan;
  plan.username = "cust";
  plan.password = "secret";
  auto call = bench.dial(plan);
  bench.run_s(2);
  REQUIRE(call->was_answered());
  call->hang_up();
  bench.run_s(2);
  const auto calls = bench.tandem->traced_calls(trace->id).value();
  REQUIRE(calls.size() == 1);
  const TracedCall traced = bench.tandem->traced_call(trace->id, calls[0].id).value();
  const auto found = steps(traced);
  CHECK(std::count(found.begin(), found.end(), "C > INVITE") == 2);
  CHECK(std::count_if(found.begin(), found.end(), [](const std::string& step) {
          return step == "C < 401" || step == "C < 407";
        }) == 1);
  int credentials = 0;
  for (const TraceEntry& entry : traced.entries) {
    if (!has(entry.text, "uthorization: Digest")) continue;
    ++credentials;
    CHECK(has(entry.text, "username=\"cust\""));
    CHECK(has(entry.text, "response=\"********************************\""));
  }
  CHECK(credentials >= 1);
}

TEST_CASE("Trace: devices that ring at once are branches of one ladder (P-05)") {
  SwitchConfig config = base_config();
  config.parameters.phone_contacts = 3;
  PhoneConfig phone;
  phone.id = phone.number = "1002";
  phone.password = "secret";
  phone.account = "acme";
  phone.rings_together = true;
  config.provision.phones.push_back(phone);
  Bench bench(config);
  std::vector<Endpoint*> devices;
  for (int i = 1; i <= 3; ++i) {
    devices.push_back(bench.endpoint("10.0.3." + std::to_string(i) + ":5060"));
    devices.back()->register_user("1002", "secret");
    bench.run_s(2);
    devices.back()->set_plan(answer_after(i == 2 ? 2 * second_us : 9 * second_us));
  }
  const auto trace = bench.tandem->start_trace(to_callee("1002"));
  REQUIRE(trace.ok());
  auto caller = bench.dial({}, "1002");
  bench.run_s(5);
  REQUIRE(caller->was_answered());
  caller->hang_up();
  bench.run_s(2);
  const auto calls = bench.tandem->traced_calls(trace->id).value();
  REQUIRE(calls.size() == 1);
  const TracedCall call = bench.tandem->traced_call(trace->id, calls[0].id).value();
  const auto found = steps(call);
  const auto count = [&](const std::string& step) {
    return std::count(found.begin(), found.end(), step);
  };
  const auto place = [&](const std::string& step) {
    return std::find(found.begin(), found.end(), step) - found.begin();
  };
  CHECK(count("phone:1002 < INVITE") == 3);
  CHECK(count("phone:1002 > 180") == 3);
  CHECK(count("C < 180") == 1);
  CHECK(count("phone:1002 < CANCEL") == 2);
  CHECK(count("phone:1002 > 487") == 2);
  CHECK(count("phone:1002 < ACK") == 3);
  CHECK(count("phone:1002 < BYE") == 1);
  CHECK(count("C < 200") == 2);
  CHECK(place("phone:1002 > 180") < place("C < 180"));
  CHECK(place("C < 180") < place("phone:1002 < CANCEL"));
  CHECK(place("phone:1002 < CANCEL") < place("phone:1002 > 487"));
  CHECK(notes(call, "route").size() == 3);
  const auto attempts = notes(call, "attempt");
  REQUIRE(attempts.size() == 3);
  CHECK(attempts[0] == "phone:1002 ended: CallerCancel, status 487, Q.850 cause 26");
  CHECK(attempts[1] == attempts[0]);
  CHECK(attempts[2] == "phone:1002 answered");
  const std::string ladder = to_ladder(call);
  for (int i = 1; i <= 3; ++i)
    CHECK(has(ladder, "phone:1002 udp:10.0.3." + std::to_string(i) + ":5060"));
  CHECK(has(ladder, "487 "));
  bench.check_clean();
}

TEST_CASE("Trace: targets that ring at once have a ladder each, beside that of their call (T-02)") {
  SwitchConfig config = base_config();
  PhoneConfig phone;
  phone.id = phone.number = "1001";
  phone.password = "secret";
  phone.account = "acme";
  phone.forward.method = ForwardMethod::simultaneous;
  phone.forward.unconditional = {{"4411", -1}, {"4422", -1}};
  config.provision.phones.push_back(phone);
  Bench bench(config);
  bench.b->set_plan("4411", answer_after(9 * second_us));
  bench.b->set_plan("4422", answer_after(2 * second_us));
  const auto trace = bench.tandem->start_trace({});
  REQUIRE(trace.ok());
  auto caller = bench.dial({}, "1001");
  bench.run_s(5);
  REQUIRE(caller->was_answered());
  caller->hang_up();
  bench.run_s(2);
  const auto calls = bench.tandem->traced_calls(trace->id).value();
  REQUIRE(calls.size() == 3);
  int arrived = 0, lost = 0, won = 0;
  for (const auto& one : calls) {
    const TracedCall call = bench.tandem->traced_call(trace->id, one.id).value();
    const auto found = steps(call);
    const auto count = [&](const std::string& step) {
      return std::count(found.begin(), found.end(), step);
    };
    if (one.customer_gateway == "cust") {
      ++arrived;
      CHECK(count("C > INVITE") == 1);
      CHECK(count("C < 200") == 2);
      const auto attempts = notes(call, "attempt");
      REQUIRE(attempts.size() == 2);
      CHECK(has(attempts[0], "1001 ended: CallerCancel"));
      CHECK(attempts[1] == "1001 answered");
    } else {
      CHECK(one.customer_gateway == "phone:1001");
      CHECK(count("v1 < INVITE") == 1);
      lost += count("v1 < CANCEL") == 1 && count("v1 > 487") == 1 ? 1 : 0;
      won += count("v1 < BYE") == 1 ? 1 : 0;
    }
  }
  CHECK(arrived == 1);
  CHECK(lost == 1);
  CHECK(won == 1);
  bench.check_clean();
}

TEST_CASE("Trace: copies go to the HEP server with the Call-ID of the customer's leg") {
  SwitchConfig config = base_config();
  config.trace.hep.server = at("10.0.9.1:9060");
  config.trace.hep.capture_id = 77;
  config.trace.hep.password = "capture";
  Bench bench(config);
  TraceRequest request;
  request.hep = true;
  const auto trace = bench.tandem->start_trace(request);
  REQUIRE(trace.ok());
  call_once(bench);
  const SwitchCounters counters = bench.tandem->counters();
  CHECK(counters.hep_sent == bench.tandem->trace(trace->id)->messages);
  CHECK(counters.hep_dropped == 0);
}

TEST_CASE("Trace: a flood of calls stays within the bounds of a trace and of what is undecided") {
  SwitchConfig config = base_config();
  Bench bench(config);
  TraceRequest request;
  request.filter.gateway = "nobody";  // undecided until each call ends
  request.bytes_max = 65'536;
  REQUIRE(bench.tandem->start_trace(request).ok());
  TraceRequest all;
  all.bytes_max = 65'536;
  all.calls_max = 10'000;
  const auto wanted = bench.tandem->start_trace(all);
  REQUIRE(wanted.ok());
  bench.b->set_plan(answer_after(20 * second_us));
  std::vector<std::shared_ptr<EndpointCall>> calls;
  for (int i = 0; i < 400; ++i)
    calls.push_back(bench.dial());
  bench.run_s(5);
  const TraceView view = bench.tandem->trace(wanted->id).value();
  CHECK(view.bytes <= 65'536);
  CHECK(view.end == TraceEnd::bytes);
  for (auto& call : calls)
    call->hang_up();
  bench.run_s(40);
  CHECK(bench.tandem->trace(wanted->id)->bytes <= 65'536);
  CHECK(bench.tandem->live_calls() == 0);
}

TEST_CASE("Trace: wrong requests are refused by their key") {
  Bench bench;
  const auto refused = [&](TraceRequest request) {
    const auto started = bench.tandem->start_trace(request);
    return started ? std::string() : started.error().message.substr(0, 7);
  };
  TraceRequest request;
  request.duration_s = 86'401;
  CHECK(refused(request) == "/durati");
  request = {};
  request.calls_max = 0;
  CHECK(refused(request) == "/calls:");
  request = {};
  request.bytes_max = 1;
  CHECK(refused(request) == "/bytes:");
  request = {};
  request.filter.source = "10.0.0.0/40";
  CHECK(refused(request) == "/source");
  request = {};
  request.hep = true;
  CHECK(refused(request) == "/hep: n");
  request = {};
  CHECK(refused(request).empty());
  CHECK(!bench.tandem->traced_calls(99).ok());
  CHECK(!bench.tandem->traced_call(1, 99).ok());
  for (int i = 0; i < 7; ++i)  // 8 of 8 MiB are 64 MiB
    CHECK(refused({}).empty());
  CHECK(bench.tandem->start_trace({}).error().code == ErrorCode::limit);
  CHECK(bench.tandem->stop_trace(1).ok());
  CHECK(refused({}).empty());  // an empty trace that ended takes nothing
  CHECK(bench.tandem->traces().size() == 9);
}
