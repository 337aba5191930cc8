#include "call/media_path.hpp"

#include <algorithm>

#include "sip/message.hpp"
#include "sip/sdp.hpp"

namespace tandem::call {

namespace {

constexpr std::size_t index_of(MediaSide side) noexcept {
  return side == MediaSide::caller ? 0 : 1;
}
constexpr MediaSide other(MediaSide side) noexcept {
  return side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
}

}  // namespace

bool is_sdp(std::string_view content_type) noexcept {
  const auto end = content_type.find_first_of("; \t");
  return sip::equals_ignoring_case(content_type.substr(0, end), "application/sdp");
}

bool is_relayed(const MediaChoice& choice) noexcept {
  auto either = [&](MediaMode mode) { return choice.customer == mode || choice.vendor == mode; };
  if (either(MediaMode::must_on) || choice.parameter == MediaMode::must_on) return true;
  if (either(MediaMode::off)) return false;
  if (either(MediaMode::on)) return true;
  if (choice.parameter != MediaMode::auto_mode) return choice.parameter == MediaMode::on;
  return choice.caller_is_behind_nat;
}

bool is_behind_nat(std::string_view sdp, const IpAddress& signalling) noexcept {
  const auto session = sip::parse_sdp(sdp);
  const sip::SdpMedia* audio = session ? session->first_audio() : nullptr;
  if (audio == nullptr || audio->address.is_unspecified()) return false;
  return audio->address != signalling || audio->address.is_private();
}

MediaPath::MediaPath(MediaRelay* relay, Random& random) noexcept
    : relay_(relay), session_id_(random.next() >> 2) {}  // fits every reader's 63 bits

void MediaPath::set_relayed(bool relayed, std::array<IpAddress::Family, 2> families) noexcept {
  if (families != families_) streams_.clear();
  relayed_ = relayed;
  families_ = families;
}

Result<void> MediaPath::open_stream(std::size_t index) {
  if (relay_ == nullptr) return Error{ErrorCode::unsupported, "no media relay was configured"};
  if (index >= streams_.size()) streams_.resize(index + 1);
  if (streams_[index].is_open()) return {};
  auto session = relay_->open(families_[0], families_[1]);
  if (!session) return session.error();
  streams_[index] = std::move(*session);
  return {};
}

Result<void> MediaPath::direct(MediaSide from, std::size_t index, const Target& target) {
  MediaSession& stream = streams_[index];
  stream.set_flags(from, {.transparent = !target.is_rtp});
  return stream.set_remote(from, target.rtp, target.rtcp);
}

void MediaPath::remember(MediaSide from) {
  remembered_ =
      std::make_unique<Remembered>(Remembered{from, described_[index_of(from)], streams_.size()});
}

void MediaPath::revert() noexcept {
  if (remembered_ == nullptr) return;
  const MediaSide from = remembered_->side;
  Description& description = described_[index_of(from)] = std::move(remembered_->description);
  if (streams_.size() > remembered_->streams) streams_.resize(remembered_->streams);
  remembered_.reset();
  for (std::size_t i = 0; i < std::min(streams_.size(), description.targets.size()); ++i) {
    if (!streams_[i].is_open()) continue;
    (void)direct(from, i, description.targets[i]);  // taken before, so of the right family
    streams_[i].relatch(from, 0);
  }
}

Result<std::string> MediaPath::pass(MediaSide from, const SessionBody& body) {
  if (body.empty() || !is_sdp(body.content_type)) return std::string(body.bytes);
  auto session = sip::parse_sdp(body.bytes);
  if (!session) {
    if (relayed_) return session.error();
    return std::string(body.bytes);  // direct media: what the two ends make of it is theirs (M-04)
  }
  Description& description = described_[index_of(from)];
  description.is_hold = session->is_hold();
  const MediaSide to = other(from);
  if (!relayed_) {
    last_sent_[index_of(to)] = body.bytes;
    return std::string(body.bytes);
  }

  description.targets.resize(session->media_count);
  sip::SdpEdit edit;
  edit.session_id = session_id_;
  edit.session_version = version_[index_of(to)];
  edit.streams.resize(session->media_count);
  for (std::size_t i = 0; i < session->media_count; ++i) {
    const sip::SdpMedia& media = session->media[i];
    if (media.port == 0) {
      edit.streams[i].is_refused = true;
      continue;
    }
    if (auto opened = open_stream(i); !opened) return opened.error();
    Target target;  // An unspecified address is RFC 2543's hold: nothing is sent to it.
    target.is_rtp = media.is_rtp();
    if (!media.address.is_unspecified()) {
      const bool has_rtcp_ip = media.rtcp_address.family != IpAddress::Family::none;
      target.rtp = {media.address, media.port};
      target.rtcp = {has_rtcp_ip ? media.rtcp_address : media.address, media.effective_rtcp_port()};
    }
    if (auto directed = direct(from, i, target); !directed) return directed.error();
    description.targets[i] = target;
    const SocketAddress ours = streams_[i].local_rtp(to);
    edit.streams[i].address = ours.ip;
    edit.streams[i].port = ours.port;
    if (edit.origin_address.family == IpAddress::Family::none) edit.origin_address = ours.ip;
  }
  if (edit.origin_address.family == IpAddress::Family::none && !streams_.empty()) {
    for (const MediaSession& stream : streams_) {
      if (stream.is_open()) edit.origin_address = stream.local_rtp(to).ip;
    }
  }
  if (edit.origin_address.family ==
      IpAddress::Family::none) {  // every stream is refused and none was ever open
    edit.origin_address = families_[index_of(to)] == IpAddress::Family::ipv6
                              ? IpAddress::parse("::").value_or({})
                              : IpAddress::ipv4(0, 0, 0, 0);
  }
  auto written = sip::rewrite_sdp(*session, edit);
  if (!written) return written.error();
  std::string& last = last_sent_[index_of(to)];
  if (!last.empty() && *written != last) {
    edit.session_version = ++version_[index_of(to)];
    written = sip::rewrite_sdp(*session, edit);
    if (!written) return written.error();
  }
  last = *written;
  return written;
}

std::int64_t MediaPath::last_rtp_us(MediaSide side) const noexcept {
  std::int64_t last = 0;
  for (const MediaSession& stream : streams_) {
    if (stream.is_open()) last = std::max(last, stream.last_rtp_us(side));
  }
  return last;
}

std::int64_t MediaPath::last_rtp_us() const noexcept {
  return std::max(last_rtp_us(MediaSide::caller), last_rtp_us(MediaSide::callee));
}

MediaSideStats MediaPath::stats(MediaSide side) const {
  MediaSideStats sum;
  for (const MediaSession& stream : streams_) {
    if (!stream.is_open()) continue;
    const MediaSideStats one = stream.stats(side);
    sum.packets_received += one.packets_received;
    sum.bytes_received += one.bytes_received;
    sum.packets_sent += one.packets_sent;
    sum.packets_lost += one.packets_lost;
    sum.packets_refused += one.packets_refused;
    sum.jitter_us = std::max(sum.jitter_us, one.jitter_us);
    if (sum.remote.empty()) sum.remote = one.remote;
  }
  return sum;
}

}  // namespace tandem::call
