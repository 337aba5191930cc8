// Calls that are over, by a deck of a configuration: what re-rating and corrections rate them with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/billing_prefixes.hpp"
#include "tandem/config.hpp"
#include "tandem/corrections.hpp"
#include "tandem/deck_reports.hpp"
#include "tandem/error.hpp"
#include "tandem/rerate.hpp"

namespace tandem {

/// What of a configuration rates past calls besides a deck; decks of one configuration share it.
struct PastTerms {
  FreeNumbers free_numbers;
  std::map<std::string, Amount> taxes;          ///< By account.
  std::set<std::string, std::less<>> callouts;  ///< Vendors owed for the number they get (B-16).

  /// Errors: invalid_argument (a free number).
  static Result<std::shared_ptr<const PastTerms>> of(const SwitchConfig& config);
};

/// Threading: one thread at a time.
class PastCalls {
 public:
  /// The next records, newest first, at most as many as it is asked for; fewer: they are the last.
  using Fetch = std::function<Result<std::vector<Cdr>>(std::size_t)>;
  /// What became of a record whose charge the deck makes another one.
  enum class Taken : std::uint8_t { yes, left_out };
  /// Hears of such a record. Errors end the walk.
  using OnChanged = std::function<Result<Taken>(const Cdr&)>;
  /// Whether the account of a side can be given money of it.
  using CanPay = std::function<bool(const ChargeFacts&)>;
  /// Hears how many records were fetched, page by page. Errors end the walk.
  using OnPage = std::function<Result<void>(std::size_t)>;

  /// Parameters, taxes and the numbers that vendors are owed for are those of `config`; `terms`:
  /// made of it before, or null. Errors: invalid_argument (no such deck).
  static Result<PastCalls> create(const SwitchConfig& config, const std::string& deck,
                                  std::shared_ptr<const PastTerms> terms = nullptr);

  /// The answered calls of the query, page by page. Calls that the deck alone does not tell the
  /// price of, those of accounts that cannot be paid and those that `on_changed` left out are
  /// counted as not rated.
  /// All but `fetch` may be empty. Errors: those of the functions, limit (a sum).
  Result<void> walk(const RerateQuery& query, const Fetch& fetch, const CanPay& can_pay = {},
                    const OnChanged& on_changed = {}, const OnPage& on_page = {});

  /// What a side of a call is charged by the deck. Errors: invalid_argument (another currency, no
  /// rate, or a call that the deck alone does not tell the price of), limit.
  [[nodiscard]] Result<ChargeFacts> rated(const Cdr& cdr, CallSide side) const;

  [[nodiscard]] Rerater& rerater() noexcept { return rerater_; }

 private:
  /// A side as the deck is asked for it.
  struct Question {
    RerateCall call;
    std::int64_t charged_s = 0;      // not more seconds than these are charged; 0: all
    const char* obstacle = nullptr;  // why the deck alone does not tell the price
  };

  explicit PastCalls(Rerater rerater) : rerater_(std::move(rerater)) {}
  [[nodiscard]] Question question_of(const Cdr& cdr, CallSide side) const;
  Result<void> tell_changed(std::vector<RerateCall>& calls, const std::vector<const Cdr*>& records,
                            const OnChanged& on_changed);
  [[nodiscard]] std::optional<std::string_view> number_of(const Cdr& cdr, CallSide side) const;

  Rerater rerater_;
  RoutePrefixes prefixes_;
  BillingPrefixes billing_prefixes_;          // what of them the deck has no rates for (B-14)
  std::vector<std::string> priced_prefixes_;  // those that it has rates for
  FeeRules rules_;
  std::shared_ptr<const PastTerms> terms_;
};

/// Whether no tariff made the charge of a side, whose `facts` these are: it was settled by hand, or
/// given with a call of another system.
[[nodiscard]] bool is_settled(const Cdr& cdr, CallSide side, const ChargeFacts& facts);

/// The facts of a side; null: the call has not that side.
[[nodiscard]] const ChargeFacts* side_of(const Cdr& cdr, CallSide side) noexcept;

}  // namespace tandem
