#include "remote/tls_stream.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "io/tls_files.hpp"

namespace tandem::remote {
namespace {

constexpr std::size_t record_bytes_max = 16'384;
constexpr int waiting_bytes_max = 131'072;  // not looked at yet; a chain of certificates is less

/// Whether `host` is an address and not a name.
bool set_identity(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* const rules = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) return true;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

/// What TLS makes goes through memory: the stream below is waited on, never the library.
class TlsByteStream final : public ByteStream {
 public:
  TlsByteStream(const Clock& clock, std::unique_ptr<ByteStream> below, io::SslContext context,
                std::string host)
      : clock_(clock),
        below_(std::move(below)),
        context_(std::move(context)),
        host_(std::move(host)) {}
  ~TlsByteStream() override {
    if (!is_agreed_ || is_broken_) return;
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());  // close_notify; nobody waits for the other's
    collect();
    // Lost when the connection does not take it at once: then its end says it.
    (void)below_->send(outgoing_, clock_.monotonic_us() + 1'000);
  }
  TlsByteStream(const TlsByteStream&) = delete;
  TlsByteStream& operator=(const TlsByteStream&) = delete;

  /// Errors: timeout, io (also: the server is another, or wants another certificate).
  Result<void> agree(std::int64_t until_us) {
    ERR_clear_error();
    ssl_.reset(SSL_new(context_.get()));
    BIO* const in = ssl_ != nullptr ? BIO_new(BIO_s_mem()) : nullptr;
    BIO* const out = in != nullptr ? BIO_new(BIO_s_mem()) : nullptr;
    if (out == nullptr) {
      BIO_free(in);
      return Error{ErrorCode::internal, "TLS had no memory for a connection"};
    }
    SSL_set_bio(ssl_.get(), in, out);
    constexpr unsigned char protocols[] = "\x08http/1.1";  // RFC 7301
    SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl_.get()),
                               static_cast<time_t>(clock_.wall_us() / 1'000'000));
    if (!set_identity(ssl_.get(), host_) ||
        SSL_set_alpn_protos(ssl_.get(), protocols, sizeof(protocols) - 1) != 0) {
      return Error{ErrorCode::io, "\"" + host_ + "\" was no name of a server"};
    }
    SSL_set_connect_state(ssl_.get());
    for (;;) {
      ERR_clear_error();
      const int result = SSL_do_handshake(ssl_.get());
      const int failure = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
      if (failure != SSL_ERROR_NONE && failure != SSL_ERROR_WANT_READ) {
        Error error = refusal(failure);
        collect();  // the alert that says why
        (void)below_->send(outgoing_, clock_.monotonic_us() + 1'000);
        return error;
      }
      collect();
      if (auto sent = hand_down(until_us); !sent) return sent;
      if (result == 1) break;
      if (auto taken = take_in(until_us); !taken) return taken;
    }
    is_agreed_ = true;
    return {};
  }

  Result<std::size_t> send_some(std::string_view bytes, std::int64_t until_us) override {
    const std::size_t count = std::min(bytes.size(), record_bytes_max);
    ERR_clear_error();
    std::size_t written = 0;
    if (SSL_write_ex(ssl_.get(), bytes.data(), count, &written) != 1)
      return refusal(SSL_get_error(ssl_.get(), 0));
    collect();
    if (auto sent = hand_down(until_us); !sent) return std::move(sent).error();
    return written;
  }

  Result<std::size_t> receive(char* buffer, std::size_t bytes, std::int64_t until_us) override {
    for (;;) {
      if (!received_.empty()) {
        const std::size_t count = std::min(bytes, received_.size());
        received_.copy(buffer, count);
        received_.erase(0, count);
        return count;
      }
      if (auto read = decrypt(); !read) return std::move(read).error();
      if (!received_.empty()) continue;
      if (is_ended_) return std::size_t{0};
      collect();  // an answer to a change of keys
      if (auto sent = hand_down(until_us); !sent && sent.error().code != ErrorCode::wrong_state)
        return std::move(sent).error();
      if (auto taken = take_in(until_us); !taken) return std::move(taken).error();
    }
  }

 private:
  /// What the library wants to be sent.
  void collect() {
    std::array<char, record_bytes_max> buffer;
    BIO* const out = SSL_get_wbio(ssl_.get());
    std::size_t count = 0;
    while (BIO_read_ex(out, buffer.data(), buffer.size(), &count) == 1)
      outgoing_.append(buffer.data(), count);
  }

  /// Sends what was collected. What the server says meanwhile may be for TLS alone, such as the
  /// tickets of TLS 1.3. Errors: timeout, io, wrong_state (it is not, so the server answers).
  Result<void> hand_down(std::int64_t until_us) {
    while (!outgoing_.empty()) {
      const auto sent = below_->send_some(outgoing_, until_us);
      if (sent) {
        outgoing_.erase(0, *sent);
        continue;
      }
      if (sent.error().code != ErrorCode::wrong_state) return sent.error();
      if (received_.empty() && !is_ended_) {
        if (auto taken = take_in(until_us); !taken) return taken;
        if (!is_agreed_) continue;  // it is for the handshake
        if (auto read = decrypt(); !read) return read;
      }
      if (!received_.empty() || is_ended_) {
        is_broken_ = true;  // half a record may be on its way: nothing can follow it
        return sent.error();
      }
    }
    return {};
  }

