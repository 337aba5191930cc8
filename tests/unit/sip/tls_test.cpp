// The stack over TLS: what its messages say, who shares a connection, and what peers may not do.
#include <doctest/doctest.h>

#include <map>

#include "sip/handshake_rates.hpp"
#include "sip/tls_setup.hpp"
#include "stack_fixture.hpp"
#include "support/certificates.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;
using tandem::test::Certificates;

namespace {

std::shared_ptr<const io::TlsContext> open(const TlsConfig& files) {
  std::string_view key;
  auto made = io::TlsContext::create(files, key);
  if (!made) FAIL(made.error().message);
  return *made;
}

std::shared_ptr<const io::TlsContext> context_of(Certificates& certificates,
                                                 const std::string& names) {
  const auto files = certificates.issue("of " + std::to_string(names.size()), {names});
  return open({files.certificate, files.key, certificates.authority(), false});
}

StackConfig tls_config(std::shared_ptr<const io::TlsContext> context) {
  StackConfig config;
  config.listen = {{Transport::udp, at("127.0.0.1:5060")}, {Transport::tls, at("127.0.0.1:5061")}};
  config.tls = std::move(context);
  config.handshakes = {0, 0};  // rates have tests of their own
  return config;
}

constexpr auto nobody = [] { return false; };

/// A connection to the stack, on TLS or in the clear.
class Client final : public io::StreamHandler {
 public:
  Client(FakeNetwork& network, const io::TlsContext* context) : loop_(network.create_loop()) {
    const SocketAddress to = at("127.0.0.1:5061");
    auto made = context != nullptr ? context->connect(loop_, to, {"stack.example"}, *this)
                                   : loop_.connect(to, *this);
    stream = std::move(*made);
  }
  void on_connected() override { is_connected = true; }
  void on_bytes(std::string_view bytes) override { received += bytes; }
  void on_closed(const Error& error) override { closed = error.message; }
  /// The first message of what came, and forgets all.
  std::unique_ptr<Received> take() {
    auto message = std::make_unique<Received>(received);
    received.clear();
    return message;
  }
  std::unique_ptr<io::StreamConnection> stream;
  std::string received, closed;
  bool is_connected = false;

 private:
  FakeLoop& loop_;
};

/// A peer that calls come to.
class Server final : public io::AcceptHandler, public io::StreamHandler {
 public:
  Server(FakeNetwork& network, std::string_view address,
         std::shared_ptr<const io::TlsContext> context,
         ClientCertificate wants = ClientCertificate::none)
      : loop_(network.create_loop()),
        context_(std::move(context)),
        wants_(wants),
        listener_(std::move(*loop_.listen(at(address), false, *this))) {}
  void on_accept(std::unique_ptr<io::StreamConnection> stream) override {
    ++accepted;
    connections.push_back(std::move(*context_->accept(loop_, std::move(stream), wants_)));
    connections.back()->set_handler(*this);
  }
  void on_bytes(std::string_view bytes) override { received += bytes; }
  void on_closed(const Error&) override {}
  std::string received;
  int accepted = 0;
  std::vector<std::unique_ptr<io::StreamConnection>> connections;

 private:
  FakeLoop& loop_;
  std::shared_ptr<const io::TlsContext> context_;
  const ClientCertificate wants_;
  std::unique_ptr<io::StreamListener> listener_;
};

struct Bench {
  Certificates certificates;
  std::shared_ptr<const io::TlsContext> own = context_of(certificates, "DNS:stack.example");
  std::shared_ptr<const io::TlsContext> other = open({"", "", certificates.authority(), false});
  Stack stack;
  Peer text{stack.network, "127.0.0.1:7000"};
  explicit Bench(unsigned workers = 1) : stack(workers, tls_config(own)) {
    REQUIRE(stack.group != nullptr);
  }
  explicit Bench(const StackConfig& config) : stack(1, config) { REQUIRE(stack.group != nullptr); }
  Leg& dial(std::string_view name, std::string_view uri = {}, bool is_verified = true) {
    OutboundCall call;
    call.destination = at("127.0.0.1:6000");
    call.transport = "tls";
    call.callee = "4420";
    call.caller = "1000";
    call.body = offer_body;
    call.request_uri = uri;
    call.manners.tls = {name, is_verified};
    return stack.dial(call);
  }
};

}  // namespace

