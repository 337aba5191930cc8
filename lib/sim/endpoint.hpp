// Inside of an endpoint: a SIP stack of its own, media ports, and the calls it is in.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "sim/endpoint_handshake.hpp"
#include "sim/endpoint_keys.hpp"
#include "sim/sim_network.hpp"
#include "sip/sdp.hpp"
#include "sip/stack.hpp"
#include "tandem/log.hpp"
#include "tandem/sim.hpp"

namespace tandem::sim {

/// Threading: loop-bound. `endpoint` is null once the endpoint has gone.
struct EndpointCall::Body final : public LegEvents, private io::DatagramHandler {
  Body(Endpoint::Body& owner, bool is_outgoing);
  ~Body() override;

  // What it is told.
  void on_progress(Leg& leg, const Progress& progress) override;
  void on_answer(Leg& leg, const Answer& answer) override;
  void on_failure(Leg& leg, const Failure& failure) override;
  void on_cancel(Leg& leg, const Release& release) override;
  void on_acknowledged(Leg& leg, const SessionBody& body) override;
  void on_confirmed(Leg& leg, const SessionBody& body) override;
  void on_release(Leg& leg, const Release& release) override;
  void on_reoffer(Leg& leg, const Reoffer& reoffer) override;
  void on_reoffer_result(Leg& leg, int status, const SessionBody& body) override;
  void on_request(Leg& leg, const DialogRequest& request) override;
  void on_request_result(Leg& leg, int status, const SessionBody& body) override;
  void on_datagram(const SocketAddress& from, std::string_view bytes) override;

  // What it does.
  void follow(const AnswerPlan& answers);
  void ring(int with_status, bool with_sdp);
  void answer();
  void reject(int with_status, int cause, int retry_s);
  void cancel();
  void hang_up(int cause);
  void reoffer(Reoffer::Method method, std::string sdp);
  void end();

  [[nodiscard]] bool can_act() const noexcept { return leg != nullptr && !leg->is_over(); }
  void note(std::string event) { events.push_back(std::move(event)); }
  void keep_headers(const std::vector<PassedHeader>& given);
  void take_sdp(const SessionBody& body);
  std::string describe(sip::SdpDirection direction, const sip::SdpMedia* answered = nullptr);
  [[nodiscard]] SrtpMode srtp() const noexcept { return is_outgoing ? dial.srtp : plan.srtp; }
  /// The answer to what came last: its direction reversed, or hold kept.
  std::string describe_answer();
  [[nodiscard]] SessionBody body_of(const std::string& sdp) const;
  void start_rtp();
  void send_rtp();
  void press_key(char key, std::uint16_t duration_ms);
  void send_packet(const std::string& packet);
  void on_ring_timer();
  void on_progress_timer();
  void on_answer_timer();
  void on_end_timer();
  void start(Timer& timer, std::int64_t delay_us);

  Endpoint::Body* endpoint;
  const bool is_outgoing;
  std::unique_ptr<Leg> leg;
  DialPlan dial;
  AnswerPlan plan;
  EndpointCallState state = EndpointCallState::begun;
  bool was_answered = false;
  int status = 0, q850_cause = 0, retry_after_s = 0;
  bool npdi = false;
  std::string rn;
  std::string call_id, caller, display, callee, product, local_sdp, remote_sdp, last_body;
  std::string content_type = "application/sdp";
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> events;
  int reoffer_status = 200, request_status = 200;
  std::string reoffer_sdp;        // "": what describe() makes
  bool wants_answer = false;      // as soon as a description is acknowledged
  bool has_early_answer = false;  // an offer in a provisional response was answered
  bool wants_offer = false;       // our empty re-INVITE waits for the offer in its 2xx

