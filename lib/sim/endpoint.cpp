#include "sim/endpoint.hpp"

#include <algorithm>
#include <cstring>

#include "sim/websocket_client.hpp"

namespace tandem::sim {
namespace {

constexpr unsigned rtp_port_first = 20'000;
constexpr unsigned rtp_ports = 20'000;  // even ones of 20000..59998
constexpr std::size_t rtp_header_bytes = 12;
constexpr int rtp_clock_per_ms = 8;

void put16(char* to, unsigned value) noexcept {
  to[0] = static_cast<char>(value >> 8);
  to[1] = static_cast<char>(value);
}

void put32(char* to, std::uint32_t value) noexcept {
  put16(to, value >> 16);
  put16(to + 2, value & 0xFFFF);
}

bool is_sdp(std::string_view content_type) noexcept {
  return content_type.starts_with("application/sdp");
}

template <class Plan>
Manners manners_of(const Plan& plan, const EndpointConfig& config) {
  Manners manners;
  manners.tls = {config.tls_name, config.tls_verify};
  if (plan.rel100) manners.rel100 = ExtensionUse::allow;
  if (plan.requires_rel100) manners.rel100 = ExtensionUse::require;
  if (plan.session_timer_s == 0) return manners;
  manners.watch.mode = ExtensionUse::allow;
  manners.watch.interval_s = plan.session_timer_s;
  return manners;
}

}  // namespace

// --- a call ---

EndpointCall::Body::Body(Endpoint::Body& owner, bool outgoing)
    : endpoint(&owner),
      is_outgoing(outgoing),
      ring_timer(Timer::member<&Body::on_ring_timer, Body>(), this),
      progress_timer(Timer::member<&Body::on_progress_timer, Body>(), this),
      answer_timer(Timer::member<&Body::on_answer_timer, Body>(), this),
      end_timer(Timer::member<&Body::on_end_timer, Body>(), this),
      rtp_timer(Timer::member<&Body::send_rtp, Body>(), this) {
  rtp_ssrc = static_cast<std::uint32_t>(owner.random.next());
  rtp_sequence = static_cast<std::uint16_t>(owner.random.next());
}

EndpointCall::Body::~Body() = default;

void EndpointCall::Body::start(Timer& timer, std::int64_t delay_us) {
  if (delay_us >= 0) endpoint->timers().start(timer, delay_us);
}

SessionBody EndpointCall::Body::body_of(const std::string& sdp) const {
  if (sdp.empty()) return {};
  return {content_type, sdp};
}

void EndpointCall::Body::keep_headers(const std::vector<PassedHeader>& given) {
  headers.clear();
  for (const PassedHeader& header : given)
    headers.emplace_back(header.name, header.value);
}

void EndpointCall::Body::take_sdp(const SessionBody& body) {
  if (body.empty()) return;
  remote_sdp = body.bytes;
  if (!is_sdp(body.content_type)) return;
  const auto session = sip::parse_sdp(remote_sdp);
  const sip::SdpMedia* audio = session ? session->first_audio() : nullptr;
  srtp_keys.take(audio);
  if (EndpointHandshake* const own = own_handshake()) own->take(audio);
  if (audio == nullptr || audio->address.is_unspecified()) {
    rtp_remote = {};
    return;
  }
  rtp_remote = {audio->address, audio->port};
  if (is_outgoing ? dial.send_rtp : plan.send_rtp) start_rtp();
}

std::string EndpointCall::Body::describe(sip::SdpDirection direction,
                                         const sip::SdpMedia* answered) {
  const std::string& fixed = is_outgoing ? dial.sdp : plan.sdp;
  if (!fixed.empty()) return local_sdp = fixed;
  if (rtp == nullptr) {
    io::DatagramOptions options;
    for (int tries = 0; rtp == nullptr && tries < 64; ++tries) {
      auto opened = endpoint->loop->open_datagram({endpoint->address.ip, endpoint->next_rtp_port()},
                                                  options, *this);
      if (opened) rtp = std::move(*opened);
    }
  }
  const std::string& formats = is_outgoing ? dial.formats : plan.formats;
  const std::string event_lines = formats.find("101") == std::string::npos
                                      ? std::string()
                                      : "a=rtpmap:101 telephone-event/8000\r\n";
  const unsigned port = rtp != nullptr ? rtp->local().port : 9;
  const std::string family = endpoint->address.ip.is_ipv6() ? "IN IP6 " : "IN IP4 ";
  const std::string ip = family + endpoint->address.ip.to_string();
  std::string protocol;
  std::string key_lines;
  EndpointHandshake* const own = own_handshake();
  const bool is_shaking = own != nullptr && own->describe(answered, protocol, key_lines);
  if (!is_shaking) key_lines = srtp_keys.describe(srtp(), answered, endpoint->random, protocol);
  if (is_shaking) {
    // A browser describes where it is by candidates.
    const std::string where = own->has_ice() ? "IN IP4 0.0.0.0" : ip;
    return local_sdp = "v=0\r\no=- " + std::to_string(rtp_ssrc) + " " +
                       std::to_string(++sdp_version) + " " + ip + "\r\ns=-\r\nt=0 0\r\n" +
                       "a=group:BUNDLE 0\r\na=msid-semantic: WMS\r\nm=audio " +
                       (own->has_ice() ? "9" : std::to_string(port)) + " " + protocol + " " +
                       formats + "\r\nc=" + where + "\r\n" + event_lines + key_lines +
                       "a=" + std::string(sip::sdp_direction_name(direction)) + "\r\n";
  }
  local_sdp = "v=0\r\no=- " + std::to_string(rtp_ssrc) + " " + std::to_string(++sdp_version) + " " +
              ip + "\r\ns=-\r\nc=" + ip + "\r\nt=0 0\r\nm=audio " + std::to_string(port) + " " +
              protocol + " " + formats + "\r\n" + event_lines + key_lines +
              "a=" + std::string(sip::sdp_direction_name(direction)) + "\r\n";
  return local_sdp;
}

std::string EndpointCall::Body::describe_answer() {
  const auto session = sip::parse_sdp(remote_sdp);
  const sip::SdpMedia* audio = session ? session->first_audio() : nullptr;
  return describe(audio != nullptr ? sip::reversed(audio->direction) : sip::SdpDirection::sendrecv,
                  audio);
}

void EndpointCall::Body::follow(const AnswerPlan& answers) {
  plan = answers;
  if (!plan.responds) {
    leg->drop();
    end();
    return;
  }
  if (!plan.username.empty()) {
    const AuthResult result = leg->authenticate({plan.username, plan.password, plan.realm});
    if (result == AuthResult::challenged) {
      note("challenge");
      status = 401;
      end();
      return;
    }
    if (result == AuthResult::failed) {
      reject(403, 0, 0);
      return;
    }
  }
  start(ring_timer, plan.ring_after_us);
  start(progress_timer, plan.progress_after_us);
  if (plan.answer_after_us == 0 && plan.ring_after_us < 0 && plan.progress_after_us < 0) {
    on_answer_timer();
  } else {
    start(answer_timer, plan.answer_after_us);
  }
}

void EndpointCall::Body::on_ring_timer() { ring(180, plan.ring_with_sdp); }

void EndpointCall::Body::on_progress_timer() { ring(plan.progress_status, plan.progress_with_sdp); }

void EndpointCall::Body::on_answer_timer() {
  if (plan.status < 300) {
    answer();
  } else {
    reject(plan.status, plan.q850_cause, plan.retry_after_s);
  }
}

void EndpointCall::Body::on_end_timer() {
  if (is_outgoing && !was_answered) {
    cancel();
  } else {
    hang_up(0);
  }
}

void EndpointCall::Body::ring(int with_status, bool with_sdp) {
  if (!can_act() || is_outgoing || was_answered) return;
  if (with_status == 180) state = EndpointCallState::ringing;
  note(">" + std::to_string(with_status));
  const std::string sdp = with_sdp ? describe_answer() : std::string();
  leg->progress(with_status, body_of(sdp));
  if (with_sdp && plan.send_rtp) start_rtp();
}

void EndpointCall::Body::answer() {
  if (!can_act() || is_outgoing || was_answered) return;
  wants_answer = leg->awaits_acknowledgement();
  if (wants_answer) return;
  ring_timer.cancel();
  progress_timer.cancel();
  answer_timer.cancel();
  was_answered = true;
  state = EndpointCallState::answered;
  status = 200;
  ++endpoint->counters.answered;
  note("answer");
  const std::string sdp = plan.answer_without_sdp ? std::string() : describe_answer();
  leg->answer(body_of(sdp), views_of(plan.headers));
  if (plan.send_rtp) start_rtp();
  start(end_timer, plan.hang_up_after_us);
}

void EndpointCall::Body::reject(int with_status, int cause, int retry_s) {
  if (!can_act() || is_outgoing || was_answered) return;
  status = with_status;
  note("reject " + std::to_string(with_status));
  leg->reject(Refusal{with_status, cause, retry_s, views_of(plan.headers)});
  end();
}

void EndpointCall::Body::cancel() {
  if (!can_act() || !is_outgoing || was_answered) return;
  note("cancel");
  leg->cancel();
}

void EndpointCall::Body::hang_up(int cause) {
  if (!can_act()) return;
  note("hang up");
  leg->release(cause);
  end();
}

void EndpointCall::Body::reoffer(Reoffer::Method method, std::string sdp) {
  if (!can_act() || !(was_answered || leg->has_early_session())) return;
  leg->reoffer({method, body_of(sdp)});
}

/// The last thing: timers stop, the leg and the port go when the handler has returned.
void EndpointCall::Body::end() {
  if (state == EndpointCallState::over) return;
  state = EndpointCallState::over;
  for (Timer* timer : {&ring_timer, &progress_timer, &answer_timer, &end_timer, &rtp_timer})
    timer->cancel();
  sends_rtp = false;
  if (handshake != nullptr) handshake->stop();
  endpoint->retire(*this);
}

void EndpointCall::Body::on_progress(Leg& from, const Progress& progress) {
  if (progress.status == 180) state = EndpointCallState::ringing;
  note(std::to_string(progress.status) + (progress.body.empty() ? "" : " sdp"));
  take_sdp(progress.body);
  if (!progress.needs_answer) return;
  has_early_answer = true;
  from.answer_progress(body_of(describe_answer()));
}

void EndpointCall::Body::on_answer(Leg& from, const Answer& answered) {
  end_timer.cancel();
  was_answered = true;
  state = EndpointCallState::answered;
  status = 200;
  ++endpoint->counters.answered;
  product = answered.product;
  keep_headers(answered.headers);
  note("answer");
  take_sdp(answered.body);
  if (dial.delayed_offer && !has_early_answer) from.acknowledge(body_of(describe_answer()));
  start(end_timer, dial.hang_up_after_us);
}

void EndpointCall::Body::on_failure(Leg& from, const Failure& failure) {
  status = failure.status;
  q850_cause = failure.q850_cause;
  retry_after_s = failure.retry_after_s;
  product = from.product();
  keep_headers(failure.headers);
  note("failure " + std::to_string(failure.status) + (failure.is_local ? " local" : ""));
  end();
}

void EndpointCall::Body::on_cancel(Leg&, const Release& release) {
  status = 487;
  q850_cause = release.q850_cause;
  note("cancel");
  end();
}

void EndpointCall::Body::on_acknowledged(Leg&, const SessionBody& body) {
  note(body.empty() ? "acknowledged" : "acknowledged sdp");
  take_sdp(body);
  if (std::exchange(wants_answer, false)) answer();
}

void EndpointCall::Body::on_confirmed(Leg&, const SessionBody& body) {
  note(body.empty() ? "confirmed" : "confirmed sdp");
  take_sdp(body);
}

void EndpointCall::Body::on_release(Leg&, const Release& release) {
  q850_cause = release.q850_cause;
  note(release.is_transport ? "lost" : release.is_silent ? "silent" : "release");
  end();
}

void EndpointCall::Body::on_reoffer(Leg& from, const Reoffer& offered) {
  note(offered.method == Reoffer::Method::reinvite ? "reinvite" : "update");
  if (reoffer_status >= 300) {
    from.answer_reoffer(reoffer_status, {});
    return;
  }
  take_sdp(offered.body);
  if (!reoffer_sdp.empty()) local_sdp = reoffer_sdp;
  const std::string sdp = !reoffer_sdp.empty()   ? reoffer_sdp
                          : offered.body.empty() ? describe(sip::SdpDirection::sendrecv)
                                                 : describe_answer();
  from.answer_reoffer(reoffer_status, body_of(sdp));
}

void EndpointCall::Body::on_reoffer_result(Leg& from, int with_status, const SessionBody& body) {
  note("reoffer " + std::to_string(with_status));
  if (with_status < 300) take_sdp(body);
  if (std::exchange(wants_offer, false) && with_status < 300)
    from.acknowledge(body_of(describe_answer()));
}

void EndpointCall::Body::on_request(Leg& from, const DialogRequest& asked) {
  note(std::string(asked.method));
  last_body = asked.body.bytes;
  constexpr std::string_view version = "SIP/2.0 ";
  if (asked.body.content_type.starts_with("message/sipfrag") && last_body.starts_with(version))
    note("notified " + last_body.substr(version.size(), 3));
  from.answer_request(request_status, {});
}

void EndpointCall::Body::on_request_result(Leg&, int with_status, const SessionBody& body) {
  note("result " + std::to_string(with_status));
  last_body = body.bytes;
}

// --- media ---

void EndpointCall::Body::start_rtp() {
  if (endpoint == nullptr || state == EndpointCallState::over || sends_rtp) return;
  sends_rtp = true;
  send_rtp();
}

void EndpointCall::Body::send_rtp() {
  const int ptime_ms = std::clamp(is_outgoing ? dial.ptime_ms : plan.ptime_ms, 10, 200);
  start(rtp_timer, ptime_ms * 1000);
  if (rtp == nullptr || rtp_remote.port == 0) return;
  const std::size_t payload_bytes = static_cast<std::size_t>(ptime_ms * rtp_clock_per_ms);
  std::string packet(rtp_header_bytes + payload_bytes,
                     static_cast<char>(is_outgoing ? dial.rtp_pattern : plan.rtp_pattern));
  packet[0] = static_cast<char>(0x80);
  const std::uint8_t type = is_outgoing ? dial.rtp_type : plan.rtp_type;
  packet[1] = static_cast<char>(type | (packets_sent == 0 ? 0x80 : 0));  // begins a talk spurt
  put16(packet.data() + 2, rtp_sequence++);
  put32(packet.data() + 4, rtp_time);
  put32(packet.data() + 8, rtp_ssrc);
  rtp_time += static_cast<std::uint32_t>(payload_bytes);
  send_packet(packet);
}

void EndpointCall::Body::send_packet(const std::string& packet) {
  std::string_view bytes = packet;
  if (handshake != nullptr && handshake->has_offer() ? !handshake->seal(bytes)
                                                     : !srtp_keys.seal(bytes))
    return;
  rtp->send(rtp_remote, bytes);
  ++packets_sent;
  ++endpoint->counters.packets_sent;
}

void EndpointCall::Body::press_key(char key, std::uint16_t duration_ms) {
  constexpr std::string_view keys = "0123456789*#ABCD";
  constexpr std::uint16_t duration_max_ms = 8000;  // what one segment holds
  constexpr char payload_type = 101;
  constexpr int end_packets = 3;
  const std::size_t event = keys.find(key);
  if (event == std::string_view::npos || endpoint == nullptr || rtp == nullptr ||
      rtp_remote.port == 0)
    return;
  const auto duration =
      static_cast<std::uint16_t>(std::min(duration_ms, duration_max_ms) * rtp_clock_per_ms);
  for (int i = 0; i <= end_packets; ++i) {
    std::string packet(rtp_header_bytes + 4, '\0');
    packet[0] = static_cast<char>(0x80);
    packet[1] = static_cast<char>(i == 0 ? payload_type | 0x80 : payload_type);
    put16(packet.data() + 2, rtp_sequence++);
    put32(packet.data() + 4, rtp_time);
    put32(packet.data() + 8, rtp_ssrc);
    packet[12] = static_cast<char>(event);
    packet[13] = static_cast<char>(i == 0 ? 0x0A : 0x8A);
    put16(packet.data() + 14, i == 0 ? std::uint16_t{160} : duration);
    send_packet(packet);
  }
  rtp_time += duration;
}

EndpointHandshake* EndpointCall::Body::own_handshake() {
  const DtlsPlan& wanted = is_outgoing ? dial.dtls : plan.dtls;
  if (wanted.is_on && handshake == nullptr && endpoint != nullptr) {
    const EndpointHandshake::Plan as{wanted.has_ice, wanted.role, wanted.shows_other_certificate,
                                     wanted.has_wrong_password};
    handshake = std::make_unique<EndpointHandshake>(
        as, endpoint->timers(), endpoint->random,
        [this](const SocketAddress& to, std::string_view bytes) {
          if (rtp != nullptr && to.port != 0) rtp->send(to, bytes);
        });
  }
  return handshake.get();
}

void EndpointCall::Body::on_datagram(const SocketAddress& from, std::string_view bytes) {
  if (handshake != nullptr && handshake->take_datagram(from, bytes)) return;
  if (bytes.size() < rtp_header_bytes || static_cast<unsigned char>(bytes[0]) >> 6 != 2) return;
  if (handshake != nullptr && handshake->has_offer() ? !handshake->open(bytes)
                                                     : !srtp_keys.open(bytes))
    return;
  ++packets_received;
  ++endpoint->counters.packets_received;
  received_pattern = static_cast<unsigned char>(bytes.back());
  received_type = static_cast<unsigned char>(bytes[1]) & 0x7F;
  const std::string_view timestamp = bytes.substr(4, 4);
  constexpr std::string_view keys = "0123456789*#ABCD";
  if (received_type != 101 || bytes.size() < rtp_header_bytes + 4 || timestamp == key_timestamp)
    return;
  key_timestamp = timestamp;
  if (const auto event = static_cast<unsigned char>(bytes[12]); event < keys.size())
    received_keys += keys[event];
}

// --- the handle ---

EndpointCall::EndpointCall(std::unique_ptr<Body> body) : body_(std::move(body)) {}
EndpointCall::~EndpointCall() = default;
EndpointCallState EndpointCall::state() const { return body_->state; }
bool EndpointCall::was_answered() const { return body_->was_answered; }
int EndpointCall::status() const { return body_->status; }
int EndpointCall::q850_cause() const { return body_->q850_cause; }
int EndpointCall::retry_after_s() const { return body_->retry_after_s; }
const std::string& EndpointCall::call_id() const { return body_->call_id; }
const std::string& EndpointCall::caller() const { return body_->caller; }
const std::string& EndpointCall::display() const { return body_->display; }
const std::string& EndpointCall::callee() const { return body_->callee; }
bool EndpointCall::npdi() const { return body_->npdi; }
const std::string& EndpointCall::rn() const { return body_->rn; }
const std::string& EndpointCall::product() const { return body_->product; }
const std::vector<std::pair<std::string, std::string>>& EndpointCall::headers() const {
  return body_->headers;
}
const std::string& EndpointCall::local_sdp() const { return body_->local_sdp; }
const std::string& EndpointCall::remote_sdp() const { return body_->remote_sdp; }
const std::vector<std::string>& EndpointCall::events() const { return body_->events; }
std::size_t EndpointCall::count(std::string_view event) const {
  return static_cast<std::size_t>(std::count(body_->events.begin(), body_->events.end(), event));
}
std::uint64_t EndpointCall::packets_sent() const { return body_->packets_sent; }
int EndpointCall::received_type() const { return body_->received_type; }
const std::string& EndpointCall::received_keys() const { return body_->received_keys; }
std::uint64_t EndpointCall::packets_received() const { return body_->packets_received; }
int EndpointCall::received_pattern() const { return body_->received_pattern; }
const std::string& EndpointCall::last_body() const { return body_->last_body; }

void EndpointCall::ring(int status, bool with_sdp) { body_->ring(status, with_sdp); }
void EndpointCall::answer() { body_->answer(); }
void EndpointCall::reject(int status, int q850_cause, int retry_after_s) {
  body_->reject(status, q850_cause, retry_after_s);
}
void EndpointCall::cancel() { body_->cancel(); }
void EndpointCall::hang_up(int q850_cause) { body_->hang_up(q850_cause); }
void EndpointCall::hold() {
  if (body_->can_act())
    body_->reoffer(Reoffer::Method::reinvite, body_->describe(sip::SdpDirection::sendonly));
}
void EndpointCall::resume() {
  if (body_->can_act())
    body_->reoffer(Reoffer::Method::reinvite, body_->describe(sip::SdpDirection::sendrecv));
}
void EndpointCall::reinvite(const std::string& sdp) {
  body_->reoffer(Reoffer::Method::reinvite, sdp.empty() ? body_->local_sdp : sdp);
}
void EndpointCall::reinvite_without_offer() {
  body_->wants_offer = true;
  body_->reoffer(Reoffer::Method::reinvite, {});
}
void EndpointCall::update(const std::string& sdp) {
  body_->reoffer(Reoffer::Method::update, sdp.empty() ? body_->local_sdp : sdp);
}
void EndpointCall::request(const std::string& method, const std::string& content_type,
                           const std::string& body,
                           const std::vector<std::pair<std::string, std::string>>& headers) {
  if (!body_->can_act()) return;
  DialogRequest request;
  request.method = method;
  if (!body.empty()) request.body = {content_type, body};
  request.headers = views_of(headers);
  body_->leg->request(request);
}
void EndpointCall::refer(const std::string& target) {
  request("REFER", "", "", {{"Refer-To", target}});
}
std::string EndpointCall::replaces() const {
  return body_->leg == nullptr ? std::string() : body_->leg->replaces();
}
void EndpointCall::refer_to(const EndpointCall& call) {
  if (!call.body_->can_act()) return;
  std::string target = "<sip:" + (call.body_->is_outgoing ? call.callee() : call.caller()) + "@" +
                       call.body_->leg->remote().to_string() + "?Replaces=";
  for (const char c : call.body_->leg->replaces()) {
    const bool is_alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_alphanumeric) {
      target += c;
      continue;
    }
    constexpr char digits[] = "0123456789ABCDEF";
    target += '%';
    target += digits[static_cast<unsigned char>(c) >> 4U];
    target += digits[static_cast<unsigned char>(c) & 15U];
  }
  refer(target + ">");
}
void EndpointCall::set_reoffer_status(int status) { body_->reoffer_status = status; }
void EndpointCall::set_reoffer_sdp(const std::string& sdp) { body_->reoffer_sdp = sdp; }
void EndpointCall::set_request_status(int status) { body_->request_status = status; }
void EndpointCall::press_key(char key, std::uint16_t duration_ms) {
  body_->press_key(key, duration_ms);
}
void EndpointCall::start_rtp() { body_->start_rtp(); }
void EndpointCall::rekey() {
  body_->srtp_keys.renew();
  resume();
}
bool EndpointCall::is_encrypted() const {
  return body_->srtp_keys.is_on() || (body_->handshake != nullptr && body_->handshake->is_agreed());
}
std::uint64_t EndpointCall::srtp_failures() const {
  return body_->srtp_keys.failures() +
         (body_->handshake != nullptr ? body_->handshake->failures() : 0);
}
void EndpointCall::stop_rtp() {
  body_->dial.send_rtp = body_->plan.send_rtp = false;  // a later description does not begin it
  body_->sends_rtp = false;
  body_->rtp_timer.cancel();
}

