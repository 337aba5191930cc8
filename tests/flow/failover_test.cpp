// Hunting: which vendor is tried next, and when the hunt ends.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// What became of one call to vendors that behave as planned; the last vendor answers unless told
/// otherwise.
struct Hunt {
  int tried = 0;
  int status = 0;  // of the caller
  Cdr cdr;
};

Hunt hunt(SwitchConfig config, const std::vector<AnswerPlan>& plans) {
  Bench bench(std::move(config));
  for (std::size_t i = 0; i < plans.size(); ++i)
    bench.vendors[i]->set_plan(plans[i]);
  auto call = bench.dial();
  REQUIRE(bench.world.run_until([&] { return call->is_over() || call->was_answered(); },
                                400 * second_us));
  bench.run_s(1);
  Hunt result;
  result.status = call->status();
  call->hang_up();
  result.cdr = bench.only_cdr();
  result.tried = static_cast<int>(result.cdr.attempts.size());
  int heard = 0;
  for (Endpoint* vendor : bench.vendors)
    heard += vendor->received("INVITE") > 0 ? 1 : 0;
  CHECK(heard == result.tried);
  CHECK(result.cdr.sip_status == result.status);
  return result;
}

AnswerPlan ringing_then(int status) {
  AnswerPlan plan = refuse(status, second_us);
  plan.ring_after_us = 0;
  return plan;
}

AnswerPlan early_media_then(int status) {
  AnswerPlan plan = refuse(status, second_us);
  plan.progress_after_us = 0;
  return plan;
}

}  // namespace

TEST_CASE("Failover: every final failure goes on but busy and 6xx that speak for all (R-15)") {
  for (const int status :
       {400, 402, 403, 404, 405, 406, 408, 410, 413, 415, 416, 420, 480, 481, 482, 483,
        484, 485, 488, 491, 500, 501, 502, 503, 504, 505, 513, 580, 300, 302, 380, 605}) {
    CAPTURE(status);
    const Hunt result = hunt(base_config(2), {refuse(status), AnswerPlan{}});
    CHECK(result.tried == 2);
    CHECK(result.status == 200);
    CHECK(result.cdr.vendor_gateway == "v2");
    CHECK(result.cdr.attempts[0].sip_status == status);
    CHECK(result.cdr.attempts[1].sip_status == 200);
  }
}

TEST_CASE("Failover: 486, 600, 603, 604, 606 and 607 end the hunt (R-15)") {
  for (const int status : {486, 600, 603, 604, 606, 607}) {
    CAPTURE(status);
    const Hunt result = hunt(base_config(2), {refuse(status), AnswerPlan{}});
    CHECK(result.tried == 1);
    CHECK(result.status == status);
    CHECK(result.cdr.end_code == status);
    CHECK(result.cdr.release_side == ReleaseSide::callee);
    CHECK(result.cdr.customer.charge.is_zero());
    CHECK(result.cdr.answered_at_us == 0);
  }
}

TEST_CASE("Failover: cause 17 of Q.850 is busy, whatever the status (R-15)") {
  AnswerPlan busy = refuse(480);
  busy.q850_cause = 17;
  Hunt result = hunt(base_config(2), {busy, AnswerPlan{}});
  CHECK(result.tried == 1);
  CHECK(result.status == 480);
  CHECK(result.cdr.q850_cause == 17);

  SwitchConfig config = base_config(2);
  SUBCASE("the parameter lets busy go on") { config.parameters.stop_switch_after_busy = false; }
  SUBCASE("the vendor does") { config.provision.vendor_gateways[0].switching.after_busy = true; }
  SUBCASE("another cause is not busy") { busy.q850_cause = 18; }
  result = hunt(config, {busy, AnswerPlan{}});
  CHECK(result.tried == 2);
  CHECK(result.status == 200);
}

