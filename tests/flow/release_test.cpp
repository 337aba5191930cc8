// Giving up and hanging up, by either side, in every state.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

TEST_CASE("Release: a caller that gives up before ringing takes its vendor along (P-24)") {
  Bench bench;
  bench.b->set_plan(never_answers());
  DialPlan dial;
  dial.cancel_after_us = second_us;
  auto call = bench.dial(dial);
  const Cdr& cdr = bench.only_cdr();
  CHECK(bench.a->ladder_text() ==
        "> INVITE, < 100 INVITE, > CANCEL, < 200 CANCEL, < 487 INVITE, > ACK");
  CHECK(bench.b->ladder_text() ==
        "< INVITE, > 100 INVITE, < CANCEL, > 200 CANCEL, > 487 INVITE, < ACK");
  CHECK(call->status() == 487);
  CHECK(cdr.end_reason == Reason::CallerCancel);
  CHECK(cdr.end_code == -39);
  CHECK(cdr.sip_status == 487);
  CHECK(cdr.release_side == ReleaseSide::caller);
  CHECK(cdr.pdd_ms == -1);
  CHECK(cdr.answered_at_us == 0);
  CHECK(cdr.attempts[0].sip_status == 0);
  CHECK(bench.balance() == money("100.00"));
}

TEST_CASE("Release: a caller that gives up while it rings leaves nothing behind") {
  Bench bench;
  bench.b->set_plan(answer_after(-1));
  DialPlan dial;
  dial.cancel_after_us = 5 * second_us;
  auto call = bench.dial(dial);
  const Cdr& cdr = bench.only_cdr();
  CHECK(call->count("180") == 1);
  CHECK(bench.b->received("CANCEL") == 1);
  CHECK(cdr.end_reason == Reason::CallerCancel);
  CHECK(cdr.pdd_ms >= 0);
}

TEST_CASE("Release: CANCEL and 200 may cross at any moment, and both sides agree in the end") {
  // The CANCEL leaves from before the vendor answers until after the caller has heard of it.
  int answered = 0;
  int cancelled = 0;
  for (std::int64_t us = 996'000; us <= 1'006'000; us += 250) {
    CAPTURE(us);
    Bench bench;
    bench.b->set_plan(answer_after(second_us));
    auto call = bench.dial();
    bench.world.run_for_us(us);
    call->cancel();
    bench.run_s(2);
    if (call->was_answered()) {
      ++answered;
      CHECK_FALSE(call->is_over());
      call->hang_up();
    } else {
      ++cancelled;
      CHECK(call->is_over());
    }
    const Cdr& cdr = bench.only_cdr();
    CHECK(bench.b->last_call()->is_over());
    CHECK(bench.b->counters().calls_live == 0);
    if (cdr.end_reason == Reason::CallerCancel) CHECK(cdr.customer.charge.is_zero());
  }
  CHECK(answered > 0);
  CHECK(cancelled > 0);
}

TEST_CASE(
    "Release: a vendor that hangs up ends the call, and its cause reaches caller and record") {
  Bench bench;
  auto call = bench.connect();
  bench.run_s(10);
  bench.b->last_call()->hang_up(31);
  const Cdr& cdr = bench.only_cdr();
  CHECK(bench.a->received("BYE") == 1);
  CHECK(bench.a->sent("200 BYE") == 1);
  CHECK(bench.b->received("BYE") == 0);
  CHECK(call->q850_cause() == 31);
  CHECK(cdr.release_side == ReleaseSide::callee);
  CHECK(cdr.end_reason == Reason::NormalCallClearing);
  CHECK(cdr.q850_cause == 31);
  CHECK(cdr.end_code == 16);
  CHECK(cdr.customer.charge == money("0.10"));
}

TEST_CASE("Release: both hang up in the same moment, and one record is left") {
  Bench bench;
  auto call = bench.connect();
  bench.run_s(1);
  call->hang_up();
  bench.b->last_call()->hang_up();
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Release: the operator ends a call in any state (AdminDisconnect)") {
  for (const bool is_answered : {false, true}) {
    CAPTURE(is_answered);
    Bench bench;
    bench.b->set_plan(answer_after(is_answered ? second_us : -1));
    auto call = bench.dial();
    bench.run_s(3);
    const auto views = bench.tandem->calls();
    REQUIRE(views.size() == 1);
    CHECK(bench.tandem->disconnect(views[0].id).ok());
    CHECK_FALSE(bench.tandem->disconnect(views[0].id).ok());
    const Cdr& cdr = bench.only_cdr();
    CHECK(call->is_over());
    CHECK(bench.b->last_call()->is_over());
    CHECK(cdr.end_reason == Reason::AdminDisconnect);
    CHECK(cdr.release_side == ReleaseSide::server);
    CHECK(cdr.sip_status == (is_answered ? 200 : call->status()));
    CHECK(bench.a->received("BYE") == (is_answered ? 1 : 0));
    CHECK(bench.b->received("BYE") == (is_answered ? 1 : 0));
    CHECK(bench.b->received("CANCEL") == (is_answered ? 0 : 1));
  }
}

TEST_CASE("Release: a call longer than max_call_s is ended by the server (B-12)") {
  SwitchConfig config = base_config();
  config.parameters.max_call_s = 60;
  config.provision.vendor_gateways[0].max_call_s = MaxCallDuration{30, 30};
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(40);
  CHECK(call->is_over());
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::MaxDuration);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.customer.billed_time_s == 30);
}

TEST_CASE("Release: parties that vanish without a BYE are let go when the other hangs up") {
  Bench bench;
  auto call = bench.connect();
  bench.b->set_silent(true);
  bench.run_s(5);
  call->hang_up();
  bench.run_s(120);
  CHECK(bench.tandem->counters().calls_live == 0);
  CHECK(bench.tandem->counters().dialogs_live == 0);
  CHECK(bench.tandem->counters().transactions_live == 0);
  REQUIRE(bench.world.cdrs().size() == 1);
  CHECK(bench.world.cdrs()[0].release_side == ReleaseSide::caller);
  CHECK(bench.lines("v1") == 0);
}
