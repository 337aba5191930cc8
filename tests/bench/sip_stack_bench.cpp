// The stack alone: a call from one end to the other over a wire that costs nothing.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "bench.hpp"
#include "sip/stack.hpp"
#include "support/fake_network.hpp"

namespace tandem::bench {
namespace {

using tandem::test::at;

constexpr std::string_view sdp =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP "
    "0 8 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";

/// A back-to-back user agent without routing, rating or media.
class Relay final : public InboundCalls, public LegEvents {
 public:
  LegFactory* factory = nullptr;
  std::unique_ptr<Leg> a, b;

  void on_call(std::unique_ptr<Leg> leg, const InboundCall& call) override {
    a = std::move(leg);
    a->set_events(*this);
    OutboundCall out;
    out.destination = at("127.0.0.1:6000");
    out.callee = call.request_user;
    out.caller = call.from_user;
    out.body = call.body;
    out.headers = call.headers;
    b = factory->call(out, *this);
  }
  void on_progress(Leg&, const Progress& progress) override {
    a->progress(progress.status, progress.body);
  }
  void on_answer(Leg&, const Answer& answer) override { a->answer(answer.body, {}); }
  void on_failure(Leg&, const Failure&) override {}
  void on_cancel(Leg&, const Release&) override {}
  void on_confirmed(Leg&, const SessionBody&) override {}
  void on_release(Leg&, const Release& release) override { b->release(release.q850_cause); }
  void on_reoffer(Leg&, const Reoffer&) override {}
  void on_reoffer_result(Leg&, int, const SessionBody&) override {}
  void on_request(Leg&, const DialogRequest&) override {}
  void on_request_result(Leg&, int, const SessionBody&) override {}
};

/// A datagram socket that keeps what is sent until it is asked for.
class Wire final : public io::Loop {
 public:
  explicit Wire(const Clock& clock) : clock_(clock), timers_(clock.monotonic_us()) {}
  std::vector<std::string> sent;
  io::DatagramHandler* handler = nullptr;

  TimerWheel& timers() noexcept override { return timers_; }
  [[nodiscard]] const Clock& clock() const noexcept override { return clock_; }
  Result<void> post(std::function<void()> task) override { return task(), Result<void>{}; }
  void defer(std::function<void()> task) override { task(); }
  [[nodiscard]] bool is_loop_thread() const noexcept override { return true; }
  Result<std::unique_ptr<io::DatagramSocket>> open_datagram(
      const SocketAddress& local, const io::DatagramOptions&,
      io::DatagramHandler& receiver) override {
    handler = &receiver;
    return std::unique_ptr<io::DatagramSocket>(std::make_unique<Socket>(*this, local));
  }
  Result<std::unique_ptr<io::StreamListener>> listen(const SocketAddress&, bool,
                                                     io::AcceptHandler&) override {
    return Error{ErrorCode::unsupported, "streams were not asked for"};
  }
  Result<std::unique_ptr<io::StreamConnection>> connect(const SocketAddress&,
                                                        io::StreamHandler&) override {
    return Error{ErrorCode::unsupported, "streams were not asked for"};
  }
  void start() override {}
  void stop() override {}

