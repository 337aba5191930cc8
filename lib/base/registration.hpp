// A registration on its way from a signalling room to whoever keeps it, and the answer (P-05).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/sip_options.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Names a connection of this switch that a peer made: what is sent to the peer goes back over it
/// while it lives. Means nothing outside the room that gave it.
struct FlowId {
  std::uint32_t worker = 0;
  std::uint32_t serial = 0;  ///< 0: none.
  [[nodiscard]] bool is_set() const noexcept { return serial != 0; }
  bool operator==(const FlowId&) const noexcept = default;
};

/// One use of a nonce of ours (RFC 7616 section 3.4): when it was given out, and its count.
struct NonceUse {
  std::int64_t issued_us = 0;
  std::uint32_t count = 0;  ///< 1 for credentials without a count.
};

/// Remembers which nonces a user has used.
class NonceLedger {
 public:
  virtual ~NonceLedger() = default;
  /// False: used before, or too long ago to know. Threading: thread-safe.
  virtual bool use(const NonceUse& use) noexcept = 0;
};

/// What a user says to be.
struct Credentials {
  std::string_view username;
  std::string_view password;
  std::string_view realm;
  /// Asked when the password is right; what it refuses is challenged anew. Null: a nonce may be
  /// used again within its lifetime.
  NonceLedger* nonces = nullptr;
  bool may_challenge = true;  ///< Else nothing is sent where a challenge would be.
};

/// One Contact of a REGISTER.
struct OfferedContact {
  std::string uri;        ///< Without angle brackets and header parameters.
  std::string identity;   ///< Equal for URIs that RFC 3261 section 19.1.4 holds equal.
  SocketAddress address;  ///< None when the host is a name.
  /// By the URI; nothing: it does not say.
  std::optional<SipTransport> transport;
  std::int32_t expires_s = -1;  ///< -1: not said.
  std::int32_t q_thousandths = 1000;
};

enum class CredentialVerdict : std::uint8_t {
  none,   ///< None were given that mean anything here.
  stale,  ///< The password is right, the nonce is too old or was used before.
  wrong,
  verified,
};

/// Looks at the credentials of one request.
class CredentialCheck {
 public:
  virtual ~CredentialCheck() = default;
  /// User name of the credentials for `realm`; "": there are none.
  [[nodiscard]] virtual std::string username(std::string_view realm) const = 0;
  /// `use` is set when the verdict is `verified`; Credentials::nonces is not asked.
  [[nodiscard]] virtual CredentialVerdict check(const Credentials& credentials,
                                                NonceUse& use) const = 0;
};

/// A REGISTER request (RFC 3261 section 10.3). Views and `credentials` end with the call that
/// delivers it.
struct RegisterRequest {
  SocketAddress source;  ///< Where it came from.
  SocketAddress local;   ///< Listen address where it arrived.
  SipTransport transport = SipTransport::udp;
  FlowId flow;
  std::string_view user;  ///< Of the address-of-record (To), unescaped.
  std::string_view call_id;
  std::uint32_t cseq = 0;
  std::string_view product;              ///< User-Agent; "": none.
  std::vector<OfferedContact> contacts;  ///< Empty: a question for the bindings.
  bool is_wildcard = false;              ///< Contact: *
  std::int32_t expires_s = -1;           ///< Expires header; -1: absent.
  /// The proxies that it came through and calls must go through (RFC 3327), in that order: one
  /// name-addr a line; "": none.
  std::string path;
  SocketAddress edge;  ///< Host of the first of them; none when it is a name.
  std::optional<SipTransport> edge_transport;  ///< By its URI; nothing: it does not say.
  const CredentialCheck* credentials = nullptr;
};

/// A binding as the 200 of a REGISTER lists it.
struct BoundContact {
  std::string uri;
  std::int32_t expires_s = 0;
  std::int32_t q_thousandths = 1000;
};

struct RegisterReply {
  std::int32_t status = 405;       ///< 200..699; 0: say nothing.
  std::string realm;               ///< 401: of the challenge.
  bool is_stale = false;           ///< 401: the password was right.
  std::int32_t min_expires_s = 0;  ///< 423.
  std::int32_t retry_after_s = 0;
  std::vector<BoundContact> contacts;  ///< 200.
};

/// Decides about REGISTER requests before anything is spent on them (S-09). Threading:
/// thread-safe; called on every worker.
class RegisterGate {
 public:
  enum class Verdict : std::uint8_t {
    closed,  ///< Nobody registers here.
    pass,
    overload,  ///< The switch as a whole gets too many: 503.
    flood,     ///< This source sends too many: not even an answer.
  };
  virtual ~RegisterGate() = default;
  [[nodiscard]] virtual bool is_open() const noexcept = 0;
  virtual Verdict admit(const IpAddress& source, std::int64_t now_us) noexcept = 0;
};

}  // namespace tandem