TEST_CASE("Tls: what arrives on TLS is answered there, and Contact says so (P-01)") {
  struct Row {
    const char* uri;
    const char* contact;
  };
  for (const Row& row : {Row{"sip:4420@127.0.0.1:5061", "<sip:4420@127.0.0.1:5061;transport=tls>"},
                         Row{"sips:4420@127.0.0.1:5061", "<sips:4420@127.0.0.1:5061>"}}) {
    CAPTURE(row.uri);
    Bench bench;
    Client a(bench.stack.network, bench.other.get());
    bench.stack.run_ms(1);
    REQUIRE(a.is_connected);
    Peer::Request invite;
    invite.transport = "TLS";
    invite.uri = row.uri;
    invite.body = offer;
    CHECK(a.stream->send(bench.text.text(invite)).ok());
    bench.stack.run_ms(1);
    CHECK(a.take()->what() == "100 INVITE");
    bench.stack.leg().answer(answer_body, {});
    bench.stack.run_ms(1);
    const auto ok = a.take();
    CHECK(ok->what() == "200 INVITE");
    CHECK(ok->value("Contact") == row.contact);
    Peer::Request ack = invite;
    ack.method = "ACK";
    ack.branch = "z9hG4bKack";
    ack.to_tag = std::string(ok->message.to.tag);
    ack.body.clear();
    CHECK(a.stream->send(bench.text.text(ack)).ok());
    bench.stack.run_ms(1);
    bench.stack.leg().release(16);
    bench.stack.run_ms(1);
    const auto bye = a.take();
    CHECK(bye->what() == "BYE");
    CHECK(bye->message.vias[0].transport == "TLS");
    CHECK(bye->message.vias[0].port == 5061);
    CHECK(a.stream->send(bench.text.reply_text(*bye, 200)).ok());
    bench.stack.run_ms(1);
    CHECK(bench.stack.counters().tls_handshakes == 1);
  }
}

TEST_CASE("Tls: \"sips:\" is not taken from any other transport (P-01, RFC 3261 section 26.2.2)") {
  Bench bench;
  Peer a(bench.stack.network, "127.0.0.1:7001");
  Peer::Request invite;
  invite.uri = "sips:4420@127.0.0.1:5060";
  invite.body = offer;
  a.request(invite);
  bench.stack.run_ms(1);
  CHECK(a.all() == "416 INVITE");
}

TEST_CASE("Tls: an outbound call says TLS in Via, Request-URI and Contact (P-01)") {
  Bench bench;
  Server b(bench.stack.network, "127.0.0.1:6000",
           context_of(bench.certificates, "DNS:b.example,DNS:second.example"));
  bench.dial("b.example");
  bench.stack.run_ms(5);
  Received invite(b.received);
  CHECK(invite.what() == "INVITE");
  CHECK(invite.message.request_uri == "sip:4420@127.0.0.1:6000;transport=tls");
  CHECK(invite.message.vias[0].transport == "TLS");
  CHECK(invite.value("Contact") == "<sip:1000@127.0.0.1:5061;transport=tls>");
  b.received.clear();
  bench.dial("b.example", "sips:4420@b.example");
  bench.stack.run_ms(5);
  Received secure(b.received);
  CHECK(secure.message.request_uri == "sips:4420@b.example");
  CHECK(secure.value("Contact") == "<sips:1000@127.0.0.1:5061>");
  CHECK(b.accepted == 1);
}

