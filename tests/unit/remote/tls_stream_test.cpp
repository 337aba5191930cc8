#include "remote/tls_stream.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "fake_server.hpp"
#include "io/tls_files.hpp"
#include "remote/http_exchange.hpp"
#include "support/certificates.hpp"

using namespace tandem;
using namespace tandem::remote;
using namespace tandem::remote::test;
using tandem::test::Certificates;

namespace {

/// The server's end: what comes is decrypted for a fake server, and its answer is encrypted.
class TlsServerStream final : public ByteStream {
 public:
  TlsServerStream(FakeServer& server, SSL_CTX* context, std::size_t bytes_max)
      : inner_(server), ssl_(SSL_new(context)), bytes_max_(bytes_max) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl_.get());
  }

  Result<std::size_t> send_some(std::string_view bytes, std::int64_t until_us) override {
    // As a socket that is looked at before each write.
    if (BIO_pending(SSL_get_wbio(ssl_.get())) > 0)
      return Error{ErrorCode::wrong_state, "peer answered in the middle of a request"};
    const std::size_t count = std::min(bytes.size(), bytes_max_);
    std::size_t written = 0;
    (void)BIO_write_ex(SSL_get_rbio(ssl_.get()), bytes.data(), count, &written);
    std::array<char, 16'384> buffer;
    std::size_t read = 0;
    while (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &read) == 1) {
      if (auto sent = inner_.send({buffer.data(), read}, until_us); !sent) return sent.error();
    }
    return count;
  }

  Result<std::size_t> receive(char* buffer, std::size_t bytes, std::int64_t until_us) override {
    BIO* const out = SSL_get_wbio(ssl_.get());
    if (BIO_pending(out) == 0) {
      if (cuts_answers) return std::size_t{0};
      std::array<char, 4'096> plain;
      const auto count = inner_.receive(plain.data(), plain.size(), until_us);
      if (!count) return count.error();
      if (*count == 0) return std::size_t{0};
      std::size_t written = 0;
      (void)SSL_write_ex(ssl_.get(), plain.data(), *count, &written);
    }
    std::size_t read = 0;
    (void)BIO_read_ex(out, buffer, std::min(bytes, bytes_max_), &read);
    return read;
  }

  bool cuts_answers = false;

 private:
  FakeStream inner_;
  io::Ssl ssl_;
  const std::size_t bytes_max_;
};

