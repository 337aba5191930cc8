// DTLS 1.2 for the keys of media (RFC 5764): one association at a time, without a socket or a
// timer of its own.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/tls_files.hpp"
#include "tandem/dtls.hpp"
#include "tandem/srtp.hpp"

namespace tandem::io {

/// Certificate and key. Peers know the certificate by its hash, so nobody signs it.
///
/// Threading: immutable; any number of threads may call it at once.
class DtlsIdentity {
 public:
  /// A certificate of our own with a key of P-256, for five years from now. Errors: internal.
  static Result<std::shared_ptr<const DtlsIdentity>> make();
  /// Of files in PEM. Errors: io, invalid_argument (the key is another certificate's), internal.
  static Result<std::shared_ptr<const DtlsIdentity>> read(const std::string& certificate,
                                                          const std::string& key);

  [[nodiscard]] const DtlsFingerprint& fingerprint() const noexcept { return fingerprint_; }
  [[nodiscard]] SSL_CTX* context() const noexcept { return context_.get(); }

 private:
  DtlsIdentity() = default;
  static Result<std::shared_ptr<const DtlsIdentity>> complete(SslContext context);
  SslContext context_;
  DtlsFingerprint fingerprint_;
};

/// What a server is told of who asks, before anything is kept or computed for it: the first message
/// of a client goes back with a cookie that only its address gets (RFC 6347 section 4.2.1).
///
/// Threading: immutable; any number of threads may call it at once.
class DtlsCookies {
 public:
  DtlsCookies();
  enum class Verdict : std::uint8_t {
    other,   ///< No first message of a handshake.
    asks,    ///< `reply` is to be sent; never longer than what came.
    proven,  ///< It has the cookie of that address.
  };
  [[nodiscard]] Verdict judge(std::string_view address, std::string_view datagram,
                              std::string& reply) const;

 private:
  std::array<unsigned char, 32> secret_{};
};

/// One handshake and what follows it.
///
/// Threading: one thread at a time.
class DtlsAssociation {
 public:
  enum class State : std::uint8_t { shaking, agreed, failed, mismatch };
  using Datagrams = std::vector<std::string>;

  /// `fingerprints`: of which the peer's certificate must be one. Errors: internal.
  static Result<std::unique_ptr<DtlsAssociation>> create(
      std::shared_ptr<const DtlsIdentity> identity, DtlsRole role,
      std::vector<DtlsFingerprint> fingerprints);
  ~DtlsAssociation();

  /// A client's first message.
  void begin(Datagrams& out) noexcept;
  /// The first message of a client that DtlsCookies found proven; once, before any take().
  void begin_proven(std::string_view datagram, Datagrams& out) noexcept;
  /// A datagram of the peer. `out` gets what is to be sent to it.
  void take(std::string_view datagram, Datagrams& out) noexcept;
  /// What was sent last, once more: nothing came in answer to it. The owner's timer asks.
  void repeat(Datagrams& out) noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  /// Once agreed(): what the two ends encrypt with (RFC 5764 section 4.2).
  [[nodiscard]] const MediaCrypto& crypto() const noexcept { return crypto_; }

  // For the library's callbacks.
  std::size_t take_in(char* out, std::size_t bytes_max) noexcept;
  bool put_out(const char* bytes, std::size_t count) noexcept;
  [[nodiscard]] bool is_expected(X509* certificate) noexcept;

 private:
  DtlsAssociation() = default;
  void shake(Datagrams& out) noexcept;
  void finish(Datagrams& out, int result) noexcept;
  bool export_keys();

  std::shared_ptr<const DtlsIdentity> identity_;
  std::vector<DtlsFingerprint> fingerprints_;
  Ssl ssl_;
  DtlsRole role_ = DtlsRole::none;
  State state_ = State::shaking;
  bool is_other_ = false;  // its certificate is not the one that was described
  std::string_view incoming_;
  Datagrams outgoing_;  // of one step
  Datagrams flight_;    // what was sent last
  MediaCrypto crypto_;
};

}  // namespace tandem::io