 private:
  class Socket final : public io::DatagramSocket {
   public:
    Socket(Wire& wire, const SocketAddress& local) : wire_(wire), local_(local) {}
    [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
    void send(const SocketAddress&, std::string_view bytes) override {
      wire_.sent.emplace_back(bytes);
    }
    [[nodiscard]] std::uint64_t send_drops() const noexcept override { return 0; }

   private:
    Wire& wire_;
    SocketAddress local_;
  };
  const Clock& clock_;
  TimerWheel timers_;
};

std::string line_of(const std::string& message, std::string_view name) {
  const std::size_t begin = message.find(name);
  if (begin == std::string::npos) return {};
  return message.substr(begin, message.find("\r\n", begin) + 2 - begin);
}

std::string response(const std::string& request, std::string_view status, bool with_body) {
  std::string to = line_of(request, "To: ");
  if (to.find(";tag=") == std::string::npos) to.insert(to.size() - 2, ";tag=b1");
  std::string out = "SIP/2.0 " + std::string(status) + "\r\n" + line_of(request, "Via: ") +
                    line_of(request, "From: ") + to + line_of(request, "Call-ID: ") +
                    line_of(request, "CSeq: ") + "Contact: <sip:4420@127.0.0.1:6000>\r\n";
  if (with_body) out += "Content-Type: application/sdp\r\n";
  out += "Content-Length: " + std::to_string(with_body ? sdp.size() : 0) + "\r\n\r\n";
  if (with_body) out += sdp;
  return out;
}

}  // namespace

TANDEM_BENCH("sip.stack_call_us", "us") {
  SimulatedClock clock;
  Log log(clock);
  Wire wire(clock);
  Relay relay;
  SecureRandom random;
  sip::StackConfig config;
  config.listen = {{sip::Transport::udp, at("127.0.0.1:5060")}};
  auto group = sip::StackGroup::create(config, {&wire}, {&relay}, {&random}, log);
  if (!group) return Figure::skipped(group.error().message);
  relay.factory = &(*group)->legs(0);
  const SocketAddress a = at("127.0.0.1:7000");
  const SocketAddress b = at("127.0.0.1:6000");
  std::uint64_t serial = 0;
  std::int64_t own_ns = 0;
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;
  // Only what the stack does is measured, not the making of the peers' messages.
  const auto hear = [&](const SocketAddress& from, const std::string& bytes) {
    const std::int64_t before_ns = thread_cpu_ns();
    wire.handler->on_datagram(from, bytes);
    own_ns += thread_cpu_ns() - before_ns;
  };
  // Reading the CPU clock is not free either.
  std::int64_t clock_ns = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t before_ns = thread_cpu_ns();
    clock_ns += thread_cpu_ns() - before_ns;
  }
  clock_ns /= 1000;
  const auto call = [&] {
    wire.sent.clear();
    const std::string id = std::to_string(++serial);
    const std::string common = "Max-Forwards: 70\r\nFrom: \"A\" <sip:1000@127.0.0.1:7000>;tag=f" +
                               id + "\r\nCall-ID: bench-" + id +
                               "@127.0.0.1\r\nContact: <sip:1000@127.0.0.1:7000>\r\n";
    const auto via = [&](char part) {
      return "Via: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bK" + id + part + ";rport\r\n";
    };
    const std::string to = "To: <sip:442079460000@127.0.0.1:5060>";
    hear(a, "INVITE sip:442079460000@127.0.0.1:5060 SIP/2.0\r\n" + via('i') + common + to +
                "\r\nCSeq: 1 INVITE\r\nUser-Agent: bench\r\nP-Asserted-Identity: "
                "<sip:1000@127.0.0.1>\r\n"
                "Content-Type: application/sdp\r\nContent-Length: " +
                std::to_string(sdp.size()) + "\r\n\r\n" + std::string(sdp));
    if (wire.sent.size() != 2) return ++failed, void();
    const std::string invite = wire.sent[0].substr(0, 6) == "INVITE" ? wire.sent[0] : wire.sent[1];
    hear(b, response(invite, "180 Ringing", false));
    hear(b, response(invite, "200 OK", true));
    if (wire.sent.size() != 5) return ++failed, void();
    const std::string tagged = line_of(wire.sent.back(), "To: ");
    hear(a, "ACK sip:442079460000@127.0.0.1:5060 SIP/2.0\r\n" + via('a') + common + tagged +
                "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n");
    hear(a, "BYE sip:442079460000@127.0.0.1:5060 SIP/2.0\r\n" + via('b') + common + tagged +
                "CSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n");
    if (wire.sent.size() != 7) return ++failed, void();
    hear(b, response(wire.sent.back(), "200 OK", false));
    const std::int64_t before_ns = thread_cpu_ns();
    relay.a.reset();
    relay.b.reset();
    // 2000 calls a second, so that 32 s of finished transactions are there.
    clock.advance_us(500);
    wire.timers().advance(clock.monotonic_us());
    own_ns += thread_cpu_ns() - before_ns;
    own_ns -= 7 * clock_ns;
    ++calls;
  };
  const std::int64_t warm_ns = wall_ns() + static_cast<std::int64_t>(seconds() * 0.5e9);
  while (wall_ns() < warm_ns)
    call();
  double best_us = 0;
  const std::int64_t end_ns = wall_ns() + static_cast<std::int64_t>(seconds() * 1e9);
  do {
    own_ns = 0;
    calls = 0;
    for (int i = 0; i < 500; ++i)
      call();
    if (calls == 0) break;
    const double us = static_cast<double>(own_ns) / 1000.0 / static_cast<double>(calls);
    if (best_us == 0 || us < best_us) best_us = us;
  } while (wall_ns() < end_ns);
  const std::uint64_t live = (*group)->counters(0).transactions_live;
  relay.a.reset();
  relay.b.reset();
  if (failed > 0) return Figure::skipped(std::to_string(failed) + " calls failed");
  return Figure(best_us, "{\"messages\":13,\"rate_cps\":2000,\"transactions_live\":" +
                             std::to_string(live) + ",\"kernel\":false}");
}

}  // namespace tandem::bench