  /// Waits for bytes of the server. Errors: timeout, io.
  Result<void> take_in(std::int64_t until_us) {
    std::array<char, record_bytes_max> buffer;
    const auto count = below_->receive(buffer.data(), buffer.size(), until_us);
    if (!count) return count.error();
    // Without the word that TLS has for it anybody on the way may have cut the answer.
    if (*count == 0) {
      is_broken_ = true;
      return Error{ErrorCode::io, is_agreed_ ? "connection ended in the middle of TLS"
                                             : "connection ended before TLS was agreed on"};
    }
    if (BIO_pending(SSL_get_rbio(ssl_.get())) > waiting_bytes_max)
      return Error{ErrorCode::io, "TLS with " + host_ + " failed: the peer sent too much at once"};
    std::size_t written = 0;
    if (BIO_write_ex(SSL_get_rbio(ssl_.get()), buffer.data(), *count, &written) != 1)
      return Error{ErrorCode::internal, "TLS had no memory for what came"};
    return {};
  }

  /// Makes bytes of the records that are there whole.
  Result<void> decrypt() {
    std::array<char, record_bytes_max> buffer;
    if (failure_) return *failure_;
    while (!is_ended_) {
      ERR_clear_error();
      std::size_t count = 0;
      if (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count) == 1) {
        received_.append(buffer.data(), count);
        continue;
      }
      const int failure = SSL_get_error(ssl_.get(), 0);
      if (failure == SSL_ERROR_WANT_READ) return {};
      if (failure != SSL_ERROR_ZERO_RETURN) {
        failure_ = refusal(failure);
        return *failure_;
      }
      is_ended_ = true;
    }
    return {};
  }

  /// Why TLS does not go on, of the call that has just failed.
  Error refusal(int failure) {
    is_broken_ = true;
    std::string why;
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      why = "the certificate was not for \"" + host_ + "\"";
    } else if (verdict != X509_V_OK) {
      why = std::string("the certificate was refused: ") + X509_verify_cert_error_string(verdict);
    } else if (failure == SSL_ERROR_SSL) {
      if (io::is_certificate_refusal(ERR_peek_last_error())) why = "our certificate was refused: ";
      why += io::tls_library_error();
    } else {
      why = "the peer ended it";
    }
    return {ErrorCode::io, "TLS with " + host_ + " failed: " + why};
  }

  const Clock& clock_;
  const std::unique_ptr<ByteStream> below_;
  const io::SslContext context_;
  const std::string host_;
  io::Ssl ssl_;
  std::string outgoing_;  // of the library, not yet sent: records of one step
  std::string received_;  // at most what one receive() of the stream below brings
  bool is_agreed_ = false;
  bool is_ended_ = false;         // the server said that nothing more comes
  bool is_broken_ = false;        // nothing can be sent any more
  std::optional<Error> failure_;  // asked again, the library would call it a good end
};

class TlsDialer final : public Dialer {
 public:
  TlsDialer(const Clock& clock, TlsConfig files, std::unique_ptr<Dialer> below)
      : clock_(clock), files_(std::move(files)), below_(std::move(below)) {}

  Result<std::unique_ptr<ByteStream>> connect(const std::string& host, std::uint16_t port,
                                              std::int64_t until_us) override {
    auto read = files();
    if (!read) return std::move(read).error();
    auto stream = below_->connect(host, port, until_us);
    if (!stream) return std::move(stream).error();
    auto made =
        std::make_unique<TlsByteStream>(clock_, std::move(*stream), std::move(read->context), host);
    if (auto agreed = made->agree(until_us); !agreed) return std::move(agreed).error();
    return std::unique_ptr<ByteStream>(std::move(made));
  }

  [[nodiscard]] Result<io::TlsFiles> files() const {
    std::string_view ignored;
    // The calling thread may be the host's, and keep errors of its own in the library's queue.
    ERR_set_mark();
    auto read = io::read_tls_files(files_, ignored);
    ERR_pop_to_mark();
    return read;
  }

 private:
  const Clock& clock_;
  const TlsConfig files_;
  const std::unique_ptr<Dialer> below_;
};

}  // namespace

Result<std::unique_ptr<Dialer>> make_tls_dialer(const Clock& clock, TlsConfig files,
                                                std::unique_ptr<Dialer> below) {
  auto dialer = std::make_unique<TlsDialer>(clock, std::move(files), std::move(below));
  if (auto read = dialer->files(); !read) return std::move(read).error();
  return std::unique_ptr<Dialer>(std::move(dialer));
}

}  // namespace tandem::remote
