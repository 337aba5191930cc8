// The stack between test ends: what it is told and what it says on the wire.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "sip/message.hpp"
#include "sip/stack.hpp"
#include "support/fake_network.hpp"
#include "tandem/clock.hpp"
#include "tandem/log.hpp"

namespace tandem::sip::test {

using tandem::test::at;
using tandem::test::FakeLoop;
using tandem::test::FakeNetwork;

inline constexpr std::string_view offer =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n";
inline constexpr std::string_view answer_sdp =
    "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 5000 RTP/AVP 0\r\n";
inline const SessionBody offer_body{"application/sdp", offer};
inline const SessionBody answer_body{"application/sdp", answer_sdp};

/// A message that was received, with the bytes its views point into.
struct Received {
  std::string bytes;
  SocketAddress from;
  Message message;
  explicit Received(std::string_view text, const SocketAddress& source = {})
      : bytes(text), from(source) {
    scan(bytes, Framing::datagram, message);
  }
  Received(const Received&) = delete;
  Received& operator=(const Received&) = delete;
  [[nodiscard]] std::string_view value(std::string_view name) const {
    for (std::size_t i = 0; i < message.header_count; ++i) {
      if (equals_ignoring_case(message.headers[i].name, name)) return message.headers[i].value;
    }
    return {};
  }
  [[nodiscard]] std::size_t count(std::string_view name) const {
    std::size_t found = 0;
    for (std::size_t i = 0; i < message.header_count; ++i) {
      if (equals_ignoring_case(message.headers[i].name, name)) ++found;
    }
    return found;
  }
  /// "INVITE" or "200 INVITE".
  [[nodiscard]] std::string what() const {
    if (message.is_request) return std::string(message.method_token);
    return std::to_string(message.status) + " " + std::string(message.cseq_method_token);
  }
};

/// A SIP end on UDP that does only what the test says.
class Peer {
 public:
  Peer(FakeNetwork& network, std::string_view address, std::string_view stack = "127.0.0.1:5060")
      : network_(network), local_(at(address)), stack_(at(stack)) {
    id_ = network.bind(local_, [this](const SocketAddress& from, std::string_view bytes) {
      inbox.push_back(std::make_unique<Received>(bytes, from));
      if (on_message) on_message(*inbox.back());
    });
  }
  ~Peer() { network_.unbind(local_, id_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void send(std::string_view text) { network_.send(local_, stack_, text); }
  [[nodiscard]] std::string address() const { return local_.to_string(); }
  /// Takes the oldest message; "" messages are never received, so what() tells.
  std::unique_ptr<Received> take() {
    if (inbox.empty()) return std::make_unique<Received>("");
    auto first = std::move(inbox.front());
    inbox.pop_front();
    return first;
  }
  /// What came, as "100 INVITE, 180 INVITE", and forgets it.
  std::string all() {
    std::string text;
    while (!inbox.empty()) {
      if (!text.empty()) text += ", ";
      text += take()->what();
    }
    return text;
  }

  // Requests of a caller. `extra`: header lines with CR LF.
  struct Request {
    std::string method = "INVITE";
    std::string uri = "sip:4420@127.0.0.1:5060";
    std::string branch = "z9hG4bKa1";
    std::string from_tag = "f1";
    std::string to_tag;
    std::string call_id = "c1";
    std::uint32_t cseq = 1;
    std::string extra;
    std::string content_type = "application/sdp";
    std::string body;
    std::string cseq_method;
    bool has_contact = true;
    int max_forwards = 70;
    std::string transport = "UDP";
  };
  [[nodiscard]] std::string text(const Request& r) const {
    std::string out =
        r.method + " " + r.uri + " SIP/2.0\r\nVia: SIP/2.0/" + r.transport + " " + address() +
        ";branch=" + r.branch + ";rport\r\nMax-Forwards: " + std::to_string(r.max_forwards) +
        "\r\nFrom: \"A\" <sip:1000@" + address() + ">;tag=" + r.from_tag +
        "\r\nTo: <sip:4420@127.0.0.1>" + (r.to_tag.empty() ? "" : ";tag=" + r.to_tag) +
        "\r\nCall-ID: " + r.call_id + "\r\nCSeq: " + std::to_string(r.cseq) + " " +
        (r.cseq_method.empty() ? r.method : r.cseq_method) + "\r\n";
    if (r.has_contact) out += "Contact: <sip:1000@" + address() + ">\r\n";
    out += r.extra;
    if (!r.body.empty()) out += "Content-Type: " + r.content_type + "\r\n";
    return out + "Content-Length: " + std::to_string(r.body.size()) + "\r\n\r\n" + r.body;
  }
  void request(const Request& r) { send(text(r)); }

  /// A response to a request of the stack. `to_tag` is added to a To without one.
  [[nodiscard]] std::string reply_text(const Received& request, int status,
                                       std::string_view to_tag = "b1", std::string_view body = {},
                                       std::string_view extra = {}) const {
    const Message& m = request.message;
    std::string out = "SIP/2.0 " + std::to_string(status) + " X\r\n";
    for (std::size_t i = 0; i < m.via_count; ++i)
      out += "Via: " + std::string(m.vias[i].value) + "\r\n";
    out += "From: " + std::string(m.from.value) + "\r\nTo: " + std::string(m.to.value);
    if (m.to.tag.empty() && status > 100) out += ";tag=" + std::string(to_tag);
    out += "\r\nCall-ID: " + std::string(m.call_id) + "\r\nCSeq: " + std::to_string(m.cseq) + " " +
           std::string(m.cseq_method_token) + "\r\n";
    if (status > 100 && status < 300) out += "Contact: <sip:callee@" + address() + ">\r\n";
    out += extra;
    if (!body.empty()) out += "Content-Type: application/sdp\r\n";
    return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }
  void reply(const Received& request, int status, std::string_view to_tag = "b1",
             std::string_view body = {}, std::string_view extra = {}) {
    send(reply_text(request, status, to_tag, body, extra));
  }

  std::deque<std::unique_ptr<Received>> inbox;
  std::function<void(const Received&)> on_message;

 private:
  FakeNetwork& network_;
  SocketAddress local_;
  SocketAddress stack_;
  int id_;
};

/// Takes calls and writes down what legs say.
class Recorder final : public InboundCalls, public LegEvents {
 public:
  std::string log;  ///< "progress 180; answer; ", and forgets it by take_log().
  std::vector<std::unique_ptr<Leg>> legs;
  std::string body;
  Failure failure;
  Release released;
  std::string failure_phrase;
  int max_forwards = 0;
  std::string request_user, from_user, from_display, header_names;
  std::function<void(Leg&, const InboundCall&)> when_called;
  std::function<void(Leg&, std::string_view event)> when_told;

  std::string take_log() { return std::exchange(log, std::string()); }

  void on_call(std::unique_ptr<Leg> leg, const InboundCall& call) override {
    note("call");
    leg->set_events(*this);
    body = call.body.bytes;
    max_forwards = call.max_forwards;
    request_user = call.request_user;
    from_user = call.from_user;
    from_display = call.from_display;
    header_names.clear();
    for (const PassedHeader& header : call.headers)
      header_names += std::string(header.name) + " ";
    legs.push_back(std::move(leg));
    if (when_called) when_called(*legs.back(), call);
  }
  void on_flow_closed(const FlowId& flow) override { closed_flows.push_back(flow); }
  std::vector<FlowId> closed_flows;
  void on_progress(Leg& leg, const Progress& progress) override {
    body = progress.body.bytes;
    tell(leg, "progress " + std::to_string(progress.status));
  }
  void on_answer(Leg& leg, const Answer& answer) override {
    body = answer.body.bytes;
    tell(leg, "answer");
  }
  void on_failure(Leg& leg, const Failure& f) override {
    failure = f;
    failure_phrase = f.reason_phrase;
    tell(leg, "failure " + std::to_string(f.status) +
                  (f.is_transport ? " transport"
                   : f.is_local   ? " local"
                                  : ""));
  }
  void on_cancel(Leg& leg, const Release& release) override {
    released = release;
    tell(leg, "cancel");
  }
  void on_acknowledged(Leg& leg, const SessionBody& acknowledged) override {
    body = acknowledged.bytes;
    tell(leg, "acknowledged");
  }
  void on_confirmed(Leg& leg, const SessionBody& confirmed) override {
    body = confirmed.bytes;
    tell(leg, "confirmed");
  }
  void on_release(Leg& leg, const Release& release) override {
    released = release;
    tell(leg, release.is_transport ? "lost" : "release");
  }
  void on_reoffer(Leg& leg, const Reoffer& reoffer) override {
    body = reoffer.body.bytes;
    tell(leg, reoffer.method == Reoffer::Method::reinvite ? "reinvite" : "update");
  }
  void on_reoffer_result(Leg& leg, int status, const SessionBody& result) override {
    body = result.bytes;
    tell(leg, "reoffer " + std::to_string(status));
  }
  void on_request(Leg& leg, const DialogRequest& request) override {
    body = request.body.bytes;
    tell(leg, "request " + std::string(request.method));
  }
  void on_request_result(Leg& leg, int status, const SessionBody& result) override {
    body = result.bytes;
    tell(leg, "result " + std::to_string(status));
  }

 private:
  void note(std::string_view event) {
    if (!log.empty()) log += "; ";
    log += event;
  }
  void tell(Leg& leg, const std::string& event) {
    note(event);
    if (when_told) when_told(leg, event);
  }
};

/// A stack of some workers on 127.0.0.1:5060, UDP and TCP.
struct Stack {
  FakeNetwork network;
  std::vector<std::string> logged;
  Log log{network.clock, [this](const LogRecord& record) { logged.push_back(record.to_string()); }};
  std::vector<FakeLoop*> loops;
  std::vector<std::unique_ptr<SeededRandom>> randoms;
  std::vector<std::unique_ptr<Recorder>> recorders;
  std::unique_ptr<StackGroup> group;

  explicit Stack(unsigned workers = 1, StackConfig config = {}) {
    if (config.listen.empty()) {
      config.listen = {{Transport::udp, at("127.0.0.1:5060")},
                       {Transport::tcp, at("127.0.0.1:5060")}};
    }
    std::vector<io::Loop*> raw_loops;
    std::vector<InboundCalls*> inbound;
    std::vector<Random*> random;
    for (unsigned i = 0; i < workers; ++i) {
      loops.push_back(&network.create_loop());
      raw_loops.push_back(loops.back());
      recorders.push_back(std::make_unique<Recorder>());
      inbound.push_back(recorders.back().get());
      randoms.push_back(std::make_unique<SeededRandom>(17 + i));
      random.push_back(randoms.back().get());
    }
    auto made = StackGroup::create(config, raw_loops, inbound, random, log);
    if (made) group = std::move(*made);
  }
  ~Stack() {
    for (auto& recorder : recorders)
      recorder->legs.clear();
  }
  Recorder& calls(unsigned worker = 0) { return *recorders[worker]; }
  [[nodiscard]] const StackCounters& counters(unsigned worker = 0) const {
    return group->counters(worker);
  }

  /// An outbound call to a peer at 127.0.0.1:6000.
  Leg& dial(std::string_view destination = "127.0.0.1:6000", const SessionBody& body = offer_body,
            std::string_view transport = "udp") {
    OutboundCall call;
    call.destination = at(destination);
    call.transport = transport;
    call.callee = "4420";
    call.caller = "1000";
    call.body = body;
    return dial(call);
  }
  Leg& dial(const OutboundCall& call) {
    auto leg = group->legs(0).call(call, calls());
    calls().legs.push_back(std::move(leg));
    return *calls().legs.back();
  }
  Leg& leg(std::size_t index = 0) { return *calls().legs[index]; }
  void run_ms(std::int64_t ms) { network.run_for(ms * 1000); }
  [[nodiscard]] std::uint64_t dialogs() const { return live(&StackCounters::dialogs_live); }
  [[nodiscard]] std::uint64_t transactions() const {
    return live(&StackCounters::transactions_live);
  }

 private:
  [[nodiscard]] std::uint64_t live(std::atomic<std::uint64_t> StackCounters::*gauge) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < recorders.size(); ++i) {
      sum += (group->counters(static_cast<unsigned>(i)).*gauge).load();
    }
    return sum;
  }
};

/// Times in ms at which `from` sent messages whose first line begins with `start`, counted from the
/// first.
inline std::string schedule(const FakeNetwork& network, std::string_view from,
                            std::string_view start) {
  std::string text;
  std::int64_t first_us = -1;
  for (const auto& datagram : network.sent) {
    if (datagram.from != at(from) || datagram.bytes.substr(0, start.size()) != start) continue;
    if (first_us < 0) first_us = datagram.at_us;
    // A timer may be a tick late.
    const std::int64_t ms = (datagram.at_us - first_us) / 1000;
    if (!text.empty()) text += ' ';
    text += std::to_string(ms - ms % 100);
  }
  return text;
}

/// An inbound call of `peer` up to its 2xx; gives the tag of the stack.
inline std::string answer_call(Stack& stack, Peer& peer, bool with_ack = true) {
  Peer::Request invite;
  invite.body = offer;
  peer.request(invite);
  stack.run_ms(1);
  stack.calls().legs.back()->answer(answer_body, {});
  stack.run_ms(1);
  std::string tag;
  while (!peer.inbox.empty())
    tag = std::string(peer.take()->message.to.tag);
  if (with_ack) {
    Peer::Request ack;
    ack.method = "ACK";
    ack.branch = "z9hG4bKack";
    ack.to_tag = tag;
    peer.request(ack);
    stack.run_ms(1);
  }
  stack.calls().take_log();
  return tag;
}

/// An outbound call to `peer`, answered and acknowledged; gives the ACK.
inline std::unique_ptr<Received> connect_call(Stack& stack, Peer& peer,
                                              std::string_view extra = {}) {
  stack.dial(peer.address());
  stack.run_ms(1);
  const auto invite = peer.take();
  peer.reply(*invite, 200, "b1", answer_sdp, extra);
  stack.run_ms(1);
  stack.calls().take_log();
  return peer.take();
}

/// A request of the callee inside the dialog that `ack` belongs to.
inline Peer::Request callee_request(const Received& ack, std::string method, std::uint32_t cseq) {
  Peer::Request request;
  request.method = std::move(method);
  request.branch = "z9hG4bKb" + std::to_string(cseq) + request.method;
  request.from_tag = std::string(ack.message.to.tag);
  request.to_tag = std::string(ack.message.from.tag);
  request.call_id = std::string(ack.message.call_id);
  request.cseq = cseq;
  return request;
}

}  // namespace tandem::sip::test
