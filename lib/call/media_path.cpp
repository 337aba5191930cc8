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

std::vector<std::uint8_t> types_of(const std::bitset<128>& set) {
  std::vector<std::uint8_t> types;
  for (std::size_t type = 0; type < set.size(); ++type) {
    if (set.test(type)) types.push_back(static_cast<std::uint8_t>(type));
  }
  return types;
}

bool has_audio(const std::vector<CodecName>& list) noexcept {
  return std::any_of(list.begin(), list.end(),
                     [](const CodecName& codec) { return !codec.is_video; });
}

/// Whether a list has what `codec` may mean.
bool has(const std::vector<CodecName>& list, const CodecName& codec) noexcept {
  return std::any_of(list.begin(), list.end(), [&](const CodecName& known) {
    const bool is_any_rate = known.clock_rate_hz == 0 || codec.clock_rate_hz == 0;
    return known.name == codec.name && (is_any_rate || known == codec);
  });
}

/// Whether an answer is shown in another codec than it has.
bool is_in_kind(const sip::SdpEdit& edit) noexcept {
  return std::any_of(edit.streams.begin(), edit.streams.end(), [](const auto& stream) {
    return std::any_of(stream.added.begin(), stream.added.end(), [](const auto& added) {
      return !added.rtpmap.starts_with("telephone-event/");
    });
  });
}

/// Where media goes past the switch the two ends see to it, or not (M-04).
Result<void> check_direct(const sip::SdpSession& session, const MediaSettingsPair& settings) {
  const sip::SdpMedia* const audio = session.first_audio();
  if (audio == nullptr || audio->has_crypto || audio->has_dtls) return {};
  for (const MediaSettings& of : settings) {
    if (of.srtp.mode == SrtpMode::required)
      return Error{ErrorCode::unsupported, "the audio was not encrypted, which is required (srtp)"};
  }
  return {};
}

}  // namespace

bool is_sdp(std::string_view content_type) noexcept {
  const auto end = content_type.find_first_of("; \t");
  return sip::equals_ignoring_case(content_type.substr(0, end), "application/sdp");
}

MediaVerdict decide_media(const MediaChoice& choice) noexcept {
  const auto either = [&](MediaMode mode) {
    return choice.customer == mode || choice.vendor == mode;
  };
  if (either(MediaMode::must_on) || choice.parameter == MediaMode::must_on)
    return {true, "must_on"};
  if (either(MediaMode::off)) return {false, "off"};
  if (either(MediaMode::on)) return {true, "on"};
  if (choice.parameter != MediaMode::auto_mode)
    return {choice.parameter == MediaMode::on, "media_mode"};
  if (choice.needs_keys) return {true, "srtp"};
  if (!choice.need.empty()) return {true, choice.need};
  if (choice.caller_is_behind_nat && choice.relays_behind_nat) return {true, "media_behind_nat"};
  const bool are_known = choice.caller.family != IpAddress::Family::none &&
                         choice.callee.family != IpAddress::Family::none;
  if (!are_known) return {false, "otherwise"};
  const bool is_private = choice.caller.is_private();
  if (choice.caller == choice.callee && !is_private)
    return {choice.relays_same_nat, "media_same_nat"};
  if (is_private != choice.callee.is_private() && choice.relays_between_networks)
    return {true, "media_between_networks"};
  return {false, "otherwise"};
}

std::string_view relay_need(const CustomerGateway& customer, const VendorGateway& vendor) noexcept {
  if (customer.sip.transcode && vendor.sip.transcode) return "transcode";
  if (customer.sip.gets_converted() || vendor.sip.gets_converted()) return "dtmf_convert";
  if (customer.sip.dtmf_inband || vendor.sip.dtmf_inband) return "dtmf_inband";
  if (customer.sip.dtmf_payload_type != 0 || vendor.sip.dtmf_payload_type != 0)
    return "dtmf_payload_type";
  if (vendor.sip.g729_mode == G729Mode::both) return "g729_mode";
  if (customer.record || vendor.record) return "record";
  if (!vendor.ring_tone.empty()) return "ring_tone";
  return customer.reminder && !customer.reminder->sound.empty() ? "reminder" : "";
}