TEST_CASE("Failover: a registered-at vendor that is silent may end the hunt (R-15, R-25)") {
  SwitchConfig config = base_config(2);
  VendorGateway& carrier = config.provision.vendor_gateways[0];
  int expected = 1;
  SUBCASE("it ends it") {
    carrier.registration = GatewayRegistration::outbound;
    config.parameters.stop_switch_after_invite_timeout = true;
  }
  SUBCASE("not without the parameter") {
    carrier.registration = GatewayRegistration::outbound;
    expected = 2;
  }
  SUBCASE("not of a vendor that the switch does not register at") {
    config.parameters.stop_switch_after_invite_timeout = true;
    expected = 2;
  }
  AnswerPlan behaviour = never_responds();
  SUBCASE("not when it said something") {
    carrier.registration = GatewayRegistration::outbound;
    config.parameters.stop_switch_after_invite_timeout = true;
    behaviour = never_answers();
    expected = 2;
  }
  carrier.auth = GatewayAuth{"trunk", "pass", ""};
  Bench bench(config);
  RegistrarPlan registrar;
  registrar.username = "trunk";
  registrar.password = "pass";
  bench.b->accept_registrations(registrar);
  bench.run_s(70);
  bench.b->set_plan(behaviour);
  auto call = bench.dial();
  bench.run_s(40);
  const int tried = (bench.vendors[0]->received("INVITE") > 0 ? 1 : 0) +
                    (bench.vendors[1]->received("INVITE") > 0 ? 1 : 0);
  CHECK(tried == expected);
  CHECK(call->was_answered() == (expected == 2));
  call->hang_up();
}

TEST_CASE("Failover: reasons of the last response reach record and caller (C-08)") {
  struct Case {
    int status;
    Reason reason;
  };
  for (const auto& [status, reason] : {Case{486, Reason::CalleeBusy},
                                       {600, Reason::CalleeBusy},
                                       {404, Reason::NotFound},
                                       {410, Reason::NotFound},
                                       {484, Reason::NotFound},
                                       {604, Reason::NotFound},
                                       {480, Reason::NoAnswer},
                                       {603, Reason::CalleeDeclined},
                                       {500, Reason::VendorFailure},
                                       {503, Reason::VendorFailure}}) {
    CAPTURE(status);
    const Hunt result = hunt(base_config(1), {refuse(status)});
    CHECK(result.status == status);
    CHECK(result.cdr.end_reason == reason);
    CHECK(result.cdr.end_code == status);
    CHECK(result.cdr.attempts[0].reason == reason);
    CHECK(result.cdr.vendor->charge.is_zero());
  }
}

TEST_CASE("Failover: a Reason header and Retry-After of the last vendor are passed on (C-09)") {
  Bench bench;
  AnswerPlan plan = refuse(480);
  plan.q850_cause = 34;
  plan.retry_after_s = 17;
  bench.b->set_plan(plan);
  auto call = bench.dial();
  const Cdr& cdr = bench.only_cdr();
  CHECK(call->status() == 480);
  CHECK(call->retry_after_s() == 17);
  CHECK(call->q850_cause() == 34);
  CHECK(cdr.q850_cause == 34);
  CHECK(cdr.attempts[0].q850_cause == 34);
}

