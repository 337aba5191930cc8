// Records with everything that filters and reports look at, and the plainest way to judge them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "sample_cdr.hpp"
#include "tandem/cdr_query.hpp"
#include "tandem/clock.hpp"

namespace tandem::cdr::test {

template <class Value, std::size_t Count>
const Value& any_of(Random& random, const std::array<Value, Count>& values) {
  return values[random.below(Count)];
}

/// A call within three days, by one of a few gateways to one of a few areas.
inline Cdr varied_cdr(std::uint64_t record_id, Random& random) {
  constexpr std::int64_t second_us = 1'000'000;
  static const std::array<std::string, 6> numbers = {"4420",  "44201", "4419",
                                                     "%4420", "1212",  "44\xFF"};
  static const std::array<std::string, 3> vendors = {"v1", "v2", "v 3:;"};
  static const std::array<std::string, 4> prefixes = {"44", "4420", "1", ""};
  static const std::array<std::string, 3> decks = {"retail", "wholesale", ""};
  static const std::array<std::string, 2> currencies = {"EUR", "USD"};
  static const std::array<Reason, 6> failures = {Reason::CalleeBusy,     Reason::NoAnswer,
                                                 Reason::CalleeDeclined, Reason::VendorFailure,
                                                 Reason::CallerCancel,   Reason::NoAvailableRouter};
  Cdr cdr;
  cdr.record_id = record_id;
  cdr.call_id = "call-" + std::to_string(random.below(50));
  if (random.below(8) != 0) {
    cdr.customer_gateway = random.below(6) == 0 ? "phone:" + std::to_string(100 + random.below(3))
                                                : "cust-" + std::to_string(random.below(3));
  }
  cdr.caller_in = any_of(random, numbers);
  cdr.caller = random.below(2) == 0 ? cdr.caller_in : any_of(random, numbers);
  cdr.caller_out = random.below(2) == 0 ? cdr.caller : any_of(random, numbers);
  cdr.callee_in = any_of(random, numbers);
  cdr.callee = random.below(2) == 0 ? cdr.callee_in : any_of(random, numbers);
  cdr.callee_out = random.below(2) == 0 ? cdr.callee : any_of(random, numbers);
  cdr.started_at_us = noon_us + static_cast<std::int64_t>(random.below(3 * 86'400)) * second_us +
                      static_cast<std::int64_t>(random.below(1'000'000));
  const bool is_answered = random.below(2) == 0;
  cdr.pdd_ms =
      is_answered || random.below(2) == 0 ? static_cast<std::int64_t>(random.below(4'000)) : -1;
  std::int64_t at_us = cdr.started_at_us;
  const std::uint64_t tries = is_answered ? 1 + random.below(3) : random.below(4);
  for (std::uint64_t i = 0; i < tries; ++i) {
    Attempt attempt;
    attempt.vendor_gateway = any_of(random, vendors);
    attempt.started_at_us = at_us;
    at_us += static_cast<std::int64_t>(random.below(3'000'000));
    attempt.ended_at_us = at_us;
    const bool is_last = i + 1 == tries;
    attempt.sip_status = is_answered && is_last ? 200 : random.below(3) == 0 ? 0 : 486;
    attempt.reason = is_answered && is_last ? Reason::NormalCallClearing : any_of(random, failures);
    cdr.vendor_gateway = attempt.vendor_gateway;
    cdr.attempts.push_back(std::move(attempt));
  }
  if (random.below(10) != 0) {
    cdr.customer.account = random.below(2) == 0 ? "acme" : "beta";
    cdr.customer.currency = any_of(random, currencies);
  }
  cdr.customer.rate_deck = any_of(random, decks);
  cdr.customer.rate_prefix = any_of(random, prefixes);
  cdr.call_level = any_of(random, std::array{CallLevel::none, CallLevel::none, CallLevel::internal,
                                             CallLevel::domestic});
  if (tries > 0 && random.below(4) != 0) {
    cdr.vendor.emplace();
    cdr.vendor->account = "clearing-" + std::to_string(random.below(2));
    cdr.vendor->currency = any_of(random, currencies);
  }
  if (random.below(5) == 0) cdr.agent.emplace().account = "agent";
  cdr.end_reason = any_of(random, failures);
  cdr.ended_at_us = at_us + static_cast<std::int64_t>(random.below(2)) * second_us;
  if (is_answered) {
    cdr.answered_at_us = at_us;
    cdr.talk_time_ms = static_cast<std::int64_t>(random.below(30) * 30'000 + random.below(3));
    cdr.ended_at_us = at_us + cdr.talk_time_ms * 1'000;
    cdr.end_reason = random.below(3) == 0 ? Reason::MaxDuration : Reason::NormalCallClearing;
    cdr.customer.billed_time_s = cdr.talk_time_ms / 1'000;
    if (random.below(3) != 0)
      cdr.customer.charge =
          Amount::from_units(static_cast<std::int64_t>(random.below(1'000'000'000)));
    if (random.below(4) == 0) {
      cdr.customer.package_charge =
          Amount::from_units(static_cast<std::int64_t>(random.below(9'000)));
      cdr.customer.package_time_s = 60;
    }
    if (cdr.vendor)
      cdr.vendor->charge = Amount::from_units(static_cast<std::int64_t>(random.below(900'000'000)));
  }
  cdr.sip_status = is_answered ? 200 : 486;
  cdr.release_side =
      any_of(random, std::array{ReleaseSide::caller, ReleaseSide::callee, ReleaseSide::server});
  return cdr;
}

/// Whether a filter wants a record, member by member.
inline bool wants(const CdrFilter& f, const Cdr& c) {
  const auto number = [](const std::string& wanted, const std::string& is) {
    if (wanted.ends_with('*')) return is.starts_with(wanted.substr(0, wanted.size() - 1));
    return is == wanted;
  };
  const auto view = [&](const std::string& wanted, const std::string& is) {
    return wanted.empty() || number(wanted, is);
  };
  const auto text = [](const std::string& wanted, const std::string& is) {
    return wanted.empty() || wanted == is;
  };
  return (!f.since_us || c.ended_at_us >= *f.since_us) &&
         (!f.until_us || c.ended_at_us < *f.until_us) &&
         (f.caller.empty() || number(f.caller, c.caller_in) || number(f.caller, c.caller) ||
          number(f.caller, c.caller_out)) &&
         (f.callee.empty() || number(f.callee, c.callee_in) || number(f.callee, c.callee) ||
          number(f.callee, c.callee_out)) &&
         view(f.caller_in, c.caller_in) && view(f.caller_billing, c.caller) &&
         view(f.caller_out, c.caller_out) && view(f.callee_in, c.callee_in) &&
         view(f.callee_billing, c.callee) && view(f.callee_out, c.callee_out) &&
         text(f.account, c.customer.account) &&
         text(f.vendor_account, c.vendor ? c.vendor->account : "") &&
         text(f.agent_account, c.agent ? c.agent->account : "") &&
         text(f.customer_gateway, c.customer_gateway.value_or("")) &&
         text(f.vendor_gateway, c.vendor_gateway.value_or("")) && text(f.call_id, c.call_id) &&
         text(f.rate_prefix, c.customer.rate_prefix) &&
         text(f.reason, reason_facts(c.end_reason).name) &&
         (!f.sip_status || *f.sip_status == c.sip_status) &&
         (!f.release_side || *f.release_side == c.release_side) &&
         (!f.is_answered || *f.is_answered == (c.answered_at_us != 0)) &&
         (!f.is_free ||
          *f.is_free == (c.customer.charge.is_zero() && c.customer.package_charge.is_zero())) &&
         (!f.talk_min_ms || c.talk_time_ms >= *f.talk_min_ms) &&
         (!f.talk_max_ms || c.talk_time_ms <= *f.talk_max_ms);
}

/// A filter that some of `all` pass: each member is set now and then, as one of the records has it.
inline CdrFilter some_filter(const std::vector<Cdr>& all, Random& random, std::uint64_t rareness) {
  static const std::array<std::string, 7> numbers = {"4420", "4420*", "44*", "*",
                                                     "7",    "%44*",  "1212"};
  CdrFilter f;
  const Cdr& c = all[random.below(all.size())];
  const auto now = [&] { return random.below(rareness) == 0; };
  if (now()) f.since_us = all[random.below(all.size())].ended_at_us;
  if (now()) f.until_us = all[random.below(all.size())].ended_at_us;
  for (std::string* member : {&f.caller, &f.callee, &f.caller_in, &f.caller_billing, &f.caller_out,
                              &f.callee_in, &f.callee_billing, &f.callee_out}) {
    if (now()) *member = any_of(random, numbers);
  }
  if (now()) f.account = c.customer.account;
  if (now() && c.vendor) f.vendor_account = c.vendor->account;
  if (now() && c.agent) f.agent_account = c.agent->account;
  if (now()) f.customer_gateway = c.customer_gateway.value_or("");
  if (now()) f.vendor_gateway = c.vendor_gateway.value_or("");
  if (now()) f.call_id = c.call_id;
  if (now()) f.rate_prefix = c.customer.rate_prefix;
  if (now() && c.end_reason != Reason::none) f.reason = reason_facts(c.end_reason).name;
  if (now()) f.sip_status = c.sip_status;
  if (now()) f.release_side = c.release_side;
  if (now()) f.is_answered = c.answered_at_us != 0;
  if (now()) f.is_free = random.below(2) == 0;
  if (now()) f.talk_min_ms = c.talk_time_ms;
  if (now()) f.talk_max_ms = c.talk_time_ms;
  return f;
}

}  // namespace tandem::cdr::test