std::optional<std::vector<CodecName>> common_codecs(const std::vector<CodecName>& customer,
                                                    const std::vector<CodecName>& vendor) {
  if (!has_audio(customer) && !has_audio(vendor)) return std::nullopt;
  const bool is_vendors = has_audio(vendor);
  const std::vector<CodecName>& ordered = is_vendors ? vendor : customer;
  const std::vector<CodecName>& others = is_vendors ? customer : vendor;
  std::vector<CodecName> common;
  for (const CodecName& codec : ordered) {
    if (codec.is_video) continue;
    if (!has_audio(others)) {
      common.push_back(codec);
    } else if (has(others, codec)) {
      // Of "any rate" only what the other list has of it.
      bool is_any_rate = true;
      for (const CodecName& other : others) {
        if (codec.clock_rate_hz != 0 || other.name != codec.name || other.is_video) continue;
        is_any_rate = false;
        common.push_back(other);
      }
      if (is_any_rate) common.push_back(codec);
    }
  }
  return common;
}

bool have_no_common_codec(const std::vector<CodecName>& customer,
                          const std::vector<CodecName>& vendor) noexcept {
  if (!has_audio(customer) || !has_audio(vendor)) return false;
  return std::none_of(vendor.begin(), vendor.end(), [&](const CodecName& codec) {
    return !codec.is_video && has(customer, codec);
  });
}

bool is_behind_nat(std::string_view sdp, const IpAddress& signalling) noexcept {
  const auto session = sip::parse_sdp(sdp);
  const sip::SdpMedia* audio = session ? session->first_audio() : nullptr;
  if (audio == nullptr || audio->address.is_unspecified()) return false;
  return audio->address != signalling || audio->address.is_private();
}

MediaPath::MediaPath(MediaRelay* relay, Random& random) noexcept
    : relay_(relay),
      random_(random),
      session_id_(random.next() >> 2) {}  // fits every reader's 63 bits

void MediaPath::set_relayed(bool relayed, std::array<IpAddress::Family, 2> families) noexcept {
  if (families != families_) {
    end_recording();
    streams_.clear();
    keys_.clear();  // their counters are gone
  }
  described_[index_of(MediaSide::callee)] = {};
  for (StreamKeys& keys : keys_)
    keys.forget(MediaSide::callee);
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (!streams_[i].is_open()) continue;
    (void)streams_[i].set_crypto(MediaSide::callee, {});  // plain: nothing to refuse
    (void)streams_[i].set_handshake(MediaSide::callee, {});
  }
  fence(MediaSide::callee, {});
  negotiated_.clear();
  relayed_ = relayed;
  families_ = families;
}

Result<void> MediaPath::open_stream(std::size_t index) {
  if (relay_ == nullptr) return Error{ErrorCode::unsupported, "no media relay was configured"};
  if (index >= streams_.size()) streams_.resize(index + 1);
  if (streams_[index].is_open()) return {};
  auto session = relay_->open(families_[0], families_[1]);
  if (!session) return session.error();
  session->set_tag(tag_);
  if (fences_ != nullptr) {
    for (const MediaSide side : {MediaSide::caller, MediaSide::callee})
      (void)session->set_sources(side, (*fences_)[index_of(side)]);
  }
  streams_[index] = std::move(*session);
  return {};
}

Result<void> MediaPath::direct(MediaSide from, std::size_t index, const Target& target) {
  MediaSession& stream = streams_[index];
  stream.set_flags(from,
                   {.prefer_signalled = target.prefers_signalled, .transparent = !target.is_rtp});
  // A description says what its sender takes (RFC 3264 section 5.1), so what the other may send.
  (void)stream.set_payloads(other(from), types_of(target.payloads), types_of(target.keys));
  for (const EventClock& clock : target.event_clocks) {
    if (clock.rate_hz != 0)  // one that is out of range counts as the audio
      (void)stream.set_event_clock_rate_hz(other(from), clock.payload_type, clock.rate_hz);
  }
  return stream.set_remote(from, target.rtp, target.wants_mux ? target.rtp : target.rtcp);
}

/// RTCP goes to the port of RTP only where both sides said so (RFC 5761 section 5.1.1).
void MediaPath::settle_mux(std::size_t index) noexcept {
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    std::vector<Target>& own = described_[index_of(side)].targets;
    const std::vector<Target>& others = described_[index_of(other(side))].targets;
    if (index >= own.size() || !own[index].wants_mux || own[index].rtp.port == 0) continue;
    if (index < others.size() && others[index].wants_mux) continue;
    own[index].wants_mux = false;
    (void)direct(side, index, own[index]);  // taken before, so of the right family
  }
}

