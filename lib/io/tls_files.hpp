// What OpenSSL makes of the files of a TlsConfig, and what holds for each connection of ours,
// whoever drives it.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/error.hpp"
#include "tandem/tls.hpp"

namespace tandem::io {

template <auto free>
struct FreedBy {
  template <class T>
  void operator()(T* object) const noexcept {
    free(object);
  }
};
using SslContext = std::unique_ptr<SSL_CTX, FreedBy<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, FreedBy<SSL_free>>;

struct TlsFiles {
  SslContext context;
  bool has_certificate = false;
  std::int64_t ends_at_s = 0;  ///< Last second of the own certificate, since 1970 UTC.
};

/// TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3; no renegotiation,
/// compression or resumption. `failed_key` and errors: those of TlsContext::create().
Result<TlsFiles> read_tls_files(const TlsConfig& files, std::string_view& failed_key);

/// The latest error of the library on this thread, in words.
[[nodiscard]] std::string tls_library_error();
/// Whether the error is what a peer says that takes not the certificate that it was shown, or lacks
/// one (RFC 8446 section 6.2). Without one TLS 1.2 says no more than that the handshake failed.
[[nodiscard]] bool is_certificate_refusal(unsigned long error) noexcept;

}  // namespace tandem::io
