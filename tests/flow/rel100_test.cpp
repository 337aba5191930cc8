// Reliable provisional responses through the switch (P-17, RFC 3262).
#include <string>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

SwitchConfig both(Rel100Mode customer, Rel100Mode vendor, int vendors = 1) {
  SwitchConfig config = base_config(vendors);
  config.provision.customer_gateways[0].sip.rel100 = customer;
  for (VendorGateway& gateway : config.provision.vendor_gateways)
    gateway.sip.rel100 = vendor;
  return config;
}

DialPlan reliable_caller() {
  DialPlan plan;
  plan.rel100 = true;
  return plan;
}

/// 180, then 183 with a description, then the answer.
AnswerPlan reliable_callee(std::int64_t answer_us = 3 * second_us) {
  AnswerPlan plan = answer_after(answer_us, 0);
  plan.progress_after_us = second_us;
  plan.rel100 = true;
  return plan;
}

}  // namespace

TEST_CASE("Rel100: each side acknowledges for itself (P-17)") {
  Bench bench(both(Rel100Mode::allow, Rel100Mode::allow));
  bench.b->set_plan(reliable_callee());
  SUBCASE("both sides") {
    const auto call = bench.connect(reliable_caller());
    CHECK(bench.a->sent("PRACK") == 2);
    CHECK(bench.b->received("PRACK") == 2);
    CHECK(call->count("183 sdp") == 1);
    CHECK(bench.b->last_call()->count("acknowledged") == 2);
    CHECK_FALSE(call->remote_sdp().empty());
    call->hang_up();
  }
  SUBCASE("the vendor alone") {
    const auto call = bench.connect();
    CHECK(bench.a->sent("PRACK") == 0);
    CHECK(bench.b->received("PRACK") == 2);
    call->hang_up();
  }
  SUBCASE("the caller alone") {
    AnswerPlan plan = reliable_callee();
    plan.rel100 = false;
    bench.b->set_plan(plan);
    const auto call = bench.connect(reliable_caller());
    CHECK(bench.a->sent("PRACK") == 2);
    CHECK(bench.b->received("PRACK") == 0);
    call->hang_up();
  }
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Rel100: off is the default, and takes the extension out (P-17)") {
  Bench bench;
  bench.b->set_plan(reliable_callee());
  const auto call = bench.connect(reliable_caller());
  CHECK(bench.a->sent("PRACK") == 0);
  CHECK(bench.b->received("PRACK") == 0);
  call->hang_up();
  DialPlan plan;
  plan.requires_rel100 = true;
  const auto refused = bench.dial(plan);
  bench.run_s(1);
  CHECK(refused->status() == 420);
  bench.check_clean();
}

TEST_CASE("Rel100: require refuses a caller that cannot, and goes on to a vendor that can (P-17)") {
  Bench bench(both(Rel100Mode::require, Rel100Mode::require, 2));
  const auto refused = bench.dial();
  bench.run_s(1);
  CHECK(refused->status() == 421);
  AnswerPlan off = answer_after(second_us);
  bench.vendors[0]->set_plan(off);
  bench.vendors[1]->set_plan(reliable_callee());
  const auto call = bench.connect(reliable_caller());
  CHECK(bench.vendors[1]->received("PRACK") == 2);
  call->hang_up();
  bench.check_clean();
  const Cdr& cdr = bench.world.cdrs().back();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].sip_status == 420);
}

TEST_CASE("Rel100: nothing is lost on lines that lose (P-17)") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    WorldOptions options;
    options.seed = seed;
    options.link.loss_per_mille = 250;
    options.link.duplicate_per_mille = 100;
    options.link.jitter_us = 30'000;
    Bench bench(both(Rel100Mode::allow, Rel100Mode::allow), options);
    AnswerPlan plan = reliable_callee(12 * second_us);
    bench.b->set_plan(plan);
    const auto call = bench.dial(reliable_caller());
    bench.run_s(45);
    // What gets through has been heard of once and in order.
    if (call->was_answered()) {
      CHECK(call->count("180") == 1);
      CHECK(call->count("183 sdp") <= 1);
      const auto answered = bench.b->last_call();
      CHECK(answered->count("acknowledged") == 2);
      CHECK(bench.tandem->calls().size() <= 1);
    }
    call->hang_up();
    bench.world.set_default_link({});
    bench.check_clean();
    CHECK(bench.world.cdrs().size() == 1);
  }
}

TEST_CASE("Rel100: a caller that does not acknowledge is refused, and its vendor let go (P-17)") {
  Bench bench(both(Rel100Mode::allow, Rel100Mode::allow));
  bench.b->set_plan(reliable_callee(60 * second_us));
  const IpAddress caller = ip("10.0.1.1");
  bench.world.drop_if([&](const DatagramView& view) {
    return view.from.ip == caller && view.bytes.starts_with("PRACK ");
  });
  const auto call = bench.dial(reliable_caller());
  bench.run_s(31);
  CHECK_FALSE(call->is_over());
  bench.run_s(3);
  CHECK(call->status() == 504);
  CHECK(bench.b->last_call()->is_over());
  bench.world.drop_if({});
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::ConnectionTimeout);
  CHECK(cdr.sip_status == 504);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.customer.charge.is_zero());
}