/// Both ways have the clock of what the answer of `from` names first; an offer may name several.
void MediaPath::settle_clock(MediaSide from, std::size_t index) noexcept {
  const std::vector<Target>& targets = described_[index_of(from)].targets;
  if (index >= targets.size() || !streams_[index].is_open()) return;
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee})
    streams_[index].set_clock_rate_hz(side, targets[index].clock_rate_hz);
}

void MediaPath::remember(MediaSide from) {
  remembered_ = std::make_unique<Remembered>(Remembered{from, described_[index_of(from)],
                                                        streams_.size(), keys_, fence_of(from),
                                                        last_sent_[index_of(other(from))]});
}

void MediaPath::revert() noexcept { revert(std::move(remembered_)); }

void MediaPath::forget() noexcept { remembered_.reset(); }

std::unique_ptr<MediaPath::Remembered> MediaPath::take_remembered() noexcept {
  return std::move(remembered_);
}

void MediaPath::revert(std::unique_ptr<Remembered> remembered) noexcept {
  if (remembered == nullptr) return;
  const MediaSide from = remembered->side;
  Description& description = described_[index_of(from)] = std::move(remembered->description);
  if (streams_.size() > remembered->streams) streams_.resize(remembered->streams);
  keys_ = std::move(remembered->keys);
  fence(from, remembered->sources);
  last_sent_[index_of(other(from))] = std::move(remembered->shown);
  if (description.targets.empty()) return forget_side(from);
  for (std::size_t i = 0; i < std::min(streams_.size(), description.targets.size()); ++i) {
    if (!streams_[i].is_open()) continue;
    (void)direct(from, i, description.targets[i]);  // taken before, so of the right family
    streams_[i].relatch(from, 0);
  }
}

/// Nobody stands there any more, and nobody did before. The ports that it spoke from are somebody
/// else's soon, so nothing goes on to them.
void MediaPath::forget_side(MediaSide side) noexcept {
  for (MediaSession& stream : streams_) {
    if (!stream.is_open()) continue;
    (void)stream.set_remote(side, {});
    stream.set_policy(other(side), MediaPolicy::block);
  }
}

