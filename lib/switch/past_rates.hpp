// Who pays for calls that are over and by which decks: what of a configuration corrections and
// calls of other systems are charged by, made once for each configuration.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "switch/past_calls.hpp"
#include "tandem/config.hpp"
#include "tandem/error.hpp"

namespace tandem {

/// Threading: thread-safe.
class PastRates {
 public:
  /// `config` as it is in force, with frozen decks. What rating does not need is not kept: vendors
  /// may have millions of prefixes.
  explicit PastRates(const SwitchConfig& config);

  PastRates(const PastRates&) = delete;
  PastRates& operator=(const PastRates&) = delete;

  /// Parameters, accounts, decks, calendars, and of gateways who pays.
  [[nodiscard]] const SwitchConfig& objects() const noexcept { return objects_; }

  /// Account that has the caller in its `bound_numbers` (B-04); "": none.
  [[nodiscard]] std::string_view bound_account(std::string_view caller) const noexcept;
  /// Account of the phone that the caller is, where a gateway has `bill_phones`; "": none.
  [[nodiscard]] std::string_view phone_account(std::string_view caller) const noexcept;

  /// PastCalls::rated() by a deck, which is made ready with its first call. Errors: those of
  /// PastCalls.
  Result<ChargeFacts> rated(const Cdr& cdr, CallSide side, const std::string& deck) const;

 private:
  Result<const PastCalls*> calls_of(const std::string& deck) const;

  SwitchConfig objects_;
  std::unordered_map<std::string_view, std::string_view> bound_;  // accounts by number, of objects_
  std::map<std::string, std::string, std::less<>> phones_;        // accounts by number and DID
  mutable std::mutex mutex_;  // guards the next two; what is in them stays where it is
  mutable std::shared_ptr<const PastTerms> terms_;  // null: no deck was asked for yet
  mutable std::map<std::string, PastCalls> calls_;  // by deck
};

}  // namespace tandem
