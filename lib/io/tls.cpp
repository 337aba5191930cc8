#include "io/tls.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "io/hello_guard.hpp"
#include "io/tls_files.hpp"

namespace tandem::io {
namespace {

using BioMethod = std::unique_ptr<BIO_METHOD, FreedBy<BIO_meth_free>>;
using VerifyContext = std::unique_ptr<X509_STORE_CTX, FreedBy<X509_STORE_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, FreedBy<GENERAL_NAMES_free>>;

constexpr std::size_t record_bytes_max = 16'384;
constexpr std::size_t record_overhead_bytes_max = 64;  // header, explicit nonce, tag: 29

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool is_same_domain(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view text_of(const ASN1_STRING* string) noexcept {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// The host of a "sip:" URI without a user, which is a domain's identity (RFC 5922 section 7.1);
/// "": it is none.
std::string_view domain_of(std::string_view uri) noexcept {
  constexpr std::string_view scheme = "sip:";
  if (!is_same_domain(uri.substr(0, scheme.size()), scheme)) return {};
  uri.remove_prefix(scheme.size());
  if (uri.find('@') != std::string_view::npos) return {};
  return uri.substr(0, uri.find_first_of(":;?"));
}

/// RFC 5922 sections 7.1 and 7.2: URIs of SIP first, DNS names where there are none; whole names
/// only, no wildcards, and not the common name.
bool is_of_domain(X509* certificate, std::string_view domain) noexcept {
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  bool has_uri = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const std::string_view found = domain_of(text_of(name->d.uniformResourceIdentifier));
    if (is_same_domain(found, domain)) return true;
    has_uri = has_uri || !found.empty();
  }
  for (int i = 0; !has_uri && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS && is_same_domain(text_of(name->d.dNSName), domain)) return true;
  }
  return false;
}

/// RFC 9525 section 6: DNS names, whole or with a wildcard for the first label; not the common
/// name.
bool is_of_host(X509* certificate, const std::string& host) noexcept {
  return X509_check_host(certificate, host.data(), host.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                         nullptr) == 1;
}

bool is_of_address(X509* certificate, const IpAddress& ip) noexcept {
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const std::string_view wanted(reinterpret_cast<const char*>(ip.bytes.data()),
                                ip.is_ipv6() ? 16 : 4);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_IPADD && text_of(name->d.iPAddress) == wanted) return true;
  }
  return false;
}

class Context;

/// One connection. Bytes of the network pass through a BIO of our own: what came is read from where
/// the stream below put it, what goes out is collected and handed down in one piece.
class TlsStream final : public StreamConnection, private StreamHandler {
 public:
  TlsStream(std::shared_ptr<const Context> context, Loop& loop, Ssl ssl);
  ~TlsStream() override;

  void begin_accept(std::unique_ptr<StreamConnection> stream, TlsContext::Admission admits);
  Result<void> begin_connect(const SocketAddress& remote, const TlsPeer& peer,
                             StreamHandler& handler);

  void set_handler(StreamHandler& handler) noexcept override;
  [[nodiscard]] SocketAddress local() const noexcept override {
    return stream_ != nullptr ? stream_->local() : SocketAddress{};
  }
  [[nodiscard]] SocketAddress remote() const noexcept override { return remote_; }
  Result<void> send(std::string_view bytes) override;
  [[nodiscard]] std::size_t room_bytes() const noexcept override {
    const std::size_t room = stream_ != nullptr ? stream_->room_bytes() : 0;
    return room - std::min(room, overhead_bytes(room));
  }
  void set_tos(int tos) noexcept override {
    if (stream_ != nullptr) stream_->set_tos(tos);
  }
  [[nodiscard]] StreamFault fault() const noexcept override { return fault_; }
  [[nodiscard]] const StreamConnection* carrier() const noexcept override { return stream_.get(); }

