#include "call/billing_record.hpp"

#include <utility>

#include "tandem/charge_terms.hpp"

namespace tandem::call {

namespace {

// Ends each of the two lines, so that a cut text is noticed.
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

}  // namespace

std::string encode(const BillingTerms& terms) {
  return terms.customer + line_end + terms.vendor + line_end;
}

Result<BillingTerms> decode_billing_terms(std::string_view bytes) {
  const std::size_t end = bytes.find(line_end);
  if (end == std::string_view::npos || bytes.find(line_end, end + 1) != bytes.size() - 1 ||
      end == bytes.size() - 1) {
    return Error{ErrorCode::corrupt, "billing terms were no two lines"};
  }
  BillingTerms terms;
  terms.customer = bytes.substr(0, end);
  terms.vendor = bytes.substr(end + 1, bytes.size() - end - 2);
  return terms;
}

Result<cdr::EndRecord> close_after_crash(const cdr::OpenCall& open) {
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
  if (auto done = charge(cdr.customer, std::move(terms->customer), cdr); !done) return done.error();
  if (cdr.vendor) {
    if (auto done = charge(*cdr.vendor, std::move(terms->vendor), cdr); !done) return done.error();
  }
  return record;
}

}  // namespace tandem::call
