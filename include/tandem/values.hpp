// Values that every part of tandem shares: money, addresses, release reasons.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// A sum of money or a price in units of 1e-8 of its currency (B-01). Integer; never floating
/// point.
///
/// Range: +-9.2e10 of the currency. Sums are made with add() and subtract(), which tell when they
/// leave it.
class TANDEM_EXPORT Amount {
 public:
  static constexpr std::int64_t scale = 100'000'000;  ///< Units in one whole of the currency.

  constexpr Amount() noexcept = default;
  static constexpr Amount from_units(std::int64_t units) noexcept { return Amount(units); }

  /// Reads a decimal: optional sign, digits, at most one point, at most 8 decimals ("-0.0165",
  /// "5"). Errors: invalid_argument (anything else, or out of range).
  static Result<Amount> parse(std::string_view text);

  /// At least two decimals and no further trailing zeros: "0.60", "0.0165", "-3.00".
  [[nodiscard]] std::string to_string() const;

  [[nodiscard]] constexpr std::int64_t units() const noexcept { return units_; }
  [[nodiscard]] constexpr bool is_zero() const noexcept { return units_ == 0; }
  [[nodiscard]] constexpr bool is_negative() const noexcept { return units_ < 0; }
  constexpr auto operator<=>(const Amount&) const noexcept = default;

  /// The sum or difference; nothing when it is out of range.
  [[nodiscard]] static constexpr std::optional<Amount> add(Amount a, Amount b) noexcept {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(a.units_, b.units_, &sum)) return std::nullopt;
    return Amount(sum);
  }
  [[nodiscard]] static constexpr std::optional<Amount> subtract(Amount a, Amount b) noexcept {
    std::int64_t difference = 0;
    if (__builtin_sub_overflow(a.units_, b.units_, &difference)) return std::nullopt;
    return Amount(difference);
  }

 private:
  explicit constexpr Amount(std::int64_t units) noexcept : units_(units) {}
  std::int64_t units_ = 0;
};

/// An IPv4 or IPv6 address. IPv4 is kept as IPv4; an IPv4-mapped IPv6 address is read as IPv4.
struct TANDEM_EXPORT IpAddress {
  enum class Family : std::uint8_t { none, ipv4, ipv6 };
  Family family = Family::none;
  std::array<std::uint8_t, 16>
      bytes{};  ///< Network order; IPv4 uses the first 4, the rest are zero.

  /// Reads "192.0.2.1", "2001:db8::1" or "[2001:db8::1]". Errors: invalid_argument.
  static Result<IpAddress> parse(std::string_view text);
  static IpAddress ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) noexcept;

  [[nodiscard]] std::string to_string() const;  ///< Without brackets; "" for none.
  [[nodiscard]] bool is_ipv4() const noexcept { return family == Family::ipv4; }
  [[nodiscard]] bool is_ipv6() const noexcept { return family == Family::ipv6; }
  [[nodiscard]] bool is_unspecified() const noexcept;  ///< 0.0.0.0, :: or none.
  [[nodiscard]] bool is_loopback() const noexcept;
  [[nodiscard]] bool is_private() const noexcept;  ///< RFC 1918, RFC 6598, RFC 4193, link local.
  auto operator<=>(const IpAddress&) const noexcept = default;
};

/// An address block, "192.0.2.0/24".
struct TANDEM_EXPORT IpNetwork {
  IpAddress address;
  std::uint8_t prefix_length = 0;  ///< 0..32 or 0..128.

  /// Reads "IP" (a single address) or "IP/LENGTH". Errors: invalid_argument.
  static Result<IpNetwork> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& ip) const noexcept;
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const IpNetwork&) const noexcept = default;
};

/// An IP address with a port.
struct TANDEM_EXPORT SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  /// Reads "IP:PORT", "[IPv6]:PORT" or a bare IP, which gets `default_port`. Errors:
  /// invalid_argument.
  static Result<SocketAddress> parse(std::string_view text, std::uint16_t default_port = 0);
  [[nodiscard]] std::string to_string() const;  ///< "192.0.2.1:5060", "[2001:db8::1]:5060".
  auto operator<=>(const SocketAddress&) const noexcept = default;
};

/// Which side ended a call.
enum class ReleaseSide : std::uint8_t { caller, callee, server };
TANDEM_EXPORT const char* release_side_name(ReleaseSide side) noexcept;