// --- an endpoint ---

Endpoint::Body::Body(SimNetwork& owner, const EndpointConfig& settings, std::uint64_t seed)
    : network(owner), config(settings), random(seed), log(owner.clock()) {}

Endpoint::Body::~Body() {
  if (loop == nullptr) return;
  for (auto& call : calls) {
    EndpointCall::Body& body = *call->body_;
    body.endpoint = nullptr;
    body.state = EndpointCallState::over;
    for (Timer* timer : {&body.ring_timer, &body.progress_timer, &body.answer_timer,
                         &body.end_timer, &body.rtp_timer}) {
      timer->cancel();
    }
    body.leg.reset();
    body.handshake.reset();
    body.rtp.reset();
  }
  users.clear();
  loop->stop();
  stack.reset();
}

Result<std::unique_ptr<Endpoint::Body>> Endpoint::Body::create(SimNetwork& network,
                                                               const EndpointConfig& config,
                                                               std::uint64_t seed) {
  auto address = SocketAddress::parse(config.address, 5060);
  if (!address) return address.error();
  auto body = std::make_unique<Body>(network, config, seed);
  body->address = *address;
  if (!config.peer.empty()) {
    auto peer = SocketAddress::parse(config.peer, 5060);
    if (!peer) return peer.error();
    body->peer = *peer;
  }
  auto loop = network.create_loop("endpoint " + config.address, address->ip);
  if (!loop) return loop.error();
  body->loop = std::move(*loop);
  sip::StackConfig sip;
  sip.product = config.product;
  sip.register_gate = &body->gate;
  sip.listen = {{sip::Transport::udp, *address}, {sip::Transport::tcp, *address}};
  if (config.tls) {
    std::string_view key;
    auto context = io::TlsContext::create(*config.tls, key);
    if (!context) return context.error();
    sip.tls = std::move(*context);
    const SocketAddress next{address->ip, static_cast<std::uint16_t>(address->port + 1)};
    if (!config.tls->certificate.empty())
      sip.listen.push_back({sip::Transport::tls, next, {}, config.client_certificate});
  }
  if (config.is_browser) {
    sip.listen.push_back(
        {sip::Transport::ws, {address->ip, static_cast<std::uint16_t>(address->port + 2)}});
    sip.connect_websocket = [&random = body->random](io::Loop& on, const SocketAddress& remote,
                                                     io::StreamHandler& handler) {
      return connect_websocket(on, remote, random, handler);
    };
  }
  auto stack =
      sip::StackGroup::create(sip, {body->loop.get()}, {body.get()}, {&body->random}, body->log);
  if (!stack) return stack.error();
  body->stack = std::move(*stack);
  body->loop->start();
  return body;
}

