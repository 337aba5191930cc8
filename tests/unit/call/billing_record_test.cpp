#include "call/billing_record.hpp"

#include <doctest/doctest.h>

#include "tandem/charge_terms.hpp"

using namespace tandem;

namespace {

call::BillingTerms terms_of_both_sides() {
  ChargeTerms customer, vendor;
  customer.rate.price = Amount::parse("0.60").value();
  customer.rate.first_s = customer.rate.next_s = 60;
  customer.rate.sections = {{Amount::parse("0.01").value(), 0}};
  vendor.rate.price = Amount::parse("0.30").value();
  customer.rules.precision = vendor.rules.precision = 4;
  return {to_text(customer, 0, 0), to_text(vendor, 0, 0), {}};
}

cdr::OpenCall open_call(std::optional<std::int64_t> talk_time_ms) {
  cdr::OpenCall open;
  open.answer.call_id = 7;
  open.answer.cdr.call_id = "crash@test";
  open.answer.cdr.answered_at_us = 1'000'000;
  open.answer.cdr.customer.account = "acme";
  open.answer.cdr.vendor.emplace().account = "v1";
  open.answer.cdr.attempts.emplace_back().vendor_gateway = "v1";
  open.answer.rating = call::encode(terms_of_both_sides());
  if (talk_time_ms)
    open.last_mark = cdr::MarkRecord{7, 1'000'000 + *talk_time_ms * 1000, *talk_time_ms, {}};
  return open;
}

}  // namespace

TEST_CASE("BillingTerms: what was encoded is decoded, every cut of it is refused") {
  const std::string bytes = call::encode(terms_of_both_sides());
  const auto decoded = call::decode_billing_terms(bytes);
  REQUIRE(decoded.ok());
  CHECK(decoded->customer == terms_of_both_sides().customer);
  CHECK(decoded->vendor == terms_of_both_sides().vendor);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_FALSE(call::decode_billing_terms(std::string_view(bytes).substr(0, length)).ok());
  }
}

TEST_CASE("BillingTerms: an agent's side is a third line (B-17)") {
  call::BillingTerms terms = terms_of_both_sides();
  terms.agent = terms.vendor;
  const std::string bytes = call::encode(terms);
  CHECK(call::decode_billing_terms(bytes)->agent == terms.agent);
  CHECK_FALSE(call::decode_billing_terms(bytes.substr(0, bytes.size() - 1)).ok());
  CHECK_FALSE(call::decode_billing_terms(bytes + "x\n").ok());
}

