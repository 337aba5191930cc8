#include "switch/past_calls.hpp"

#include <algorithm>
#include <utility>

#include "switch/deck_of.hpp"
#include "tandem/charge_terms.hpp"

namespace tandem {
namespace {

constexpr std::size_t page_records = 100'000;

/// Gifts of packages stood for a part of the call: a deck alone does not say what it cost.
bool has_packages(const ChargeFacts& side) noexcept {
  return side.package_time_s != 0 || !side.package_charge.is_zero() || side.rate_deck == "package";
}

}  // namespace

bool is_settled(const Cdr& cdr, CallSide side, const ChargeFacts& facts) {
  if (!facts.rate_terms.empty()) return false;
  if (!facts.charge.is_zero() || cdr.call_id == "external" || cdr.call_id.starts_with("external/"))
    return true;
  if (!cdr.original) return false;
  switch (side) {
    case CallSide::customer:
      return !(cdr.original->customer == facts);
    case CallSide::vendor:
      return cdr.original->vendor && !(*cdr.original->vendor == facts);
    case CallSide::agent:
      return cdr.original->agent && !(*cdr.original->agent == facts);
  }
  return false;
}

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

Result<std::shared_ptr<const PastTerms>> PastTerms::of(const SwitchConfig& config) {
  auto free_numbers = FreeNumbers::from_list(config.parameters.free_numbers);
  if (!free_numbers) return std::move(free_numbers).error();
  auto terms = std::make_shared<PastTerms>();
  terms->free_numbers = std::move(*free_numbers);
  for (const AccountConfig& account : config.provision.accounts)
    terms->taxes[account.id] = account.tax_percent;
  for (const VendorGateway& vendor : config.provision.vendor_gateways)
    if (vendor.clearing_account_use_callout_e164) terms->callouts.insert(vendor.id);
  return std::shared_ptr<const PastTerms>(std::move(terms));
}

Result<PastCalls> PastCalls::create(const SwitchConfig& config, const std::string& deck_id,
                                    std::shared_ptr<const PastTerms> terms) {
  auto deck = deck_of(config, deck_id);
  if (!deck) return std::move(deck).error();
  if (terms == nullptr) {
    auto made = PastTerms::of(config);
    if (!made) return std::move(made).error();
    terms = std::move(*made);
  }
  PastCalls calls(Rerater(std::move(*deck), config.parameters.fees, terms->free_numbers));
  calls.terms_ = std::move(terms);
  calls.prefixes_ = config.parameters.gateway_route_prefix;
  calls.billing_prefixes_ = BillingPrefixes(calls.prefixes_, calls.rerater_.deck());
  for (const std::string& prefix : calls.prefixes_.prefixes) {
    if (BillingPrefixes({{prefix}, 0}, calls.rerater_.deck()).empty())
      calls.priced_prefixes_.push_back(prefix);
  }
  calls.rules_ = config.parameters.fees;
  return calls;
}

/// What the deck would be asked for if the call were made today (B-14, B-16). Records have the
/// callee without the route prefix that the customer's deck did not price; nothing: this deck may
/// price what was taken off.
std::optional<std::string_view> PastCalls::number_of(const Cdr& cdr, CallSide side) const {
  const auto rated = [this](std::string_view number) {
    return number.substr(billing_prefixes_.length_in(number));
  };
  if (side == CallSide::vendor && cdr.vendor_gateway &&
      terms_->callouts.contains(*cdr.vendor_gateway))
    return rated(cdr.callee_out);
  const std::string_view callee = cdr.callee;
  if (cdr.callee_in == callee) return rated(callee);  // nothing was taken off
  if (prefixes_.characters != 0) return callee;       // taken off for every deck
  if (billing_prefixes_.length_in(callee) != 0) return rated(callee);
  const bool is_whole =
      std::any_of(priced_prefixes_.begin(), priced_prefixes_.end(),
                  [callee](const std::string& prefix) { return callee.starts_with(prefix); });
  if (is_whole || priced_prefixes_.empty()) return callee;
  return std::nullopt;
}

PastCalls::Question PastCalls::question_of(const Cdr& cdr, CallSide side) const {
  const ChargeFacts& facts = *side_of(cdr, side);
  const auto number = number_of(cdr, side);
  const auto tax = terms_->taxes.find(facts.account);
  Question question;
  question.call = {facts.account,
                   number.value_or(cdr.callee),
                   cdr.started_at_us,
                   cdr.answered_at_us,
                   cdr.talk_time_ms,
                   facts.charge,
                   tax != terms_->taxes.end() ? tax->second : Amount{}};
  if (!number) question.obstacle = "may have lost a prefix that the deck prices";
  if (has_packages(facts)) question.obstacle = "was paid of packages";
  if (facts.rate_terms.empty()) return question;
  const auto terms = parse_charge_terms(facts.rate_terms);
  if (!terms) {
    question.obstacle = "has terms that could not be read";
  } else if (terms->is_free_number) {
    question.obstacle = "was free by rule";
  } else if (terms->charged_s != 0) {  // the rest was never promised to be paid (B-11)
    question.charged_s = terms->charged_s;
    question.call.talk_time_ms = std::min(cdr.talk_time_ms, terms->charged_s * 1'000);
  }
  return question;
}

Result<void> PastCalls::walk(const RerateQuery& query, const Fetch& fetch, const CanPay& can_pay,
                             const OnChanged& on_changed, const OnPage& on_page) {
  const CallSide side = query.is_vendor ? CallSide::vendor : CallSide::customer;
  for (;;) {
    const auto cdrs = fetch(page_records);
    if (!cdrs) return cdrs.error();
    if (on_page) {
      if (auto done = on_page(cdrs->size()); !done) return done;
    }
    std::vector<RerateCall> calls;
    std::vector<const Cdr*> records;  // of `calls`
    for (const Cdr& cdr : *cdrs) {
      const ChargeFacts* const facts = side_of(cdr, side);
      if (cdr.answered_at_us == 0 || facts == nullptr || facts->account.empty()) continue;
      if (facts->currency != rerater_.deck().currency()) continue;
      if (!query.account.empty() && facts->account != query.account) continue;
      const Question question = question_of(cdr, side);
      if (question.obstacle != nullptr ||
          (!query.includes_settled && is_settled(cdr, side, *facts)) ||
          (can_pay && !can_pay(*facts))) {
        if (auto left = rerater_.leave_out(question.call); !left) return left;
        continue;
      }
      calls.push_back(question.call);
      if (on_changed) records.push_back(&cdr);
    }
    if (on_changed) {
      if (auto done = tell_changed(calls, records, on_changed); !done) return done;
    }
    if (auto added = rerater_.add(calls); !added) return added;
    if (cdrs->size() < page_records) return {};
  }
}

/// Takes out of `calls`, which are those of `records`, what `on_changed` leaves out.
Result<void> PastCalls::tell_changed(std::vector<RerateCall>& calls,
                                     const std::vector<const Cdr*>& records,
                                     const OnChanged& on_changed) {
  std::vector<RerateOutcome> outcomes(calls.size());
  rerater_.rate(calls, outcomes);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (outcomes[i].reason == Reason::none && outcomes[i].charge.charge != calls[i].charge) {
      const auto taken = on_changed(*records[i]);
      if (!taken) return taken.error();
      if (*taken == Taken::left_out) {
        if (auto left = rerater_.leave_out(calls[i]); !left) return left;
        continue;
      }
    }
    calls[kept++] = calls[i];
  }
  calls.resize(kept);
  return {};
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
  const Question question = question_of(cdr, side);
  if (question.obstacle != nullptr) return refused(question.obstacle);
  const RerateCall& call = question.call;
  RerateOutcome outcome;
  rerater_.rate({&call, 1}, {&outcome, 1});
  if (outcome.reason != Reason::none)
    return refused(std::string("could not be rated: ") + reason_facts(outcome.reason).name);
  facts.charge = outcome.charge.charge;
  facts.billed_time_s = outcome.charge.billed_time_s;
  facts.rate_deck = deck.id();
  ChargeTerms terms;
  terms.is_free_number = terms_->free_numbers.contains(call.callee);
  facts.rate_prefix.clear();
  if (!terms.is_free_number) {
    const RateMatch match = deck.find(call.callee, call.started_at_us);
    facts.rate_prefix = match.rate->prefix;
    terms.rate = *match.rate;
    terms.rules = rules_;
    terms.rules.tax_percent = call.tax_percent;
    terms.schedule = deck.schedule();
    terms.charged_s = question.charged_s;
  }
  facts.rate_terms = to_text(terms, cdr.answered_at_us, cdr.ended_at_us);
  return facts;
}

}  // namespace tandem
