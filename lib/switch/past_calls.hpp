// Calls that are over, by a deck of a configuration: what re-rating and corrections rate them with.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/corrections.hpp"
#include "tandem/deck_reports.hpp"
#include "tandem/error.hpp"
#include "tandem/rerate.hpp"

namespace tandem {

/// Threading: one thread at a time.
class PastCalls {
 public:
  using Fetch = std::function<Result<std::vector<Cdr>>(const CdrQuery&)>;
  /// Hears of a record whose charge the deck makes another one. Errors end the walk.
  using OnChanged = std::function<Result<void>(const Cdr&)>;

  /// Parameters, taxes and the numbers that vendors are owed for are those of `config`. Errors:
  /// invalid_argument (no such deck).
  static Result<PastCalls> create(const SwitchConfig& config, const std::string& deck);

  /// The answered calls of the query, page by page, newest first. Errors: those of `fetch` and
  /// `on_changed` (may be empty), limit (a sum).
  Result<void> walk(const RerateQuery& query, const Fetch& fetch, const OnChanged& on_changed);

  /// What a side of a call is charged by the deck. Errors: invalid_argument (another currency, no
  /// rate, or packages paid of it), limit.
  [[nodiscard]] Result<ChargeFacts> rated(const Cdr& cdr, CallSide side) const;

  [[nodiscard]] Rerater& rerater() noexcept { return rerater_; }

 private:
  explicit PastCalls(Rerater rerater) : rerater_(std::move(rerater)) {}
  [[nodiscard]] RerateCall call_of(const Cdr& cdr, CallSide side) const;

  Rerater rerater_;
  FeeRules rules_;
  FreeNumbers free_numbers_;
  std::map<std::string, Amount> taxes_;          // by account
  std::set<std::string, std::less<>> callouts_;  // vendors that are owed for the number they get
};

/// The facts of a side; null: the call has not that side.
[[nodiscard]] const ChargeFacts* side_of(const Cdr& cdr, CallSide side) noexcept;

}  // namespace tandem
