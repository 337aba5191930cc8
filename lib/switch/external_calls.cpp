#include "switch/external_calls.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text_table.hpp"
#include "switch/body.hpp"
#include "switch/past_rates.hpp"

namespace tandem {
namespace {

constexpr std::int64_t durable_wait_ms = 5'000;
// The ledger lags by so many only when it fails.
constexpr std::size_t waiting_max = 100'000;
constexpr std::int64_t talk_ms_max = 1'000 * rated_time_max_s;
// No call of a worker has this number, so that the record ends none.
constexpr std::uint64_t no_call_id = UINT64_MAX;
constexpr std::array all_sides = {CallSide::customer, CallSide::vendor, CallSide::agent};

/// One line, whatever the other system sent.
Error refused(const std::string& message) {
  return {ErrorCode::invalid_argument, printable_text(message)};
}

template <class List>
auto find_by_id(const List& list, const std::string& id) -> decltype(list.data()) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.id == id; });
  return found == list.end() ? nullptr : &*found;
}

ChargeFacts facts_of(const AccountConfig& account) {
  ChargeFacts facts;
  facts.account = account.id;
  facts.currency = account.currency;
  facts.rate_deck = account.rate_deck;
  return facts;
}

/// Who pays for the call; "": nobody, of a call that no customer's gateway brought.
Result<std::string> payer_of(const ExternalCall& call, const PastRates& rates) {
  if (!call.account.empty() || call.customer_gateway.empty()) return call.account;
  const CustomerGateway* const gateway =
      find_by_id(rates.objects().provision.customer_gateways, call.customer_gateway);
  if (gateway == nullptr) return refused("no customer gateway \"" + call.customer_gateway + "\"");
  if (gateway->bills_phones) {
    if (const auto of_phone = rates.phone_account(call.caller); !of_phone.empty())
      return std::string(of_phone);
  }
  if (gateway->uses_bound_numbers) {
    if (const auto bound = rates.bound_account(call.caller); !bound.empty())
      return std::string(bound);
  }
  if (!gateway->account.empty()) return gateway->account;
  return refused("nobody pays: customer gateway \"" + gateway->id + "\" has no account" +
                 (gateway->uses_bound_numbers
                      ? ", and caller \"" + call.caller + "\" is bound to none"
                      : std::string()));
}

