// What is recorded, what is kept of it, and who may look at it meanwhile.
#include "trace/recorder.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/fake_network.hpp"
#include "trace/call_id.hpp"

using namespace tandem;
using namespace tandem::trace;

namespace {

constexpr std::int64_t second_us = 1'000'000;

CallFacts facts_of(std::string_view callee, bool is_over = false) {
  CallFacts facts;
  facts.source = SocketAddress::parse("192.0.2.7:5060").value();
  facts.caller_in = "1000";
  facts.callee_in = callee;
  facts.customer = "cust";
  facts.is_judged = true;
  facts.is_over = is_over;
  return facts;
}

struct Bench {
  SimulatedClock clock;
  TraceConfig config;
  Recorder recorder;
  Tap& tap;

  explicit Bench(std::int64_t ring_bytes = 0, unsigned workers = 1)
      : Bench(config_of(ring_bytes), workers) {}
  explicit Bench(const TraceConfig& of, unsigned workers = 1)
      : config(of), recorder(clock, config, workers), tap(recorder.tap(0)) {}

  static TraceConfig config_of(std::int64_t ring_bytes) {
    TraceConfig config;
    config.ring_bytes = ring_bytes;
    return config;
  }
  static void pass(Tap& to, const std::string& first_line, const std::string& call_id,
                   bool is_sent = false, std::size_t body_bytes = 0) {
    Tap::Passage passage;
    passage.is_sent = is_sent;
    passage.remote = SocketAddress::parse("192.0.2.7:5060").value();
    to.on_message(passage, first_line + "\r\nCall-ID: " + call_id + "\r\n\r\n" +
                               std::string(body_bytes, 'x'));
  }
  void invite(const std::string& call_id, std::size_t body_bytes = 0) {
    pass(tap, "INVITE sip:44@192.0.2.1 SIP/2.0", call_id, false, body_bytes);
  }
  /// A call with one message and its end.
  void call(std::uint64_t id, std::string_view callee, std::size_t body_bytes = 0) {
    const std::string call_id = "c" + std::to_string(id);
    invite(call_id, body_bytes);
    if (tap.open(id, call_id, facts_of(callee)))
      tap.close(id, facts_of(callee, true), {"NoAnswer", "ended"});
  }
  std::uint64_t start(std::string callee = "", std::int64_t bytes_max = 8 << 20) {
    TraceRequest request;
    request.filter.callee = std::move(callee);
    request.bytes_max = bytes_max;
    request.calls_max = 10'000;
    return recorder.start(request)->id;
  }
};

}  // namespace

TEST_CASE("call_id_of: the first Call-ID, long or short, of the head alone") {
  CHECK(call_id_of("BYE x SIP/2.0\r\nVia: y\r\nCALL-id :  a@b \r\n\r\n") == "a@b");
  CHECK(call_id_of("\r\n\r\nSIP/2.0 200 OK\r\ni:q\r\nCall-ID: z\r\n\r\n") == "q");
  CHECK(call_id_of("BYE x SIP/2.0\r\n\r\nCall-ID: z\r\n") == "");
  CHECK(call_id_of("Call-ID: z") == "");
  CHECK(call_id_of("") == "");
}

TEST_CASE("has_to_tag: the tag of the header, not one of its URI or of its name") {
  const auto with = [](const char* to) {
    return has_to_tag(std::string("INVITE x SIP/2.0\r\nFrom: <sip:a>;tag=1\r\n") + to +
                      "\r\n\r\nTo: x;tag=2\r\n");
  };
  CHECK(with("To: <sip:b>;tag=1"));
  CHECK(with("t:sip:b ;x=1; TAG = 1"));
  CHECK(!with("To: <sip:b>"));
  CHECK(!with("To: <sip:b;tag=1>;x=1"));
  CHECK(!with("To: \"a;tag=1\" <sip:b>"));
  CHECK(!with("X: <sip:b>;tag=1"));
}