  // For the BIO and the check of certificates.
  /// False: the peer sent what nobody needs to look at. `count` 0: nothing is there.
  bool take_in(char* out, std::size_t bytes_max, std::size_t& count) noexcept;
  bool put_out(const char* bytes, std::size_t count) noexcept;
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return incoming_.size(); }
  /// Whether the peer that is connected to is the one it must be.
  [[nodiscard]] bool is_expected(X509* certificate) noexcept;
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }
  [[nodiscard]] time_t wall_s() const {  // by the loop's clock, which a simulation moves
    return static_cast<time_t>(loop_.clock().wall_us() / 1'000'000);
  }

 private:
  /// Tells a member function whether a handler that it called has destroyed the object.
  class Guard {
   public:
    explicit Guard(TlsStream& stream) noexcept
        : stream_(stream), outer_(std::exchange(stream.gone_, &is_gone_)) {}
    ~Guard() {
      if (is_gone_) {
        if (outer_ != nullptr) *outer_ = true;
      } else {
        stream_.gone_ = outer_;
      }
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    [[nodiscard]] bool is_over() const noexcept { return is_gone_ || stream_.is_closed_; }
    [[nodiscard]] bool is_gone() const noexcept { return is_gone_; }

   private:
    TlsStream& stream_;
    bool* outer_;
    bool is_gone_ = false;
  };

  static std::size_t overhead_bytes(std::size_t bytes) noexcept {
    return (bytes / record_bytes_max + 1) * record_overhead_bytes_max;
  }

  void on_connected() override;
  void on_bytes(std::string_view bytes) override;
  void on_closed(const Error& error) override;

  void shake_hands();
  void read();
  /// Hands down what was put out. False: the stream below does not take it.
  bool flush();
  void fail();  // in the next turn, from where the owner called
  void close(Error error);
  [[nodiscard]] Error refusal(int ssl_result);  // and notes what fault it is

  const std::shared_ptr<const Context> context_;
  Loop& loop_;
  Ssl ssl_;
  std::unique_ptr<StreamConnection> stream_;
  StreamHandler* handler_ = nullptr;
  SocketAddress remote_;
  std::optional<TlsPeer> peer_;  // of a connection that was made here
  std::string_view incoming_;    // within on_bytes() only
  std::string outgoing_;         // within one step only
  Timer failed_;
  TlsContext::Admission admits_;  // until it is asked
  HelloGuard guard_;              // of a connection that was accepted, until it is agreed on
  StreamFault fault_ = StreamFault::none;
  bool* gone_ = nullptr;
  bool is_agreed_ = false;  // the handshake is over
  bool is_failed_ = false;
  bool is_closed_ = false;
  bool is_other_ = false;     // the certificate is good, and somebody else's
  bool is_unwanted_ = false;  // `admits_` said so
  bool is_giant_ = false;     // the peer began with more than anybody needs
};

TlsStream& stream_of(BIO* bio) noexcept { return *static_cast<TlsStream*>(BIO_get_data(bio)); }

