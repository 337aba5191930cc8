#include "switch/past_calls.hpp"

#include <algorithm>
#include <utility>

#include "switch/deck_of.hpp"
#include "tandem/charge_terms.hpp"

namespace tandem {
namespace {

/// Gifts of packages stood for a part of the call: a deck alone does not say what it cost.
bool has_packages(const ChargeFacts& side) noexcept {
  return side.package_time_s != 0 || !side.package_charge.is_zero() || side.rate_deck == "package";
}

}  // namespace

const ChargeFacts* side_of(const Cdr& cdr, CallSide side) noexcept {
  switch (side) {
    case CallSide::customer:
      return cdr.customer.account.empty() ? nullptr : &cdr.customer;
    case CallSide::vendor:
      return cdr.vendor ? &*cdr.vendor : nullptr;
    case CallSide::agent:
      return cdr.agent ? &*cdr.agent : nullptr;
  }
  return nullptr;
}

Result<PastCalls> PastCalls::create(const SwitchConfig& config, const std::string& deck_id) {
  auto deck = deck_of(config, deck_id);
  if (!deck) return std::move(deck).error();
  auto free_numbers = FreeNumbers::from_list(config.parameters.free_numbers);
  if (!free_numbers) return std::move(free_numbers).error();
  PastCalls calls(Rerater(std::move(*deck), config.parameters.fees, *free_numbers));
  calls.rules_ = config.parameters.fees;
  calls.free_numbers_ = std::move(*free_numbers);
  for (const AccountConfig& account : config.provision.accounts)
    calls.taxes_[account.id] = account.tax_percent;
  for (const VendorGateway& vendor : config.provision.vendor_gateways)
    if (vendor.clearing_account_use_callout_e164) calls.callouts_.insert(vendor.id);
  return calls;
}

RerateCall PastCalls::call_of(const Cdr& cdr, CallSide side) const {
  const ChargeFacts& facts = *side_of(cdr, side);
  const bool is_callout = side == CallSide::vendor && cdr.vendor_gateway &&
                          callouts_.contains(*cdr.vendor_gateway);  // B-16
  const auto tax = taxes_.find(facts.account);
  return {facts.account,
          is_callout ? cdr.callee_out : cdr.callee,
          cdr.started_at_us,
          cdr.answered_at_us,
          cdr.talk_time_ms,
          facts.charge,
          tax != taxes_.end() ? tax->second : Amount{}};
}

Result<void> PastCalls::walk(const RerateQuery& query, const Fetch& fetch,
                             const OnChanged& on_changed) {
  const CallSide side = query.is_vendor ? CallSide::vendor : CallSide::customer;
  CdrQuery page;
  page.since_us = query.since_us;
  page.until_us = query.until_us;
  page.limit = 100'000;
  for (;;) {
    const auto cdrs = fetch(page);
    if (!cdrs) return cdrs.error();
    std::vector<RerateCall> calls;
    std::vector<const Cdr*> records;  // of `calls`
    for (const Cdr& cdr : *cdrs) {
      const ChargeFacts* const facts = side_of(cdr, side);
      if (cdr.answered_at_us == 0 || facts == nullptr || facts->account.empty()) continue;
      if (facts->currency != rerater_.deck().currency()) continue;
      if (!query.account.empty() && facts->account != query.account) continue;
      const RerateCall call = call_of(cdr, side);
      if (has_packages(*facts)) {
        if (auto left = rerater_.leave_out(call); !left) return left;
        continue;
      }
      calls.push_back(call);
      if (on_changed) records.push_back(&cdr);
    }
    if (auto added = rerater_.add(calls); !added) return added;
    if (on_changed) {
      std::vector<RerateOutcome> outcomes(calls.size());
      rerater_.rate(calls, outcomes);
      for (std::size_t i = 0; i < calls.size(); ++i) {
        if (outcomes[i].reason != Reason::none || outcomes[i].charge.charge == calls[i].charge)
          continue;
        if (auto done = on_changed(*records[i]); !done) return done;
      }
    }
    if (cdrs->size() < page.limit) return {};
    page.before_record_id = cdrs->back().record_id;
  }
}

Result<ChargeFacts> PastCalls::rated(const Cdr& cdr, CallSide side) const {
  ChargeFacts facts = *side_of(cdr, side);
  const auto refused = [&](const std::string& why) {
    return Error{ErrorCode::invalid_argument, std::string(call_side_name(side)) + " of record " +
                                                  std::to_string(cdr.record_id) + ' ' + why};
  };
  const RateDeck& deck = rerater_.deck();
  if (facts.currency != deck.currency())
    return refused("was in " + facts.currency + ", deck \"" + deck.id() + "\" in " +
                   deck.currency());
  if (has_packages(facts)) return refused("was paid of packages");
  const RerateCall call = call_of(cdr, side);
  RerateOutcome outcome;
  rerater_.rate({&call, 1}, {&outcome, 1});
  if (outcome.reason != Reason::none)
    return refused(std::string("could not be rated: ") + reason_facts(outcome.reason).name);
  facts.charge = outcome.charge.charge;
  facts.billed_time_s = outcome.charge.billed_time_s;
  facts.rate_deck = deck.id();
  ChargeTerms terms;
  terms.is_free_number = free_numbers_.contains(call.callee);
  facts.rate_prefix.clear();
  if (!terms.is_free_number) {
    const RateMatch match = deck.find(call.callee, call.started_at_us);
    facts.rate_prefix = match.rate->prefix;
    terms.rate = *match.rate;
    terms.rules = rules_;
    terms.rules.tax_percent = call.tax_percent;
    terms.schedule = deck.schedule();
  }
  facts.rate_terms = to_text(terms, cdr.answered_at_us, cdr.ended_at_us);
  return facts;
}

}  // namespace tandem