TEST_CASE("Failover: a vendor that says nothing is left after the INVITE timeout (P-19)") {
  SwitchConfig config = base_config(2);
  config.parameters.invite_timeout_s = 4;
  const Hunt result = hunt(config, {never_responds(), AnswerPlan{}});
  CHECK(result.tried == 2);
  CHECK(result.status == 200);
  CHECK(result.cdr.attempts[0].reason == Reason::InviteTimeout);
  CHECK(result.cdr.attempts[0].sip_status == 0);
  const std::int64_t took_us =
      result.cdr.attempts[0].ended_at_us - result.cdr.attempts[0].started_at_us;
  CHECK(took_us >= 4 * second_us);
  CHECK(took_us < 4 * second_us + 100'000);
}

TEST_CASE("Failover: the only vendor that says nothing gives the caller 408 (P-19)") {
  const Hunt result = hunt(base_config(1), {never_responds()});
  CHECK(result.tried == 1);
  CHECK(result.cdr.end_reason == Reason::InviteTimeout);
  CHECK(result.cdr.end_code == static_cast<int>(Reason::InviteTimeout));
  CHECK(result.status == reason_facts(Reason::InviteTimeout).sip_status);
  CHECK(result.cdr.release_side == ReleaseSide::server);
}

TEST_CASE("Failover: 100 alone, 183 alone and ringing have timeouts of their own (P-19)") {
  struct Case {
    AnswerPlan plan;
    std::int64_t seconds;
    Reason reason;
  };
  AnswerPlan progress = never_answers();
  progress.progress_after_us = 0;
  progress.progress_with_sdp = false;
  AnswerPlan early = never_answers();
  early.progress_after_us = 0;
  AnswerPlan ringing = never_answers();
  ringing.ring_after_us = 0;
  SwitchConfig config = base_config(1);
  config.parameters.trying_timeout_s = 5;
  config.parameters.progress_timeout_s = 7;
  config.parameters.progress_sdp_timeout_s = 9;
  config.parameters.ringing_timeout_s = 11;
  for (const auto& [plan, seconds, reason] : {Case{never_answers(), 5, Reason::GatewayTimeout},
                                              {progress, 7, Reason::GatewayTimeout},
                                              {early, 9, Reason::NoAnswer},
                                              {ringing, 11, Reason::NoAnswer}}) {
    CAPTURE(seconds);
    const Hunt result = hunt(config, {plan});
    CHECK(result.cdr.end_reason == reason);
    const std::int64_t took_us = result.cdr.ended_at_us - result.cdr.started_at_us;
    CHECK(took_us >= seconds * second_us);
    CHECK(took_us < seconds * second_us + 200'000);
  }
}

TEST_CASE("Failover: the vendor that is left gets a CANCEL and its late 487 harms nobody (P-24)") {
  SwitchConfig config = base_config(2);
  config.parameters.ringing_timeout_s = 3;
  config.provision.vendor_gateways[0].switching.after_ringing = true;
  Bench bench(config);
  AnswerPlan plan = never_answers();
  plan.ring_after_us = 0;
  bench.b->set_plan(plan);
  auto call = bench.connect();
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
  CHECK(bench.b->received("CANCEL") == 1);
  CHECK(bench.b->sent("487") == 1);
  CHECK(bench.b->received("ACK") == 1);
  CHECK(bench.b->last_call()->status() == 487);
}

TEST_CASE("Failover: switch_limit bounds the failovers of one call (R-15)") {
  for (const int limit : {0, 1, 2}) {
    CAPTURE(limit);
    SwitchConfig config = base_config(4);
    config.parameters.switch_limit = limit;
    const Hunt result = hunt(config, {refuse(503), refuse(503), refuse(503), AnswerPlan{}});
    CHECK(result.tried == limit + 1);
    CHECK(result.status == 503);
  }
}

TEST_CASE("Failover: a stop code of the vendor ends the hunt (R-15)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].switching.stop_codes = {404, 480};
  CHECK(hunt(config, {refuse(404), AnswerPlan{}}).tried == 1);
  CHECK(hunt(config, {refuse(480), AnswerPlan{}}).tried == 1);
  CHECK(hunt(config, {refuse(503), AnswerPlan{}}).tried == 2);
}

TEST_CASE("Failover: after ringing the hunt ends unless the vendor allows it (R-15)") {
  SwitchConfig config = base_config(2);
  CHECK(hunt(config, {ringing_then(503), AnswerPlan{}}).tried == 1);
  config.provision.vendor_gateways[0].switching.after_ringing = true;
  CHECK(hunt(config, {ringing_then(503), AnswerPlan{}}).tried == 2);
}

TEST_CASE("Failover: after a description the hunt ends unless allowed (R-15)") {
  SwitchConfig config = base_config(2);
  CHECK(hunt(config, {early_media_then(503), AnswerPlan{}}).tried == 1);
  config.parameters.stop_switch_after_sdp = false;
  CHECK(hunt(config, {early_media_then(503), AnswerPlan{}}).tried == 2);
  config.provision.vendor_gateways[0].switching.after_sdp = false;
  CHECK(hunt(config, {early_media_then(503), AnswerPlan{}}).tried == 1);
}

TEST_CASE("Failover: after RTP of the vendor the hunt ends, until_connect or not (R-15)") {
  SwitchConfig config = base_config(2);
  AnswerPlan talking = early_media_then(503);
  talking.send_rtp = true;
  config.parameters.stop_switch_after_sdp = false;
  CHECK(hunt(config, {talking, AnswerPlan{}}).tried == 1);
  config.parameters.switch_until_connect = true;
  CHECK(hunt(config, {talking, AnswerPlan{}}).tried == 1);
  config.parameters.stop_switch_after_rtp = false;
  CHECK(hunt(config, {talking, AnswerPlan{}}).tried == 2);
}

TEST_CASE("Failover: until_connect goes on after ringing and early media (R-15)") {
  SwitchConfig config = base_config(2);
  config.parameters.switch_until_connect = true;
  CHECK(hunt(config, {ringing_then(503), AnswerPlan{}}).tried == 2);
  CHECK(hunt(config, {early_media_then(503), AnswerPlan{}}).tried == 2);
  config.provision.vendor_gateways[0].switching.until_connect = false;
  CHECK(hunt(config, {ringing_then(503), AnswerPlan{}}).tried == 1);
}

TEST_CASE("Failover: busy goes on where the parameter or the vendor allows it (R-15)") {
  SwitchConfig config = base_config(2);
  config.parameters.stop_switch_after_busy = false;
  CHECK(hunt(config, {refuse(486), AnswerPlan{}}).tried == 2);
  config.provision.vendor_gateways[0].switching.after_busy = false;
  CHECK(hunt(config, {refuse(486), AnswerPlan{}}).tried == 1);
}

TEST_CASE("Failover: when all fail the caller gets the last answer, and every try is recorded") {
  const Hunt result = hunt(base_config(3), {refuse(404), refuse(503), refuse(480)});
  CHECK(result.tried == 3);
  CHECK(result.status == 480);
  CHECK(result.cdr.end_reason == Reason::NoAnswer);
  CHECK(result.cdr.attempts[0].vendor_gateway == "v1");
  CHECK(result.cdr.attempts[1].vendor_gateway == "v2");
  CHECK(result.cdr.attempts[2].vendor_gateway == "v3");
  CHECK(result.cdr.attempts[1].reason == Reason::VendorFailure);
}

TEST_CASE("Failover: a redirect or a challenge of the last vendor becomes 503 for the caller") {
  CHECK(hunt(base_config(1), {refuse(302)}).status == 503);
  AnswerPlan challenge;
  challenge.username = "who";
  challenge.password = "knows";
  CHECK(hunt(base_config(1), {challenge}).status == 503);
}

TEST_CASE("Failover: a port where nobody listens is left at once (RFC 3261 section 8.1.3.1)") {
  SwitchConfig config = base_config(1);
  Bench bench(config);
  SwitchConfig update = config;
  update.provision.vendor_gateways[0].priority = 9;
  update.provision.vendor_gateways.push_back(vendor("gone", "10.0.9.9:5060", 1));
  REQUIRE(bench.tandem->reload(update).ok());
  auto call = bench.connect();
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].vendor_gateway == "gone");
  CHECK(cdr.attempts[0].ended_at_us - cdr.attempts[0].started_at_us < second_us);
}