SocketAddress Endpoint::Body::peer_on(SipTransport transport) const noexcept {
  if (peer.port == 0 || transport == SipTransport::udp || transport == SipTransport::tcp)
    return peer;
  return {peer.ip, default_port(transport)};
}

std::uint16_t Endpoint::Body::next_rtp_port() noexcept {
  return static_cast<std::uint16_t>(rtp_port_first + 2 * (rtp_ports_taken++ % rtp_ports));
}

std::shared_ptr<EndpointCall> Endpoint::Body::add_call(bool is_outgoing) {
  if (calls.size() >= config.calls_max) {
    const auto ended =
        std::find_if(calls.begin(), calls.end(), [](const auto& call) { return call->is_over(); });
    if (ended != calls.end()) calls.erase(ended);
  }
  calls.push_back(
      std::make_shared<EndpointCall>(std::make_unique<EndpointCall::Body>(*this, is_outgoing)));
  ++counters.calls_live;
  ++(is_outgoing ? counters.calls_out : counters.calls_in);
  return calls.back();
}

/// The handler of a leg may be running, so the leg goes at the end of the turn.
void Endpoint::Body::retire(EndpointCall::Body& call) {
  --counters.calls_live;
  ++(call.was_answered ? counters.released : counters.refused);
  loop->defer([leg = std::shared_ptr<Leg>(std::move(call.leg)),
               rtp = std::shared_ptr<io::DatagramSocket>(std::move(call.rtp))] {});
}