struct Served {
  SimulatedClock clock{1'800'000'000'000'000};
  FakeServer server{clock};
  Certificates certificates;
  io::SslContext context;
  std::size_t bytes_max = 65'536;  // of one step of the connection
  bool cuts_answers = false;

  void show(const tandem::test::CertificateWish& wish, bool wants_certificate = false) {
    const auto files = certificates.issue("server", wish);
    std::string_view ignored;
    auto read = io::read_tls_files(
        {.certificate = files.certificate, .key = files.key, .ca = certificates.authority()},
        ignored);
    REQUIRE(read.ok());
    context = std::move(read->context);
    SSL_CTX_set_num_tickets(context.get(), 2);  // as most servers have it
    SSL_CTX_clear_options(context.get(), SSL_OP_NO_TICKET);
    const unsigned char id[] = "test";
    SSL_CTX_set_session_id_context(context.get(), id, sizeof(id));
    if (wants_certificate)
      SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }

  class ServedDialer final : public Dialer {
   public:
    explicit ServedDialer(Served& served) : served_(served) {}
    Result<std::unique_ptr<ByteStream>> connect(const std::string& host, std::uint16_t port,
                                                std::int64_t) override {
      served_.server.asked_host = host;
      served_.server.asked_port = port;
      ++served_.server.connections;
      auto stream = std::make_unique<TlsServerStream>(served_.server, served_.context.get(),
                                                      served_.bytes_max);
      stream->cuts_answers = served_.cuts_answers;
      return std::unique_ptr<ByteStream>(std::move(stream));
    }

   private:
    Served& served_;
  };

  /// "status STATUS" of one request, or why there was none.
  std::string ask(const std::string& url, TlsConfig files = {}, std::size_t body_bytes = 2) {
    if (files.ca.empty()) files.ca = certificates.authority();
    auto parsed = parse_http_url(url);
    REQUIRE(parsed.ok());
    REQUIRE(parsed->is_tls);
    auto dialer = make_tls_dialer(clock, files, std::make_unique<ServedDialer>(*this));
    REQUIRE(dialer.ok());
    HttpExchange exchange(**dialer, *parsed);
    const std::string request =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n" +
        std::string(body_bytes, 'x');
    std::string said;
    for (int i = 0; i < 2; ++i) {
      auto response = exchange.exchange(request, clock.monotonic_us() + 1'000'000);
      said = response ? "status " + std::to_string(response->status) : response.error().message;
    }
    return said;
  }
};

bool has(const std::string& text, const char* part) {
  if (text.find(part) == std::string::npos) MESSAGE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("TlsStream: requests of any size pass a server with tickets, on one connection (C-06)") {
  for (const std::size_t bytes_max : {std::size_t{65'536}, std::size_t{1'000}, std::size_t{7}}) {
    CAPTURE(bytes_max);
    Served served;
    served.bytes_max = bytes_max;
    served.show({.names = "DNS:billing.example"});
    served.server.script = [](const http::Request&) {
      return FakeAnswer{.body = std::string(40'000, 'y')};
    };
    CHECK(served.ask("https://billing.example/x", {}, 50'000) == "status 200");
    REQUIRE(served.server.requests.size() == 2);
    CHECK(served.server.requests[1].body == std::string(50'000, 'x'));
    CHECK(served.server.connections == 1);
    CHECK(served.server.asked_host == "billing.example");
    CHECK(served.server.asked_port == 443);
  }
}

TEST_CASE("TlsStream: a certificate must be for the host that is asked for (C-06)") {
  struct Case {
    const char* names;
    const char* host;
    bool is_good;
  };
  for (const Case& one :
       {Case{"DNS:a.example", "a.example", true}, Case{"DNS:a.example", "A.Example", true},
        Case{"DNS:*.example.org", "b.example.org", true},
        Case{"DNS:*.example.org", "c.b.example.org", false},
        Case{"DNS:b*.example.org", "b1.example.org", false},
        Case{"DNS:a.example", "b.example", false}, Case{"IP:192.0.2.1", "192.0.2.1", true},
        Case{"IP:192.0.2.1", "192.0.2.2", false}, Case{"DNS:192.0.2.1", "192.0.2.1", false},
        Case{"IP:2001:db8::1", "[2001:db8::1]", true},
        Case{"", "test", false}}) {  // "test" is the common name
    CAPTURE(one.names);
    CAPTURE(one.host);
    Served served;
    served.show({.names = one.names});
    const std::string said = served.ask(std::string("https://") + one.host + ":8443/");
    CAPTURE(said);
    CHECK((said == "status 200") == one.is_good);
    if (!one.is_good) CHECK(has(said, "the certificate was not for"));
    CHECK(served.server.requests.size() == (one.is_good ? 2 : 0));
    CHECK(served.server.asked_port == 8'443);
  }
}

TEST_CASE("TlsStream: an authority that is unknown and a certificate that is over are refused") {
  Served served;
  served.show({.names = "DNS:a.example", .ends_at_s = 1'800'000'100});
  CHECK(served.ask("https://a.example/") == "status 200");
  TlsConfig others;
  others.ca = served.certificates.authority("others");
  CHECK(has(served.ask("https://a.example/", others), "the certificate was refused"));
  served.clock.step_wall_us(101'000'000);
  CHECK(has(served.ask("https://a.example/"), "expired"));
  CHECK(served.server.requests.size() == 2);
}

TEST_CASE("TlsStream: a server that asks for a certificate gets it, and one without is refused") {
  Served served;
  served.show({.names = "DNS:a.example"}, true);
  CHECK(has(served.ask("https://a.example/"), "our certificate was refused"));
  CHECK(served.server.requests.empty());
  const auto own = served.certificates.issue("own", {.names = "DNS:switch"});
  TlsConfig files;
  files.certificate = own.certificate;
  files.key = own.key;
  CHECK(served.ask("https://a.example/", files) == "status 200");
  const auto self_signed = served.certificates.issue("self", {.names = "DNS:switch"}, "");
  files.certificate = self_signed.certificate;
  files.key = self_signed.key;
  CHECK(has(served.ask("https://a.example/", files), "our certificate was refused"));
}

TEST_CASE("TlsStream: a connection that is cut without the word for it is no answer") {
  Served served;
  served.show({.names = "DNS:a.example"});
  served.cuts_answers = true;
  CHECK(has(served.ask("https://a.example/"), "connection ended in the middle of TLS"));
}

TEST_CASE("TlsStream: renewed files count with the next connection") {
  Served served;
  served.show({.names = "DNS:a.example"}, true);
  const auto own = served.certificates.issue("own", {.names = "DNS:switch"}, "");
  TlsConfig files;
  files.ca = served.certificates.authority();
  files.certificate = own.certificate;
  files.key = own.key;
  auto dialer =
      make_tls_dialer(served.clock, files, std::make_unique<Served::ServedDialer>(served));
  REQUIRE(dialer.ok());
  const auto asks = [&] {
    HttpExchange exchange(**dialer, *parse_http_url("https://a.example/"));
    return exchange
        .exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                  served.clock.monotonic_us() + 1'000'000)
        .ok();
  };
  CHECK_FALSE(asks());
  served.certificates.issue("own", {.names = "DNS:switch"});
  CHECK(asks());
  std::filesystem::remove(own.key);
  CHECK_FALSE(asks());
  CHECK_FALSE(
      make_tls_dialer(served.clock, files, std::make_unique<Served::ServedDialer>(served)).ok());
}

TEST_CASE("TlsStream: a server that talks without end, or not at all, ends in time and room") {
  /// Something of it always waits to be received, or nothing ever comes.
  class HostileStream final : public ByteStream {
   public:
    HostileStream(SimulatedClock& clock, bool is_silent, std::size_t& received)
        : clock_(clock), is_silent_(is_silent), received_(received) {}
    Result<std::size_t> send_some(std::string_view bytes, std::int64_t) override {
      if (is_silent_) return bytes.size();
      return Error{ErrorCode::wrong_state, "peer answered in the middle of a request"};
    }
    Result<std::size_t> receive(char* buffer, std::size_t bytes, std::int64_t until_us) override {
      if (is_silent_) {
        clock_.advance_us(until_us - clock_.monotonic_us());
        return Error{ErrorCode::timeout, "deadline passed"};
      }
      std::fill_n(buffer, bytes, '\x16');
      received_ += bytes;
      REQUIRE(received_ < 1'000'000);
      return bytes;
    }

   private:
    SimulatedClock& clock_;
    const bool is_silent_;
    std::size_t& received_;
  };
  class HostileDialer final : public Dialer {
   public:
    HostileDialer(SimulatedClock& clock, bool is_silent, std::size_t& received)
        : clock_(clock), is_silent_(is_silent), received_(received) {}
    Result<std::unique_ptr<ByteStream>> connect(const std::string&, std::uint16_t,
                                                std::int64_t) override {
      return std::unique_ptr<ByteStream>(
          std::make_unique<HostileStream>(clock_, is_silent_, received_));
    }

   private:
    SimulatedClock& clock_;
    const bool is_silent_;
    std::size_t& received_;
  };
  Certificates certificates;
  TlsConfig files;
  files.ca = certificates.authority();
  for (const bool is_silent : {false, true}) {
    SimulatedClock clock{1'800'000'000'000'000};
    std::size_t received = 0;
    auto dialer =
        make_tls_dialer(clock, files, std::make_unique<HostileDialer>(clock, is_silent, received));
    REQUIRE(dialer.ok());
    const std::int64_t begun_us = clock.monotonic_us();
    const auto stream = (*dialer)->connect("a.example", 443, begun_us + 1'000'000);
    REQUIRE_FALSE(stream.ok());
    CHECK(stream.error().code == (is_silent ? ErrorCode::timeout : ErrorCode::io));
    CHECK(received < 200'000);
    CHECK(clock.monotonic_us() <= begun_us + 1'000'000);
  }
}
