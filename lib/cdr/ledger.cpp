#include "tandem/ledger.hpp"

#include <array>
#include <utility>

namespace tandem {
namespace {

constexpr std::size_t memo_bytes_max = 1024;
constexpr std::size_t reference_bytes_max = 128;

constexpr std::array<std::pair<LedgerKind, const char*>, 12> kind_names = {{
    {LedgerKind::opening, "opening"},
    {LedgerKind::payment, "payment"},
    {LedgerKind::deduction, "deduction"},
    {LedgerKind::zeroing, "zeroing"},
    {LedgerKind::charge, "charge"},
    {LedgerKind::vendor_charge, "vendor_charge"},
    {LedgerKind::agent_charge, "agent_charge"},
    {LedgerKind::package_rent, "package_rent"},
    {LedgerKind::package_shortfall, "package_shortfall"},
    {LedgerKind::phone_rent, "phone_rent"},
    {LedgerKind::phone_shortfall, "phone_shortfall"},
    {LedgerKind::correction, "correction"},
}};

Error refused(std::string message) {
  return Error{ErrorCode::invalid_argument, std::move(message)};
}

Result<void> check_length(const char* what, const std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return {};
  return refused(std::string(what) + " of " + std::to_string(text.size()) +
                 " bytes was longer than " + std::to_string(bytes_max));
}

/// Whether the sign of an amount is that of its kind.
Result<void> check_sign(const Booking& booking) {
  const Amount amount = booking.amount;
  const char* const kind = ledger_kind_name(booking.kind);
  if (!ledger_kind_is_booked(booking.kind))
    return refused(std::string("kind \"") + kind + "\" cannot be booked");
  switch (booking.kind) {
    case LedgerKind::payment:
      if (amount.is_negative() || amount.is_zero())
        return refused("amount " + amount.to_string() + " of a payment was not above zero");
      return {};
    case LedgerKind::deduction:
    case LedgerKind::package_rent:
    case LedgerKind::package_shortfall:
    case LedgerKind::phone_rent:
    case LedgerKind::phone_shortfall:
      if (!amount.is_negative())
        return refused("amount " + amount.to_string() + " of a " + kind + " was not below zero");
      return {};
    case LedgerKind::zeroing:
      if (!amount.is_zero())
        return refused("amount " + amount.to_string() + " was given to a zeroing, which finds it");
      return {};
    case LedgerKind::correction:
      if (amount.is_zero()) return refused("amount of a correction was zero");
      return {};
    default:
      return {};
  }
}

}  // namespace

const char* ledger_kind_name(LedgerKind kind) noexcept {
  for (const auto& [each, name] : kind_names)
    if (each == kind) return name;
  return "";
}

Result<LedgerKind> ledger_kind_from_name(std::string_view name) {
  for (const auto& [kind, each] : kind_names)
    if (name == each) return kind;
  return refused("kind \"" + std::string(name.substr(0, 40)) + "\" was unknown");
}

bool ledger_kind_is_booked(LedgerKind kind) noexcept {
  switch (kind) {
    case LedgerKind::opening:
    case LedgerKind::charge:
    case LedgerKind::vendor_charge:
    case LedgerKind::agent_charge:
      return false;
    default:
      return *ledger_kind_name(kind) != '\0';
  }
}

Result<void> check_booking(const Booking& booking) {
  if (auto done = check_sign(booking); !done) return done;
  if (auto done = check_length("memo", booking.memo, memo_bytes_max); !done) return done;
  if (auto done = check_length("reference", booking.reference, reference_bytes_max); !done)
    return done;
  return check_length("idempotency key", booking.idempotency_key, idempotency_key_bytes_max);
}

}  // namespace tandem
