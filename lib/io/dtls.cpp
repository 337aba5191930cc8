#include "io/dtls.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tandem::io {
namespace {

using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using BioMethod = std::unique_ptr<BIO_METHOD, FreedBy<BIO_meth_free>>;

// Fits every path, with IPv6 and a tunnel; our flights are one datagram then.
constexpr long datagram_bytes_max = 1200;
constexpr std::size_t flight_datagrams_max = 32;
constexpr long certificates_bytes_max = 16'384;  // of a peer
constexpr std::size_t cookie_bytes = 20;

Error library_error(const char* what) {
  return {ErrorCode::internal, std::string(what) + ": " + tls_library_error()};
}

DtlsAssociation& association_of(BIO* bio) noexcept {
  return *static_cast<DtlsAssociation*>(BIO_get_data(bio));
}

int read_bio(BIO* bio, char* out, int bytes_max) noexcept {
  BIO_clear_retry_flags(bio);
  const std::size_t count =
      association_of(bio).take_in(out, static_cast<std::size_t>(std::max(bytes_max, 0)));
  if (count > 0) return static_cast<int>(count);
  BIO_set_retry_read(bio);
  return -1;
}

int write_bio(BIO* bio, const char* bytes, int count) noexcept {
  BIO_clear_retry_flags(bio);
  return association_of(bio).put_out(bytes, static_cast<std::size_t>(std::max(count, 0))) ? count
                                                                                          : -1;
}

long control_bio(BIO*, int command, long, void*) noexcept {
  switch (command) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DGRAM_SET_PEEK_MODE:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
      return datagram_bytes_max;
    default:
      return 0;
  }
}

BIO_METHOD* bio_method() noexcept {
  static const BioMethod method = [] {
    BioMethod made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "media"));
    if (made != nullptr) {
      BIO_meth_set_read(made.get(), read_bio);
      BIO_meth_set_write(made.get(), write_bio);
      BIO_meth_set_ctrl(made.get(), control_bio);
      BIO_meth_set_create(made.get(), [](BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
      });
    }
    return made;
  }();
  return method.get();
}

// Asked before the peer's signature is looked at.
int verify_certificate(X509_STORE_CTX* store, void*) noexcept {
  const auto* const ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* const association =
      ssl == nullptr ? nullptr : static_cast<DtlsAssociation*>(SSL_get_app_data(ssl));
  X509* const certificate = X509_STORE_CTX_get0_cert(store);
  if (association != nullptr && certificate != nullptr && association->is_expected(certificate))
    return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

// Never asked to make one; DtlsCookies saw to it.
int verify_cookie(SSL*, const unsigned char*, unsigned) noexcept { return 1; }
int make_cookie(SSL*, unsigned char*, unsigned*) noexcept { return 0; }

// The owner's timer says when something is sent again, by its clock.
unsigned never_us(SSL*, unsigned) noexcept { return 0xF0000000U; }

Result<SslContext> make_context() {
  SslContext context(SSL_CTX_new(DTLS_method()));
  if (context == nullptr) return library_error("DTLS was refused");
  SSL_CTX* const c = context.get();
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                             SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(c, certificates_bytes_max);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(c, verify_certificate, nullptr);
  SSL_CTX_set_cookie_generate_cb(c, make_cookie);
  SSL_CTX_set_cookie_verify_cb(c, verify_cookie);
  SSL_CTX_set_read_ahead(c, 1);
  // RFC 8827 section 6.5: forward secrecy; what devices offer beside GCM is for old ones.
  const bool is_set =
      SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) == 1 &&
      SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!PSK") == 1 &&
      SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1 &&
      SSL_CTX_set_tlsext_use_srtp(c,
                                  "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80:"
                                  "SRTP_AES128_CM_SHA1_32") == 0;  // 0: it is set
  if (!is_set) return library_error("settings of DTLS were refused");
  return context;
}

const EVP_MD* digest_of(std::string_view hash) noexcept {
  if (hash == "sha-1") return EVP_sha1();
  if (hash == "sha-224") return EVP_sha224();
  if (hash == "sha-256") return EVP_sha256();
  if (hash == "sha-384") return EVP_sha384();
  if (hash == "sha-512") return EVP_sha512();
  return nullptr;
}

