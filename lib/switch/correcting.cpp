// What a switch does when charges of the past are changed (B-25).
#include <algorithm>
#include <map>
#include <utility>

#include "cdr/corrections_sqlite.hpp"
#include "switch/body.hpp"
#include "switch/past_rates.hpp"
#include "switch/past_records.hpp"

namespace tandem {
namespace {

// A re-rating goes on when the ledger has taken what was corrected so far.
constexpr std::size_t unsettled_max = 10'000;
constexpr std::int64_t settle_wait_us = 30'000'000;
constexpr std::uint64_t refusals_logged_max = 100;  // of one re-rating; the others are counted

/// What each record of a re-rating is asked to become. Errors: those of check_correction().
Result<CorrectionRequest> correction_of(const RerateQuery& query,
                                        const RerateApplication& application) {
  CorrectionRequest request;
  request.record_id = 1;  // of the first record that differs, once it is known
  request.reason = application.reason;
  request.author = application.author;
  request.sides[query.is_vendor ? CallSide::vendor : CallSide::customer].rate_deck = query.deck;
  if (auto checked = check_correction(request); !checked) return std::move(checked).error();
  return request;
}

/// Whether a correction was refused for what its record or its account is.
bool is_of_one_record(ErrorCode code) noexcept {
  return code == ErrorCode::limit || code == ErrorCode::not_found ||
         code == ErrorCode::wrong_state || code == ErrorCode::invalid_argument;
}

}  // namespace

std::shared_ptr<const PastRates> Switch::Body::past_rates() const {
  const std::lock_guard lock(config_mutex_);
  if (past_rates_ == nullptr) past_rates_ = std::make_shared<const PastRates>(config_);
  return past_rates_;
}

Result<Correction> Switch::Body::correct(const CorrectionRequest& request) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (auto checked = check_correction(request); !checked) return std::move(checked).error();
  auto place = cdr_place(records_config());
  if (!place) return std::move(place).error();
  auto cdr = CdrStore(place->folder).find(request.record_id);  // as it was written
  if (!cdr) return std::move(cdr).error();
  if (!*cdr) return Error{ErrorCode::not_found, "no record " + std::to_string(request.record_id)};
  const auto rates = past_rates();
  auto corrected = corrections_->correct(
      std::move(**cdr), request, [&](const Cdr& call, CallSide side, const std::string& deck) {
        return rates->rated(call, side, deck);
      });
  if (!corrected || corrected->id == 0) return corrected;
  if (auto durable = corrections_->wait_durable(); !durable) return std::move(durable).error();
  log_.write(LogLevel::info, "corrections", "call corrected",
             {{"record", std::to_string(corrected->record_id)},
              {"correction", std::to_string(corrected->id)},
              {"author", corrected->author},
              {"reason", corrected->reason},
              {"repeated", corrected->is_repeated ? "yes" : "no"}});
  return corrected;
}

Result<std::vector<Correction>> Switch::Body::corrections(const CorrectionQuery& query) const {
  return environment_.ledger == nullptr ? query_corrections(config_in_force(), query)
                                        : ledger_->corrections(query);
}

/// Waits until the ledger has what was corrected, so that what is kept for it stays small; not
/// longer than the re-rating is wanted.
Result<void> Switch::Body::settle_corrections(const RerateProgress& progress) {
  if (auto durable = corrections_->wait_durable(); !durable) return durable;
  if (is_simulated()) ledger_runner_->pump();
  const auto is_over = [&] { return corrections_->waiting() == 0 || progress.is_cancelled.load(); };
  wait_until(is_over, settle_wait_us);
  if (is_over()) return {};
  return Error{ErrorCode::io, "ledger did not take the corrections in time"};
}

Result<Rerater> Switch::Body::rerate_history(const RerateQuery& query) const {
  auto records = check_rerate(query);
  if (!records) return std::move(records).error();
  auto calls = PastCalls::create(past_rates()->objects(), query.deck);
  if (!calls) return std::move(calls).error();
  auto stored = PastRecords::open(*records, query);
  if (!stored) return std::move(stored).error();
  auto walked = calls->walk(query, [&](std::size_t count) {
    return corrected_records([&] { return stored->next(count); });
  });
  if (!walked) return std::move(walked).error();
  return std::move(calls->rerater());
}

/// What is refused at once: before a job is begun, or its first record looked at. Returns where the
/// records are.
Result<RecordPlace> Switch::Body::check_rerate(const RerateQuery& query) const {
  auto records = record_place(records_config());
  if (!records) return records;
  const std::int64_t now_us = environment_.network->clock().wall_us();
  if (auto allowed = check_period(query, records->guards, now_us); !allowed)
    return std::move(allowed).error();
  return records;
}