TEST_CASE("Recorder: nothing is on before a trace is, and after the last one has ended") {
  Bench bench;
  CHECK(!bench.tap.is_on());
  const auto id = bench.start();
  CHECK(bench.tap.is_on());
  bench.invite("left");
  CHECK(bench.tap.pending_bytes() > 0);
  bench.clock.advance_us(600 * second_us);
  const auto ended = bench.recorder.sweep();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].id == id);
  CHECK(ended[0].end == TraceEnd::time);
  CHECK(!bench.tap.is_on());
  CHECK(bench.tap.tapes() == 0);  // what nobody waits for is not kept
  CHECK(bench.recorder.sweep().empty());
}

TEST_CASE("Recorder: legs of one call are one tape; those of others are not in it") {
  Bench bench;
  const auto id = bench.start();
  bench.invite("in");
  REQUIRE(bench.tap.open(5, "in", facts_of("44")));
  bench.tap.expect_leg(5, "v1");
  Bench::pass(bench.tap, "INVITE sip:44@198.51.100.1 SIP/2.0", "out", true);
  bench.tap.add_leg(5, "out", "v1");
  Bench::pass(bench.tap, "INVITE sip:44@198.51.100.1 SIP/2.0", "later", true);
  Bench::pass(bench.tap, "SIP/2.0 200 OK", "out");
  Bench::pass(bench.tap, "SIP/2.0 200 OK", "stranger");
  bench.tap.close(5, facts_of("44", true), {"NormalCallClearing", "ended"});
  Bench::pass(bench.tap, "SIP/2.0 200 OK", "in");  // behind the end
  const TracedCall call = bench.recorder.call(id, 5).value();
  REQUIRE(call.entries.size() == 5);
  CHECK(call.entries[0].side == TraceEntry::Side::customer);
  CHECK(call.entries[1].side == TraceEntry::Side::vendor);
  CHECK(call.entries[2].gateway == "v1");
  CHECK(call.entries[3].kind == TraceEntry::Kind::note);
  CHECK(call.entries[4].side == TraceEntry::Side::customer);
  CHECK(call.call.messages == 4);
  CHECK(call.call.end_reason == "NormalCallClearing");
  CHECK(bench.tap.tapes() == 1);
}

TEST_CASE("Recorder: a Call-ID that comes again begins a new call, a repetition does not") {
  Bench bench;
  const auto id = bench.start();
  bench.call(1, "44");
  bench.invite("c1");  // the same bytes: the peer has not heard of the end
  CHECK(bench.recorder.call(id, 1)->call.messages == 2);
  bench.invite("c1", 7);
  CHECK(bench.tap.open(2, "c1", facts_of("44")));
  CHECK(bench.recorder.call(id, 1)->call.messages == 2);
  CHECK(bench.recorder.call(id, 2)->call.messages == 1);
}

TEST_CASE(
    "Recorder: a Call-ID that comes again for nobody is not recorded in the call that is over") {
  Bench bench;
  TraceRequest request;
  request.filter.source = "192.0.2.0/24";
  const auto id = bench.recorder.start(request)->id;
  bench.call(1, "44");
  Tap::Passage passage;
  passage.remote = SocketAddress::parse("203.0.113.1:5060").value();
  bench.tap.on_message(passage, "INVITE sip:33@192.0.2.1 SIP/2.0\r\nCall-ID: c1\r\n\r\n");
  bench.tap.on_message(passage, "BYE sip:44@192.0.2.1 SIP/2.0\r\nCall-ID: c1\r\n\r\n");
  CHECK(bench.recorder.call(id, 1)->call.messages == 1);
}