/// How far a source may call, or what a rate asks of its source (N-07); higher includes lower.
enum class CallLevel : std::uint8_t {
  none = 0,  ///< Of a source: no restriction. Of a rate: asks for nothing.
  internal = 1,
  local = 2,
  domestic = 4,
  international = 5,
};
/// "internal", "local", "domestic", "international"; "" for none.
TANDEM_EXPORT const char* call_level_name(CallLevel level) noexcept;
/// Reads a name; "" is none. Errors: invalid_argument.
TANDEM_EXPORT Result<CallLevel> call_level_from_name(std::string_view name);

/// Why a call or an attempt ended (C-08). The value is the `end_code` that records carry, except
/// for reasons that came from a SIP response: those carry the SIP status.
enum class Reason : std::int16_t {
  none = 0,
  NormalCallClearing = 16,
  NoAvailableRouter = -1,
  AllGatewayBusy = -2,
  GatewayTimeout = -3,
  InviteTimeout = -4,
  ConnectionTimeout = -5,
  NoAnswer = -6,
  AccountBalanceNotEnough = -7,
  AccountLocked = -8,
  AccountExpired = -9,
  AccountNotExist = -10,
  RateNotFound = -11,
  RateLocked = -12,
  NoCallPermission = -13,
  LineLimitExceeded = -14,
  RateLimited = -15,
  CalleeNotOnline = -16,
  Unregistered = -17,
  CalleeBusy = -18,
  NumberRestricted = -19,
  NumberBlacklisted = -20,
  DynamicBlacklist = -21,
  GeofenceForbidden = -22,
  IllegalCall = -23,
  AuthenticationFailed = -24,
  CodecMismatch = -25,
  ProtocolLimit = -26,
  NoMedia = -27,
  RtpInterrupted = -28,
  SessionTimeout = -29,
  MaxDuration = -30,
  BalanceExhausted = -31,
  AdminDisconnect = -32,
  LrnFailed = -33,
  RedirectFailed = -34,
  TooManyForwards = -35,
  DoNotDisturb = -36,
  CallerPoolExhausted = -37,
  ServerShutdown = -38,
  CallerCancel = -39,
  ProfitGuard = -40,
  NotFound = -41,
  TransferFailed = -42,
  LicenseLimit = -43,
  InternalError = -44,
  CalleeDeclined = -45,
  VendorFailure = -46,
  ServerCrash = -47,
  GatewayLocked = -48,
  AccountLimitReached = -49,  ///< A limit by the hour, day or month: refuses and ends calls.
  CertificateRefused = -52,   ///< Of a vendor over TLS: its certificate, or ours by it.
};

/// What the table of C-08 says of a reason.
struct ReasonFacts {
  Reason reason;
  const char* name;  ///< As in records, for instance "NoAvailableRouter".
  int sip_status;    ///< Status for the customer; 0: the call is ended with BYE.
  int q850_cause;    ///< ITU-T Q.850 cause.
};

/// Facts of any enumerator; unknown values give those of InternalError.
TANDEM_EXPORT const ReasonFacts& reason_facts(Reason reason) noexcept;
TANDEM_EXPORT std::optional<Reason> reason_from_name(std::string_view name) noexcept;

/// Reason of an unanswered call that ends with a vendor's final response (C-08).
/// `status`: 300..699.
TANDEM_EXPORT Reason reason_for_response(int status) noexcept;

/// SIP status to Q.850 cause and back (C-09, RFC 3398). Unknown values give 127 and 500 for the
/// class rule of RFC 3398 section 8.2.6.
TANDEM_EXPORT int q850_for_sip(int status) noexcept;
TANDEM_EXPORT int sip_for_q850(int cause) noexcept;

/// Reason phrase of RFC 3261 section 21 for a status; "" when there is none.
TANDEM_EXPORT const char* sip_reason_phrase(int status) noexcept;

/// True for 1..32 characters of `0-9 A-Z a-z + * # _`: what the switch takes for a number.
TANDEM_EXPORT bool is_number(std::string_view text) noexcept;

}  // namespace tandem

template <>
struct std::hash<tandem::SocketAddress> {
  std::size_t operator()(const tandem::SocketAddress& a) const noexcept {
    std::size_t h = a.port * 0x9E3779B97F4A7C15ULL + static_cast<std::size_t>(a.ip.family);
    for (std::uint8_t byte : a.ip.bytes)
      h = (h ^ byte) * 0x100000001B3ULL;
    return h;
  }
};
