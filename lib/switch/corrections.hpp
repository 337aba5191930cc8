// Corrects what calls that are over were charged: first in memory, then in the journal, each key
// once (B-25).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>

#include "cdr/journal.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "cdr/sink_runner.hpp"
#include "tandem/accounts.hpp"
#include "tandem/clock.hpp"
#include "tandem/corrections.hpp"

namespace tandem {

/// One correction after the other, because each begins with what the one before it left. Those that
/// the ledger has not taken yet are kept here, so that neither a correction nor a query misses
/// them.
///
/// Threading: thread-safe. May wait for the disk.
class Corrections {
 public:
  /// What a side of a call is charged by a deck.
  using Rating =
      std::function<Result<ChargeFacts>(const Cdr& cdr, CallSide side, const std::string& deck)>;

  /// All outlive this object. `ledger` must have caught up with the journal by the first
  /// correct().
  Corrections(AccountBook& accounts, cdr::Journal& journal, cdr::Ledger& ledger,
              const cdr::SinkRunner& ledger_runner, const Clock& clock)
      : accounts_(accounts),
        journal_(journal),
        ledger_(ledger),
        ledger_runner_(ledger_runner),
        clock_(clock) {}

  /// `cdr`: as it was written. Errors: as Switch::correct(); already_exists too when nothing would
  /// change.
  Result<Correction> correct(Cdr cdr, const CorrectionRequest& request, const Rating& rating);
  /// Corrections that the ledger may not have yet, by their id.
  using Waiting = std::map<std::uint64_t, Correction>;
  [[nodiscard]] Waiting under_way() const;
  /// Whether an account can be given money of a call in `currency`. Errors: not_found, wrong_state
  /// (it is in another one).
  [[nodiscard]] Result<void> check_account(const std::string& account,
                                           const std::string& currency) const;
  /// Corrections that the ledger has not taken.
  [[nodiscard]] std::size_t waiting();

  /// Returns when the corrections so far are on disk. Errors: io.
  Result<void> wait_durable();

 private:
  Result<std::optional<Correction>> repeated(const CorrectionRequest& request);
  Result<Correction> draft(const Cdr& cdr, const CorrectionRequest& request, const Rating& rating);
  Result<void> move_money(const Correction& correction);
  void give_back(const Correction& correction, std::size_t sides);
  void forget_taken();

  AccountBook& accounts_;
  cdr::Journal& journal_;
  cdr::Ledger& ledger_;
  const cdr::SinkRunner& ledger_runner_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards the two below; held while one correction is made
  Waiting waiting_;
  std::uint64_t last_id_ = 0;
};

/// Gives records the charges of corrections that are under way.
void apply_waiting(const Corrections::Waiting& waiting, std::span<Cdr> cdrs);

}  // namespace tandem
