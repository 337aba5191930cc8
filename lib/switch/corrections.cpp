#include "switch/corrections.hpp"

#include <utility>

#include "cdr/corrections_sqlite.hpp"
#include "switch/past_calls.hpp"

namespace tandem {
namespace {

constexpr std::int64_t durable_wait_ms = 5'000;
// The ledger lags by so many only when it fails.
constexpr std::size_t waiting_max = 100'000;

/// Whether a request asks for what an earlier one of its key did.
bool is_repetition(const CorrectionRequest& request, const Correction& earlier) {
  if (request.record_id != earlier.record_id || request.reason != earlier.reason ||
      request.author != earlier.author || request.sides.size() != earlier.sides.size())
    return false;
  for (const CorrectedSide& side : earlier.sides) {
    const auto asked = request.sides.find(side.side);
    if (asked == request.sides.end()) return false;
    const SideChange& change = asked->second;
    if ((change.charge && *change.charge != side.charge) ||
        (change.billed_time_s && *change.billed_time_s != side.billed_time_s) ||
        (!change.rate_deck.empty() && change.rate_deck != side.rate_deck))
      return false;
  }
  return true;
}

}  // namespace

void Corrections::forget_taken() {
  const std::uint64_t taken = ledger_runner_.state().position;
  waiting_.erase(waiting_.begin(), waiting_.upper_bound(taken));
}

std::size_t Corrections::waiting() {
  const std::lock_guard lock(mutex_);
  forget_taken();
  return waiting_.size();
}

Corrections::Waiting Corrections::under_way() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

void apply_waiting(const Corrections::Waiting& waiting, std::span<Cdr> cdrs) {
  if (waiting.empty()) return;
  std::multimap<std::uint64_t, const Correction*> by_record;  // those of one record by their id
  for (const auto& [id, correction] : waiting)
    by_record.emplace(correction.record_id, &correction);
  for (Cdr& cdr : cdrs) {
    for (auto [at, end] = by_record.equal_range(cdr.record_id); at != end; ++at)
      cdr::apply_correction(cdr, *at->second);
  }
}

Result<void> Corrections::wait_durable() {
  std::uint64_t last = 0;
  {
    const std::lock_guard lock(mutex_);
    last = last_id_;
  }
  if (last == 0) return {};
  auto durable = journal_.wait_durable(last, durable_wait_ms);
  if (durable) return {};
  return Error{ErrorCode::io, "correction is made but not yet on disk: " + durable.error().message};
}

Result<std::optional<Correction>> Corrections::repeated(const CorrectionRequest& request) {
  if (request.idempotency_key.empty()) return std::optional<Correction>();
  std::optional<Correction> earlier;
  for (const auto& [id, correction] : waiting_) {
    if (correction.idempotency_key == request.idempotency_key) earlier = correction;
  }
  if (!earlier) {
    auto stored = ledger_.correction(request.idempotency_key);
    if (!stored) return stored;
    earlier = std::move(*stored);
  }
  if (!earlier) return earlier;
  if (!is_repetition(request, *earlier))
    return Error{ErrorCode::already_exists,
                 "key \"" + request.idempotency_key + "\" was used for another correction"};
  earlier->is_repeated = true;
  return earlier;
}

/// `cdr` with the charges of now.
Result<Correction> Corrections::draft(const Cdr& cdr, const CorrectionRequest& request,
                                      const Rating& rating) {
  Correction correction;
  correction.record_id = cdr.record_id;
  correction.ended_at_us = cdr.ended_at_us;
  correction.at_us = clock_.wall_us();
  correction.reason = request.reason;
  correction.author = request.author;
  correction.idempotency_key = request.idempotency_key;
  bool is_changed = false;
  for (const auto& [side, change] : request.sides) {
    const ChargeFacts* const now = side_of(cdr, side);
    if (now == nullptr)
      return Error{ErrorCode::invalid_argument, "record " + std::to_string(cdr.record_id) +
                                                    " has no side of the " + call_side_name(side)};
    ChargeFacts then = *now;
    if (!change.rate_deck.empty()) {
      auto rated = rating(cdr, side, change.rate_deck);
      if (!rated) return std::move(rated).error();
      then = std::move(*rated);
    } else {
      then.charge = change.charge.value_or(now->charge);
      then.billed_time_s = change.billed_time_s.value_or(now->billed_time_s);
      then.rate_terms.clear();  // no sum of a tariff any more
    }
    is_changed = is_changed || then.charge != now->charge ||
                 then.billed_time_s != now->billed_time_s || then.rate_deck != now->rate_deck;
    correction.sides.push_back({side, now->account, now->currency, now->charge, then.charge,
                                now->billed_time_s, then.billed_time_s, then.rate_prefix,
                                then.rate_deck, then.rate_terms});
  }
  if (!is_changed)
    return Error{ErrorCode::already_exists,
                 "record " + std::to_string(cdr.record_id) + " is charged so already"};
  return correction;
}

Result<void> Corrections::check_account(const std::string& account,
                                        const std::string& currency) const {
  const auto state = accounts_.state(account);
  if (!state) return Error{ErrorCode::not_found, "no account \"" + account + "\""};
  if (state->settings.currency == currency) return {};
  return Error{ErrorCode::wrong_state, "account \"" + account + "\" is in " +
                                           state->settings.currency + ", the call was in " +
                                           currency};
}

/// All sides or none.
Result<void> Corrections::move_money(const Correction& correction) {
  for (const CorrectedSide& side : correction.sides) {
    if (auto checked = check_account(side.account, side.currency); !checked) return checked;
  }
  for (std::size_t i = 0; i < correction.sides.size(); ++i) {
    const CorrectedSide& side = correction.sides[i];
    if (side.difference().is_zero()) continue;
    auto moved = accounts_.pay(accounts_.find(side.account), side.difference());
    if (moved) continue;
    give_back(correction, i);
    return std::move(moved).error();
  }
  return {};
}

void Corrections::give_back(const Correction& correction, std::size_t sides) {
  for (std::size_t i = 0; i < sides; ++i) {
    const CorrectedSide& side = correction.sides[i];
    if (side.difference().is_zero()) continue;
    (void)accounts_.pay(accounts_.find(side.account),
                        Amount::from_units(-side.difference().units()));  // as it was before
  }
}

Result<Correction> Corrections::correct(Cdr cdr, const CorrectionRequest& request,
                                        const Rating& rating) {
  if (auto checked = check_correction(request); !checked) return std::move(checked).error();
  const std::lock_guard lock(mutex_);
  auto earlier = repeated(request);
  if (!earlier) return std::move(earlier).error();
  if (*earlier) return std::move(**earlier);
  if (auto merged = ledger_.merge_corrections({&cdr, 1}); !merged) return std::move(merged).error();
  for (const auto& [id, correction] : waiting_) {
    if (correction.record_id == cdr.record_id) cdr::apply_correction(cdr, correction);
  }
  forget_taken();
  auto correction = draft(cdr, request, rating);
  if (!correction || request.is_dry_run) return correction;
  if (waiting_.size() >= waiting_max)
    return Error{ErrorCode::io, "ledger was " + std::to_string(waiting_max) +
                                    " corrections behind: no further one is made"};
  if (!journal_.is_writable()) return Error{ErrorCode::io, "journal cannot be written"};
  // First in memory, because only the accounts know whether their balances stay in their range.
  if (auto moved = move_money(*correction); !moved) return std::move(moved).error();
  auto sequence = journal_.append(cdr::RecordType::correction, cdr::encode(*correction));
  if (!sequence) {
    give_back(*correction, correction->sides.size());
    return Error{ErrorCode::io, "correction was not made: " + sequence.error().message};
  }
  correction->id = last_id_ = *sequence;
  waiting_.emplace(correction->id, *correction);
  return correction;
}

}  // namespace tandem
