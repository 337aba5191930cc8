#include "sim/endpoint_handshake.hpp"

#include <utility>

#include "media/stun.hpp"

namespace tandem::sim {
namespace {

constexpr std::int64_t tick_us = 50'000;
constexpr unsigned repeat_ticks = 10, consent_ticks = 100;
constexpr std::uint32_t priority = 1'862'270'975;  // of a peer-reflexive candidate

}  // namespace

EndpointHandshake::EndpointHandshake(const Plan& plan, TimerWheel& timers, Random& random,
                                     Send send)
    : plan_(plan),
      timers_(timers),
      random_(random),
      send_(std::move(send)),
      timer_(Timer::member<&EndpointHandshake::on_timer, EndpointHandshake>(), this) {
  if (auto made = io::DtlsIdentity::make()) identity_ = std::move(*made);
  shown_ = identity_;
  if (plan_.shows_other_certificate) {
    if (auto made = io::DtlsIdentity::make()) identity_ = std::move(*made);
  }
}

EndpointHandshake::~EndpointHandshake() = default;

void EndpointHandshake::take(const sip::SdpMedia* audio) {
  const std::vector<DtlsFingerprint> before = theirs_.fingerprints;
  theirs_ = audio == nullptr || !sip::is_dtls_profile(audio->protocol) ? sip::SdpHandshake{}
                                                                       : sip::sdp_handshake(*audio);
  if (audio != nullptr) remote_ = {audio->address, audio->port};
  if (theirs_.fingerprints != before) {
    association_.reset();
    keys_.reset();
  }
  // The answer says who begins; with an offer it is decided when that is answered.
  if (has_said_ && setup_ == sip::SdpSetup::actpass)
    setup_ =
        theirs_.setup == sip::SdpSetup::active ? sip::SdpSetup::passive : sip::SdpSetup::active;
  if (has_said_ && has_offer()) begin();
}

bool EndpointHandshake::describe(const sip::SdpMedia* answered, std::string& protocol,
                                 std::string& lines) {
  if (answered != nullptr && !has_offer()) return false;
  protocol = answered != nullptr ? std::string(answered->protocol) : std::string(sip::dtls_profile);
  if (ufrag_.empty() && plan_.has_ice) {
    ufrag_ = sip::make_ice_word(4, random_);
    password_ = sip::make_ice_word(22, random_);
  }
  if (answered == nullptr) {
    if (association_ == nullptr)
      setup_ = plan_.role == DtlsRole::none     ? sip::SdpSetup::actpass
               : plan_.role == DtlsRole::client ? sip::SdpSetup::active
                                                : sip::SdpSetup::passive;
  } else if (association_ == nullptr) {
    const bool waits = theirs_.setup == sip::SdpSetup::active || plan_.role == DtlsRole::server;
    setup_ = waits ? sip::SdpSetup::passive : sip::SdpSetup::active;
  }
  sip::SdpOwnHandshake own{shown_->fingerprint(), setup_, ufrag_, password_, true, "0", {}};
  for (const std::string& line : sip::sdp_handshake_lines(own)) {
    // As with trickled candidates: none is there yet.
    if (!line.starts_with("a=candidate:") && !line.starts_with("a=end-of")) lines += line + "\r\n";
  }
  lines += "a=rtcp-fb:0 transport-cc\r\na=ssrc:1 cname:sim\r\n";
  has_said_ = true;
  if (answered != nullptr) begin();
  return true;
}

void EndpointHandshake::begin() {
  if (!timer_.is_pending()) timers_.start(timer_, 0);
}

void EndpointHandshake::on_timer() {
  timers_.start(timer_, tick_us);
  ++ticks_;
  const bool needs_check = plan_.has_ice && !theirs_.ice_ufrag.empty();
  if (needs_check && (!is_checked_ || ticks_ % consent_ticks == 0)) check();
  if ((!needs_check || is_checked_) && !is_agreed()) shake();
}

void EndpointHandshake::check() {
  transaction_.clear();
  while (transaction_.size() < 12)
    transaction_ += static_cast<char>(random_.next());
  media::StunCheck check;
  check.transaction = transaction_;
  const std::string username = theirs_.ice_ufrag + ':' + ufrag_;
  const std::string password = plan_.has_wrong_password ? password_ : theirs_.ice_password;
  check.username = username;
  check.password = password;
  check.priority = priority;
  check.nominates = true;
  send_(remote_, media::stun_request(check));
}

void EndpointHandshake::shake() {
  io::DtlsAssociation::Datagrams out;
  if (association_ == nullptr) {
    const DtlsRole role = setup_ == sip::SdpSetup::passive ? DtlsRole::server : DtlsRole::client;
    auto made = io::DtlsAssociation::create(identity_, role, theirs_.fingerprints);
    if (!made) return;
    association_ = std::move(*made);
    association_->begin(out);
  } else if (ticks_ % repeat_ticks == 0) {
    association_->repeat(out);
  }
  send(out);
}

void EndpointHandshake::send(const io::DtlsAssociation::Datagrams& out) {
  for (const std::string& bytes : out)
    send_(remote_, bytes);
}

bool EndpointHandshake::take_datagram(const SocketAddress&, std::string_view bytes) {
  switch (media::port_traffic(bytes)) {
    case media::PortTraffic::rtp:
      return false;
    case media::PortTraffic::stun: {
      const auto message = media::parse_stun(bytes);
      if (message && message->kind == media::StunKind::success &&
          message->transaction == transaction_ && message->is_authentic(theirs_.ice_password))
        is_checked_ = true;
      return true;
    }
    case media::PortTraffic::dtls: {
      if (association_ == nullptr) shake();
      if (association_ == nullptr) return true;
      io::DtlsAssociation::Datagrams out;
      association_->take(bytes, out);
      send(out);
      if (association_->state() == io::DtlsAssociation::State::agreed && keys_ == nullptr) {
        if (auto made = media::SrtpSide::create(association_->crypto(), nullptr))
          keys_ = std::move(*made);
      }
      return true;
    }
    case media::PortTraffic::other:
      break;
  }
  return true;
}

bool EndpointHandshake::seal(std::string_view& packet) noexcept {
  return keys_ != nullptr && keys_->seal_rtp(packet);
}

bool EndpointHandshake::open(std::string_view& packet) noexcept {
  if (keys_ != nullptr && keys_->open_rtp(packet) == media::SrtpVerdict::authentic) return true;
  ++failures_;
  return false;
}

}  // namespace tandem::sim