/// Takes where `from` wants its media, and completes the edit with where the other side sends it.
Result<void> MediaPath::lead(MediaSide from, SdpRole role, const sip::SdpSession& session,
                             const MediaSettingsPair& settings, sip::SdpEdit& edit) {
  Description& description = described_[index_of(from)];
  const MediaSide to = other(from);
  const MediaSettings& own = settings[index_of(from)];
  const MediaSources* const others = settings[index_of(to)].sources;
  const bool takes_keys = edit.ends_encryption;
  const bool is_first = description.targets.empty();
  // Before anything says where to: who sends is latched from then on. The other side may send
  // before it describes anything.
  fence(from, own.sources == nullptr ? MediaSources{} : *own.sources);
  if (others != nullptr && described_[index_of(to)].targets.empty()) fence(to, *others);
  description.targets.resize(session.media_count);
  for (std::size_t i = 0; i < session.media_count; ++i) {
    const sip::SdpMedia& media = session.media[i];
    sip::SdpStreamEdit& stream = edit.streams[i];
    if (stream.is_refused) {
      description.targets[i] = {};
      continue;
    }
    if (auto opened = open_stream(i); !opened) return opened.error();
    Target target;  // An unspecified address is RFC 2543's hold: nothing is sent to it.
    target.is_rtp = media.is_rtp();
    target.prefers_signalled = own.nat_sdp_first;
    target.is_audio = media.is_audio();
    if (media.ptime_ms > 0 && media.ptime_ms < 256)
      target.ptime_ms = static_cast<std::uint8_t>(media.ptime_ms);
    // What is encrypted end to end shows its types, and no keys.
    const bool is_plain = target.is_plain = takes_keys || (!media.has_crypto && !media.has_dtls);
    for (const sip::SdpCodec& codec :
         target.is_rtp ? sip::sdp_codecs(media) : std::vector<sip::SdpCodec>()) {
      if (codec.payload_type < 0 || codec.payload_type > 127) continue;
      // What the settings took out is nothing that the other side may send.
      if (!stream.formats.empty() && std::find(stream.formats.begin(), stream.formats.end(),
                                               codec.format) == stream.formats.end())
        continue;
      const auto type = static_cast<std::size_t>(codec.payload_type);
      target.payloads.set(type);
      const bool is_key = sip::equals_ignoring_case(codec.name, "telephone-event");
      if (is_plain && is_key) {
        target.keys.set(type);
        const auto free = std::find_if(target.event_clocks.begin(), target.event_clocks.end(),
                                       [](const EventClock& one) { return one.rate_hz == 0; });
        if (free != target.event_clocks.end())
          *free = {static_cast<std::uint8_t>(type), codec.clock_rate_hz};
      }
      if (!is_key && target.clock_rate_hz == 0) target.clock_rate_hz = codec.clock_rate_hz;
    }
    const bool is_checked = takes_keys && keys_[i].dtls(from).uses_ice();
    if (!media.address.is_unspecified() && !is_checked) {
      const bool has_rtcp_ip = media.rtcp_address.family != IpAddress::Family::none;
      const auto next_port = static_cast<std::uint16_t>(media.port + 1);
      target.rtp = {media.address, media.port};
      target.rtcp = {has_rtcp_ip ? media.rtcp_address : media.address,
                     media.rtcp_port != 0 ? media.rtcp_port : next_port};
      // Where a handshake ends here the line does not pass, and the handshake says it itself.
      target.wants_mux = media.has_rtcp_mux && !stream.replaces_handshake;
    }
    const bool is_known = i < described_[index_of(to)].targets.size();
    // Keys first: where to and that it may go is said below, and nothing goes in the clear.
    if (role == SdpRole::answer &&
        (target.rtp.port == 0 || target.rtp.ip.family == streams_[i].local_rtp(from).ip.family)) {
      if (auto settled = settle_keys(i, takes_keys); !settled) return settled.error();
    }
    if (auto directed = direct(from, i, target); !directed) return directed.error();
    if (is_first && is_known) streams_[i].set_policy(to, MediaPolicy::forward);  // forget_side()
    // Until it answered for the first time, nothing that it sends can be understood, or encrypted
    // for who insists on that.
    const bool is_asked = takes_keys && (!stream.crypto.empty() || keys_[i].dtls(to).is_shown());
    if (takes_keys && !is_known && (is_asked || awaits_keys(from, i, media, own)))
      streams_[i].set_policy(to, MediaPolicy::block);
    description.targets[i] = target;
    const SocketAddress ours = streams_[i].local_rtp(to);
    stream.address = ours.ip;
    stream.port = ours.port;
    if (!takes_keys) continue;
    if (auto said = say_handshake(to, i, edit); !said) return said;
  }
  return {};
}

/// Whether the encryption of the sides ends at the relay: one of them is set to something, or it
/// did so far, and who takes the place of a party goes on with its keys.
bool MediaPath::ends_encryption(const MediaSettingsPair& settings) const noexcept {
  const auto is_agreed = [](const StreamKeys& keys) {
    return keys.is_encrypted(MediaSide::caller) || keys.is_encrypted(MediaSide::callee);
  };
  return settings[0].srtp.mode != SrtpMode::pass || settings[1].srtp.mode != SrtpMode::pass ||
         std::any_of(keys_.begin(), keys_.end(), is_agreed);
}

/// Takes the encryption of either side as far as the relay. Errors: unsupported (no audio is left).
Result<void> MediaPath::pass_keys(MediaSide from, SdpRole role, const sip::SdpSession& session,
                                  const MediaSettingsPair& settings, sip::SdpEdit& edit) {
  if (keys_.size() < session.media_count) keys_.resize(session.media_count);
  const SrtpSettings modes{settings[0].srtp, settings[1].srtp};
  bool has_audio = false, lost_audio = false;
  for (std::size_t i = 0; i < session.media_count; ++i) {
    const sip::SdpMedia& media = session.media[i];
    sip::SdpStreamEdit& stream = edit.streams[i];
    const bool was_refused = stream.is_refused;
    if (!sip::can_have_keys(media.protocol)) {
      keys_[i] = {};
    } else if (role == SdpRole::answer) {
      keys_[i].pass_answer(from, media, modes, random_, stream);
    } else if (!was_refused) {
      keys_[i].pass_offer(from, media, modes, random_, stream);
    }
    if (!media.is_audio() || was_refused) continue;
    has_audio = has_audio || !stream.is_refused;
    lost_audio = lost_audio || stream.is_refused;
  }
  if (has_audio || !lost_audio) return {};
  return Error{ErrorCode::unsupported,
               "the audio did not agree with what is set of its encryption (srtp)"};
}

