#include "media/side_handshake.hpp"

#include <algorithm>
#include <utility>

namespace tandem::media {
namespace {

constexpr std::int64_t repeat_first_us = 500'000, repeat_most_us = 8'000'000;
// A peer that has not checked the pair that it nominated for so long may nominate a lesser one.
constexpr std::int64_t nomination_us = 5'000'000;
// Without ICE anybody may begin. So long one that began keeps others out; one from the described
// address at once, and that has many more tries.
constexpr std::int64_t keeps_out_us = 2'000'000;
constexpr std::array<std::uint8_t, 2> begun_max{8, 64};  // of strangers, of who is described

MediaHandshakeState begins_with(const MediaHandshake& asked) noexcept {
  if (!asked.ice_ufrag.empty()) return MediaHandshakeState::unchecked;
  return asked.role != DtlsRole::none ? MediaHandshakeState::shaking : MediaHandshakeState::none;
}

/// It is a client's first message, in the clear.
bool begins_handshake(std::string_view bytes) noexcept {
  return bytes.size() > 13 && bytes[0] == 22 && bytes[3] == 0 && bytes[4] == 0 && bytes[13] == 1;
}

bool has_same_association(const MediaHandshake& a, const MediaHandshake& b) noexcept {
  return a.role == b.role && a.fingerprints == b.fingerprints;
}

}  // namespace

SideHandshake::SideHandshake(MediaHandshake asked, std::shared_ptr<const io::DtlsIdentity> identity,
                             std::shared_ptr<const io::DtlsCookies> cookies,
                             std::shared_ptr<SideHandshake> former, std::int64_t now_us)
    : asked_(std::move(asked)),
      identity_(std::move(identity)),
      cookies_(std::move(cookies)),
      until_us_(now_us + patience_us),
      state_(begins_with(asked_)) {
  if (former == nullptr || former->has_failed() || !has_same_association(former->asked_, asked_))
    return;
  if (former->state() == MediaHandshakeState::agreed && has_dtls())
    become(MediaHandshakeState::agreed);
  former_ = std::move(former);
}

SideHandshake::~SideHandshake() = default;

void SideHandshake::adopt() noexcept {
  if (former_ == nullptr) return;
  const std::shared_ptr<SideHandshake> from = std::move(former_);
  former_.reset();
  from->adopt();
  association_ = std::move(from->association_);
  keys_ = std::move(from->keys_);
  peer_ = from->peer_;
  repeat_at_us_ = from->repeat_at_us_;
  repeat_after_us_ = from->repeat_after_us_;
  // Media goes on where it went until the new checks say otherwise (RFC 8445 section 9).
  sources_ = from->sources_;
  source_count_ = from->source_count_;
  selected_ = from->selected_;
  // What became of it since this was made.
  if (keys_ != nullptr) {
    become(MediaHandshakeState::agreed);
  } else if (association_ != nullptr &&
             association_->state() != io::DtlsAssociation::State::shaking) {
    association_.reset();
  }
}

bool SideHandshake::take(const PackedAddress& from, std::string_view bytes,
                         const PackedAddress& signalled, std::int64_t now_us,
                         HandshakeBudget& budget, HandshakeOutput& output) noexcept try {
  switch (port_traffic(bytes)) {
    case PortTraffic::stun:
      return has_ice() && take_check(from, bytes, now_us, output);
    case PortTraffic::dtls:
      return has_dtls() && take_dtls(from, bytes, signalled, now_us, budget, output);
    case PortTraffic::rtp:
    case PortTraffic::other:
      break;
  }
  return false;
} catch (...) {
  return false;
}

bool SideHandshake::take_check(const PackedAddress& from, std::string_view bytes,
                               std::int64_t now_us, HandshakeOutput& output) {
  const std::optional<StunMessage> check = parse_stun(bytes);
  if (!check) return false;
  if (check->kind != StunKind::request) return check->kind == StunKind::indication;
  const std::string_view own = check->username.substr(0, check->username.find(':'));
  const std::string_view theirs =
      check->username.substr(std::min(check->username.size(), own.size() + 1));
  const bool is_ours = own == asked_.ice_ufrag && own.size() < check->username.size() &&
                       (asked_.remote_ice_ufrag.empty() || theirs == asked_.remote_ice_ufrag);
  // Who does not know the password gets no answer: it would go to whom he claims to be.
  if (!is_ours || !check->has_fingerprint || !check->is_authentic(asked_.ice_password))
    return false;
  if (check->unknown != 0) {
    output.send(from, stun_error(*check, 420, "Unknown Attribute", asked_.ice_password));
  } else if (check->is_controlled) {
    // A lite agent never nominates (RFC 8445 section 6.1.1).
    output.send(from, stun_error(*check, 487, "Role Conflict", asked_.ice_password));
  } else {
    note_check(from, *check, now_us);
    output.send(from, stun_success(*check, from, asked_.ice_password));
  }
  return true;
}

void SideHandshake::note_check(const PackedAddress& from, const StunMessage& check,
                               std::int64_t now_us) {
  Source* const begin = sources_.data();
  Source* const end = begin + source_count_;
  Source* known = std::find_if(begin, end, [&](const Source& one) { return one.address == from; });
  if (known == end && source_count_ < sources_max) {
    ++source_count_;
  } else if (known == end) {
    known = std::min_element(
        begin, end, [](const Source& a, const Source& b) { return a.checked_us < b.checked_us; });
  }
  *known = {from, now_us};
  const bool is_first = !selected_.is_set();
  const bool is_better = check.nominates && (check.priority >= selected_priority_ ||
                                             now_us - selected_us_ >= nomination_us);
  if (from == selected_) {
    selected_us_ = now_us;
    if (check.nominates) selected_priority_ = std::max(selected_priority_, check.priority);
  } else if (is_first || is_better) {
    selected_ = from;
    selected_us_ = now_us;
    selected_priority_ = check.nominates ? check.priority : 0;
  }
  if (state() != MediaHandshakeState::unchecked) return;
  become(has_dtls() ? MediaHandshakeState::shaking : MediaHandshakeState::agreed);
  if (!has_dtls()) is_over_ = true;
}

bool SideHandshake::is_checked(const PackedAddress& from) const noexcept {
  return std::any_of(sources_.data(), sources_.data() + source_count_,
                     [&](const Source& one) { return one.address == from; });
}

bool SideHandshake::may_begin() const noexcept {
  if (state() == MediaHandshakeState::agreed) return asked_.role == DtlsRole::server;
  if (state() == MediaHandshakeState::shaking) return true;
  return has_failed() && is_open_to_all() && !is_over_;
}

bool SideHandshake::begin(const PackedAddress& with, std::int64_t now_us, HandshakeBudget& budget) {
  if (!may_begin() || !budget.take(now_us)) return false;
  auto made = io::DtlsAssociation::create(identity_, asked_.role, asked_.fingerprints);
  if (state() == MediaHandshakeState::agreed) {
    if (!made) return false;
    next_ = std::move(*made);
    next_peer_ = with;
    begun_us_ = now_us;
    return true;
  }
  if (!made) {
    become(MediaHandshakeState::dtls_failed);
    is_over_ = true;
    return false;
  }
  association_ = std::move(*made);
  peer_ = with;
  begun_us_ = now_us;
  repeat_after_us_ = 0;
  become(MediaHandshakeState::shaking);
  return true;
}

bool SideHandshake::take_dtls(const PackedAddress& from, std::string_view bytes,
                              const PackedAddress& signalled, std::int64_t now_us,
                              HandshakeBudget& budget, HandshakeOutput& output) {
  if (has_ice() && !is_checked(from)) return false;
  if (state() == MediaHandshakeState::agreed && asked_.role == DtlsRole::server) {
    // Who takes the place of the peer under the same certificate, or has lost its state, begins
    // anew; the old keys go on until that is agreed on (RFC 6347 section 4.2.8).
    if (begins_handshake(bytes)) return take_hello(from, bytes, signalled, now_us, budget, output);
    if (next_ != nullptr && from == next_peer_) {
      io::DtlsAssociation::Datagrams out;
      next_->take(bytes, out);
      settle_next(out, output);
      return true;
    }
  }
  if (state() == MediaHandshakeState::agreed && association_ == nullptr) return false;
  if (association_ == nullptr || (!has_ice() && from != peer_)) {
    if (asked_.role == DtlsRole::client) return false;
    if (!has_ice()) return take_hello(from, bytes, signalled, now_us, budget, output);
    // The check has shown that the address is true, as a cookie would.
    if (!begin(from, now_us, budget)) return false;
  }
  io::DtlsAssociation::Datagrams out;
  peer_ = from;
  association_->take(bytes, out);
  settle(now_us, out, output);
  return true;
}

bool SideHandshake::take_hello(const PackedAddress& from, std::string_view bytes,
                               const PackedAddress& signalled, std::int64_t now_us,
                               HandshakeBudget& budget, HandshakeOutput& output) {
  const bool is_described = has_ice() || from.same_ip(signalled);
  const bool is_agreed = state() == MediaHandshakeState::agreed;
  const PackedAddress& with = is_agreed ? next_peer_ : peer_;
  const bool keeps_out = (is_agreed ? next_ : association_) != nullptr && from != with &&
                         now_us - begun_us_ < keeps_out_us &&
                         (with.same_ip(signalled) || !is_described);
  std::uint8_t& begun = begun_[is_described ? 1 : 0];
  if (!may_begin() || keeps_out || begun >= begun_max[is_described ? 1 : 0]) return false;
  const std::string address(reinterpret_cast<const char*>(from.ip.data()), sizeof from.ip);
  std::string reply;
  switch (cookies_->judge(address + std::to_string(from.port), bytes, reply)) {
    case io::DtlsCookies::Verdict::other:
      return false;
    case io::DtlsCookies::Verdict::asks:
      output.send(from, reply);
      return true;
    case io::DtlsCookies::Verdict::proven:
      break;
  }
  if (!begin(from, now_us, budget)) return false;
  ++begun;
  io::DtlsAssociation::Datagrams out;
  if (is_agreed) {
    next_->begin_proven(bytes, out);
    settle_next(out, output);
  } else {
    association_->begin_proven(bytes, out);
    settle(now_us, out, output);
  }
  return true;
}

void SideHandshake::settle_next(const io::DtlsAssociation::Datagrams& out,
                                HandshakeOutput& output) {
  for (const std::string& bytes : out)
    output.send(next_peer_, bytes);
  if (next_->state() == io::DtlsAssociation::State::shaking) return;
  std::unique_ptr<io::DtlsAssociation> ended = std::move(next_);
  if (ended->state() != io::DtlsAssociation::State::agreed) return;  // the old one goes on
  auto made = SrtpSide::create(ended->crypto(), keys_.get());
  if (!made) return;
  keys_ = std::move(*made);
  peer_ = next_peer_;
  association_ = std::move(ended);
}

void SideHandshake::settle(std::int64_t now_us, const io::DtlsAssociation::Datagrams& out,
                           HandshakeOutput& output) {
  for (const std::string& bytes : out)
    output.send(peer_, bytes);
  if (!out.empty()) {
    repeat_after_us_ = repeat_first_us;
    repeat_at_us_ = now_us + repeat_after_us_;
  }
  if (state() == MediaHandshakeState::agreed) return;
  switch (association_->state()) {
    case io::DtlsAssociation::State::shaking:
      return;
    case io::DtlsAssociation::State::agreed: {
      auto made = SrtpSide::create(association_->crypto(), keys_.get());
      if (made) keys_ = std::move(*made);
      become(made ? MediaHandshakeState::agreed : MediaHandshakeState::dtls_failed);
      break;
    }
    case io::DtlsAssociation::State::failed:
      become(MediaHandshakeState::dtls_failed);
      break;
    case io::DtlsAssociation::State::mismatch:
      become(MediaHandshakeState::fingerprint_mismatch);
      break;
  }
  const bool is_tried_again = has_failed() && is_open_to_all();
  is_over_ = !is_tried_again;
  // What a client gets last is the end for both.
  const bool is_done = state() == MediaHandshakeState::agreed && asked_.role == DtlsRole::client;
  if (is_tried_again || is_done) association_.reset();
}

void SideHandshake::tick(const PackedAddress& signalled, std::int64_t now_us,
                         HandshakeBudget& budget, HandshakeOutput& output) noexcept try {
  if (is_over_) return;
  if (now_us >= until_us_ || state() == MediaHandshakeState::agreed) {
    if (state() == MediaHandshakeState::shaking) become(MediaHandshakeState::dtls_failed);
    is_over_ = true;
    return;
  }
  io::DtlsAssociation::Datagrams out;
  if (association_ == nullptr) {
    const PackedAddress& to = has_ice() ? selected_ : signalled;
    if (asked_.role != DtlsRole::client || !to.is_set() || !begin(to, now_us, budget)) return;
    association_->begin(out);
    settle(now_us, out, output);
  } else if (now_us >= repeat_at_us_ && repeat_after_us_ != 0) {
    association_->repeat(out);
    const std::int64_t after_us = std::min(2 * repeat_after_us_, repeat_most_us);
    settle(now_us, out, output);
    repeat_after_us_ = after_us;
    repeat_at_us_ = now_us + after_us;
  }
} catch (...) {  // the next time
}

}  // namespace tandem::media
