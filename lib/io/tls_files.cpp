#include "io/tls_files.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <utility>

namespace tandem::io {
namespace {

constexpr int chain_length_max = 8;
constexpr long certificates_bytes_max = 32'768;  // of a chain; as long as its header may claim

Error file_error(const std::string& file, std::string_view what) {
  return {ErrorCode::io, "\"" + file + "\" " + std::string(what) + ": " + tls_library_error()};
}

/// A key that wants a passphrase is refused: without this the library asks the terminal.
int no_passphrase(char*, int, int, void*) noexcept { return 0; }

Result<void> use_certificate(TlsFiles& read, const std::string& file) {
  if (SSL_CTX_use_certificate_chain_file(read.context.get(), file.c_str()) != 1)
    return file_error(file, "had no usable certificate");
  read.has_certificate = true;
  tm ends{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(read.context.get())), &ends) == 1)
    read.ends_at_s = static_cast<std::int64_t>(::timegm(&ends));
  return {};
}

Result<void> use_key(SSL_CTX* context, const std::string& file) {
  const bool is_read = SSL_CTX_use_PrivateKey_file(context, file.c_str(), SSL_FILETYPE_PEM) == 1;
  const unsigned long error = ERR_peek_last_error();
  const bool is_of_another =
      ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH;
  if (!is_read && !is_of_another) return file_error(file, "had no usable key");
  // A key of another kind than the certificate's is taken without a word, and no handshake works.
  if (is_read && SSL_CTX_check_private_key(context) == 1) return {};
  ERR_clear_error();
  return Error{ErrorCode::invalid_argument, "\"" + file + "\" had the key of another certificate"};
}

Result<void> use_authorities(SSL_CTX* context, const std::string& file) {
  if (file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1)
      return Error{ErrorCode::io,
                   "the system's authorities could not be read: " + tls_library_error()};
    return {};
  }
  if (SSL_CTX_load_verify_file(context, file.c_str()) != 1)
    return file_error(file, "had no usable authority");
  STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(file.c_str());
  if (names == nullptr) return file_error(file, "had no usable authority");
  SSL_CTX_set_client_CA_list(context, names);  // owns them
  return {};
}

}  // namespace

std::string tls_library_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* const words = ERR_reason_error_string(code);
  return words != nullptr ? words : code == 0 ? "no reason given" : "error " + std::to_string(code);
}

bool is_certificate_refusal(unsigned long error) noexcept {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return false;
  switch (ERR_GET_REASON(error)) {
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

Result<TlsFiles> read_tls_files(const TlsConfig& files, std::string_view& failed_key) {
  failed_key = {};
  TlsFiles read;
  read.context.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* const context = read.context.get();
  if (context == nullptr)
    return Error{ErrorCode::internal, "TLS could not be set up: " + tls_library_error()};
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify_depth(context, chain_length_max);
  SSL_CTX_set_max_cert_list(context, certificates_bytes_max);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  // An authority of the file may be an intermediate one, or the peer's own certificate.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  if (SSL_CTX_set_num_tickets(context, 0) != 1 ||
      SSL_CTX_set_min_proto_version(context, files.needs_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) !=
          1 ||
      SSL_CTX_set_max_proto_version(context, 0) != 1 ||
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
    return Error{ErrorCode::internal, "TLS could not be set up: " + tls_library_error()};
  }
  if (!files.certificate.empty()) {
    failed_key = "certificate";
    if (auto used = use_certificate(read, files.certificate); !used) return std::move(used).error();
    failed_key = files.key.empty() ? "certificate" : "key";
    if (auto used = use_key(context, files.key.empty() ? files.certificate : files.key); !used)
      return std::move(used).error();
  }
  failed_key = "ca";
  if (auto used = use_authorities(context, files.ca); !used) return std::move(used).error();
  failed_key = {};
  return read;
}

}  // namespace tandem::io
