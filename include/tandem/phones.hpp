// Phones and registrations: what is provisioned of a phone, and who is online.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tandem/accounts.hpp"
#include "tandem/export.h"
#include "tandem/geofence.hpp"
#include "tandem/lrn.hpp"
#include "tandem/media_options.hpp"
#include "tandem/packages.hpp"
#include "tandem/phone_forward.hpp"
#include "tandem/route_table.hpp"
#include "tandem/sip_options.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// How a gateway is reached.
enum class GatewayRegistration : std::uint8_t {
  fixed,     ///< At its addresses ("static" in the configuration).
  dynamic,   ///< It registers here with its credentials.
  outbound,  ///< The switch registers at its first address with its credentials; vendors only.
};
TANDEM_EXPORT const char* gateway_registration_name(GatewayRegistration registration) noexcept;

/// Begins the name of a phone where records, events and analysis name a gateway: "phone:1001".
inline constexpr const char* phone_id_prefix = "phone:";

/// Which calls of a phone are barred.
enum class PhoneLock : std::uint8_t { none, outgoing, incoming, both };
TANDEM_EXPORT const char* phone_lock_name(PhoneLock lock) noexcept;

/// Whether the callees of a gateway are phones of this switch (N-06).
enum class CalleeRestriction : std::uint8_t {
  none,
  phones,     ///< They must be.
  no_phones,  ///< They must not be.
};

/// A telephone that registers here. As a caller it is a customer, as a callee a place that
/// calls end at.
struct PhoneConfig : DescriptionOptions {
  std::string id;                 ///< The number; what it is listed by.
  std::string number;             ///< 1..32 characters; also its user name for digest.
  std::vector<std::string> dids;  ///< Further numbers that reach it (T-01).
  std::string password;           ///< For REGISTER and INVITE. Required.
  std::string account;            ///< Pays for its calls (B-04). Required.
  PhoneLock locked = PhoneLock::none;
  std::int32_t line_in = -1;               ///< T-16; calls to it at once. -1: unlimited, 0: none.
  std::int32_t line_out = -1;              ///< Calls it makes.
  std::int32_t line_limit = -1;            ///< Both together.
  CallLevel call_level = CallLevel::none;  ///< N-07; the stricter of this and the account's holds.
  std::string rewrite_callee;              ///< N-02 rules for what it dials.
  std::string called_rewrite_caller;       ///< For the caller that it is shown.
  std::string called_rewrite_callee;       ///< For the callee that it is shown.
  std::vector<RoutePolicy> sort;           ///< R-07, as of a customer gateway.
  std::vector<std::string> vendor_groups_allow, vendor_groups_deny;  ///< R-09.
  std::optional<std::int32_t> min_profit_hundredths;                 ///< R-18.
  std::optional<Amount> max_price_per_s;                             ///< R-18.
  std::optional<std::int32_t> max_call_s;                            ///< B-12.
  std::optional<LrnGatewayConfig> lrn;  ///< R-20, as of a customer gateway.
  std::int32_t calls_per_second = 0;    ///< R-22, of the calls it makes; 0: no limit.
  std::int32_t burst = 0;
  /// whether calls to it are routed like those to other numbers while it is offline.
  /// Nothing: as the parameter says.
  std::optional<bool> offline_to_gateways;
  bool pays_when_called = false;  ///< Its account pays for calls to it, not their callers (B-04).
  bool do_not_disturb = false;    ///< T-13: calls to it find it busy, and go nowhere else.
  bool rings_together = false;    ///< P-05: its devices ring at once, not one after the other.
  PhoneForward forward;
  Rel100Mode rel100 = Rel100Mode::off;  ///< P-17, of calls it makes and gets.
  MonthlyRules monthly{};  ///< B-18: of what its own calls cost; the account pays (T-16).
  ReferMode refer = ReferMode::local;             ///< P-25, T-04, in calls it makes and gets.
  bool transfer_keys = false;                     ///< T-04..T-06: DTMF keys order transfers.
  MediaMode media = MediaMode::auto_mode;         ///< M-01, in calls it makes and gets.
  std::vector<CodecName> codecs{};                ///< M-07, likewise; as of a gateway.
  ReplacesMode replaces = ReplacesMode::account;  ///< RFC 3891, of its INVITEs.
  /// T-10: phones of one group pick each other's calls up; "": none does.
  std::string pickup_group{};
  bool record = false;  ///< M-15: its answered calls, either way, are recorded.
  RedirectServers redirect_servers = RedirectServers::as_vendors;  ///< I-03, of its calls.
  CalledRedirectServers called_redirect_servers = CalledRedirectServers::off;  ///< Of calls to it.
  std::vector<PromptConfig> prompts{};            ///< M-14, of calls it makes; as of a gateway.
  std::optional<ReminderConfig> reminder{};       ///< M-14, likewise.
  std::optional<Remaining> announce_remaining{};  ///< M-14, likewise.
  std::string language{};                         ///< Likewise.
  GeofenceConfig geofence{};                      ///< S-01, of its calls and its registration.
  /// T-14: what its callers hear while it rings, as VendorGateway::ring_tone; "": what they have.
  std::string ring_tone{};
  /// T-15: callers are shown to it by their short numbers in the phone book of its account.
  bool shows_short_callers = false;
  std::string hold_tone{};  ///< T-05, in calls it makes and gets; as of a gateway.
};

/// Where a phone or gateway can be reached, as it registered.
struct ContactView {
  std::string uri;
  SocketAddress address;  ///< Where requests go: behind NAT the source of the registration.
  SocketAddress source;   ///< Where the registration came from.
  std::string transport;  ///< "udp", "tcp", "tls", "ws", "wss".
  std::string product;    ///< User-Agent; "": none named.
  std::int32_t q_thousandths = 1000;
  std::int64_t registered_at_us = 0;  ///< Wall clock; of the first registration of this contact.
  std::int64_t expires_at_us = 0;     ///< Wall clock.
  std::vector<std::string> path{};    ///< Proxies that it is called through (RFC 3327), in order.
};

/// A phone and whether it is online (O-01).
struct PhoneView {
  std::string number;
  std::vector<std::string> dids;
  std::string account;
  PhoneLock locked = PhoneLock::none;
  std::int32_t calls_in = 0, calls_out = 0;
  std::int32_t line_in = -1, line_out = -1, line_limit = -1;
  std::vector<ContactView> contacts;  ///< Best first; empty: offline.
};

/// Who may not authenticate for a while (S-08).
struct SuspensionView {
  std::string user;      ///< "": the address as a whole.
  std::string address;   ///< IPv6: the first 64 bits.
  std::int64_t left_ms;  ///< Until it ends by itself.
};

TANDEM_EXPORT std::string to_json(const PhoneView& phone);
TANDEM_EXPORT std::string to_json(const SuspensionView& suspension);

}  // namespace tandem