AnswerPlan Endpoint::Body::plan_for(const EndpointCall& call) const {
  if (choose) {
    if (auto chosen = choose(call)) return std::move(*chosen);
  }
  const auto found = plans.find(call.callee());
  return found != plans.end() ? found->second : default_plan;
}

void Endpoint::Body::on_call(std::unique_ptr<Leg> leg, const InboundCall& arrival) {
  const auto call = add_call(false);
  EndpointCall::Body& body = *call->body_;
  body.leg = std::move(leg);
  body.leg->set_events(body);
  body.call_id = arrival.call_id;
  body.caller = arrival.from_user;
  body.callee = arrival.request_user;
  body.npdi = arrival.portability.is_dipped;
  body.rn = arrival.portability.routing_number;
  body.product = arrival.user_agent;
  body.display = arrival.from_display;
  body.keep_headers(arrival.headers);
  const AnswerPlan plan = plan_for(*call);
  body.plan = plan;
  if (const int refused = body.leg->set_manners(manners_of(plan, config)); refused != 0)
    return body.reject(refused, 0, 0);
  body.take_sdp(arrival.body);
  if (plan.srtp == SrtpMode::required && !body.srtp_keys.has_offer() &&
      (body.handshake == nullptr || !body.handshake->has_offer()))
    return body.reject(488, 0, 0);
  body.sends_rtp = false;  // not before something was said to the caller
  body.rtp_timer.cancel();
  body.follow(plan);
}

