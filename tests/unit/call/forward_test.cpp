#include "call/forward.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace tandem;
using namespace tandem::call;

namespace {

PhoneForward all_lists() {
  PhoneForward forward;
  forward.busy = {{"1", -1}};
  forward.no_answer = {{"2", -1}};
  forward.offline = {{"3", -1}};
  return forward;
}

std::string reason_after(const PhoneForward& forward, Reason reason, int status) {
  const ForwardChoice choice = forward_after(forward, reason, status);
  return choice.targets == nullptr ? "none" : forward_reason_name(choice.reason);
}

}  // namespace

TEST_CASE("Forward: what a failure counts as (T-02)") {
  const PhoneForward forward = all_lists();
  CHECK(reason_after(forward, Reason::CalleeBusy, 486) == "busy");
  CHECK(reason_after(forward, Reason::CalleeBusy, 600) == "busy");
  CHECK(reason_after(forward, Reason::AllGatewayBusy, 0) == "busy");
  CHECK(reason_after(forward, Reason::NoAnswer, 480) == "no_answer");
  CHECK(reason_after(forward, Reason::InviteTimeout, 408) == "offline");
  CHECK(reason_after(forward, Reason::VendorFailure, 503) == "offline");
  CHECK(reason_after(forward, Reason::NotFound, 404) == "offline");
  CHECK(reason_after(forward, Reason::CalleeDeclined, 603) == "none");
  CHECK(reason_after(forward, Reason::VendorFailure, 488) == "none");
  CHECK(reason_after({}, Reason::CalleeBusy, 486) == "none");
}

TEST_CASE("Forward: hours go before everything, off line before trying (T-03)") {
  PhoneForward forward = all_lists();
  const Calendar calendar;
  const std::int64_t noon_us = 1767268800000000;  // 2026-01-01T12:00:00Z, a Thursday
  CHECK(forward_at_once(forward, calendar, noon_us, true).targets == nullptr);
  CHECK(forward_at_once(forward, calendar, noon_us, false).reason == ForwardReason::offline);
  forward.unconditional = {{"4", -1}};
  CHECK(forward_at_once(forward, calendar, noon_us, false).reason == ForwardReason::unconditional);
  ForwardPeriod period;
  period.from_s = 8 * 3600;
  period.to_s = 18 * 3600;
  period.targets = {{"5", -1}};
  forward.periods = {period};
  CHECK(forward_at_once(forward, calendar, noon_us, true).reason == ForwardReason::period);
  CHECK(forward_at_once(forward, calendar, noon_us + 7LL * 3600 * 1'000'000, true).reason ==
        ForwardReason::unconditional);
  forward.periods[0].days = DaySet::parse({"sat"}).value();
  CHECK(forward_at_once(forward, calendar, noon_us, true).reason == ForwardReason::unconditional);
}

TEST_CASE("Forward: a hunt has every target once, with its time (T-02)") {
  PhoneForward forward;
  forward.ring_s = 7;
  forward.method = ForwardMethod::random;
  SeededRandom random(3);
  const std::vector<ForwardTarget> targets = {{"1", 3}, {"2", -1}, {"3", -1}};
  for (int i = 0; i < 50; ++i) {
    ForwardHunt hunt = begin_hunt(forward, ForwardReason::busy, targets, random);
    CHECK_FALSE(hunt.is_last());
    std::sort(hunt.targets.begin(), hunt.targets.end(),
              [](const auto& a, const auto& b) { return a.number < b.number; });
    REQUIRE(hunt.targets.size() == 3);
    CHECK(hunt.targets[0].ring_s == 3);
    CHECK(hunt.targets[1].ring_s == 7);
    CHECK(hunt.targets[2].number == "3");
  }
}

TEST_CASE("Forward: at once targets keep their order, and only times of their own (T-02)") {
  PhoneForward forward;
  forward.ring_s = 7;
  forward.method = ForwardMethod::simultaneous;
  SeededRandom random(3);
  ForwardHunt hunt =
      begin_hunt(forward, ForwardReason::busy, {{"1", 3}, {"2", -1}, {"3", -1}}, random);
  CHECK(hunt.is_together);
  CHECK(hunt.targets[0].number == "1");
  CHECK(hunt.targets[0].ring_s == 3);
  CHECK(hunt.targets[1].ring_s == -1);
  // One alone is as one of a list: the last has no limit anyway.
  hunt = begin_hunt(forward, ForwardReason::busy, {{"1", -1}}, random);
  CHECK_FALSE(hunt.is_together);
  CHECK(hunt.targets[0].ring_s == 7);
}

TEST_CASE("Forward: what is said of hops (RFC 5806, RFC 7044)") {
  HeaderCopies lines = forwarding_headers({}, "1001", "44 20", "10.0.0.1", ForwardReason::busy);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].second == "<sip:1001@10.0.0.1>;reason=user-busy;counter=1");
  CHECK(lines[1].second ==
        "<sip:1001@10.0.0.1>;index=1, <sip:44%2020@10.0.0.1;cause=486>;index=1.1;mp=1");
  // Nonsense of others is not built on.
  lines = forwarding_headers({{"History-Info", "<sip:a@b>;index=1.x, <sip:c@d"}}, "1001", "5",
                             "[2001:db8::1]", ForwardReason::no_answer);
  CHECK(lines.back().second ==
        "<sip:1001@[2001:db8::1]>;index=1, <sip:5@[2001:db8::1];cause=408>;index=1.1;mp=1");
}