TEST_CASE(
    "Failover: a vendor that cannot be connected to is left soon and gets nothing late (S-14)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].sip.transport = SipTransport::tcp;
  Bench bench(config);
  const IpAddress everybody;
  const IpAddress away = at("10.0.2.1:5060").ip;
  REQUIRE(bench.world.partition(everybody, away).ok());
  auto call = bench.dial();
  bench.run_s(6);
  CHECK(call->was_answered());
  REQUIRE(bench.world.heal(everybody, away).ok());
  bench.run_s(60);
  CHECK(bench.vendors[0]->calls().empty());
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].ended_at_us - cdr.attempts[0].started_at_us < 5'100'000);
  CHECK(cdr.vendor_gateway == "v2");
}

TEST_CASE("Failover: numbers are rewritten for each vendor anew (N-02)") {
  SwitchConfig config = base_config(2);
  config.provision.customer_gateways[0].rewrite_callee = "00:";
  config.provision.vendor_gateways[0].rewrite_callee = "44:901144";
  config.provision.vendor_gateways[1].rewrite_callee = "44:0044";
  config.provision.vendor_gateways[1].rewrite_caller = "1:491";
  Bench bench(config);
  bench.vendors[0]->set_plan(refuse(503));
  auto call = bench.dial({}, "00442079460000");
  bench.run_s(1);
  CHECK(bench.vendors[0]->last_call()->callee() == "9011442079460000");
  CHECK(bench.vendors[0]->last_call()->caller() == "1000");
  CHECK(bench.vendors[1]->last_call()->callee() == "00442079460000");
  CHECK(bench.vendors[1]->last_call()->caller() == "491000");
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.callee_in == "00442079460000");
  CHECK(cdr.callee == "442079460000");
  CHECK(cdr.callee_out == "00442079460000");
  CHECK(cdr.caller_out == "491000");
  CHECK(cdr.attempts[0].callee_out == "9011442079460000");
}

TEST_CASE("Failover: a vendor that no media can be led to is passed over (R-15)") {
  SwitchConfig config = base_config(2);
  Bench bench(config);
  GatewayAddress& address = config.provision.vendor_gateways[0].addresses.front();
  address.text = "2001:db8::20";  // and the switch has no IPv6 address for media
  address.network = IpNetwork::parse(address.text).value();
  REQUIRE(bench.tandem->reload(config).ok());
  auto call = bench.connect();
  CHECK(bench.lines("v1") == 0);
  CHECK(bench.lines("v2") == 1);
  call->hang_up();
  const Cdr cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 1);
  CHECK(cdr.attempts[0].vendor_gateway == "v2");
}