/// Both sides have the keys of the last answer from now on.
Result<void> MediaPath::settle_keys(std::size_t index, bool takes_keys) {
  if (index >= streams_.size() || !streams_[index].is_open()) return {};
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const bool has_keys = takes_keys && index < keys_.size();
    auto set =
        streams_[index].set_crypto(side, has_keys ? keys_[index].agreed(side) : MediaCrypto{});
    if (!set) return set;
    const MediaHandshake handshake = has_keys ? keys_[index].dtls(side).agreed() : MediaHandshake{};
    if (auto begun = streams_[index].set_handshake(side, handshake); !begun) return begun;
  }
  return {};
}

Result<void> MediaPath::say_handshake(MediaSide to, std::size_t index, sip::SdpEdit& edit) {
  const SideDtls& dtls = keys_[index].dtls(to);
  sip::SdpStreamEdit& stream = edit.streams[index];
  if (!dtls.is_shown()) return {};
  auto fingerprint = relay_->dtls_fingerprint();
  if (!fingerprint) return fingerprint.error();
  stream.handshake = dtls.lines(*fingerprint, {stream.address, stream.port});
  if (edit.session_handshake.empty()) edit.session_handshake = dtls.session_lines();
  return {};
}

/// Whether nothing may go to a side that has no keys yet.
bool MediaPath::awaits_keys(MediaSide side, std::size_t index, const sip::SdpMedia& media,
                            const MediaSettings& own) const noexcept {
  const bool insists =
      own.srtp.mode == SrtpMode::required || sip::is_secure_profile(media.protocol);
  return insists && !keys_[index].is_encrypted(side);
}

/// Whether the keys of the caller's stream are between it and the relay.
bool MediaPath::has_own_keys(std::size_t index, const sip::SdpMedia& media,
                             const MediaSettingsPair& settings) const noexcept {
  return index < keys_.size() && sip::can_have_keys(media.protocol) && ends_encryption(settings);
}

/// Answers the keys that the caller offered, before anybody else does.
Result<void> MediaPath::answer_keys(std::size_t index, const MediaSettingsPair& settings,
                                    sip::SdpEdit& whole) {
  StreamKeys& keys = keys_[index];
  sip::SdpStreamEdit& edit = whole.streams[index];
  keys.answer_own(MediaSide::caller, {settings[0].srtp, settings[1].srtp}, random_, edit);
  auto set = streams_[index].set_crypto(MediaSide::caller, keys.agreed(MediaSide::caller));
  if (set)
    set = streams_[index].set_handshake(MediaSide::caller, keys.dtls(MediaSide::caller).agreed());
  if (set) set = say_handshake(MediaSide::caller, index, whole);
  // What the callee sends before its answer can be encrypted from now on.
  if (set && !keys.is_shown_keys(MediaSide::callee))
    streams_[index].set_policy(MediaSide::callee, MediaPolicy::forward);
  return set;
}

/// Who takes a party's place is held to its own sources, or to none.
void MediaPath::fence(MediaSide side, const MediaSources& sources) {
  if (sources.is_anybody() && fence_of(side).is_anybody()) return;
  if (fences_ == nullptr) fences_ = std::make_unique<std::array<MediaSources, 2>>();
  (*fences_)[index_of(side)] = sources;
  for (MediaSession& stream : streams_) {
    if (stream.is_open()) (void)stream.set_sources(side, sources);
  }
}

MediaSources MediaPath::fence_of(MediaSide side) const {
  return fences_ == nullptr ? MediaSources{} : (*fences_)[index_of(side)];
}

/// Ours, as `to` sees it: that of the first stream that it uses.
IpAddress MediaPath::origin(MediaSide to) const noexcept {
  for (const MediaSession& stream : streams_) {
    if (stream.is_open()) return stream.local_rtp(to).ip;
  }
  // Every stream is refused and none was ever open.
  return families_[index_of(to)] == IpAddress::Family::ipv6
             ? IpAddress::parse("::").value_or(IpAddress{})
             : IpAddress::ipv4(0, 0, 0, 0);
}

