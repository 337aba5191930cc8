// PUBLISH (P-06) and the repetition of requests (P-20) as the parameters of a switch have them.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

TEST_CASE("Publish: a reload allows it and forbids it (P-06, RFC 3903)") {
  Bench bench;
  RawEndpoint* const raw = *bench.world.add_raw_endpoint("10.0.3.7:5060");
  int number = 0;
  const auto publish = [&] {
    const std::string id = std::to_string(++number);
    raw->clear();
    raw->send(at(switch_address),
              "PUBLISH sip:1001@10.0.0.1 SIP/2.0\r\n"
              "Via: SIP/2.0/UDP 10.0.3.7:5060;branch=z9hG4bKp" +
                  id + "\r\nMax-Forwards: 70\r\nFrom: <sip:1001@10.0.0.1>;tag=1\r\n" +
                  "To: <sip:1001@10.0.0.1>\r\nCall-ID: p" + id + "\r\nCSeq: 1 PUBLISH\r\n" +
                  "Event: presence\r\nExpires: 3600\r\nContent-Type: application/pidf+xml\r\n" +
                  "Content-Length: 4\r\n\r\n<x/>");
    bench.run_ms(100);
    return raw->received().empty() ? std::string() : raw->received().back().bytes;
  };
  CHECK(publish().starts_with("SIP/2.0 405 "));
  SwitchConfig update = bench.config;
  update.parameters.publish_expires_s = 300;
  REQUIRE(bench.tandem->reload(update).ok());
  const std::string taken = publish();
  CHECK(taken.starts_with("SIP/2.0 200 "));
  CHECK(header(taken, "Expires") == "300");
  CHECK_FALSE(header(taken, "SIP-ETag").empty());
  REQUIRE(bench.tandem->reload(bench.config).ok());
  CHECK(publish().starts_with("SIP/2.0 405 "));
}

TEST_CASE("Timers: a silent vendor is given up as the schedule of requests says (P-20)") {
  SwitchConfig config = base_config(2);
  config.parameters.sip_resend_ms = {500, 1000, 2000};
  Bench bench(config);
  AnswerPlan silent;
  silent.responds = false;
  bench.vendors[0]->set_plan(silent);
  auto call = bench.dial();
  bench.run_ms(3'400);
  CHECK_FALSE(call->was_answered());
  CHECK(bench.vendors[0]->received("INVITE") == 3);
  bench.run_ms(600);
  CHECK(call->was_answered());
  CHECK(bench.vendors[0]->received("INVITE") == 3);
  call->hang_up();
  bench.run_s(2);
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs()[0];
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].reason == Reason::ConnectionTimeout);
  CHECK(cdr.vendor_gateway == "v2");
  // From the start of the switch: a reload says that it waits for one.
  SwitchConfig update = bench.config;
  update.parameters.sip_resend_ms.clear();
  update.parameters.sip_t1_ms = 200;
  const auto waiting = bench.tandem->reload(update);
  REQUIRE(waiting.ok());
  CHECK(*waiting == std::vector<std::string>{"parameters.sip_t1_ms", "parameters.sip_resend_ms"});
}
