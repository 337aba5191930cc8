// How SIP is spoken with one gateway: what of a call's headers it is told, what of its own are
// believed and passed on, and how long it may take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/media_options.hpp"
#include "tandem/values.hpp"

namespace tandem {

enum class SipTransport : std::uint8_t {
  udp,
  tcp,
  tls,
  ws,   ///< WebSocket (RFC 7118): peers connect, the switch does not.
  wss,  ///< The same over TLS.
};

/// "udp", "tcp", "tls", "ws", "wss".
constexpr std::string_view transport_name(SipTransport transport) noexcept {
  constexpr std::string_view names[] = {"udp", "tcp", "tls", "ws", "wss"};
  return names[static_cast<std::size_t>(transport)];
}
/// 5060, 5061 for TLS (RFC 3261 section 19.1.2), 80 and 443 for WebSocket (RFC 6455 section 3).
constexpr std::uint16_t default_port(SipTransport transport) noexcept {
  constexpr std::uint16_t ports[] = {5060, 5060, 5061, 80, 443};
  return ports[static_cast<std::size_t>(transport)];
}
constexpr bool is_websocket(SipTransport transport) noexcept {
  return transport == SipTransport::ws || transport == SipTransport::wss;
}
constexpr bool is_over_tls(SipTransport transport) noexcept {
  return transport == SipTransport::tls || transport == SipTransport::wss;
}

/// Where a customer's caller is read (P-10). What a header does not give, From does.
enum class CallerField : std::uint8_t {
  from,
  rpid,     ///< Remote-Party-ID.
  display,  ///< Display name of From.
  pai,      ///< P-Asserted-Identity (RFC 3325).
  ppi,      ///< P-Preferred-Identity (RFC 3325).
};

/// Where a customer's callee is read (P-11). What a header does not give, the Request-URI does.
enum class CalleeField : std::uint8_t {
  request_uri,
  to,
  diversion,  ///< The first Diversion (RFC 5806): who was called before the call was diverted.
};

/// What becomes of a Privacy header (P-09, P-12; RFC 3323). Of a customer: `none` ignores what it
/// asks for, the others honour it.
enum class PrivacyMode : std::uint8_t {
  none,
  pass,  ///< The caller's own.
  id,    ///< Always "id".
};

/// What a vendor gets in P-Asserted-Identity or P-Preferred-Identity (P-09).
enum class IdentityMode : std::uint8_t {
  none,
  pass,    ///< The customer's own.
  caller,  ///< The outgoing caller.
};

/// Which headers beyond those of call and session a gateway may send through (P-14).
struct HeaderPass {
  bool all = false;
  std::vector<std::string> names;  ///< Without `all`: only these; no case.

  [[nodiscard]] bool passes_any() const noexcept { return all || !names.empty(); }
  [[nodiscard]] TANDEM_EXPORT bool passes(std::string_view name) const noexcept;
  /// Whether a header of that name can be passed at all. Errors: invalid_argument (no name, one of
  /// the switch's own, or one with a setting of its own).
  static TANDEM_EXPORT Result<void> check(std::string_view name);
};

/// A header line that is added to each INVITE (P-14). `value` may hold ${caller}, ${callee},
/// ${callid} and ${account}: outgoing caller and callee, Call-ID of the customer's call, the
/// customer's account.
struct HeaderTemplate {
  std::string name;
  std::string value;