int read_bio(BIO* bio, char* out, std::size_t bytes_max, std::size_t* count) noexcept {
  BIO_clear_retry_flags(bio);
  if (!stream_of(bio).take_in(out, bytes_max, *count)) return 0;
  if (*count > 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int write_bio(BIO* bio, const char* bytes, std::size_t bytes_count, std::size_t* count) noexcept {
  BIO_clear_retry_flags(bio);
  if (!stream_of(bio).put_out(bytes, bytes_count)) return 0;
  *count = bytes_count;
  return 1;
}

long control_bio(BIO* bio, int command, long, void*) noexcept {
  if (command == BIO_CTRL_FLUSH) return 1;
  return command == BIO_CTRL_PENDING ? static_cast<long>(stream_of(bio).waiting_bytes()) : 0;
}

/// Asked about each certificate of a chain, from the root on.
int check_certificate(int is_good, X509_STORE_CTX* chain) noexcept {
  if (is_good == 0 || X509_STORE_CTX_get_error_depth(chain) != 0) return is_good;
  const auto* const ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* const stream = static_cast<TlsStream*>(SSL_get_app_data(ssl));
  if (stream->is_expected(X509_STORE_CTX_get_current_cert(chain))) return 1;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_HOSTNAME_MISMATCH);
  return 0;
}

class Context final : public TlsContext, public std::enable_shared_from_this<Context> {
 public:
  Result<void> open(const TlsConfig& files, std::string_view& failed_key);

  Result<std::unique_ptr<StreamConnection>> accept(Loop& loop,
                                                   std::unique_ptr<StreamConnection> stream,
                                                   ClientCertificate wants,
                                                   Admission admits) const override;
  Result<std::unique_ptr<StreamConnection>> connect(Loop& loop, const SocketAddress& remote,
                                                    const TlsPeer& peer,
                                                    StreamHandler& handler) const override;
  [[nodiscard]] bool would_keep(const StreamConnection& accepted) const override;
  [[nodiscard]] std::int64_t certificate_ends_at_s() const noexcept override { return ends_at_s_; }

  [[nodiscard]] const std::string& fingerprint() const noexcept override { return fingerprint_; }

  [[nodiscard]] BIO* new_bio() const noexcept { return BIO_new(method_.get()); }

 private:
  void take_fingerprint(const TlsConfig& files);
  [[nodiscard]] Ssl new_ssl(Loop& loop) const;

  SslContext context_;
  BioMethod method_;
  std::string fingerprint_;
  std::int64_t ends_at_s_ = 0;
  bool has_certificate_ = false;
};

Result<void> Context::open(const TlsConfig& files, std::string_view& failed_key) {
  auto read = read_tls_files(files, failed_key);
  if (!read) return std::move(read).error();
  context_ = std::move(read->context);
  has_certificate_ = read->has_certificate;
  ends_at_s_ = read->ends_at_s;
  method_.reset(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream"));
  if (method_ == nullptr || BIO_meth_set_read_ex(method_.get(), read_bio) != 1 ||
      BIO_meth_set_write_ex(method_.get(), write_bio) != 1 ||
      BIO_meth_set_ctrl(method_.get(), control_bio) != 1) {
    return Error{ErrorCode::internal, "TLS could not be set up: " + tls_library_error()};
  }
  take_fingerprint(files);
  return {};
}

/// Of what was read, not of the files, which may be others by now. The system's authorities are
/// read when they are needed, so that of theirs only the folder is known.
void Context::take_fingerprint(const TlsConfig& files) {
  const DigestContext digest(EVP_MD_CTX_new());
  bool is_good = digest != nullptr && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1;
  const auto add = [&](const void* bytes, std::size_t count) {
    is_good = is_good && EVP_DigestUpdate(digest.get(), bytes, count) == 1;
  };
  const auto add_encoded = [&](auto* object, auto encode) {  // DER tells its own length
    unsigned char* bytes = nullptr;
    const int count = encode(object, &bytes);
    is_good = is_good && count > 0;
    if (count > 0) add(bytes, static_cast<std::size_t>(count));
    OPENSSL_free(bytes);
  };
  SSL_CTX* const context = context_.get();
  const unsigned char facts[] = {static_cast<unsigned char>(files.needs_tls13 ? 1 : 0),
                                 static_cast<unsigned char>(has_certificate_ ? 1 : 0),
                                 static_cast<unsigned char>(files.ca.empty() ? 1 : 0)};
  add(facts, sizeof(facts));
  if (has_certificate_) add_encoded(SSL_CTX_get0_certificate(context), i2d_X509);
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  for (int i = 0; i < sk_X509_num(chain); ++i)
    add_encoded(sk_X509_value(chain, i), i2d_X509);
  add("|", 1);
  STACK_OF(X509_OBJECT)* const objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    const X509_OBJECT* const object = sk_X509_OBJECT_value(objects, i);
    if (X509* const authority = X509_OBJECT_get0_X509(object); authority != nullptr)
      add_encoded(authority, i2d_X509);
    if (X509_CRL* const revoked = X509_OBJECT_get0_X509_CRL(object); revoked != nullptr)
      add_encoded(revoked, i2d_X509_CRL);
  }
  if (files.ca.empty()) {
    std::error_code unreadable;
    const auto changed_at =
        std::filesystem::last_write_time(X509_get_default_cert_dir(), unreadable)
            .time_since_epoch()
            .count();
    is_good = is_good && !unreadable;
    add(&changed_at, sizeof(changed_at));
  }
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned count = 0;
  if (!is_good || EVP_DigestFinal_ex(digest.get(), out, &count) != 1) return;
  fingerprint_.assign(reinterpret_cast<const char*>(out), count);
}

Ssl Context::new_ssl(Loop& loop) const {
  ERR_clear_error();
  Ssl ssl(SSL_new(context_.get()));
  BIO* const bio = ssl != nullptr ? new_bio() : nullptr;
  if (bio == nullptr) return {};
  SSL_set_bio(ssl.get(), bio, bio);
  // By the loop's clock, which a simulation moves.
  X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl.get()),
                             static_cast<time_t>(loop.clock().wall_us() / 1'000'000));
  return ssl;
}