TEST_CASE("Recorder: a change of a call that was up before the trace begins nothing") {
  Bench bench;
  bench.start();
  Bench::pass(bench.tap, "INVITE sip:44@192.0.2.1 SIP/2.0\r\nTo: <sip:44@192.0.2.1>;tag=7", "up");
  CHECK(bench.tap.pending_bytes() == 0);
  Bench::pass(bench.tap, "INVITE sip:44@192.0.2.1 SIP/2.0\r\nTo: <sip:44@192.0.2.1>", "new");
  CHECK(bench.tap.pending_bytes() > 0);
}

TEST_CASE("Recorder: undecided calls stay within their bytes, the oldest go first") {
  Bench bench;
  bench.start("33");
  for (int i = 0; i < 5'000; ++i)
    bench.invite("p" + std::to_string(i), 1'000);
  CHECK(bench.tap.pending_bytes() <= pending_bytes_max);
  CHECK(bench.tap.tapes() > 100);
  CHECK(bench.tap.open(9, "p4999", facts_of("33")));
  CHECK(!bench.tap.open(10, "p4998", facts_of("44")));
  CHECK(bench.recorder.traces()[0].messages == 1);
}

TEST_CASE("Recorder: a full trace ends, and others that want the call go on") {
  Bench bench;
  const auto small = bench.start("", 65'536);
  const auto large = bench.start("44");
  for (std::uint64_t i = 1; i <= 200; ++i)
    bench.call(i, "442", 1'000);
  CHECK(bench.recorder.trace(small)->end == TraceEnd::bytes);
  CHECK(bench.recorder.trace(small)->bytes <= 65'536);
  CHECK(bench.recorder.trace(large)->end == TraceEnd::none);
  CHECK(bench.recorder.calls(large)->size() == 200);
  CHECK(bench.recorder.calls(small)->size() == bench.recorder.trace(small)->calls);
  // What both want stays until both are gone.
  const auto kept = bench.recorder.calls(small)->back().id;
  CHECK(bench.recorder.remove(small).ok());
  CHECK(bench.recorder.call(large, kept).ok());
  CHECK(!bench.recorder.call(small, kept).ok());
  CHECK(bench.recorder.remove(large).ok());
  CHECK(bench.tap.tapes() == 0);
  CHECK(!bench.tap.is_on());
}

TEST_CASE("Recorder: one call has its own bounds") {
  Bench bench;
  const auto id = bench.start("", 64 << 20 >> 1);
  bench.invite("long");
  REQUIRE(bench.tap.open(1, "long", facts_of("44")));
  for (int i = 0; i < 100; ++i)
    Bench::pass(bench.tap, "INFO sip:44@192.0.2.1 SIP/2.0", "long", false, 60'000);
  const TracedCall call = bench.recorder.call(id, 1).value();
  CHECK(call.call.dropped == 101 - call.call.messages);
  CHECK(bench.recorder.trace(id)->bytes <= call_bytes_max);
  CHECK(bench.recorder.trace(id)->dropped == call.call.dropped);
}

TEST_CASE("Recorder: the ring lets the oldest go; a trace that wants one keeps it") {
  Bench bench(65'536);
  const auto id = bench.start("33");
  bench.call(1, "331", 1'000);
  for (std::uint64_t i = 2; i <= 200; ++i)
    bench.call(i, "442", 1'000);
  CHECK(bench.recorder.trace(0)->bytes <= 65'536);
  CHECK(!bench.recorder.call(0, 1).ok());
  CHECK(bench.recorder.call(id, 1).ok());
  CHECK(bench.recorder.call(0, 200).ok());
  CHECK(bench.recorder.calls(0)->front().id == 200);
}

TEST_CASE("Recorder: of a call that is up the ring keeps the end, and HEP gets all of it") {
  test::FakeNetwork network;
  TraceConfig config = Bench::config_of(65'536);
  config.hep.server = test::at("10.0.9.1:9060");
  config.hep.queue_packets = 65'536;
  config.hep.all_calls = true;
  Bench bench(config);
  REQUIRE(bench.tap.open_hep(network.create_loop(), test::at("10.0.0.1:0")).ok());
  bench.invite("long", 500);
  REQUIRE(bench.tap.open(1'000, "long", facts_of("44")));
  for (std::uint64_t i = 1; i <= 200; ++i)
    bench.call(i, "442", 1'000);
  REQUIRE(bench.recorder.call(0, 1'000).ok());
  CHECK(bench.recorder.call(0, 1'000)->call.messages == 1);  // those that are over went first
  // More of calls that are up than the ring holds.
  for (std::uint64_t i = 2'000; i < 2'050; ++i) {
    bench.invite("c" + std::to_string(i), 1'500);
    REQUIRE(bench.tap.open(i, "c" + std::to_string(i), facts_of("44")));
  }
  CHECK(bench.recorder.trace(0)->bytes <= 65'536);
  CHECK(bench.recorder.call(0, 1'000)->call.messages == 0);
  CHECK(bench.recorder.call(0, 1'000)->call.dropped == 1);
  CHECK(bench.recorder.trace(0)->dropped >= 1);
  network.run_for(1'000);
  const std::size_t sent = network.sent.size();
  CHECK(sent == 251);
  Bench::pass(bench.tap, "BYE sip:44@192.0.2.1 SIP/2.0", "long");
  bench.tap.close(1'000, facts_of("44", true), {"NormalCallClearing", "ended"});
  network.run_for(1'000);
  CHECK(network.sent.size() == sent + 1);
  const TracedCall call = bench.recorder.call(0, 1'000).value();
  REQUIRE(!call.entries.empty());
  CHECK(call.entries.back().topic == "call");
  CHECK(call.call.end_reason == "NormalCallClearing");
}

TEST_CASE("Recorder: HEP gets what one call has no room for") {
  test::FakeNetwork network;
  TraceConfig config = Bench::config_of(8 << 20);
  config.hep.server = test::at("10.0.9.1:9060");
  config.hep.all_calls = true;
  Bench bench(config);
  REQUIRE(bench.tap.open_hep(network.create_loop(), test::at("10.0.0.1:0")).ok());
  bench.invite("long");
  REQUIRE(bench.tap.open(1, "long", facts_of("44")));
  for (int i = 0; i < 40; ++i)
    Bench::pass(bench.tap, "INFO sip:44@192.0.2.1 SIP/2.0", "long", false, 60'000);
  network.run_for(1'000);
  CHECK(bench.recorder.call(0, 1)->call.dropped > 0);
  CHECK(network.sent.size() == 41);
}

TEST_CASE("Recorder: one call that is up takes no more than the ring") {
  Bench bench(65'536);
  bench.invite("long");
  REQUIRE(bench.tap.open(1, "long", facts_of("44")));
  for (int i = 0; i < 20; ++i)
    Bench::pass(bench.tap, "INFO sip:44@192.0.2.1 SIP/2.0", "long", false, 10'000);
  CHECK(bench.recorder.trace(0)->bytes <= 65'536);
  const TracedCall call = bench.recorder.call(0, 1).value();
  CHECK(call.call.messages + call.call.dropped == 21);
  CHECK(call.entries.size() == call.call.messages);
  CHECK(!call.entries.empty());
}

TEST_CASE("Recorder: what the ring and a trace both have is paid for by whoever is left") {
  Bench bench(65'536);
  const auto id = bench.start("44", 65'536);
  bench.invite("both");
  REQUIRE(bench.tap.open(1, "both", facts_of("44")));
  for (int i = 0; i < 20; ++i)
    Bench::pass(bench.tap, "INFO sip:44@192.0.2.1 SIP/2.0", "both", false, 10'000);
  CHECK(bench.recorder.trace(id)->end == TraceEnd::bytes);
  CHECK(bench.recorder.trace(0)->bytes <= 65'536);
  const auto size_of = [&](std::uint64_t trace) {
    std::size_t bytes = 0;
    const auto call = bench.recorder.call(trace, 1);
    for (const TraceEntry& entry : call->entries)
      bytes += entry.text.size();
    return bytes;
  };
  // Its own, and the part that the ring pays for alone.
  CHECK(size_of(id) <= 2 * 65'536);
  const std::size_t of_trace = bench.recorder.trace(id)->bytes;
  SUBCASE("the trace goes") {
    REQUIRE(bench.recorder.remove(id).ok());
    CHECK(bench.recorder.trace(0)->bytes <= 65'536);
    CHECK(size_of(0) <= 65'536);
    Bench::pass(bench.tap, "BYE sip:44@192.0.2.1 SIP/2.0", "both");
    CHECK(bench.recorder.call(0, 1)->entries.back().text.starts_with("BYE"));
  }
  SUBCASE("the ring goes") {
    bench.tap.close(1, facts_of("44", true), {"NormalCallClearing", "ended"});
    for (std::uint64_t i = 2; i <= 200; ++i)
      bench.call(i, "33", 1'000);
    CHECK(!bench.recorder.call(0, 1).ok());
    CHECK(size_of(id) <= of_trace);
    CHECK(size_of(id) > 40'000);
  }
}

TEST_CASE("Recorder: a trace that finds no room leaves the ended ones alone") {
  Bench bench;
  const auto kept = bench.start("44", 16 << 20);
  bench.call(1, "44");
  REQUIRE(bench.recorder.stop(kept).ok());
  bench.start("33", 8 << 20);
  TraceRequest request;
  request.bytes_max = 64 << 20;
  const auto refused = bench.recorder.start(request);
  REQUIRE(!refused.ok());
  CHECK(refused.error().code == ErrorCode::limit);
  CHECK(bench.recorder.call(kept, 1).ok());
}

TEST_CASE("Recorder: the trace that ended first makes room, none that still records does") {
  Bench bench;
  const auto live = [&] {
    TraceRequest request;
    request.calls_max = 1;
    request.bytes_max = 65'536;
    return bench.recorder.start(request)->id;
  }();
  bench.invite("up");
  REQUIRE(bench.tap.open(1, "up", facts_of("44")));
  REQUIRE(bench.recorder.trace(live)->end == TraceEnd::calls);
  std::vector<std::uint64_t> ids;
  while (ids.size() + 1 < traces_max)
    ids.push_back(bench.start("99", 65'536));
  for (const std::size_t i : {2U, 0U}) {
    bench.clock.advance_us(second_us);
    REQUIRE(bench.recorder.stop(ids[i]).ok());
  }
  bench.start("99", 65'536);
  CHECK(!bench.recorder.trace(ids[2]).ok());
  CHECK(bench.recorder.trace(ids[0]).ok());
  CHECK(bench.recorder.trace(live).ok());
  bench.start("99", 65'536);
  CHECK(!bench.recorder.trace(ids[0]).ok());
  CHECK(!bench.recorder.start({}).ok());  // only those that record are left
  CHECK(bench.recorder.trace(live).ok());
}

TEST_CASE("Recorder: a worker waits for a slice of the tapes, not for all of them") {
  Bench bench;
  const auto id = bench.start();
  for (std::uint64_t i = 1; i <= 1'000; ++i)
    bench.call(i, "44");
  CHECK(bench.recorder.calls(id)->size() == 1'000);
  REQUIRE(bench.recorder.remove(id).ok());
  CHECK(bench.tap.tapes() == 0);
  bench.start("33");
  for (int i = 0; i < 200; ++i)
    bench.invite("p" + std::to_string(i));
  bench.clock.advance_us(600 * second_us);
  (void)bench.recorder.sweep();
  CHECK(bench.tap.tapes() == 0);
  CHECK(bench.tap.longest_reading() == slice_tapes);
}

TEST_CASE("Recorder: a trace of one call waits for the credentials of a challenged one") {
  Bench bench;
  TraceRequest request;
  request.calls_max = 1;
  const auto id = bench.recorder.start(request)->id;
  bench.invite("auth");
  REQUIRE(bench.tap.open(1, "auth", facts_of("44")));
  bench.tap.give_back(1);
  bench.clock.advance_us(second_us);
  (void)bench.recorder.sweep();
  CHECK(bench.tap.is_on());
  SUBCASE("they come") {
    bench.invite("auth", 3);
    REQUIRE(bench.tap.open(2, "auth", facts_of("44")));
    bench.clock.advance_us(20 * second_us);
    (void)bench.recorder.sweep();
    CHECK(bench.tap.is_on());
    CHECK(bench.recorder.call(id, 2)->call.messages == 2);
  }
  SUBCASE("they do not") {
    bench.clock.advance_us(10 * second_us);
    (void)bench.recorder.sweep();
    CHECK(!bench.tap.is_on());
  }
}

TEST_CASE("Recorder: a challenged call waits for its credentials") {
  Bench bench;
  const auto id = bench.start("44");
  bench.invite("auth");
  REQUIRE(bench.tap.open(1, "auth", facts_of("44")));
  Bench::pass(bench.tap, "SIP/2.0 401 Unauthorized", "auth", true);
  bench.tap.give_back(1);
  bench.invite("auth", 3);
  REQUIRE(bench.tap.open(2, "auth", facts_of("44")));
  CHECK(!bench.recorder.call(id, 1).ok());
  CHECK(bench.recorder.call(id, 2)->call.messages == 3);
  CHECK(bench.recorder.trace(id)->calls == 1);
  bench.tap.close(2, facts_of("44", true), {"NoAnswer", "ended"});
  CHECK(bench.recorder.stop(id).ok());
}

TEST_CASE("Recorder: traces come and go and are read while workers record") {
  Bench bench(1 << 20, 2);
  std::atomic<bool> is_over{false};
  const auto work = [&](unsigned worker) {
    Tap& tap = bench.recorder.tap(worker);
    for (std::uint64_t i = 1; !is_over.load(); ++i) {
      const std::uint64_t id = std::uint64_t{worker} << 46U | i;
      const std::string call_id = std::to_string(id);
      Bench::pass(tap, "INVITE sip:44@192.0.2.1 SIP/2.0", call_id, false, 500);
      if (!tap.open(id, call_id, facts_of("44"))) continue;
      tap.add_leg(id, call_id + "-out", "v1");
      Bench::pass(tap, "INVITE sip:44@198.51.100.1 SIP/2.0", call_id + "-out", true, 500);
      tap.note(id, "route", "tries v1");
      tap.close(id, facts_of("44", true), {"NoAnswer", "ended"});
    }
  };
  std::thread first([&] { work(0); });
  std::thread second([&] { work(1); });
  while (bench.recorder.trace(0)->calls < 200)
    std::this_thread::yield();
  for (int round = 0; round < 60; ++round) {
    const auto id = bench.start("44", 200'000);
    for (int look = 0; look < 5; ++look) {
      const auto calls = bench.recorder.calls(id).value();
      if (!calls.empty()) (void)bench.recorder.call(id, calls.front().id);
      (void)bench.recorder.sweep();
    }
    if (round % 3 == 0) (void)bench.recorder.stop(id);
    if (round % 2 == 0) CHECK(bench.recorder.remove(id).ok());
    bench.clock.advance_us(30 * second_us);
  }
  is_over = true;
  first.join();
  second.join();
  for (const TraceView& trace : bench.recorder.traces()) {
    CHECK(trace.bytes <= static_cast<std::uint64_t>(trace.request.bytes_max));
    if (trace.id != 0) CHECK(bench.recorder.remove(trace.id).ok());
  }
  CHECK(bench.recorder.trace(0)->bytes > 0);
}
