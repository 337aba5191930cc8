// What SIP over TLS goes by (P-01): certificate, key and whom to trust.
#pragma once

#include <cstdint>
#include <string>

namespace tandem {

/// Whether a listener asks those who connect for a certificate (RFC 8446 section 4.3.2).
enum class ClientCertificate : std::uint8_t {
  none,
  ask,      ///< One that is shown must be good; none is good too.
  require,  ///< Nobody is heard without a good one.
};

/// How many handshakes peers may begin with one worker, which each cost it a use of the private key
/// (S-14). 0: any number.
struct HandshakeLimits {
  std::int32_t per_s = 200;      ///< A second, of all peers together; 0..100000.
  std::int32_t peer_per_s = 20;  ///< A second, of one address, and 100 at once; 0..10000.
  bool operator==(const HandshakeLimits&) const = default;
};

/// Files in PEM. They are read at the start and at each reload, not in between.
struct TlsConfig {
  /// The switch's own, shown to those who connect and to those who ask for one; the issuers but the
  /// root behind it. "": it has none and cannot listen.
  std::string certificate;
  std::string key;  ///< Of `certificate`; "": it is in the same file. Without a passphrase.
  /// Authorities that peers' certificates must come from, or such certificates themselves. "":
  /// those of the system, and nobody is asked for a client certificate.
  std::string ca;
  bool needs_tls13 = false;  ///< TLS 1.2 is refused.
  HandshakeLimits handshakes{};

  bool operator==(const TlsConfig&) const = default;
};

/// How a server is asked by HTTPS. Its certificate must be of an authority in `ca`, good now, and
/// for `name` or, without one, for the address that is asked (RFC 9110 section 4.3.4).
struct HttpsConfig {
  bool is_on = false;  ///< False: HTTP without TLS; then all others are "".
  std::string name;    ///< Domain of the server; the first label of its certificate may be `*`.
  std::string ca;      ///< As in TlsConfig; "": authorities of the system.
  std::string certificate, key;  ///< As in TlsConfig: shown when the server asks for one.

  bool operator==(const HttpsConfig&) const = default;
};

}  // namespace tandem