Result<std::unique_ptr<StreamConnection>> Context::accept(Loop& loop,
                                                          std::unique_ptr<StreamConnection> stream,
                                                          ClientCertificate wants,
                                                          Admission admits) const {
  if (!has_certificate_)
    return Error{ErrorCode::wrong_state, "there was no certificate to show to who connects"};
  Ssl ssl = new_ssl(loop);
  if (ssl == nullptr) return Error{ErrorCode::internal, "TLS had no memory for a connection"};
  SSL_set_accept_state(ssl.get());
  if (wants != ClientCertificate::none) {
    SSL_set_verify(ssl.get(),
                   SSL_VERIFY_PEER |
                       (wants == ClientCertificate::require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                   check_certificate);
  }
  auto made = std::make_unique<TlsStream>(shared_from_this(), loop, std::move(ssl));
  made->begin_accept(std::move(stream), std::move(admits));
  return std::unique_ptr<StreamConnection>(std::move(made));
}

Result<std::unique_ptr<StreamConnection>> Context::connect(Loop& loop, const SocketAddress& remote,
                                                           const TlsPeer& peer,
                                                           StreamHandler& handler) const {
  Ssl ssl = new_ssl(loop);
  if (ssl == nullptr) return Error{ErrorCode::internal, "TLS had no memory for a connection"};
  SSL_set_connect_state(ssl.get());
  if (peer.is_verified) SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, check_certificate);
  if (!peer.name.empty() && SSL_set_tlsext_host_name(ssl.get(), peer.name.c_str()) != 1) {
    return Error{ErrorCode::invalid_argument, "\"" + peer.name + "\" was no name of a server"};
  }
  constexpr unsigned char web_protocols[] = "\x08http/1.1";
  if (peer.is_web && SSL_set_alpn_protos(ssl.get(), web_protocols, sizeof(web_protocols) - 1) != 0)
    return Error{ErrorCode::internal, "TLS had no memory for a connection"};
  auto made = std::make_unique<TlsStream>(shared_from_this(), loop, std::move(ssl));
  if (auto begun = made->begin_connect(remote, peer, handler); !begun)
    return std::move(begun).error();
  return std::unique_ptr<StreamConnection>(std::move(made));
}

bool Context::would_keep(const StreamConnection& accepted) const {
  const TlsStream* stream = nullptr;
  for (const StreamConnection* at = &accepted; at != nullptr && stream == nullptr;)
    stream = dynamic_cast<const TlsStream*>(std::exchange(at, at->carrier()));
  if (stream == nullptr) return false;
  SSL* const ssl = stream->ssl();
  if (SSL_version(ssl) < SSL_CTX_get_min_proto_version(context_.get())) return false;
  X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return true;  // none was asked for, or none is good too
  ERR_clear_error();
  const VerifyContext verify(X509_STORE_CTX_new());
  if (verify == nullptr ||
      X509_STORE_CTX_init(verify.get(), SSL_CTX_get_cert_store(context_.get()), certificate,
                          SSL_get_peer_cert_chain(ssl)) != 1 ||
      X509_STORE_CTX_set_default(verify.get(), "ssl_client") != 1) {
    return false;
  }
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(verify.get());
  if (X509_VERIFY_PARAM_set1(rules, SSL_CTX_get0_param(context_.get())) != 1) return false;
  X509_VERIFY_PARAM_set_time(rules, stream->wall_s());
  return X509_verify_cert(verify.get()) == 1;
}

TlsStream::TlsStream(std::shared_ptr<const Context> context, Loop& loop, Ssl ssl)
    : context_(std::move(context)),
      loop_(loop),
      ssl_(std::move(ssl)),
      failed_(Timer::member<&TlsStream::fail, TlsStream>(), this) {
  BIO* const bio = SSL_get_rbio(ssl_.get());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_app_data(ssl_.get(), this);
}