/// Writes a description that leads to the relay, with a version that grows when it changed.
template <class Write>
Result<std::string> MediaPath::show(MediaSide to, sip::SdpEdit& edit, Write write) {
  edit.session_id = session_id_;
  edit.session_version = version_[index_of(to)];
  edit.origin_address = origin(to);
  for (std::size_t i = edit.streams.size(); i-- > 0;) {
    if (!edit.streams[i].is_refused) edit.origin_address = edit.streams[i].address;
  }
  Result<std::string> written = write(edit);
  if (!written) return written.error();
  std::string& last = last_sent_[index_of(to)];
  if (!last.empty() && *written != last) {
    edit.session_version = ++version_[index_of(to)];
    written = write(edit);
    if (!written) return written.error();
  }
  last = *written;
  return written;
}

Result<std::string> MediaPath::pass(MediaSide from, SdpRole role, const SessionBody& body,
                                    const MediaSettingsPair& settings) {
  if (body.empty() || !is_sdp(body.content_type)) return std::string(body.bytes);
  const MediaSide to = other(from);
  sip::SdpPolicy senders = settings[index_of(from)].description;
  sip::SdpPolicy others = settings[index_of(to)].description;
  if (!relayed_) {
    senders.transcodes = others.transcodes = senders.converts_keys = others.converts_keys = false;
    senders.events_type = others.events_type = 0;
  }
  const bool may_convert =
      (senders.transcodes && others.transcodes) || senders.converts_keys || others.converts_keys;
  const bool needs_offer = may_convert || senders.is_mapped() || others.is_mapped();
  if (needs_offer && audio_plan_ == nullptr) audio_plan_ = std::make_unique<AudioPlan>();
  if (needs_offer) others.taken = audio_plan_->taken[index_of(to)];
  auto session = sip::parse_sdp(body.bytes);
  if (!session) {
    if (relayed_ || senders.decides() || others.decides()) return session.error();
    return std::string(body.bytes);  // direct media: what the two ends make of it is theirs (M-04)
  }
  Description& description = described_[index_of(from)];
  std::string codecs = sip::described_codecs(*session);
  // Of one that is refused, unless there was none before.
  if (description.codecs.empty()) description.codecs = codecs;
  sip::SdpEdit edit;
  edit.streams.resize(session->media_count);
  const bool takes_keys = edit.ends_encryption = relayed_ && ends_encryption(settings);
  bool is_used = false;
  for (std::size_t i = 0; i < session->media_count; ++i) {
    const sip::SdpMedia& media = session->media[i];
    is_used = is_used || media.port != 0;
    const bool is_ours = takes_keys && sip::is_dtls_profile(media.protocol);
    edit.streams[i].is_refused =
        media.port == 0 || (relayed_ && !media.can_be_relayed() && !is_ours);
  }
  if (auto applied = sip::apply_policies(*session, role, senders, others, edit); !applied)
    return applied.error();
  if (takes_keys) {
    if (auto passed = pass_keys(from, role, *session, settings, edit); !passed)
      return passed.error();
  } else if (!relayed_) {
    if (auto checked = check_direct(*session, settings); !checked) return checked.error();
  }
  if (needs_offer && role == SdpRole::offer) {
    const sip::SdpMedia* const audio = session->first_audio();
    audio_plan_->taken[index_of(from)] =
        audio == nullptr ? std::vector<sip::SdpTaken>() : sip::taken_formats(*audio);
  }
  if (is_used && std::all_of(edit.streams.begin(), edit.streams.end(),
                             [](const sip::SdpStreamEdit& stream) { return stream.is_refused; }))
    return Error{ErrorCode::unsupported, "no stream was left that can be passed on"};
  description.codecs = std::move(codecs);
  description.is_hold = session->is_hold();
  Result<std::string> written = std::string();
  if (relayed_) {
    if (auto led = lead(from, role, *session, settings, edit); !led) return led.error();
    if (role == SdpRole::answer) {
      for (std::size_t i = 0; i < streams_.size(); ++i) {
        settle_mux(i);
        settle_clock(from, i);
        if (auto settled = settle_keys(i, takes_keys); !settled) return settled.error();
      }
      keep_recording();
    }
    written = show(to, edit,
                   [&](const sip::SdpEdit& wanted) { return sip::rewrite_sdp(*session, wanted); });
  } else {
    edit.is_direct = true;
    written = senders.decides() || others.decides() ? sip::rewrite_sdp(*session, edit)
                                                    : std::string(body.bytes);
    if (written) last_sent_[index_of(to)] = *written;
  }
  if (!written || role != SdpRole::answer) return written;
  if (!takes_keys) keys_.clear();  // from end to end now
  if (relayed_) {
    settle_audio(from, *session, *written, settings);
    decode_recording();
  }
  // Of what the other side gets: a codec that was taken out is not agreed on. Where the two differ
  // it is the caller's.
  if (const auto answer = sip::parse_sdp(*written)) {
    const bool is_own = from == MediaSide::caller && is_in_kind(edit);
    if (std::string codec = sip::negotiated_codec(is_own ? *session : *answer); !codec.empty())
      negotiated_ = std::move(codec);
  }
  return written;
}