/// After check_rerate(): hours and days of the guards end no run that was begun.
Result<AppliedRerate> Switch::Body::run_rerate(const RerateQuery& query,
                                               const RerateApplication& application,
                                               RerateProgress& progress) {
  auto request = correction_of(query, application);
  if (!request) return std::move(request).error();
  auto calls = PastCalls::create(past_rates()->objects(), query.deck);
  if (!calls) return std::move(calls).error();
  auto place = cdr_place(records_config());
  if (!place) return std::move(place).error();
  auto stored = PastRecords::open({std::move(*place), {0, 0, 0}}, query);
  if (!stored) return std::move(stored).error();

  bool is_settled_now = false;  // by hand, since its page was read
  const Corrections::Rating rating = [&](const Cdr& cdr, CallSide which,
                                         const std::string&) -> Result<ChargeFacts> {
    is_settled_now = !query.includes_settled && is_settled(cdr, which, *side_of(cdr, which));
    if (is_settled_now) return Error{ErrorCode::wrong_state, "record was settled by hand"};
    return calls->rated(cdr, which);
  };
  std::map<std::pair<std::string, std::string>, bool> payable;  // by account and currency
  const auto can_pay = [&](const ChargeFacts& facts) {
    const auto [known, is_new] = payable.try_emplace({facts.account, facts.currency});
    if (is_new) known->second = corrections_->check_account(facts.account, facts.currency).ok();
    return known->second;
  };
  const auto on_page = [&](std::size_t records) -> Result<void> {
    progress.looked_at += records;
    return progress.check_wanted();
  };
  using Taken = PastCalls::Taken;
  const auto on_changed = [&](const Cdr& cdr) -> Result<Taken> {
    if (application.is_dry_run) {
      ++progress.corrected;
      return Taken::yes;
    }
    if (auto wanted = progress.check_wanted(); !wanted) return std::move(wanted).error();
    request->record_id = cdr.record_id;
    is_settled_now = false;
    Cdr written = cdr;
    auto made = corrections_->correct(std::move(written), *request, rating);
    if (is_settled_now) return Taken::left_out;
    if (made) {
      if (++progress.corrected % unsettled_max != 0) return Taken::yes;
      if (auto settled = settle_corrections(progress); !settled) return std::move(settled).error();
      return Taken::yes;
    }
    // Somebody else made it so meanwhile.
    if (made.error().code == ErrorCode::already_exists) return Taken::yes;
    // One account shall not hold up the others; what fails for all of them ends the run.
    if (!is_of_one_record(made.error().code)) return std::move(made).error();
    if (++progress.refused <= refusals_logged_max) {
      log_.write(LogLevel::warning, "corrections", "call was not rated anew",
                 {{"record", std::to_string(cdr.record_id)}, {"reason", made.error().message}});
    }
    return Taken::yes;
  };
  const auto check_wanted = [&] { return progress.check_wanted(); };
  const auto fetch = [&](std::size_t count) {
    return corrected_records([&] { return stored->next(count, check_wanted); });
  };
  auto walked = calls->walk(query, fetch, can_pay, on_changed, on_page);
  Result<void> settled = application.is_dry_run ? Result<void>() : settle_corrections(progress);
  if (!walked) return std::move(walked).error();
  if (!settled) return std::move(settled).error();
  return AppliedRerate{std::move(calls->rerater()), application.is_dry_run,
                       progress.corrected.load(), progress.refused.load()};
}

Result<AppliedRerate> Switch::Body::apply_rerate(const RerateQuery& query,
                                                 const RerateApplication& application) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (auto request = correction_of(query, application); !request) return std::move(request).error();
  if (auto records = check_rerate(query); !records) return std::move(records).error();
  RerateProgress progress;
  return run_rerate(query, application, progress);
}

Result<std::uint64_t> Switch::Body::start_rerate(const RerateQuery& query,
                                                 const RerateApplication& application) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (auto request = correction_of(query, application); !request) return std::move(request).error();
  if (auto records = check_rerate(query); !records) return std::move(records).error();
  if (auto calls = PastCalls::create(past_rates()->objects(), query.deck); !calls)
    return std::move(calls).error();
  return rerate_jobs_->start(query, application);
}

/// Stored records with the charges of now.
Result<std::vector<Cdr>> Switch::Body::corrected_records(
    const std::function<Result<std::vector<Cdr>>()>& read) const {
  // Before the database is asked: what the ledger takes meanwhile is in its answer or in this copy.
  const Corrections::Waiting waiting = corrections_->under_way();
  auto cdrs = read();
  if (!cdrs) return cdrs;
  if (environment_.ledger != nullptr) {
    if (auto merged = ledger_->merge_corrections(*cdrs); !merged) return std::move(merged).error();
  }
  apply_waiting(waiting, *cdrs);
  return cdrs;
}

Result<std::vector<Cdr>> Switch::Body::cdrs(const CdrQuery& query) const {
  return corrected_records([&] { return query_cdrs(records_config(), query); });
}

Result<std::vector<Correction>> query_corrections(const SwitchConfig& config,
                                                  const CorrectionQuery& query) {
  return cdr::stored_corrections(config.path(config.database), query);
}

}  // namespace tandem
