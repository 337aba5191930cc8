#include "call/billing_record.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "rating/formula.hpp"
#include "tandem/charge_terms.hpp"

namespace tandem::call {

namespace {

// Ends each line, so that a cut text is noticed.
constexpr char line_end = '\n';

Result<void> charge(ChargeFacts& side, std::string terms, const Cdr& cdr) {
  if (terms.empty()) return {};
  auto charge = recompute_charge(terms, cdr.talk_time_ms, cdr.answered_at_us);
  if (!charge) {
    const Error& error = charge.error();
    return Error{error.code == ErrorCode::limit ? error.code : ErrorCode::corrupt, error.message};
  }
  side.charge = charge->charge;
  side.billed_time_s = charge->billed_time_s;
  side.rate_terms = std::move(terms);
  return {};
}

/// A side of a call that had lent of packages. Returns what it takes of them.
Result<std::vector<PackageUse::Part>> charge_with_packages(ChargeFacts& side, std::string_view text,
                                                           const PackageLoan& loan,
                                                           const Cdr& cdr) {
  if (text.empty()) return std::vector<PackageUse::Part>();
  auto terms = parse_charge_terms(text);
  if (!terms) return Error{ErrorCode::corrupt, terms.error().message};
  PackagedCharge paid;
  if (!terms->is_free_number) {
    auto rated = rate_with_packages(terms->rate, cdr.talk_time_ms, terms->rules, loan,
                                    {cdr.answered_at_us, terms->schedule, terms->overlays});
    if (!rated) return rated.error();
    paid = std::move(*rated);
  }
  terms->package_s = paid.use.covered_s;
  terms->package_money = paid.use.money;
  side.charge = paid.charge.charge;
  side.billed_time_s = paid.charge.billed_time_s;
  side.package_charge = paid.use.money;
  side.package_time_s = paid.use.time_s;
  side.rate_terms = to_text(*terms, cdr.answered_at_us, cdr.ended_at_us);
  if (!terms->is_free_number &&
      rating::is_overlaid(terms->rate, billable_seconds(cdr.talk_time_ms, terms->rules),
                          terms->rules, {cdr.answered_at_us, terms->schedule, terms->overlays}))
    side.rate_deck = package_deck;
  std::vector<PackageUse::Part>& parts = paid.use.parts;
  for (const PackageLoan::Part& lent : loan.parts) {  // the periods that count the spend
    if (lent.gift >= 0 || side.charge.is_zero()) continue;
    const auto same = std::find_if(parts.begin(), parts.end(), [&](const auto& part) {
      return part.gift < 0 && part.order == lent.order &&
             part.period_start_us == lent.period_start_us;
    });
    if (same != parts.end()) {
      same->spend = side.charge;
    } else {
      parts.push_back({lent.order, lent.period_start_us, -1, 0, {}, side.charge});
    }
  }
  return std::move(parts);
}

/// A call counts what it was charged, and the seconds that this is the charge of.
void count(LimitUse& use, const ChargeFacts& side, std::int64_t talk_time_ms) {
  const auto terms = parse_charge_terms(side.rate_terms);
  use.charge = side.charge;
  use.talk_s = billable_seconds(talk_time_ms, terms ? terms->rules : FeeRules());
  use.calls = 1;
}

/// Charges a side by its terms, and by what it had lent, if anything; `parts` gets what it takes.
/// A loan that cannot be read is none: one call's text may not keep the whole switch down.
Result<void> charge_side(ChargeFacts& side, std::string terms, std::string_view loan_text,
                         const Cdr& cdr, std::vector<PackageUse::Part>& parts,
                         std::string* unread_loan) {
  if (loan_text.empty()) return charge(side, std::move(terms), cdr);
  const auto loan = parse_package_loan(loan_text);
  if (!loan) {
    if (unread_loan != nullptr) *unread_loan = loan.error().message;
    return charge(side, std::move(terms), cdr);
  }
  auto taken = charge_with_packages(side, terms, *loan, cdr);
  if (!taken) return taken.error();
  parts.insert(parts.end(), std::make_move_iterator(taken->begin()),
               std::make_move_iterator(taken->end()));
  return {};
}

}  // namespace

std::string loans_text(const PackageLoan& customer, const PackageLoan& agent) {
  std::string text = to_text(customer);
  if (const std::string of_agent = to_text(agent); !of_agent.empty()) text += line_end + of_agent;
  return text;
}

std::string encode(const BillingTerms& terms) {
  std::string bytes = terms.customer + line_end + terms.vendor + line_end;
  if (!terms.agent.empty() || !terms.limits.empty()) bytes += terms.agent + line_end;
  if (!terms.limits.empty()) bytes += cdr::encode(terms.limits);
  return bytes;
}

Result<BillingTerms> decode_billing_terms(std::string_view bytes) {
  BillingTerms terms;
  std::string* const sides[] = {&terms.customer, &terms.vendor, &terms.agent};
  std::size_t lines = 0;
  while (lines < std::size(sides) && !bytes.empty()) {
    const std::size_t end = bytes.find(line_end);
    if (end == std::string_view::npos) break;
    *sides[lines++] = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
  }
  if (lines < 2 || (lines < std::size(sides) && !bytes.empty()))
    return Error{ErrorCode::corrupt, "billing terms were neither two nor three lines"};
  if (bytes.empty()) return terms;
  auto limits = cdr::decode_limits(bytes);
  if (!limits) return limits.error();
  terms.limits = std::move(*limits);
  return terms;
}

Result<cdr::EndRecord> close_after_crash(const cdr::OpenCall& open, std::string* unread_loan) {
  auto terms = decode_billing_terms(open.answer.rating);
  if (!terms) return terms.error();
  cdr::EndRecord record{open.answer.call_id, open.answer.cdr};
  Cdr& cdr = record.cdr;
  cdr.talk_time_ms = open.last_mark ? open.last_mark->talk_time_ms : 0;
  cdr.ended_at_us = open.last_mark ? open.last_mark->at_us : cdr.answered_at_us;
  cdr.end_reason = Reason::ServerCrash;
  cdr.end_code = static_cast<int>(Reason::ServerCrash);
  cdr.q850_cause = reason_facts(Reason::ServerCrash).q850_cause;
  cdr.release_side = ReleaseSide::server;
  cdr.sip_status = 200;
  if (!cdr.attempts.empty()) cdr.attempts.back().ended_at_us = cdr.ended_at_us;
  const std::string_view loans =
      open.last_mark ? std::string_view(open.last_mark->charge) : std::string_view();
  const std::size_t end = std::min(loans.find(line_end), loans.size());
  if (auto done = charge_side(cdr.customer, std::move(terms->customer), loans.substr(0, end), cdr,
                              record.packages, unread_loan);
      !done)
    return done.error();
  if (cdr.vendor) {
    if (auto done = charge(*cdr.vendor, std::move(terms->vendor), cdr); !done) return done.error();
  }
  if (cdr.agent) {
    const std::string_view loan = loans.substr(std::min(end + 1, loans.size()));
    if (auto done = charge_side(*cdr.agent, std::move(terms->agent), loan, cdr, record.packages,
                                unread_loan);
        !done)
      return done.error();
  }
  for (LimitUse& use : terms->limits) {
    const bool is_agents = cdr.agent && use.account == cdr.agent->account;
    count(use, is_agents ? *cdr.agent : cdr.customer, cdr.talk_time_ms);
    record.limits.push_back(std::move(use));
  }
  return record;
}

}  // namespace tandem::call