std::string MediaPath::say(MediaSide to, std::string_view description) {
  return last_sent_[index_of(to)] =
             sip::with_version(description, session_id_, ++version_[index_of(to)]);
}

Result<std::string> MediaPath::answer_early(const SessionBody& offer,
                                            const MediaSettingsPair& settings) {
  const auto session = sip::parse_sdp(offer.bytes);
  if (!session) return session.error();
  if (!relayed_ || streams_.empty())
    return Error{ErrorCode::unsupported, "the media of the call was not relayed"};
  sip::SdpEdit edit;
  edit.streams.resize(session->media_count);
  for (std::size_t i = 0; i < session->media_count; ++i) {
    sip::SdpStreamEdit& stream = edit.streams[i];
    stream.is_refused =
        session->media[i].port == 0 || i >= streams_.size() || !streams_[i].is_open();
    if (stream.is_refused) continue;
    const SocketAddress ours = streams_[i].local_rtp(MediaSide::caller);
    stream.address = ours.ip;
    stream.port = ours.port;
  }
  for (std::size_t i = 0; i < edit.streams.size(); ++i) {
    if (edit.streams[i].is_refused || !has_own_keys(i, session->media[i], settings)) continue;
    if (auto answered = answer_keys(i, settings, edit); !answered) return answered.error();
  }
  sip::SdpPolicy of_caller = settings[0].description, of_callee = settings[1].description;
  // What the callee takes is converted then, whatever it is.
  if (of_caller.transcodes && of_callee.transcodes) of_callee.codecs = {};
  for (sip::SdpPolicy* const policy : {&of_caller, &of_callee})
    policy->transcodes = policy->converts_keys = false;
  if (auto applied = sip::apply_policies(*session, SdpRole::answer, of_callee, of_caller, edit);
      !applied)
    return applied.error();
  return show_own_answer(*session, edit);
}

/// To an offer of the caller's.
Result<std::string> MediaPath::show_own_answer(const sip::SdpSession& offer, sip::SdpEdit& edit) {
  return show(MediaSide::caller, edit,
              [&](const sip::SdpEdit& wanted) { return sip::write_own_answer(offer, wanted); });
}

const MediaSession* MediaPath::audio() const noexcept {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    for (const Description& description : described_) {
      if (streams_[i].is_open() && i < description.targets.size() &&
          description.targets[i].is_audio)
        return &streams_[i];
    }
  }
  return nullptr;
}

void MediaPath::watch(const MediaWatch& watch) {
  for (MediaSession& stream : streams_) {
    if (!stream.is_open()) continue;
    for (const MediaSide side : {MediaSide::caller, MediaSide::callee})
      (void)stream.set_watch(side, watch);  // in range, or the relay keeps no events
  }
}

Result<void> MediaPath::record(MediaRecorder& recorder, std::string_view name) {
  if (recordings_ == nullptr) recordings_ = std::make_unique<Recordings>();
  recordings_->recorder = &recorder;
  recordings_->name = name;
  auto begun = begin_recording();
  if (!begun) recordings_->recorder = nullptr;
  return begun;
}

Result<void> MediaPath::begin_recording() {
  const MediaSession* const stream = audio();
  if (stream == nullptr) return Error{ErrorCode::not_found, "the call has no relayed audio"};
  if (!is_audio_plain())
    return Error{ErrorCode::unsupported, "the audio of the call is encrypted end to end"};
  end_recording();
  if (std::string file = recordings_->newest.file(); !file.empty()) {
    if (recordings_->earlier.size() + 1 >= recordings_max)
      return Error{ErrorCode::limit,
                   "the call has " + std::to_string(recordings_max) + " recordings already"};
    recordings_->earlier.push_back(std::move(file));
    recordings_->newest = {};
  }
  auto recording = recordings_->recorder->record(
      streams_[static_cast<std::size_t>(stream - streams_.data())], recordings_->name);
  if (!recording) return recording.error();
  recordings_->newest = std::move(*recording);
  recordings_->is_going_on = true;
  decode_recording();
  return {};
}

