#include "trace/filter.hpp"

#include <doctest/doctest.h>

using namespace tandem;
using namespace tandem::trace;

namespace {

CallFacts arrived() {
  CallFacts facts;
  facts.source = SocketAddress::parse("192.0.2.7:5060").value();
  facts.caller_in = "+441";
  facts.callee_in = "0033123";
  return facts;
}

Fit fit(const TraceFilter& wanted, const CallFacts& facts) {
  return Filter::create(wanted)->fit(facts);
}

}  // namespace

TEST_CASE("Filter: without members every call fits") { CHECK(fit({}, arrived()) == Fit::yes); }

TEST_CASE("Filter: numbers fit as they came or as they are routed, until they are settled") {
  TraceFilter wanted;
  wanted.caller = "44";
  CHECK(fit(wanted, arrived()) == Fit::yes);
  wanted.callee = "33";
  CallFacts facts = arrived();
  CHECK(fit(wanted, facts) == Fit::maybe);
  facts.callee = "33123";
  CHECK(fit(wanted, facts) == Fit::yes);
  facts.callee = "44123";
  CHECK(fit(wanted, facts) == Fit::maybe);
  facts.is_judged = true;
  CHECK(fit(wanted, facts) == Fit::no);
}

TEST_CASE("Filter: a gateway is the customer's, or any that is tried until the call is over") {
  TraceFilter wanted;
  wanted.gateway = "v2";
  CallFacts facts = arrived();
  facts.is_judged = true;
  facts.customer = "cust";
  facts.vendors = {"v1"};
  CHECK(fit(wanted, facts) == Fit::maybe);
  facts.vendors.push_back("v2");
  CHECK(fit(wanted, facts) == Fit::yes);
  facts.vendors.clear();
  facts.is_over = true;
  CHECK(fit(wanted, facts) == Fit::no);
  facts.customer = "v2";
  CHECK(fit(wanted, facts) == Fit::yes);
}

TEST_CASE("Filter: a phone is one that calls, is called, or is rung") {
  TraceFilter wanted;
  wanted.phone = "1001";
  CallFacts facts = arrived();
  CHECK(fit(wanted, facts) == Fit::maybe);
  facts.customer = "phone:1001";
  CHECK(fit(wanted, facts) == Fit::yes);
  facts.customer = "cust";
  facts.called_phone = "1001";
  CHECK(fit(wanted, facts) == Fit::yes);
  facts.called_phone = "1002";
  facts.vendors = {"phone:1001"};
  CHECK(fit(wanted, facts) == Fit::yes);
  facts.vendors = {"phone:10011"};
  facts.is_over = true;
  CHECK(fit(wanted, facts) == Fit::no);
}

TEST_CASE("Filter: a source decides at once; all members must fit") {
  TraceFilter wanted;
  wanted.source = "192.0.2.0/29";
  CHECK(fit(wanted, arrived()) == Fit::yes);
  wanted.caller = "9";
  CHECK(fit(wanted, arrived()) == Fit::maybe);
  wanted.source = "192.0.2.8/29";
  CHECK(fit(wanted, arrived()) == Fit::no);
  wanted.source = "somewhere";
  CHECK(Filter::create(wanted).error().message.starts_with("/source: "));
  wanted = {};
  wanted.gateway = "a\nb";
  CHECK(Filter::create(wanted).error().message.starts_with("/gateway: "));
}