RegisterReply Endpoint::Body::on_register(const RegisterRequest& request) {
  RegisterReply reply;
  reply.realm = registrar.realm;
  reply.status = registrar.status;
  reply.retry_after_s = registrar.retry_after_s;
  if (registrar.status != 200) return reply;
  NonceUse use;
  switch (
      request.credentials->check({registrar.username, registrar.password, registrar.realm}, use)) {
    case CredentialVerdict::verified:
      break;
    case CredentialVerdict::wrong:
      reply.status = 403;
      return reply;
    default:
      reply.status = 401;
      return reply;
  }
  for (const OfferedContact& contact : request.contacts) {
    const std::int32_t asked_s = contact.expires_s >= 0 ? contact.expires_s : request.expires_s;
    if (asked_s > 0 && asked_s < registrar.min_expires_s) {
      reply.status = 423;
      reply.min_expires_s = registrar.min_expires_s;
      return reply;
    }
    registered_contact = asked_s == 0 ? std::string() : contact.uri;
    if (asked_s != 0)
      reply.contacts.push_back({contact.uri, std::min(asked_s, registrar.expires_s)});
  }
  return reply;
}

std::shared_ptr<EndpointCall> Endpoint::Body::dial(const std::string& callee,
                                                   const std::string& caller,
                                                   const DialPlan& plan) {
  const auto call = add_call(true);
  EndpointCall::Body& body = *call->body_;
  body.dial = plan;
  body.caller = caller;
  body.callee = callee;
  body.content_type = plan.content_type;
  SocketAddress destination = peer_on(plan.transport);
  if (!plan.destination.empty()) {
    destination = SocketAddress::parse(plan.destination, 5060).value_or({});
  }
  if (destination.port == 0) {
    body.note("no destination");
    body.end();
    return call;
  }
  const std::string sdp =
      plan.delayed_offer ? std::string() : body.describe(sip::SdpDirection::sendrecv);
  OutboundCall out;
  out.destination = destination;
  out.transport = transport_name(plan.transport);
  out.callee = callee;
  out.portability = {plan.npdi, plan.rn};
  out.caller = caller;
  out.caller_display = plan.display;
  out.headers = views_of(plan.headers);
  out.replaces = plan.replaces;
  out.requires_replaces = plan.requires_replaces;
  out.manners = manners_of(plan, config);
  out.manners.takes_replaces = plan.requires_replaces || !plan.replaces.empty();
  out.auth_username = plan.username;
  out.auth_password = plan.password;
  out.body = body.body_of(sdp);
  out.max_forwards = plan.max_forwards;
  body.leg = stack->legs(0).call(out, body);
  body.call_id = body.leg->call_id();
  body.start(body.end_timer, plan.cancel_after_us);
  return call;
}