TEST_CASE("Tls: a connection is used again for the name that it has proved, and no other (P-01)") {
  Bench bench;
  Server b(bench.stack.network, "127.0.0.1:6000",
           context_of(bench.certificates, "DNS:b.example,DNS:second.example"));
  bench.dial("b.example");
  bench.dial("b.example");
  bench.dial("second.example");
  bench.stack.run_ms(5);
  CHECK(b.accepted == 2);
  CHECK(bench.stack.calls().take_log().empty());
  bench.dial("third.example");
  bench.dial("");
  bench.stack.run_ms(5);
  CHECK(bench.stack.calls().take_log() == "failure 503 transport; failure 503 transport");
  bench.dial("third.example", {}, false);
  bench.stack.run_ms(5);
  CHECK(bench.stack.calls().take_log().empty());
  CHECK(b.accepted == 5);
  CHECK(bench.stack.counters().tls_handshakes == 3);
  CHECK(bench.stack.counters().tls_failures == 2);
}

TEST_CASE(
    "Tls: half-open, plain and silent peers are gone in time, and others call on (P-01, S-14)") {
  Bench bench;
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 120; ++i)
    silent.push_back(std::make_unique<Client>(bench.stack.network, nullptr));
  bench.stack.run_ms(1);
  // 100 with one address; the rest is refused at once.
  CHECK(bench.stack.counters().connections_live == 100);
  CHECK(bench.stack.counters().peer_connections_refused == 20);
  for (int i = 0; i < 20; ++i)
    (void)silent[static_cast<std::size_t>(i)]->stream->send("OPTIONS sip:a SIP/2.0\r\n\r\n");
  bench.stack.run_ms(1);
  CHECK(bench.stack.counters().connections_live == 80);
  CHECK(bench.stack.counters().tls_failures == 20);
  Client good(bench.stack.network, bench.other.get());
  bench.stack.run_ms(1);
  CHECK(good.is_connected);
  Peer::Request options;
  options.method = "OPTIONS";
  options.transport = "TLS";
  CHECK(good.stream->send(bench.text.text(options)).ok());
  bench.stack.run_ms(4'000);
  CHECK(good.take()->what() == "200 OPTIONS");
  CHECK(bench.stack.counters().connections_live == 81);
  bench.stack.run_ms(2'000);  // five seconds for a handshake
  CHECK(bench.stack.counters().connections_live == 1);
  CHECK(bench.stack.counters().tls_failures == 100);
  // Agreed on, and then nothing: as on TCP.
  Client idle(bench.stack.network, bench.other.get());
  bench.stack.run_ms(9'000);
  CHECK(bench.stack.counters().connections_live == 2);
  bench.stack.run_ms(2'000);
  CHECK(bench.stack.counters().connections_live == 1);
  CHECK(bench.stack.counters().connections_unused == 1);
  CHECK_FALSE(idle.closed.empty());
}

TEST_CASE("Tls: a call of one worker goes over the connection of another (P-01)") {
  Bench bench(3);
  std::vector<std::unique_ptr<Client>> clients;
  std::uint64_t handed_over = 0;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(bench.stack.network, bench.other.get()));
    bench.stack.run_ms(1);
    REQUIRE(clients.back()->is_connected);
    Peer::Request invite;
    invite.transport = "TLS";
    invite.call_id = "call-" + std::to_string(i);
    invite.branch = "z9hG4bK" + std::to_string(i);
    invite.body = offer;
    CHECK(clients.back()->stream->send(bench.text.text(invite)).ok());
    bench.stack.run_ms(1);
    CHECK(clients.back()->take()->what() == "100 INVITE");
  }
  for (unsigned i = 0; i < 3; ++i)
    handed_over += bench.stack.counters(i).handed_over;
  CHECK(handed_over > 0);
  for (auto& recorder : bench.stack.recorders) {
    for (auto& leg : recorder->legs)
      leg->reject(486, 0, 0);
  }
  bench.stack.run_ms(1);
  for (auto& client : clients)
    CHECK(client->take()->what() == "486 INVITE");
}

TEST_CASE(
    "Tls: a certificate that a peer refuses behind the handshake is told and counted (P-01)") {
  // With TLS 1.3 the handshake of who connects is over before the other end has looked at it.
  Certificates certificates;
  const auto files = certificates.issue("mine", {"DNS:stack.example"}, "stranger");
  Bench bench(tls_config(open({files.certificate, files.key, certificates.authority(), false})));
  Server b(bench.stack.network, "127.0.0.1:6000", context_of(certificates, "DNS:b.example"),
           ClientCertificate::require);
  bench.dial("b.example");
  bench.stack.run_ms(20);
  CHECK(bench.stack.calls().take_log() == "failure 503 transport");
  CHECK(bench.stack.calls().failure.is_untrusted);
  CHECK(bench.stack.counters().tls_handshakes == 1);
  CHECK(bench.stack.counters().tls_failures == 1);
  REQUIRE(bench.stack.logged.size() == 1);
  CHECK(bench.stack.logged[0].find("our certificate was refused: ") != std::string::npos);
}

TEST_CASE("Tls: handshakes that peers begin have a rate, of one address and of all (P-01, S-14)") {
  Certificates certificates;
  const auto own = context_of(certificates, "DNS:stack.example");
  StackConfig config = tls_config(own);
  config.handshakes = {4, 2};
  config.peer_connections_max = 3;  // and so many handshakes at once
  Bench bench(config);
  const auto trusting = open({"", "", certificates.authority(), false});
  std::vector<std::unique_ptr<Client>> clients;
  const auto connect = [&](int count) {
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<Client>(bench.stack.network, trusting.get()));
      bench.stack.run_ms(1);
      clients.pop_back();  // closed at once: it has room for others, and cost a handshake
      bench.stack.run_ms(1);
    }
    return bench.stack.counters().tls_refused.load();
  };
  // Who only connects uses up nothing.
  for (int i = 0; i < 50; ++i) {
    const Client silent(bench.stack.network, nullptr);
    bench.stack.run_ms(1);
  }
  bench.stack.run_ms(1);
  CHECK(connect(3) == 0);
  CHECK(connect(4) == 4);
  CHECK(bench.stack.counters().tls_handshakes == 3);
  bench.stack.run_ms(500);
  CHECK(connect(1) == 4);  // half a second later there is one of its two a second
  CHECK(connect(1) == 5);
  CHECK(bench.stack.counters().peer_connections_refused == 0);
  // A reload changes the rates.
  bench.stack.group->set_tls(own, {0, 0});
  CHECK(connect(20) == 5);
}