TlsStream::~TlsStream() {
  if (gone_ != nullptr) *gone_ = true;
  if (!is_agreed_ || is_closed_ || is_failed_) return;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_.get());  // close_notify; nobody waits for the other's
  (void)flush();                   // lost: then the end of the stream says it
}

void TlsStream::begin_accept(std::unique_ptr<StreamConnection> stream,
                             TlsContext::Admission admits) {
  admits_ = std::move(admits);
  remote_ = stream->remote();
  stream_ = std::move(stream);
}

Result<void> TlsStream::begin_connect(const SocketAddress& remote, const TlsPeer& peer,
                                      StreamHandler& handler) {
  remote_ = remote;
  peer_ = peer;
  handler_ = &handler;
  auto made = loop_.connect(remote, *this);
  if (!made) return std::move(made).error();
  stream_ = std::move(*made);
  return {};
}

void TlsStream::set_handler(StreamHandler& handler) noexcept {
  const bool is_first = handler_ == nullptr;
  handler_ = &handler;
  if (is_first && stream_ != nullptr) stream_->set_handler(*this);
}

bool TlsStream::take_in(char* out, std::size_t bytes_max, std::size_t& count) noexcept {
  count = std::min(bytes_max, incoming_.size());
  if (!peer_ && !is_agreed_) {
    // OpenSSL reads record by record and looks at each before the next: from the first hello on
    // it knows the version, and only TLS 1.3 may ask for a second hello.
    if (guard_.has_hello() && SSL_version(ssl_.get()) != TLS1_3_VERSION) guard_.turn_off();
    if (!guard_.admit(incoming_.substr(0, count))) {
      is_giant_ = true;
      count = 0;
      return false;
    }
    if (guard_.has_hello() && admits_) {
      is_unwanted_ = !std::exchange(admits_, {})();
      if (is_unwanted_) {
        count = 0;
        return false;
      }
    }
  }
  if (count > 0) std::memcpy(out, incoming_.data(), count);
  incoming_.remove_prefix(count);
  return true;
}

bool TlsStream::put_out(const char* bytes, std::size_t count) noexcept {
  try {
    outgoing_.append(bytes, count);
    return true;
  } catch (...) {
    return false;
  }
}

bool TlsStream::is_expected(X509* certificate) noexcept {
  if (!peer_) return true;  // who connects is known by other means
  const bool is_expected = peer_->name.empty() ? is_of_address(certificate, remote_.ip)
                           : peer_->is_web     ? is_of_host(certificate, peer_->name)
                                               : is_of_domain(certificate, peer_->name);
  is_other_ = !is_expected;
  return is_expected;
}

bool TlsStream::flush() {
  if (outgoing_.empty()) return true;
  const bool is_taken = stream_ != nullptr && stream_->send(outgoing_).ok();
  outgoing_ = {};  // most connections are silent most of the time: no idle buffers
  return is_taken;
}

Result<void> TlsStream::send(std::string_view bytes) {
  if (!is_agreed_ || is_closed_ || is_failed_) {
    return Error{ErrorCode::wrong_state,
                 "TLS connection with " + remote_.to_string() + " was not open"};
  }
  if (bytes.empty()) return {};
  // Checked before anything is encrypted: a record that cannot be sent is a gap for the peer.
  if (bytes.size() > room_bytes()) {
    return Error{ErrorCode::limit,
                 "TLS connection with " + remote_.to_string() + " had too many bytes queued"};
  }
  ERR_clear_error();
  std::size_t written = 0;
  // Never waits for anything: the BIO takes all, and a peer cannot ask for a new handshake.
  const bool is_written = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written) == 1;
  if (!is_written || !flush()) {
    is_failed_ = true;
    loop_.timers().start(failed_, 0);  // an event must not come from inside the owner's own call
  }
  return {};
}

void TlsStream::fail() {
  close({ErrorCode::io, "TLS connection with " + remote_.to_string() + " could not be written to"});
}

void TlsStream::on_connected() {
  if (!is_closed_) shake_hands();
}

