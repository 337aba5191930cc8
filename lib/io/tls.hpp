// TLS over the streams of any loop (RFC 5246, RFC 8446), and proof of who is at the other end
// (RFC 5922).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "io/loop.hpp"
#include "tandem/tls.hpp"

namespace tandem::io {

/// Who a peer that is connected to must prove to be.
struct TlsPeer {
  std::string
      name;  ///< A domain (RFC 5922 section 7), sent as SNI; "": the address it is called at.
  bool is_verified = true;  ///< False: any certificate will do.
  /// A server of HTTP: the name is a host's (RFC 9525), of which the first label may be a wildcard,
  /// and HTTP/1.1 is agreed on (RFC 7301).
  bool is_web = false;
};

/// The same with its paths resolved against `folder`.
[[nodiscard]] TlsConfig resolved_tls(const TlsConfig& tls, const std::string& folder);

/// Certificate, key and authorities as their files were when it was made, for connections of both
/// ways. TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3; no renegotiation,
/// compression or resumption: connections of SIP are few and long.
///
/// A connection made of it is a stream like the one below it, owned by one loop. It is made
/// (StreamHandler::on_connected) when the handshake is over; the deadline for that is the owner's.
/// What a peer may make it keep is one record of 16 KiB and, before it is made, a first message of
/// 16 KiB or 32 KiB of certificates; what it sends waits in the stream below alone.
///
/// Threading: immutable; any number of threads may call it at once.
class TlsContext {
 public:
  virtual ~TlsContext() = default;

  /// Paths as given. `failed_key`: which member of `files` an error is about. Errors: io
  /// (a file, by name, could not be read or has nothing usable), invalid_argument (the key is
  /// another certificate's), internal.
  static Result<std::shared_ptr<const TlsContext>> create(const TlsConfig& files,
                                                          std::string_view& failed_key);

  /// Asked once, when the first message of a peer is there and before anything of it costs a use of
  /// the private key. False: the connection ends. Not to be destroyed from within.
  using Admission = std::function<bool()>;

  /// The handshake over an accepted stream, once it has a handler. `loop` is the stream's. `admits`
  /// may be empty.
  /// Errors: wrong_state (there is no certificate), internal.
  virtual Result<std::unique_ptr<StreamConnection>> accept(Loop& loop,
                                                           std::unique_ptr<StreamConnection> stream,
                                                           ClientCertificate wants,
                                                           Admission admits = {}) const = 0;
  /// As Loop::connect(). A peer that is not who it must be comes as on_closed().
  virtual Result<std::unique_ptr<StreamConnection>> connect(Loop& loop, const SocketAddress& remote,
                                                            const TlsPeer& peer,
                                                            StreamHandler& handler) const = 0;
  /// Whether the peer of a connection that another context accepted, and has agreed on, or of one
  /// that is spoken over such a one, would be let in by this one: its version of TLS, and the
  /// certificate that it has shown, if any, by the authorities of now. Costs as much as that part
  /// of a handshake.
  [[nodiscard]] virtual bool would_keep(const StreamConnection& accepted) const = 0;
  /// Of certificates, authorities and versions: contexts of which it is the same take and show the
  /// same; "": unknown. A key is not part of it, since a certificate has but one.
  [[nodiscard]] virtual const std::string& fingerprint() const noexcept = 0;
  /// Last second of the own certificate, since 1970 UTC; 0: there is none.
  [[nodiscard]] virtual std::int64_t certificate_ends_at_s() const noexcept = 0;
};

}  // namespace tandem::io