  EndpointKeys srtp_keys;
  std::unique_ptr<EndpointHandshake> handshake;  // null: its keys are in its descriptions
  /// Made when it is first needed.
  EndpointHandshake* own_handshake();
  std::unique_ptr<io::DatagramSocket> rtp;
  SocketAddress rtp_remote;
  bool sends_rtp = false;
  std::uint16_t rtp_sequence = 0;
  std::uint32_t rtp_time = 0, rtp_ssrc = 0;
  std::uint64_t packets_sent = 0, packets_received = 0;
  int received_pattern = -1;
  int received_type = -1;
  std::string received_keys, key_timestamp;  // the latter of the newest key
  std::uint64_t sdp_version = 0;

  Timer ring_timer, progress_timer, answer_timer, end_timer, rtp_timer;
};

/// One user that an endpoint registers.
struct RegisteredUser final : public RegistrationEvents {
  void on_registration(const RegistrationResult& result) override {
    status = result.status;
    expires_s = result.expires_s;
  }
  std::unique_ptr<OutboundRegistration> registration;
  std::string password;
  int status = 0, expires_s = 0;
};

/// Lets an endpoint hear REGISTER requests once it shall.
class EndpointGate final : public RegisterGate {
 public:
  void open() noexcept { is_open_ = true; }
  [[nodiscard]] bool is_open() const noexcept override { return is_open_; }
  Verdict admit(const IpAddress&, std::int64_t) noexcept override {
    return is_open_ ? Verdict::pass : Verdict::closed;
  }

 private:
  bool is_open_ = false;
};

struct Endpoint::Body final : public InboundCalls {
  static Result<std::unique_ptr<Body>> create(SimNetwork& network, const EndpointConfig& config,
                                              std::uint64_t seed);
  explicit Body(SimNetwork& owner, const EndpointConfig& settings, std::uint64_t seed);
  ~Body() override;

  void on_call(std::unique_ptr<Leg> leg, const InboundCall& call) override;
  RegisterReply on_register(const RegisterRequest& request) override;
  std::shared_ptr<EndpointCall> dial(const std::string& callee, const std::string& caller,
                                     const DialPlan& plan);
  std::shared_ptr<EndpointCall> add_call(bool is_outgoing);
  AnswerPlan plan_for(const EndpointCall& call) const;
  void retire(EndpointCall::Body& call);
  void on_wire(const DatagramView& view, bool is_sent);
  /// Where the peer is on that transport.
  [[nodiscard]] SocketAddress peer_on(SipTransport transport) const noexcept;
  [[nodiscard]] std::uint16_t next_rtp_port() noexcept;
  [[nodiscard]] TimerWheel& timers() noexcept { return loop->timers(); }

  SimNetwork& network;
  EndpointConfig config;
  SocketAddress address, peer;
  SeededRandom random;
  Log log;
  std::unique_ptr<io::Loop> loop;
  EndpointGate gate;
  std::unique_ptr<sip::StackGroup> stack;
  std::map<std::string, RegisteredUser, std::less<>> users;
  RegistrarPlan registrar;
  std::string registered_contact;
  std::deque<std::shared_ptr<EndpointCall>> calls;
  AnswerPlan default_plan;
  std::map<std::string, AnswerPlan, std::less<>> plans;
  std::function<std::optional<AnswerPlan>(const EndpointCall&)> choose;
  EndpointCounters counters;
  std::vector<LadderEntry> ladder;
  std::map<std::string, std::uint64_t, std::less<>> sent, received;
  unsigned rtp_ports_taken = 0;
};

struct RawEndpoint::Body final : public io::DatagramHandler {
  explicit Body(SimNetwork& owner) : network(owner) {}
  ~Body() override {
    socket.reset();
    if (loop != nullptr) loop->stop();
  }
  static Result<std::unique_ptr<Body>> create(SimNetwork& network, const SocketAddress& address);
  void on_datagram(const SocketAddress& from, std::string_view bytes) override;

  SimNetwork& network;
  std::unique_ptr<io::Loop> loop;
  std::unique_ptr<io::DatagramSocket> socket;
  std::vector<RawDatagram> received;
  std::function<void(const RawDatagram&)> handler;
};

}  // namespace tandem::sim