std::string hash_of(const X509* certificate, const EVP_MD* digest) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned count = 0;
  if (digest == nullptr || X509_digest(certificate, digest, bytes, &count) != 1) return {};
  return {reinterpret_cast<const char*>(bytes), count};
}

Certificate sign_own(EVP_PKEY* key) {
  constexpr long day_s = 86'400, years_s = 5 * 365 * day_s;
  Certificate made(X509_new());
  std::uint64_t serial = 0;
  if (made == nullptr || RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1)
    return nullptr;
  X509* const x = made.get();
  X509_NAME* const name = X509_get_subject_name(x);
  // What a peer sees of us: nothing that tells one switch from another.
  const auto* const common_name = reinterpret_cast<const unsigned char*>("media");
  const bool is_made =
      X509_set_version(x, 2) == 1 &&
      ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) &&
      X509_gmtime_adj(X509_getm_notBefore(x), -day_s) != nullptr &&
      X509_gmtime_adj(X509_getm_notAfter(x), years_s) != nullptr &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
      X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
      X509_sign(x, key, EVP_sha256()) > 0;
  return is_made ? std::move(made) : nullptr;
}

std::optional<SrtpSuite> suite_of(const SSL* ssl) noexcept {
  const SRTP_PROTECTION_PROFILE* const profile =
      SSL_get_selected_srtp_profile(const_cast<SSL*>(ssl));
  if (profile == nullptr) return std::nullopt;
  switch (profile->id) {
    case SRTP_AES128_CM_SHA1_80:
      return SrtpSuite::aes_cm_128_hmac_sha1_80;
    case SRTP_AES128_CM_SHA1_32:
      return SrtpSuite::aes_cm_128_hmac_sha1_32;
    case SRTP_AEAD_AES_128_GCM:
      return SrtpSuite::aead_aes_128_gcm;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<std::shared_ptr<const DtlsIdentity>> DtlsIdentity::complete(SslContext context) {
  const X509* const certificate = SSL_CTX_get0_certificate(context.get());
  std::shared_ptr<DtlsIdentity> identity(new DtlsIdentity);
  identity->fingerprint_ = {"sha-256",
                            certificate == nullptr ? "" : hash_of(certificate, EVP_sha256())};
  if (identity->fingerprint_.digest.empty())
    return library_error("no fingerprint could be made of the certificate");
  identity->context_ = std::move(context);
  return std::shared_ptr<const DtlsIdentity>(std::move(identity));
}

Result<std::shared_ptr<const DtlsIdentity>> DtlsIdentity::make() {
  ERR_clear_error();
  auto context = make_context();
  if (!context) return context.error();
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = key == nullptr ? nullptr : sign_own(key.get());
  if (certificate == nullptr || SSL_CTX_use_certificate(context->get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context->get(), key.get()) != 1)
    return library_error("no certificate could be made");
  return complete(std::move(*context));
}

Result<std::shared_ptr<const DtlsIdentity>> DtlsIdentity::read(const std::string& certificate,
                                                               const std::string& key) {
  ERR_clear_error();
  auto context = make_context();
  if (!context) return context.error();
  if (SSL_CTX_use_certificate_chain_file(context->get(), certificate.c_str()) != 1)
    return Error{ErrorCode::io,
                 "\"" + certificate + "\" had no usable certificate: " + tls_library_error()};
  if (SSL_CTX_use_PrivateKey_file(context->get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Error{ErrorCode::io, "\"" + key + "\" had no usable key: " + tls_library_error()};
  if (SSL_CTX_check_private_key(context->get()) != 1) {
    ERR_clear_error();
    return Error{ErrorCode::invalid_argument, "\"" + key + "\" had the key of another certificate"};
  }
  return complete(std::move(*context));
}

DtlsCookies::DtlsCookies() {
  if (RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) != 1) secret_.fill(0);
}

DtlsCookies::Verdict DtlsCookies::judge(std::string_view address, std::string_view datagram,
                                        std::string& reply) const {
  // Record: type 22, version, epoch 0, sequence, length. Message: type 1, length, number, fragment.
  // ClientHello: version, 32 bytes of random, session id, cookie.
  constexpr std::size_t record_bytes = 13, message_bytes = 12, before_id = 34;
  constexpr std::size_t id_at = record_bytes + message_bytes + before_id;
  if (datagram.size() <= id_at + 1 || datagram[0] != 22 || datagram[13] != 1) return Verdict::other;
  if (datagram[3] != 0 || datagram[4] != 0) return Verdict::other;  // encrypted
  const std::size_t id = static_cast<unsigned char>(datagram[id_at]);
  const std::size_t cookie_at = id_at + 1 + id;
  if (id > 32 || cookie_at >= datagram.size()) return Verdict::other;
  const std::size_t count = static_cast<unsigned char>(datagram[cookie_at]);
  if (cookie_at + 1 + count > datagram.size()) return Verdict::other;
  // Of the address and of what a client must not change between its two messages.
  std::string of(address);
  of += datagram.substr(record_bytes + message_bytes, before_id);
  unsigned char made[EVP_MAX_MD_SIZE];
  unsigned made_bytes = 0;
  if (HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
           reinterpret_cast<const unsigned char*>(of.data()), of.size(), made,
           &made_bytes) == nullptr ||
      made_bytes < cookie_bytes)
    return Verdict::other;
  if (count == cookie_bytes &&
      CRYPTO_memcmp(datagram.data() + cookie_at + 1, made, cookie_bytes) == 0)
    return Verdict::proven;
  reply.assign("\x16\xFE\xFF", 3);
  reply += datagram.substr(3, 8);  // epoch and sequence of what it answers
  constexpr char body_bytes = 2 + 1 + cookie_bytes;
  reply += '\0';
  reply += static_cast<char>(message_bytes + body_bytes);
  reply += '\x03';  // HelloVerifyRequest
  reply.append({0, 0, body_bytes});
  reply.append({0, 0});              // its number
  reply.append({0, 0, 0});           // the fragment begins there ...
  reply.append({0, 0, body_bytes});  // ... and is all of it
  reply.append("\xFE\xFF", 2);
  reply += static_cast<char>(cookie_bytes);
  reply.append(reinterpret_cast<const char*>(made), cookie_bytes);
  return Verdict::asks;
}

Result<std::unique_ptr<DtlsAssociation>> DtlsAssociation::create(
    std::shared_ptr<const DtlsIdentity> identity, DtlsRole role,
    std::vector<DtlsFingerprint> fingerprints) {
  ERR_clear_error();
  std::unique_ptr<DtlsAssociation> made(new DtlsAssociation);
  made->ssl_.reset(SSL_new(identity->context()));
  BIO* const bio = bio_method() == nullptr ? nullptr : BIO_new(bio_method());
  if (made->ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return library_error("an association was refused");
  }
  BIO_set_data(bio, made.get());
  SSL* const ssl = made->ssl_.get();
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, made.get());
  SSL_set_mtu(ssl, datagram_bytes_max);
  DTLS_set_timer_cb(ssl, never_us);
  if (role == DtlsRole::client) {
    SSL_set_connect_state(ssl);
  } else {
    SSL_set_accept_state(ssl);
  }
  made->identity_ = std::move(identity);
  made->role_ = role;
  made->fingerprints_ = std::move(fingerprints);
  return made;
}

DtlsAssociation::~DtlsAssociation() = default;

std::size_t DtlsAssociation::take_in(char* out, std::size_t bytes_max) noexcept {
  const std::size_t count = std::min(bytes_max, incoming_.size());
  if (count == 0) return 0;
  std::memcpy(out, incoming_.data(), count);
  incoming_ = {};  // one datagram is read at once, as from a socket
  return count;
}

bool DtlsAssociation::put_out(const char* bytes, std::size_t count) noexcept try {
  if (outgoing_.size() >= flight_datagrams_max) return false;
  outgoing_.emplace_back(bytes, count);
  return true;
} catch (...) {
  return false;
}

bool DtlsAssociation::is_expected(X509* certificate) noexcept try {
  // RFC 8122 section 5: of several hashes the strongest counts.
  std::size_t strongest = 0;
  for (const DtlsFingerprint& one : fingerprints_)
    strongest = std::max(strongest, one.digest.size());
  for (const DtlsFingerprint& one : fingerprints_) {
    if (one.digest.empty() || one.digest.size() != strongest) continue;
    if (one.digest == hash_of(certificate, digest_of(one.hash))) return true;
  }
  is_other_ = true;
  return false;
} catch (...) {
  return false;
}

void DtlsAssociation::begin(Datagrams& out) noexcept {
  if (role_ == DtlsRole::client) shake(out);
}

void DtlsAssociation::begin_proven(std::string_view datagram, Datagrams& out) noexcept {
  const std::unique_ptr<BIO_ADDR, FreedBy<BIO_ADDR_free>> nobody(BIO_ADDR_new());
  ERR_clear_error();
  outgoing_.clear();
  incoming_ = datagram;
  const bool is_taken = nobody != nullptr && DTLSv1_listen(ssl_.get(), nobody.get()) == 1;
  incoming_ = {};
  if (is_taken) return shake(out);
  state_ = State::failed;  // it would take no other first message than this
  ERR_clear_error();
}

void DtlsAssociation::take(std::string_view datagram, Datagrams& out) noexcept {
  if (state_ == State::failed || state_ == State::mismatch) return;
  incoming_ = datagram;
  if (state_ == State::shaking) return shake(out);
  ERR_clear_error();
  outgoing_.clear();
  // It has nothing to tell, but may not have got what we sent last: then that goes out again.
  char ignored[512];
  while (SSL_read(ssl_.get(), ignored, sizeof ignored) > 0) {
  }
  incoming_ = {};
  for (std::string& bytes : outgoing_)
    out.push_back(std::move(bytes));
  outgoing_.clear();
  ERR_clear_error();  // others on this thread ask for theirs
}

void DtlsAssociation::shake(Datagrams& out) noexcept {
  ERR_clear_error();
  outgoing_.clear();
  const int result = SSL_do_handshake(ssl_.get());
  incoming_ = {};
  finish(out, result);
  ERR_clear_error();  // others on this thread ask for theirs
}

void DtlsAssociation::finish(Datagrams& out, int result) noexcept try {
  if (!outgoing_.empty()) {
    flight_ = std::exchange(outgoing_, {});
    out.insert(out.end(), flight_.begin(), flight_.end());
  }
  if (result == 1) {
    state_ = export_keys() ? State::agreed : State::failed;
  } else if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
    state_ = is_other_ ? State::mismatch : State::failed;
  }
} catch (...) {
  state_ = State::failed;
}