void TlsStream::on_bytes(std::string_view bytes) {
  if (is_closed_ || is_failed_) return;
  const Guard guard(*this);
  incoming_ = bytes;
  if (!is_agreed_) shake_hands();
  if (!guard.is_over() && is_agreed_) read();
  if (!guard.is_gone()) incoming_ = {};
}

void TlsStream::on_closed(const Error& error) {
  if (is_closed_) return;
  close(is_agreed_ || !peer_ ? error
                             : Error{error.code, error.message + " before TLS was agreed on"});
}

void TlsStream::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1 && SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
    Error error = refusal(result);
    (void)flush();  // the alert that says why
    return close(std::move(error));
  }
  if (!flush()) {
    return close({ErrorCode::io, "TLS handshake with " + remote_.to_string() +
                                     " was not taken by the connection"});
  }
  if (result != 1) return;
  is_agreed_ = true;
  handler_->on_connected();
}

void TlsStream::read() {
  const Guard guard(*this);
  char buffer[record_bytes_max];
  for (;;) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), buffer, sizeof(buffer), &count);
    const int failure = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
    Error error = failure == SSL_ERROR_ZERO_RETURN
                      ? Error{ErrorCode::io, "TLS connection with " + remote_.to_string() +
                                                 " was closed by the peer"}
                  : failure == SSL_ERROR_NONE || failure == SSL_ERROR_WANT_READ ? Error{}
                                                                                : refusal(result);
    const bool is_flushed = flush();  // an answer to the peer's change of keys, or an alert
    if (failure != SSL_ERROR_NONE && failure != SSL_ERROR_WANT_READ) return close(std::move(error));
    if (!is_flushed) {
      return close({ErrorCode::io,
                    "TLS connection with " + remote_.to_string() + " could not be written to"});
    }
    if (failure == SSL_ERROR_WANT_READ) return;
    handler_->on_bytes({buffer, count});
    if (guard.is_over() || is_failed_) return;
  }
}

/// Why TLS does not go on, of the call that has just failed.
Error TlsStream::refusal(int ssl_result) {
  std::string why;
  const long verdict = SSL_get_verify_result(ssl_.get());
  fault_ = StreamFault::protocol;
  if (is_other_) {
    fault_ = StreamFault::certificate;
    why = "the certificate was not for " +
          (peer_->name.empty() ? remote_.ip.to_string() : "\"" + peer_->name + "\"");
  } else if (verdict != X509_V_OK && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE) {
    fault_ = StreamFault::certificate;
    why = std::string("the certificate was refused: ") + X509_verify_cert_error_string(verdict);
  } else if (is_unwanted_) {
    why = "the peer was not admitted";
  } else if (is_giant_) {
    why = "the first message was malformed or longer than " +
          std::to_string(HelloGuard::hello_bytes_max) + " bytes";
  } else if (SSL_get_error(ssl_.get(), ssl_result) == SSL_ERROR_SSL) {
    if (is_certificate_refusal(ERR_peek_last_error())) {
      fault_ = StreamFault::certificate;
      why = "our certificate was refused: ";
    }
    why += tls_library_error();
  } else {
    why = "the peer ended it";
  }
  return {ErrorCode::io, "TLS with " + remote_.to_string() + " failed: " + why};
}

void TlsStream::close(Error error) {
  is_closed_ = true;
  failed_.cancel();
  outgoing_ = {};
  stream_.reset();
  handler_->on_closed(error);
}

}  // namespace

TlsConfig resolved_tls(const TlsConfig& tls, const std::string& folder) {
  TlsConfig resolved = tls;
  for (std::string* path : {&resolved.certificate, &resolved.key, &resolved.ca}) {
    if (!path->empty() && path->front() != '/') *path = folder + "/" + *path;
  }
  return resolved;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const TlsConfig& files,
                                                             std::string_view& failed_key) {
  auto context = std::make_shared<Context>();
  // The calling thread is the host's, and may keep errors of its own in the library's queue.
  ERR_set_mark();
  auto opened = context->open(files, failed_key);
  ERR_pop_to_mark();
  if (!opened) return std::move(opened).error();
  return std::shared_ptr<const TlsContext>(std::move(context));
}

}  // namespace tandem::io