/// What the first line and the CSeq say, without trust in either.
void Endpoint::Body::on_wire(const DatagramView& view, bool is_sent) {
  const std::string_view bytes = view.bytes;
  const auto header = [&](std::string_view name) {
    const auto at = bytes.find(name);
    if (at == std::string_view::npos) return std::string_view();
    const std::string_view rest = bytes.substr(at + name.size());
    return rest.substr(0, rest.find('\r'));
  };
  LadderEntry entry;
  entry.at_us = view.at_us;
  entry.is_sent = is_sent;
  const std::string_view line = bytes.substr(0, bytes.find('\r'));
  entry.call_id = header("\r\nCall-ID: ");
  if (line.starts_with("SIP/2.0 ")) {
    const std::string_view cseq = header("\r\nCSeq: ");
    const auto space = cseq.find(' ');
    entry.what = line.substr(8, 3);
    if (space != std::string_view::npos) entry.what += cseq.substr(space);
  } else {
    entry.what = line.ends_with(" SIP/2.0") ? line.substr(0, line.find(' ')) : "?";
  }
  auto& counts = is_sent ? sent : received;
  ++counts[entry.what];
  if (const auto space = entry.what.find(' '); space != std::string::npos)
    ++counts[entry.what.substr(0, space)];
  if (ladder.size() < config.ladder_max) ladder.push_back(std::move(entry));
}