TEST_CASE("Tls: who is expected is let in when others have used up the rate of all (P-01, S-14)") {
  Certificates certificates;
  bool is_expected = false;
  StackConfig config = tls_config(context_of(certificates, "DNS:stack.example"));
  config.handshakes = {1, 0};
  config.expects_peer = [&](const SocketAddress& peer) { return is_expected && peer.ip.is_ipv4(); };
  Bench bench(config);
  const auto trusting = open({"", "", certificates.authority(), false});
  const auto connects = [&] {
    const Client client(bench.stack.network, trusting.get());
    bench.stack.run_ms(1);
    return client.is_connected;
  };
  CHECK(connects());
  CHECK_FALSE(connects());
  is_expected = true;
  CHECK(connects());
  CHECK(bench.stack.counters().tls_refused == 1);
  CHECK(bench.stack.counters().tls_failures == 0);
}

TEST_CASE("HandshakeRates: an address gets no more than its rate, nor do all together (S-14)") {
  HandshakeRates rates(5, {1, 2});
  const HandshakeLimits limits{1'000, 10};
  SeededRandom random(7);
  std::map<std::uint64_t, int> admitted;
  int all = 0;
  // Ten seconds of 500 addresses; the first twenty try all the time.
  for (std::int64_t now_us = 1; now_us < 10'000'000; now_us += 100) {
    const std::uint64_t peer = random.below(3) == 0 ? random.below(20) : random.below(500);
    IpAddress ip = at("10.0.0.0:1").ip;
    ip.bytes[2] = static_cast<std::uint8_t>(peer >> 8);
    ip.bytes[3] = static_cast<std::uint8_t>(peer);
    if (!rates.admit(limits, ip, now_us, nobody)) continue;
    ++admitted[peer];
    ++all;
  }
  CHECK(all <= 11'000);
  CHECK(all > 9'000);
  for (const auto& [peer, count] : admitted)
    CHECK(count <= 5 + 100);
}

TEST_CASE(
    "HandshakeRates: who is expected has its own rate when others used up that of all (S-14)") {
  HandshakeRates rates(3, {1, 2});
  const HandshakeLimits limits{10, 2};
  IpAddress ip = at("10.0.0.0:1").ip;
  int strangers = 0;
  for (int i = 0; i < 50; ++i) {
    ip.bytes[3] = static_cast<std::uint8_t>(i);
    strangers += rates.admit(limits, ip, 1, nobody) ? 1 : 0;
  }
  CHECK(strangers == 10);
  const IpAddress expected = at("192.0.2.1:1").ip;
  CHECK_FALSE(rates.admit(limits, expected, 1, nobody));
  int admitted = 0;
  for (int i = 0; i < 5; ++i)
    admitted += rates.admit(limits, expected, 1, [] { return true; }) ? 1 : 0;
  CHECK(admitted == 3);
}

TEST_CASE("HandshakeRates: subscribers of IPv6 count by their network (S-14)") {
  HandshakeRates rates(2, {1, 2});
  const HandshakeLimits limits{0, 1};
  CHECK(rates.admit(limits, at("[2001:db8::1]:1").ip, 1, nobody));
  CHECK(rates.admit(limits, at("[2001:db8::2]:1").ip, 1, nobody));
  CHECK_FALSE(rates.admit(limits, at("[2001:db8::3]:1").ip, 1, nobody));
  CHECK(rates.admit(limits, at("[2001:db8:0:1::1]:1").ip, 1, nobody));
}

TEST_CASE("Tls: after a reload a busy peer is called over a new connection (P-01)") {
  Bench bench;
  Server b(bench.stack.network, "127.0.0.1:6000", context_of(bench.certificates, "DNS:b.example"));
  bench.dial("b.example");
  bench.dial("b.example");
  bench.stack.run_ms(5);
  CHECK(b.accepted == 1);
  bench.stack.group->set_tls(context_of(bench.certificates, "DNS:renamed.example"), {0, 0});
  b.received.clear();
  bench.dial("b.example");
  bench.dial("b.example");
  bench.stack.run_ms(5);
  CHECK(b.accepted == 2);
  CHECK(bench.stack.counters().connections_live == 2);
  // What is under way on the old one stays there.
  Received invite(b.received);
  REQUIRE(invite.what() == "INVITE");
  CHECK(bench.stack.calls().take_log().empty());
  // An authority that is trusted no more serves no new call.
  const auto other = bench.certificates.issue("other", {"DNS:stack.example"}, "second");
  bench.stack.group->set_tls(
      open({other.certificate, other.key, bench.certificates.authority("second"), false}), {0, 0});
  bench.dial("b.example");
  bench.stack.run_ms(5);
  CHECK(bench.stack.calls().take_log() == "failure 503 transport");
  CHECK(bench.stack.calls().failure.is_untrusted);
}

TEST_CASE("Tls: after a reload who would not be let in any more begins nothing new (P-01)") {
  Certificates certificates;
  StackConfig config = tls_config(context_of(certificates, "DNS:stack.example"));
  config.listen.back().client_certificate = ClientCertificate::require;
  Bench bench(config);
  const auto files = certificates.issue("client", {"DNS:client.example"});
  const auto shown = open({files.certificate, files.key, certificates.authority(), false});
  Client client(bench.stack.network, shown.get());
  bench.stack.run_ms(1);
  REQUIRE(client.is_connected);
  Peer::Request options;
  options.method = "OPTIONS";
  options.transport = "TLS";
  const auto asks = [&](const std::string& branch) {
    options.branch = branch;
    (void)client.stream->send(bench.text.text(options));
    bench.stack.run_ms(1);
    return client.closed.empty() ? client.take()->what() : std::string("closed");
  };
  CHECK(asks("z9hG4bK1") == "200 OPTIONS");
  bench.stack.group->set_tls(context_of(certificates, "DNS:renamed.example"), {0, 0});
  CHECK(asks("z9hG4bK2") == "200 OPTIONS");
  const auto own = certificates.issue("own", {"DNS:stack.example"});
  bench.stack.group->set_tls(
      open({own.certificate, own.key, certificates.authority("second"), false}), {0, 0});
  // Its calls end as they should: what belongs to them is answered.
  Peer::Request bye;
  bye.method = "BYE";
  bye.transport = "TLS";
  bye.branch = "z9hG4bK3";
  bye.to_tag = "1";
  (void)client.stream->send(bench.text.text(bye));
  bench.stack.run_ms(1);
  CHECK(client.closed == "");
  CHECK(client.take()->what() == "481 BYE");
  CHECK(bench.stack.counters().tls_failures == 0);
  CHECK(asks("z9hG4bK4") == "closed");
  CHECK(bench.stack.counters().tls_failures == 1);
}

TEST_CASE("Tls: a reload of unchanged files leaves what is connected alone (P-01)") {
  Certificates certificates;
  const auto files = certificates.issue("own", {"DNS:stack.example"});
  const TlsConfig config{files.certificate, files.key, certificates.authority(), false};
  TlsConfig changed = config;
  changed.needs_tls13 = true;
  CHECK(open(config)->fingerprint() == open(config)->fingerprint());
  CHECK_FALSE(open(config)->fingerprint().empty());
  CHECK(open(config)->fingerprint() != open(changed)->fingerprint());
  changed = config;
  changed.ca = certificates.authority("second");
  CHECK(open(config)->fingerprint() != open(changed)->fingerprint());
  TlsSetup setup;
  setup.set_context(open(config), {1, 1});
  const auto first = setup.context();
  setup.set_context(open(config), {2, 3});
  CHECK(setup.generation() == 1);
  CHECK(setup.context() == first);
  CHECK(setup.limits() == HandshakeLimits{2, 3});
  setup.set_context(open(changed), {2, 3});
  CHECK(setup.generation() == 2);
  CHECK(setup.context() != first);
  setup.set_context(nullptr, {});
  CHECK(setup.generation() == 3);
}

TEST_CASE("Tls: new connections take the new context, those that are there keep theirs (P-01)") {
  Bench bench;
  Client before(bench.stack.network, bench.other.get());
  bench.stack.run_ms(1);
  REQUIRE(before.is_connected);
  bench.stack.group->set_tls(context_of(bench.certificates, "DNS:renamed.example"), {0, 0});
  Client after(bench.stack.network, bench.other.get());
  bench.stack.run_ms(1);
  CHECK_FALSE(after.is_connected);
  CHECK(after.closed.find("not for \"stack.example\"") != std::string::npos);
  Peer::Request options;
  options.method = "OPTIONS";
  options.transport = "TLS";
  CHECK(before.stream->send(bench.text.text(options)).ok());
  bench.stack.run_ms(1);
  CHECK(before.take()->what() == "200 OPTIONS");
}

TEST_CASE("Tls: a listener without a certificate is not opened (P-01)") {
  Certificates certificates;
  CHECK(Stack(1, tls_config(nullptr)).group == nullptr);
  CHECK(Stack(1, tls_config(open({"", "", certificates.authority(), false}))).group == nullptr);
}

TEST_CASE("Tls: names are kept once, and one too many falls back to the strictest (P-01)") {
  TlsSetup setup;
  CHECK(setup.peer({}) == nullptr);
  const io::TlsPeer* const one = setup.peer({"a.example", true});
  REQUIRE(one != nullptr);
  CHECK(one->name == "a.example");
  CHECK(setup.peer({"a.example", true}) == one);
  CHECK(setup.peer({"a.example", false}) != one);
  for (std::size_t i = 2; i < TlsSetup::peers_max; ++i)
    CHECK(setup.peer({std::to_string(i), true}) != nullptr);
  CHECK(setup.peer({"late.example", true}) == nullptr);
  CHECK(setup.peer({"late.example", false}) == nullptr);
  CHECK(setup.peer({"a.example", true}) == one);
}