TEST_CASE("close_after_crash: the agent is billed too (B-17)") {
  cdr::OpenCall open = open_call(61'000);
  open.answer.cdr.agent.emplace().account = "agent";
  call::BillingTerms terms = terms_of_both_sides();
  terms.agent = terms.vendor;
  open.answer.rating = call::encode(terms);
  CHECK(call::close_after_crash(open)->cdr.agent->charge.to_string() == "0.305");
}

TEST_CASE("close_after_crash: each side gets what it had lent of its own packages (B-17, B-22)") {
  const auto amount = [](const char* text) { return Amount::parse(text).value(); };
  PackageLoan customer, agent;
  customer.parts.push_back({"o1", 1, -1, 1, 0, amount("0.20")});
  agent.parts.push_back({"o2", 2, 0, 1, 30, {}});
  agent.parts.push_back({"o2", 2, -1, 1, 0, amount("0.05")});
  for (const bool has_customer_loan : {true, false}) {
    CAPTURE(has_customer_loan);
    cdr::OpenCall open = open_call(61'000);
    open.answer.cdr.agent.emplace().account = "agent";
    call::BillingTerms terms = terms_of_both_sides();
    terms.agent = terms.vendor;  // 0.305 for 61 seconds by the second
    open.answer.rating = call::encode(terms);
    open.last_mark->charge = call::loans_text(has_customer_loan ? customer : PackageLoan(), agent);
    const auto record = call::close_after_crash(open);
    REQUIRE(record.ok());
    const Cdr& cdr = record->cdr;
    CHECK(cdr.customer.charge == amount(has_customer_loan ? "1.01" : "1.21"));
    CHECK(cdr.customer.package_charge == amount(has_customer_loan ? "0.20" : "0"));
    CHECK(cdr.agent->charge == amount("0.105"));  // 31 x 0.005 less 0.05
    CHECK(cdr.agent->package_time_s == 30);
    CHECK(cdr.agent->package_charge == amount("0.05"));
    CHECK(recompute_charge(cdr.agent->rate_terms, cdr.talk_time_ms, cdr.answered_at_us)->charge ==
          cdr.agent->charge);
    CHECK(record->packages.size() == (has_customer_loan ? 3U : 2U));
  }
  CHECK(call::loans_text({}, {}).empty());
}

TEST_CASE("close_after_crash: an order's id may have a semicolon (B-22)") {
  PackageLoan loan;
  loan.parts.push_back({"monthly/acme;eu", 1, -1, 1, 0, Amount::parse("0.20").value()});
  loan.parts.push_back({"o;1", 1, -1, 1, 0, Amount::parse("0.01").value()});
  cdr::OpenCall open = open_call(61'000);
  open.last_mark->charge = call::loans_text(loan, {});
  std::string unread;
  const auto record = call::close_after_crash(open, &unread);
  REQUIRE(record.ok());
  CHECK(unread.empty());
  CHECK(record->cdr.customer.package_charge.to_string() == "0.21");
  REQUIRE(record->packages.size() == 2);
  CHECK(record->packages[0].order == "monthly/acme;eu");
  CHECK(record->packages[1].order == "o;1");
}

TEST_CASE("close_after_crash: a loan that cannot be read is billed without packages (B-22)") {
  cdr::OpenCall open = open_call(61'000);
  open.last_mark->charge = "o1|1|\x01";
  std::string unread;
  const auto record = call::close_after_crash(open, &unread);
  REQUIRE(record.ok());
  CHECK(record->cdr.customer.charge.to_string() == "1.21");
  CHECK(record->cdr.customer.rate_terms == terms_of_both_sides().customer);
  CHECK(record->packages.empty());
  CHECK(unread == "what a call had lent of packages was written as \"o1|1|?\"");
}

TEST_CASE("close_after_crash: the call is billed up to its last mark, both sides, as ServerCrash") {
  const auto record = call::close_after_crash(open_call(61'000));
  REQUIRE(record.ok());
  const Cdr& cdr = record->cdr;
  CHECK(cdr.end_reason == Reason::ServerCrash);
  CHECK(cdr.end_code == -47);
  CHECK(cdr.talk_time_ms == 61'000);
  CHECK(cdr.ended_at_us == 62'000'000);
  // 0.01 connection fee, then 61 s in whole minutes: 2 * 0.60.
  CHECK(cdr.customer.charge.to_string() == "1.21");
  CHECK(cdr.customer.billed_time_s == 120);
  // 61 s at 0.30 a minute: 0.305.
  CHECK(cdr.vendor->charge.to_string() == "0.305");
  CHECK(cdr.customer.rate_terms == terms_of_both_sides().customer);
  CHECK(cdr.attempts.back().ended_at_us == cdr.ended_at_us);
}

TEST_CASE("close_after_crash: a call that had no mark yet has one record without charge") {
  const auto record = call::close_after_crash(open_call(std::nullopt));
  REQUIRE(record.ok());
  CHECK(record->cdr.talk_time_ms == 0);
  CHECK(record->cdr.customer.charge.is_zero());
  CHECK(record->cdr.ended_at_us == record->cdr.answered_at_us);
}

TEST_CASE("close_after_crash: damaged terms are an error, not a guess") {
  cdr::OpenCall open = open_call(1'000);
  open.answer.rating.resize(10);
  const auto record = call::close_after_crash(open);
  REQUIRE_FALSE(record.ok());
  CHECK(record.error().code == ErrorCode::corrupt);
}
