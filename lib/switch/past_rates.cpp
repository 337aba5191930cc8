#include "switch/past_rates.hpp"

#include <utility>

namespace tandem {

PastRates::PastRates(const SwitchConfig& config) {
  objects_.parameters = config.parameters;
  Provision& kept = objects_.provision;
  kept.accounts = config.provision.accounts;
  kept.calendars = config.provision.calendars;
  kept.rate_decks = config.provision.rate_decks;
  bool has_phones_that_pay = false;
  for (const CustomerGateway& gateway : config.provision.customer_gateways) {
    CustomerGateway& one = kept.customer_gateways.emplace_back();
    one.id = gateway.id;
    one.account = gateway.account;
    one.uses_bound_numbers = gateway.uses_bound_numbers;
    one.bills_phones = gateway.bills_phones;
    has_phones_that_pay |= gateway.bills_phones;
  }
  for (const AccountConfig& account : kept.accounts) {
    for (const std::string& number : account.bound_numbers)
      bound_.emplace(number, account.id);
  }
  for (const PhoneConfig& phone : config.provision.phones) {
    if (!has_phones_that_pay) break;
    phones_.emplace(phone.number, phone.account);
    for (const std::string& did : phone.dids)
      phones_.emplace(did, phone.account);
  }
  for (const VendorGateway& gateway : config.provision.vendor_gateways) {
    VendorGateway& one = kept.vendor_gateways.emplace_back();
    one.id = gateway.id;
    one.account = gateway.account;
    one.clearing_account_use_callout_e164 = gateway.clearing_account_use_callout_e164;
  }
}

std::string_view PastRates::bound_account(std::string_view caller) const noexcept {
  const auto found = bound_.find(caller);
  return found == bound_.end() ? std::string_view() : found->second;
}

std::string_view PastRates::phone_account(std::string_view caller) const noexcept {
  const auto found = phones_.find(caller);
  return found == phones_.end() ? std::string_view() : found->second;
}

Result<const PastCalls*> PastRates::calls_of(const std::string& deck) const {
  const std::lock_guard lock(mutex_);
  auto found = calls_.find(deck);
  if (found == calls_.end()) {
    if (terms_ == nullptr) {
      auto terms = PastTerms::of(objects_);
      if (!terms) return std::move(terms).error();
      terms_ = std::move(*terms);
    }
    auto made = PastCalls::create(objects_, deck, terms_);
    if (!made) return std::move(made).error();
    found = calls_.emplace(deck, std::move(*made)).first;
  }
  return &found->second;
}

Result<ChargeFacts> PastRates::rated(const Cdr& cdr, CallSide side, const std::string& deck) const {
  auto calls = calls_of(deck);
  if (!calls) return std::move(calls).error();
  return (*calls)->rated(cdr, side);
}

}  // namespace tandem