Endpoint::Endpoint(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Endpoint::~Endpoint() = default;

std::shared_ptr<EndpointCall> Endpoint::dial(const std::string& callee, const std::string& caller,
                                             const DialPlan& plan) {
  return body_->dial(callee, caller, plan);
}
void Endpoint::set_plan(const AnswerPlan& plan) { body_->default_plan = plan; }
void Endpoint::set_plan(const std::string& callee, const AnswerPlan& plan) {
  body_->plans[callee] = plan;
}
void Endpoint::set_plan(std::function<std::optional<AnswerPlan>(const EndpointCall&)> choose) {
  body_->choose = std::move(choose);
}
std::vector<std::shared_ptr<EndpointCall>> Endpoint::calls() const {
  return {body_->calls.begin(), body_->calls.end()};
}
std::shared_ptr<EndpointCall> Endpoint::last_call() const {
  return body_->calls.empty() ? nullptr : body_->calls.back();
}
std::uint64_t Endpoint::sent(std::string_view what) const {
  const auto found = body_->sent.find(what);
  return found == body_->sent.end() ? 0 : found->second;
}
std::uint64_t Endpoint::received(std::string_view what) const {
  const auto found = body_->received.find(what);
  return found == body_->received.end() ? 0 : found->second;
}
const std::vector<LadderEntry>& Endpoint::ladder() const { return body_->ladder; }
std::string Endpoint::ladder_text() const {
  std::string text;
  for (const LadderEntry& entry : body_->ladder) {
    if (!text.empty()) text += ", ";
    text += entry.is_sent ? "> " : "< ";
    text += entry.what;
  }
  return text;
}
void Endpoint::clear_ladder() {
  body_->ladder.clear();
  body_->sent.clear();
  body_->received.clear();
}
void Endpoint::register_user(const std::string& user, const std::string& password, int expires_s,
                             SipTransport transport) {
  RegisteredUser& registered = body_->users[user];
  // Another password is another device: it begins anew.
  if (registered.registration == nullptr || registered.password != password) {
    registered.password = password;
    const EndpointConfig& config = body_->config;
    const RegistrationOrder order{body_->peer_on(transport),
                                  transport_name(transport),
                                  user,
                                  password,
                                  {config.tls_name, config.tls_verify}};
    registered.registration = body_->stack->legs(0).registration(order, registered);
  }
  registered.status = 0;
  registered.registration->send(expires_s);
}
int Endpoint::registration_status(const std::string& user) const {
  const auto found = body_->users.find(user);
  return found == body_->users.end() ? 0 : found->second.status;
}
int Endpoint::registration_expires_s(const std::string& user) const {
  const auto found = body_->users.find(user);
  return found == body_->users.end() ? 0 : found->second.expires_s;
}
void Endpoint::accept_registrations(const RegistrarPlan& plan) {
  body_->registrar = plan;
  body_->gate.open();
}
const std::string& Endpoint::registered_contact() const { return body_->registered_contact; }
void Endpoint::set_silent(bool silent) {
  LinkSettings cut;
  cut.partitioned = silent;
  // Within the limit of rules, because setting a pair again replaces it.
  (void)body_->network.set_link({body_->address.ip, 0}, {}, cut);
  (void)body_->network.set_link({}, {body_->address.ip, 0}, cut);
}
EndpointCounters Endpoint::counters() const {
  EndpointCounters counters = body_->counters;
  const sip::StackCounters& sip = body_->stack->counters(0);
  counters.dialogs_live = sip.dialogs_live.load();
  counters.transactions_live = sip.transactions_live.load();
  return counters;
}
SocketAddress Endpoint::address() const { return body_->address; }

// --- a raw endpoint ---

Result<std::unique_ptr<RawEndpoint::Body>> RawEndpoint::Body::create(SimNetwork& network,
                                                                     const SocketAddress& address) {
  auto body = std::make_unique<Body>(network);
  auto loop = network.create_loop("raw " + address.to_string(), address.ip);
  if (!loop) return loop.error();
  body->loop = std::move(*loop);
  auto socket = body->loop->open_datagram(address, {}, *body);
  if (!socket) return socket.error();
  body->socket = std::move(*socket);
  body->loop->start();
  return body;
}

void RawEndpoint::Body::on_datagram(const SocketAddress& from, std::string_view bytes) {
  received.push_back({network.clock().monotonic_us(), from, std::string(bytes)});
  if (handler) {
    const RawDatagram copy = received.back();  // the handler may clear the list
    handler(copy);
  }
}

RawEndpoint::RawEndpoint(std::unique_ptr<Body> body) : body_(std::move(body)) {}
RawEndpoint::~RawEndpoint() = default;
void RawEndpoint::send(const SocketAddress& to, std::string_view bytes) {
  body_->socket->send(to, bytes);
}
const std::vector<RawDatagram>& RawEndpoint::received() const { return body_->received; }
void RawEndpoint::clear() { body_->received.clear(); }
void RawEndpoint::on_datagram(std::function<void(const RawDatagram&)> handler) {
  body_->handler = std::move(handler);
}
SocketAddress RawEndpoint::address() const { return body_->socket->local(); }

}  // namespace tandem::sim