void DtlsAssociation::repeat(Datagrams& out) noexcept try {
  if (state_ == State::shaking) out.insert(out.end(), flight_.begin(), flight_.end());
} catch (...) {  // the next time
}

/// client_write_key, server_write_key, client_write_salt, server_write_salt.
bool DtlsAssociation::export_keys() {
  constexpr std::string_view label = "EXTRACTOR-dtls_srtp";
  const std::optional<SrtpSuite> suite = suite_of(ssl_.get());
  if (!suite) return false;
  constexpr std::size_t key_bytes = 16;
  const std::size_t salt_bytes = srtp_key_bytes(*suite) - key_bytes;
  std::string material(2 * (key_bytes + salt_bytes), '\0');
  if (SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(material.data()),
                                 material.size(), label.data(), label.size(), nullptr, 0, 0) != 1)
    return false;
  const auto key_of = [&](std::size_t end) {
    return SrtpKey{*suite, material.substr(end * key_bytes, key_bytes) +
                               material.substr(2 * key_bytes + end * salt_bytes, salt_bytes)};
  };
  const bool is_client = role_ == DtlsRole::client;
  crypto_ = {key_of(is_client ? 1 : 0), key_of(is_client ? 0 : 1)};
  OPENSSL_cleanse(material.data(), material.size());
  return true;
}

}  // namespace tandem::io