/// A side sends what it was shown, by the numbers that it was shown (RFC 3264 section 5.1).
void MediaPath::decode_recording() {
  const MediaSession* const stream = audio();
  if (recordings_ == nullptr || !recordings_->is_going_on || stream == nullptr) return;
  const auto index = static_cast<std::size_t>(stream - streams_.data());
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const auto shown = sip::parse_sdp(last_sent_[index_of(side)]);
    if (!shown || index >= shown->media_count) continue;
    for (const sip::SdpCodec& codec : sip::sdp_codecs(shown->media[index])) {
      if (codec.payload_type < 0 || codec.payload_type > 127) continue;
      const bool is_named = !codec.name.empty() && codec.clock_rate_hz != 0;
      (void)recordings_->newest.set_payload(  // in range
          side, static_cast<std::uint8_t>(codec.payload_type),
          is_named ? find_audio_codec(codec.name, codec.clock_rate_hz) : nullptr);
    }
  }
}

void MediaPath::end_recording() noexcept {
  if (recordings_ == nullptr) return;
  recordings_->newest.stop();  // now it is decided whether there is a file
  recordings_->is_going_on = false;
}

/// What is agreed on may be another stream, or have become encrypted or plain. The recorder counts
/// what it refuses.
void MediaPath::keep_recording() {
  if (recordings_ == nullptr || recordings_->recorder == nullptr) return;
  if (!is_audio_plain()) return end_recording();
  if (!recordings_->is_going_on) (void)begin_recording();
}

void MediaPath::stop_recording() noexcept {
  if (recordings_ != nullptr) recordings_->recorder = nullptr;
  end_recording();
}

std::string MediaPath::recordings() const {
  std::string all;
  if (recordings_ == nullptr) return all;
  for (const std::string& file : recordings_->earlier)
    all += file + ',';
  const std::string last = recordings_->newest.file();
  if (last.empty() && !all.empty()) all.pop_back();
  return all + last;
}

/// Of what is encrypted end to end there is only noise. One side alone does not encrypt: what the
/// other did not answer to was an offer to do so.
bool MediaPath::is_audio_plain() const noexcept {
  const MediaSession* const stream = audio();
  if (stream == nullptr) return true;
  const auto index = static_cast<std::size_t>(stream - streams_.data());
  return std::any_of(described_.begin(), described_.end(), [index](const Description& one) {
    return index < one.targets.size() && one.targets[index].is_plain;
  });
}

std::optional<SocketAddress> MediaPath::remote(MediaSide side) const noexcept {
  const MediaSession* const stream = audio();
  return stream == nullptr ? std::nullopt : stream->remote(side);
}

bool MediaPath::is_from_described(MediaSide side) const noexcept {
  const std::optional<SocketAddress> from = remote(side);
  if (!from) return false;
  // It has shown that it is who described itself, wherever it is.
  if (audio()->handshake(side) == MediaHandshakeState::agreed) return true;
  const std::vector<Target>& targets = described_[index_of(side)].targets;
  return std::any_of(targets.begin(), targets.end(),
                     [&](const Target& target) { return target.rtp.ip == from->ip; });
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
    sum.digits += one.digits;
    sum.packets_unnegotiated += one.packets_unnegotiated;
    sum.srtp_failures += one.srtp_failures;
    sum.jitter_late += one.jitter_late;
    sum.jitter_lost += one.jitter_lost;
    sum.jitter_depth_ms = std::max(sum.jitter_depth_ms, one.jitter_depth_ms);
    sum.reported_lost += one.reported_lost;
    sum.reported_jitter_us = std::max(sum.reported_jitter_us, one.reported_jitter_us);
    if (sum.remote.empty()) sum.remote = one.remote;
    if (sum.signalled.empty()) sum.signalled = one.signalled;
  }
  // Of the audio: a second stream may well be one-way. On hold nobody is to be heard.
  if (const MediaSession* const stream = audio(); stream != nullptr && !on_hold())
    sum.cause = stream->stats(side).cause;
  return sum;
}

}  // namespace tandem::call