TEST_CASE("Rel100: talk begins when the caller may be told, not before (P-17)") {
  Bench bench(both(Rel100Mode::allow, Rel100Mode::off));
  AnswerPlan plan = answer_after(second_us, -1);
  plan.progress_after_us = 0;
  bench.b->set_plan(plan);
  bool is_lost = true;
  bench.world.drop_if(
      [&](const DatagramView& view) { return is_lost && view.bytes.starts_with("PRACK "); });
  const auto call = bench.dial(reliable_caller());
  bench.run_s(5);
  CHECK(bench.b->last_call()->was_answered());
  CHECK_FALSE(call->was_answered());
  is_lost = false;
  REQUIRE(bench.world.run_until([&] { return call->was_answered(); }, 20 * second_us));
  bench.run_s(5);
  SUBCASE("and is paid from then on") {
    call->hang_up();
    const Cdr& cdr = bench.only_cdr();
    CHECK(cdr.talk_time_ms >= 4'990);
    CHECK(cdr.talk_time_ms <= 5'100);
    CHECK(cdr.answered_at_us - cdr.started_at_us > 5 * second_us);
  }
  SUBCASE("also when the vendor hangs up meanwhile") {
    call->hang_up();
    bench.check_clean();
    bench.world.clear_cdrs();
    is_lost = true;
    plan.hang_up_after_us = 2 * second_us;
    bench.b->set_plan(plan);
    const auto second = bench.dial(reliable_caller());
    bench.run_s(5);
    is_lost = false;
    bench.run_s(20);
    CHECK(second->is_over());
    const Cdr& cdr = bench.only_cdr();
    CHECK(cdr.end_reason == Reason::NormalCallClearing);
    CHECK(cdr.talk_time_ms < 100);
  }
}

TEST_CASE("Rel100: nobody talks for long before the caller has acknowledged (P-17)") {
  Bench bench(both(Rel100Mode::allow, Rel100Mode::off));
  AnswerPlan plan = answer_after(second_us, -1);
  plan.progress_after_us = 0;
  bench.b->set_plan(plan);
  bench.world.drop_if([](const DatagramView& view) { return view.bytes.starts_with("PRACK "); });
  const auto call = bench.dial(reliable_caller());
  bench.run_s(8);
  CHECK_FALSE(bench.b->last_call()->is_over());
  bench.run_s(3);
  CHECK(bench.b->last_call()->is_over());
  CHECK(call->is_over());
  bench.world.drop_if({});
  CHECK(bench.only_cdr().end_reason == Reason::ConnectionTimeout);
}

TEST_CASE(
    "Rel100: a caller without an offer hears nothing reliably that brings none (RFC 3262 5)") {
  Bench bench(both(Rel100Mode::allow, Rel100Mode::off));
  bench.b->set_plan(answer_after(2 * second_us));
  DialPlan dial = reliable_caller();
  dial.delayed_offer = true;
  SUBCASE("it can take it") { dial.requires_rel100 = false; }
  SUBCASE("it must") { dial.requires_rel100 = true; }
  const auto call = bench.connect(dial);
  CHECK(call->count("180") == (dial.requires_rel100 ? 0 : 1));
  CHECK(bench.a->sent("PRACK") == 0);
  CHECK_FALSE(bench.b->last_call()->remote_sdp().empty());
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Rel100: an offer of the vendor and the caller's answer meet before the answer (P-17)") {
  Bench bench(both(Rel100Mode::allow, Rel100Mode::allow));
  AnswerPlan plan = answer_after(3 * second_us, -1);
  plan.progress_after_us = 0;
  plan.rel100 = true;
  bench.b->set_plan(plan);
  SUBCASE("when the caller can take it") {
    DialPlan caller = reliable_caller();
    caller.delayed_offer = true;
    const auto call = bench.dial(caller);
    bench.run_s(1);
    CHECK(call->count("183 sdp") == 1);
    CHECK(bench.b->last_call()->count("acknowledged sdp") == 1);
    CHECK_FALSE(bench.b->last_call()->remote_sdp().empty());
    bench.run_s(3);
    REQUIRE(call->was_answered());
    call->hang_up();
  }
  SUBCASE("else in the ACK, and nobody waits for a PRACK") {
    DialPlan caller;
    caller.delayed_offer = true;
    const auto call = bench.dial(caller);
    bench.run_s(5);
    REQUIRE(call->was_answered());
    CHECK(bench.b->received("PRACK") == 0);
    CHECK_FALSE(bench.b->last_call()->remote_sdp().empty());
    call->hang_up();
  }
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Rel100: what a caller was told reliably ends the hunt (P-17, R-15)") {
  SwitchConfig config = both(Rel100Mode::allow, Rel100Mode::allow, 2);
  config.parameters.switch_until_connect = true;
  config.parameters.stop_switch_after_sdp = false;
  Bench bench(config);
  AnswerPlan plan = refuse(503, 2 * second_us);
  plan.progress_after_us = 0;
  plan.rel100 = true;
  bench.vendors[0]->set_plan(plan);
  const auto call = bench.dial(reliable_caller());
  bench.run_s(5);
  CHECK(call->status() == 503);
  CHECK(bench.vendors[1]->received("INVITE") == 0);
  const auto other = bench.dial();  // who was not can be told something else
  bench.run_s(5);
  CHECK(other->was_answered());
  other->hang_up();
  bench.check_clean();
}

TEST_CASE("Rel100: UPDATE before the answer reaches the other side (P-17, P-25)") {
  Bench bench(both(Rel100Mode::allow, Rel100Mode::allow));
  bench.b->set_plan(reliable_callee(20 * second_us));
  const auto call = bench.dial(reliable_caller());
  bench.run_s(3);
  const auto called = bench.b->last_call();
  call->update();
  bench.run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  CHECK(called->count("update") == 1);
  called->update();
  bench.run_s(1);
  CHECK(called->count("reoffer 200") == 1);
  CHECK(call->count("update") == 1);
  SUBCASE("and the call is answered") {
    bench.run_s(20);
    CHECK(call->was_answered());
    call->hang_up();
  }
  SUBCASE("and a change that is under way ends with the call") {
    call->update();
    call->cancel();
    bench.run_s(1);
    CHECK(call->is_over());
  }
  bench.check_clean();
}