/// The record with its sides, not yet charged.
Result<Cdr> draft(const ExternalCall& call, const PastRates& rates) {
  const Provision& objects = rates.objects().provision;
  Cdr cdr;
  cdr.call_id = call.flow_number.empty() ? "external" : "external/" + call.flow_number;
  cdr.caller_in = cdr.caller = cdr.caller_out = call.caller;
  cdr.callee_in = cdr.callee = cdr.callee_out = call.callee;
  cdr.started_at_us = call.started_at_us;
  cdr.answered_at_us = call.answered_at_us;
  cdr.ended_at_us = call.ended_at_us;
  if (call.answered_at_us != 0)
    cdr.talk_time_ms = call.talk_time_ms.value_or((call.ended_at_us - call.answered_at_us) / 1'000);
  cdr.end_reason = call.end_reason;
  cdr.end_code = static_cast<int>(call.end_reason);
  cdr.sip_status = call.sip_status;
  cdr.q850_cause = reason_facts(call.end_reason).q850_cause;

  cdr.customer_gateway = call.customer_gateway;
  const auto payer = payer_of(call, rates);
  if (!payer) return payer.error();
  if (!payer->empty()) {
    const AccountConfig* const account = find_by_id(objects.accounts, *payer);
    if (account == nullptr || account->kind == AccountKind::clearing)
      return refused("no account \"" + *payer + "\" that could pay");
    cdr.customer = facts_of(*account);
    if (const AccountConfig* const agent = find_by_id(objects.accounts, account->agent);
        agent != nullptr)
      cdr.agent = facts_of(*agent);
  }
  if (!call.vendor_gateway.empty()) {
    cdr.vendor_gateway = call.vendor_gateway;
    const VendorGateway* const gateway = find_by_id(objects.vendor_gateways, call.vendor_gateway);
    if (gateway == nullptr) return refused("no vendor gateway \"" + call.vendor_gateway + "\"");
    Attempt& attempt = cdr.attempts.emplace_back();
    attempt.vendor_gateway = call.vendor_gateway;
    attempt.sip_status = call.answered_at_us != 0 ? 200 : call.sip_status;
    attempt.q850_cause = cdr.q850_cause;
    attempt.reason = call.end_reason;
    attempt.started_at_us = call.started_at_us;
    attempt.ended_at_us = call.ended_at_us;
    attempt.caller_out = call.caller;
    attempt.callee_out = call.callee;
    if (const AccountConfig* const account = find_by_id(objects.accounts, gateway->account);
        account != nullptr)
      cdr.vendor = facts_of(*account);
  }
  return cdr;
}

Result<void> charge_side(Cdr& cdr, CallSide side, ChargeFacts& facts,
                         const std::optional<Amount>& given, const PastRates& rates) {
  const std::string deck = std::exchange(facts.rate_deck, {});
  if (cdr.answered_at_us == 0) return {};
  if (given) {
    facts.charge = *given;
    facts.billed_time_s = billable_seconds(cdr.talk_time_ms, rates.objects().parameters.fees);
    return {};
  }
  if (deck.empty())  // an account without a tariff: of a vendor it is owed nothing
    return side == CallSide::vendor ? Result<void>()
                                    : refused("account \"" + facts.account +
                                              "\" has no rate_deck, and no charge is given");
  auto rated = rates.rated(cdr, side, deck);
  if (!rated) return std::move(rated).error();
  facts = std::move(*rated);
  return {};
}

Result<Cdr> charged(const ExternalCall& call, const PastRates& rates) {
  auto cdr = draft(call, rates);
  if (!cdr) return cdr;
  if (!cdr->customer.account.empty()) {
    if (auto done = charge_side(*cdr, CallSide::customer, cdr->customer, call.charge, rates); !done)
      return std::move(done).error();
  } else if (call.charge) {
    return refused("charge was given, but nobody pays");
  }
  if (cdr->vendor) {
    auto done = charge_side(*cdr, CallSide::vendor, *cdr->vendor, call.vendor_charge, rates);
    if (!done) return std::move(done).error();
  } else if (call.vendor_charge) {
    return refused("vendor_charge was given, but no vendor with an account");
  }
  if (cdr->agent) {
    if (auto done = charge_side(*cdr, CallSide::agent, *cdr->agent, {}, rates); !done)
      return std::move(done).error();
  }
  return cdr;
}

}  // namespace

