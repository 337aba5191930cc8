// Number portability: who is asked where a number is, and what a customer's calls make of
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/export.h"
#include "tandem/tls.hpp"
#include "tandem/values.hpp"

namespace tandem {

enum class SipTransport : std::uint8_t;  // config.hpp

/// What is known of a number.
struct LrnRecord {
  std::string lrn;     ///< Location routing number, see is_lrn(); "": the number was not ported.
  std::string region;  ///< Of the number's rate centre, of printable ASCII; "": unknown.
  bool operator==(const LrnRecord&) const = default;
};

inline constexpr std::size_t lrn_region_bytes_max = 32;
inline constexpr std::size_t lrn_suffix_bytes_max = 180;  ///< A name has 253, a number 64 of them.

/// True for 1..31 digits, hexadecimal ones too, with a '+' in front or without (RFC 4694
/// section 4).
TANDEM_EXPORT bool is_lrn(std::string_view text) noexcept;

/// How a resolver is asked.
enum class LrnResolverKind : std::uint8_t {
  sip302,  ///< INVITE to a redirect server, answered with `rn` in a Contact (RFC 4694).
  http,    ///< GET, answered with JSON.
  host,    ///< SwitchHooks::on_lrn.
  naptr,   ///< "enum": NAPTR records of DNS (RFC 6116) with `rn` or `npdi` (RFC 4769).
};
/// "sip302", "http", "host", "enum". Lives for ever.
TANDEM_EXPORT const char* lrn_resolver_kind_name(LrnResolverKind kind) noexcept;

/// One resolver. Equal questions that are under way are asked once; answers are kept.
struct LrnResolverConfig {
  std::string id;
  LrnResolverKind kind = LrnResolverKind::sip302;
  std::vector<SocketAddress>
      addresses;  ///< The n-th retry asks the n-th next one. Port 0: 5060, 80 or 443, 53.
  SipTransport transport{};                   ///< sip302: UDP or TCP.
  std::string caller;                         ///< sip302: user part of From; "" for none.
  std::string path = "/lrn?number={number}";  ///< http: `{number}` becomes the number.
  std::vector<std::string> headers;           ///< http: further "Name: value" lines, at most 16.
  std::string lrn_key = "lrn";        ///< http: key or JSON pointer (RFC 6901) in the answer.
  std::string region_key = "region";  ///< http: the same; sip302, enum: name of a URI parameter.
  std::string suffix = "e164.arpa";   ///< enum: where the tree of numbers begins; a name of DNS, at
                                      ///< most lrn_suffix_bytes_max.
  std::int32_t timeout_ms = 1000;     ///< 50..10000, for each attempt.
  std::int32_t retries = 1;           ///< 0..5 further attempts when nothing came.
  std::int32_t cache_s = 300;         ///< How long an answer is good, 0..86400; 0: not kept.
  std::int32_t cache_entries = 100'000;  ///< 1..10,000,000; the oldest goes first.
  std::int32_t queries_max = 1000;       ///< Under way in each call worker, 1..65536.
  std::int32_t connections = 4;          ///< http: to each address from each worker, 1..64.
  HttpsConfig https{};  ///< http. Its files are read with each load and reload, not in between.
};

/// What a call does when its callee could not be looked up.
enum class LrnFailureAction : std::uint8_t {
  reject,  ///< It is refused, `LrnFailed`.
  go_on,   ///< It goes on with the dialled number.
};

/// What a customer gateway's calls do with it.
struct LrnGatewayConfig {
  bool enable = true;
  std::string resolver;                ///< Id.
  std::int32_t eat_prefix_length = 0;  ///< Characters of the callee that are not asked for, 0..32.
  LrnFailureAction failure_action = LrnFailureAction::reject;
  /// Put before the callee for billing when caller and callee are in different regions, and when
  /// one of the regions is unknown; "": nothing.
  std::string interstate_billing_prefix, undetermined_billing_prefix;
  bool routes_by_lrn = true;  ///< Else by the dialled number; then only billing uses the answer.
  bool trusts_npdi = false;   ///< A Request-URI with `npdi` (RFC 4694) was looked up already.
};

/// A question to the host: where is this number?
struct LrnQuestion {
  std::uint64_t token = 0;  ///< For Switch::answer_lrn().
  std::string resolver;     ///< Id.
  std::string number;       ///< Of a callee or a caller; 1..32 characters, see is_number().
};

/// What the host answers.
struct LrnAnswer {
  bool failed = false;  ///< The number could not be looked up; nothing is kept.
  LrnRecord record;
};

/// Counters of one resolver since it was configured so; all workers together.
struct LrnCounters {
  std::string resolver;
  std::uint64_t cache_hits = 0;  ///< Numbers found among the answers that are kept.
  std::uint64_t coalesced = 0;   ///< Numbers that were being asked for already.
  std::uint64_t questions = 0;   ///< Attempts that were sent.
  std::uint64_t answers = 0;
  std::uint64_t timeouts = 0;       ///< Attempts without an answer in time.
  std::uint64_t failures = 0;       ///< Numbers that could not be looked up, overflows aside.
  std::uint64_t overflows = 0;      ///< Numbers beyond `queries_max`.
  std::uint64_t under_way = 0;      ///< Now.
  std::uint64_t cache_entries = 0;  ///< Now, expired ones among them.
};

}  // namespace tandem