  /// "Name: value". Errors: invalid_argument (no such line, or a header that the switch writes
  /// itself, or an unknown ${}).
  static TANDEM_EXPORT Result<HeaderTemplate> parse(std::string_view line);
  bool operator==(const HeaderTemplate&) const = default;
};

/// One row of a replacement list (P-30). `from` 0: any other; `to` 0: stays as it is.
struct CodeReplacement {
  std::int32_t from = 0;
  std::int32_t to = 0;
  bool operator==(const CodeReplacement&) const = default;
};
/// What the list makes of a code: the row for it, else the row for any other, else itself.
TANDEM_EXPORT std::int32_t replaced_code(const std::vector<CodeReplacement>& list,
                                         std::int32_t code) noexcept;

/// Whether the switch watches that the peer of a call is still there (P-18, RFC 4028).
enum class SessionTimerMode : std::uint8_t {
  off,      ///< The extension is not spoken.
  allow,    ///< Offered; without it at the other side the switch asks alone.
  require,  ///< A vendor must speak it; a customer that does not is refused with 421.
};

/// Whether provisional responses are sent and acknowledged reliably (P-17, RFC 3262).
enum class Rel100Mode : std::uint8_t {
  off,      ///< Not spoken; a caller that requires it is refused with 420.
  allow,    ///< With everybody who can.
  require,  ///< A vendor must; a customer that cannot is refused with 421.
};

/// What becomes of a party's wish to lead the other one to somebody else: REFER in a call (P-25,
/// T-04, RFC 3515).
enum class ReferMode : std::uint8_t {
  off,    ///< Refused with 403.
  local,  ///< The switch calls the target, and the account of who asks pays for that.
  relay,  ///< The other side of the call is asked.
};

/// Whose place in a call a party may ask for by an INVITE with Replaces (RFC 3891).
enum class ReplacesMode : std::uint8_t {
  off,      ///< Nobody's: the header means nothing.
  own,      ///< Its own, from another device or dialog.
  account,  ///< Also that of gateways and phones of its account, and of phones of its pickup group.
  any,      ///< That of every customer and phone; of no vendor that is not a customer too.
};

/// Where responses to requests over UDP go (P-02).
enum class ReplyAddress : std::uint8_t {
  socket,    ///< Where the request came from (RFC 3581, whether it asks for that or not).
  via_port,  ///< The same host, the port of its Via (RFC 3261 section 18.2.2 without rport).
  via,       ///< Host and port of its Via; a host name there counts as the source's address.
};

/// Where requests inside a call go that has no route set (P-03).
enum class RequestAddress : std::uint8_t {
  socket,        ///< Where the call came from, or was sent to.
  contact_port,  ///< The same host, the port of its Contact.
  contact,       ///< Its Contact (RFC 3261 section 12.2.1.1); a name there counts as `socket`.
};

/// Whether a call that a vendor redirects follows (P-21, RFC 3261 section 8.1.3.4).
struct RedirectRules {
  bool are_followed = false;  ///< To the vendor's own addresses, on any port, ...
  /// I-03: it is a redirect server, whose Contacts name vendor gateways; nothing else is followed.
  bool to_gateways = false;
  std::vector<IpNetwork> networks;  ///< ... and into these; at most 64.
};

/// What redirect servers, vendors with RedirectRules::to_gateways, are to the calls of a customer
/// (I-03).
enum class RedirectServers : std::uint8_t {
  as_vendors,  ///< Vendors among others, in the order of these.
  off,         ///< No vendors: they get none of the calls.
  first,       ///< Asked before all vendors; when none of them decides, the vendors get the call.
  only,        ///< They alone decide; when none does, the call fails with RedirectFailed.
};

/// What they are to the calls to a phone.
enum class CalledRedirectServers : std::uint8_t {
  off,      ///< Nothing; to those of a phone that is off line and goes to vendors what they are to
            ///< the caller's.
  offline,  ///< They decide while it is off line: `first` when it goes to vendors then, else
            ///< `only`.
  first,    ///< They are asked before the phone is called too, which is when none of them decides.
};

/// Progress timers of one vendor instead of the parameters (P-19), seconds; 0: the parameter, but
/// for redirect servers (I-03).
struct ProgressTimers {
  std::int32_t invite_s = 0;
  std::int32_t trying_s = 0;
  std::int32_t progress_s = 0;
  std::int32_t progress_sdp_s = 0;
  std::int32_t ringing_s = 0;
};

/// The `sip` object of a gateway.
struct SipOptions : DescriptionOptions {
  // Both kinds.
  PrivacyMode privacy = PrivacyMode::none;
  bool reason = true;       ///< Reason headers are written and read (P-15, RFC 3326).
  bool retry_after = true;  ///< Customer: 503 may carry it (P-16). Vendor: it is heeded (R-16).
  HeaderPass pass_headers;  ///< Of what this gateway sends: its INVITE, or its final responses.
  SessionTimerMode session_timer = SessionTimerMode::allow;
  Rel100Mode rel100 = Rel100Mode::off;
  ReplyAddress reply_address = ReplyAddress::socket;
  RequestAddress request_address = RequestAddress::socket;
  /// A vendor's `local` needs a customer gateway of the same id, whose account pays.
  ReferMode refer = ReferMode::off;
  /// T-04..T-06: DTMF keys in RTP or SIP INFO order transfers, paid as those of `refer`.
  bool transfer_keys = false;
  ReplacesMode replaces = ReplacesMode::off;  ///< Of its INVITEs (RFC 3891).
  /// Domain that its certificate must be of when it is connected to over TLS (RFC 5922). "": the
  /// name in the vendor's address, or the IP address itself.
  std::string tls_name;
  bool tls_verify = true;  ///< False: any certificate will do.

  // Customers.
  CallerField caller_from = CallerField::from;
  CalleeField callee_from = CalleeField::request_uri;
  bool recognize_forward = false;                ///< Its Diversion headers are believed (P-13).
  std::vector<CodeReplacement> replace_reasons;  ///< SIP statuses 300..699 of failures (P-30).
  std::vector<CodeReplacement> replace_causes;   ///< Q.850 causes 1..127.
  std::int32_t setup_timeout_s = 0;  ///< Longest time without ringing or answer, all vendors
                                     ///< together (P-19); 0: none.

  // Vendors.
  SipTransport transport = SipTransport::udp;
  /// The NAPTR and SRV records of a vendor's name choose the transport of its places (RFC 3263
  /// section 4.1); `transport` is then that of its addresses.
  bool finds_transport = false;
  SocketAddress local_address;  ///< Listen address to send from (P-01); none: the first that fits.
  std::string local_domain;     ///< Host of From and identities instead of the address (P-07).
  /// It is asked how much it can bear, and sent no more (RFC 7339).
  bool overload_control = false;
  bool user_phone = false;  ///< ";user=phone" in the URIs of a request (P-08).
  bool display = true;      ///< The caller's display name goes along (P-09).
  bool rpid = false;        ///< Remote-Party-ID.
  IdentityMode pai = IdentityMode::none;
  IdentityMode ppi = IdentityMode::none;
  bool forward_signal = false;                 ///< Diversion goes along (P-13).
  std::vector<HeaderTemplate> invite_headers;  ///< At most 32.
  ProgressTimers timers;
  RedirectRules redirects;
};

/// Most hops of a diverted call; one more is refused with 482 (P-13).
inline constexpr std::size_t diversions_max = 5;

}  // namespace tandem