Result<void> check_external_call(const ExternalCall& call) {
  if (call.flow_number.size() > flow_number_bytes_max)
    return refused("flow_number of " + std::to_string(call.flow_number.size()) +
                   " bytes was longer than " + std::to_string(flow_number_bytes_max));
  if (!is_number(call.callee) || call.callee.empty())
    return refused("callee \"" + call.callee.substr(0, 40) + "\" was no number");
  if (!call.caller.empty() && !is_number(call.caller))
    return refused("caller \"" + call.caller.substr(0, 40) + "\" was no number");
  if (call.started_at_us <= 0) return refused("started_at was not there");
  if (call.answered_at_us != 0 && call.answered_at_us < call.started_at_us)
    return refused("answered_at was before started_at");
  if (call.ended_at_us < std::max(call.started_at_us, call.answered_at_us))
    return refused("ended_at was before the call");
  if (call.ended_at_us - call.started_at_us > 1'000 * talk_ms_max)
    return refused("the call was longer than a call can be");
  if (call.talk_time_ms && (*call.talk_time_ms < 0 || *call.talk_time_ms > talk_ms_max))
    return refused("talk_time_ms " + std::to_string(*call.talk_time_ms) + " was out of range");
  for (const auto& charge : {call.charge, call.vendor_charge}) {
    if (charge && (charge->is_negative() || *charge > account_amount_max))
      return refused("charge " + charge->to_string() + " was not in 0.." +
                     account_amount_max.to_string());
  }
  return {};
}

Result<std::optional<std::uint64_t>> ExternalCalls::find(const std::string& flow_number) {
  const std::uint64_t taken = ledger_runner_.state().position;
  std::erase_if(waiting_, [taken](const auto& entry) { return entry.second <= taken; });
  if (const auto found = waiting_.find(flow_number); found != waiting_.end())
    return std::optional<std::uint64_t>(found->second);
  return ledger_.external_call(flow_number);
}

/// All sides or none.
Result<void> ExternalCalls::take_charges(const Cdr& cdr) {
  for (std::size_t i = 0; i < all_sides.size(); ++i) {
    const ChargeFacts* const facts = side_of(cdr, all_sides[i]);
    if (facts == nullptr || facts->charge.is_zero()) continue;
    auto taken = accounts_.charge_unchecked(accounts_.find(facts->account), facts->charge);
    if (taken) continue;
    give_back(cdr, static_cast<int>(i));
    return std::move(taken).error();
  }
  return {};
}

void ExternalCalls::give_back(const Cdr& cdr, int sides) {
  for (int i = 0; i < sides; ++i) {
    const ChargeFacts* const facts = side_of(cdr, all_sides[static_cast<std::size_t>(i)]);
    if (facts != nullptr && !facts->charge.is_zero())
      (void)accounts_.pay(accounts_.find(facts->account), facts->charge);  // as it was before
  }
}

Result<ExternalAnswer> ExternalCalls::record(const ExternalCall& asked, const PastRates& rates) {
  if (auto checked = check_external_call(asked); !checked) return std::move(checked).error();
  ExternalCall call = asked;
  if (call.flow_number == "-1") call.flow_number.clear();
  ExternalAnswer answer;
  {
    const std::lock_guard lock(mutex_);
    if (!call.flow_number.empty()) {
      auto earlier = find(call.flow_number);
      if (!earlier) return std::move(earlier).error();
      if (*earlier) {
        answer.record_id = **earlier;
        answer.is_repeated = true;
      }
    }
    if (!answer.is_repeated) {
      auto cdr = charged(call, rates);
      if (!cdr) return std::move(cdr).error();
      answer.cdr = std::move(*cdr);
      if (call.is_dry_run) return answer;
      if (waiting_.size() >= waiting_max)
        return Error{ErrorCode::io, "ledger was " + std::to_string(waiting_max) +
                                        " calls behind: no further one is recorded"};
      if (!journal_.is_writable()) return Error{ErrorCode::io, "journal cannot be written"};
      // First in memory, because only the accounts know whether their balances stay in range.
      if (auto taken = take_charges(*answer.cdr); !taken) return std::move(taken).error();
      cdr::EndRecord record;
      record.call_id = no_call_id;
      record.cdr = *answer.cdr;
      record.flow_number = call.flow_number;
      auto sequence = journal_.append(cdr::RecordType::end, cdr::encode(record));
      if (!sequence) {
        give_back(*answer.cdr, static_cast<int>(all_sides.size()));
        return Error{ErrorCode::io, "call was not recorded: " + sequence.error().message};
      }
      answer.record_id = answer.cdr->record_id = *sequence;
      if (!call.flow_number.empty()) waiting_.emplace(call.flow_number, *sequence);
    }
  }
  if (auto durable = journal_.wait_durable(answer.record_id, durable_wait_ms); !durable)
    return Error{ErrorCode::io, "call is recorded but not yet on disk: " + durable.error().message};
  return answer;
}

Result<ExternalAnswer> Switch::Body::record_call(const ExternalCall& call) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  // Clocks differ by less: it is a slip, and would stay the newest record for as long.
  if (call.ended_at_us > wall_us() + 86'400'000'000)
    return refused("ended_at " + format_time_us(call.ended_at_us) + " was in the future");
  return external_calls_->record(call, *past_rates());
}

}  // namespace tandem
