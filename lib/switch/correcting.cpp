// What a switch does when charges of the past are changed (B-25).
#include <algorithm>
#include <map>
#include <utility>

#include "cdr/corrections_sqlite.hpp"
#include "switch/body.hpp"
#include "switch/past_rates.hpp"

namespace tandem {
namespace {

// A re-rating goes on when the ledger has taken what was corrected so far.
constexpr std::size_t unsettled_max = 10'000;
constexpr std::int64_t settle_wait_us = 30'000'000;

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

}  // namespace

std::shared_ptr<const PastRates> Switch::Body::past_rates() const {
  const std::lock_guard lock(config_mutex_);
  if (past_rates_ == nullptr) past_rates_ = std::make_shared<const PastRates>(config_);
  return past_rates_;
}

Result<Correction> Switch::Body::correct(const CorrectionRequest& request) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (auto checked = check_correction(request); !checked) return std::move(checked).error();
  auto folder = record_folder();
  if (!folder) return std::move(folder).error();
  auto cdr = CdrStore(*folder).find(request.record_id);
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

/// Waits until the ledger has what was corrected, so that what is kept for it stays small.
Result<void> Switch::Body::settle_corrections() {
  if (auto durable = corrections_->wait_durable(); !durable) return durable;
  if (is_simulated()) ledger_runner_->pump();
  wait_until([this] { return corrections_->waiting() == 0; }, settle_wait_us);
  if (corrections_->waiting() == 0) return {};
  return Error{ErrorCode::io, "ledger did not take the corrections in time"};
}

Result<Rerater> Switch::Body::rerate_history(const RerateQuery& query) const {
  auto calls = PastCalls::create(past_rates()->objects(), query.deck);
  if (!calls) return std::move(calls).error();
  auto walked = calls->walk(query, [this](const CdrQuery& page) { return cdrs(page); });
  if (!walked) return std::move(walked).error();
  return std::move(calls->rerater());
}

Result<AppliedRerate> Switch::Body::apply_rerate(const RerateQuery& query,
                                                 const RerateApplication& application,
                                                 RerateProgress& progress) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  auto request = correction_of(query, application);
  if (!request) return std::move(request).error();
  auto calls = PastCalls::create(past_rates()->objects(), query.deck);
  if (!calls) return std::move(calls).error();
  const Corrections::Rating rating = [&](const Cdr& cdr, CallSide which, const std::string&) {
    return calls->rated(cdr, which);
  };
  std::map<std::pair<std::string, std::string>, bool> payable;  // by account and currency
  const auto can_pay = [&](const ChargeFacts& facts) {
    const auto [known, is_new] = payable.try_emplace({facts.account, facts.currency});
    if (is_new) known->second = corrections_->check_account(facts.account, facts.currency).ok();
    return known->second;
  };
  const auto check_wanted = [&]() -> Result<void> {
    if (!progress.is_cancelled.load()) return {};
    return Error{ErrorCode::wrong_state, "re-rating was cancelled"};
  };
  const auto on_page = [&](std::size_t records) -> Result<void> {
    progress.looked_at += records;
    return check_wanted();
  };
  const auto on_changed = [&](const Cdr& cdr) -> Result<void> {
    if (application.is_dry_run) {
      ++progress.corrected;
      return {};
    }
    if (auto wanted = check_wanted(); !wanted) return wanted;
    request->record_id = cdr.record_id;
    Cdr written = cdr;
    auto made = corrections_->correct(std::move(written), *request, rating);
    // One account shall not hold up the others: only a disk that fails ends the run.
    if (!made && made.error().code == ErrorCode::io) return std::move(made).error();
    const bool is_done = made || made.error().code == ErrorCode::already_exists;
    if (!is_done) {
      ++progress.refused;
      log_.write(LogLevel::warning, "corrections", "call was not rated anew",
                 {{"record", std::to_string(cdr.record_id)}, {"reason", made.error().message}});
      return {};
    }
    return ++progress.corrected % unsettled_max == 0 ? settle_corrections() : Result<void>();
  };
  auto walked = calls->walk(
      query, [this](const CdrQuery& page) { return cdrs(page); }, can_pay, on_changed, on_page);
  Result<void> settled = application.is_dry_run ? Result<void>() : settle_corrections();
  if (!walked) return std::move(walked).error();
  if (!settled) return std::move(settled).error();
  return AppliedRerate{std::move(calls->rerater()), application.is_dry_run,
                       progress.corrected.load(), progress.refused.load()};
}

Result<AppliedRerate> Switch::Body::apply_rerate(const RerateQuery& query,
                                                 const RerateApplication& application) {
  RerateProgress progress;
  return apply_rerate(query, application, progress);
}

/// What would be refused at once is not begun.
Result<std::uint64_t> Switch::Body::start_rerate(const RerateQuery& query,
                                                 const RerateApplication& application) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (auto request = correction_of(query, application); !request) return std::move(request).error();
  if (auto folder = record_folder(); !folder) return std::move(folder).error();
  if (auto calls = PastCalls::create(past_rates()->objects(), query.deck); !calls)
    return std::move(calls).error();
  return rerate_jobs_->start(query, application);
}

Result<std::string> Switch::Body::record_folder() const {
  const std::lock_guard lock(config_mutex_);
  for (const CdrSinkConfig& sink : config_.cdr_sinks)
    if (sink.type == "sqlite") return config_.path(sink.path);
  return Error{ErrorCode::unsupported, "configuration has no sqlite sink to ask"};
}

Result<std::vector<Cdr>> Switch::Body::cdrs(const CdrQuery& query) const {
  // Before the database is asked: what the ledger takes meanwhile is in its answer or in this copy.
  const Corrections::Waiting waiting = corrections_->under_way();
  auto cdrs = query_cdrs(records_config(), query);
  if (!cdrs) return cdrs;
  if (environment_.ledger != nullptr) {
    if (auto merged = ledger_->merge_corrections(*cdrs); !merged) return std::move(merged).error();
  }
  apply_waiting(waiting, *cdrs);
  return cdrs;
}

Result<std::vector<Correction>> query_corrections(const SwitchConfig& config,
                                                  const CorrectionQuery& query) {
  return cdr::stored_corrections(config.path(config.database), query);
}

}  // namespace tandem
