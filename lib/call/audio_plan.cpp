#include "call/audio_plan.hpp"

#include <algorithm>

#include "call/media_path.hpp"
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

constexpr unsigned usual_ptime_ms = 20;  // RFC 3551 section 4.2

/// The packets that a side is to get; 0: as long as they come.
unsigned ptime_for(unsigned own_ms, unsigned others_ms, const AudioCodec* codec) noexcept {
  if (codec == nullptr || own_ms == others_ms) return 0;
  if (own_ms < 10 || own_ms > 120 || own_ms % codec->facts().frame_ms != 0) return 0;
  return own_ms;
}

/// Takes the telephone events that go with a codec of that clock.
void set_events(std::span<const sip::SdpCodec> formats, std::uint32_t clock_rate_hz,
                MediaAudio& audio) noexcept {
  const sip::SdpCodec* const events = sip::events_beside(formats, clock_rate_hz);
  if (events == nullptr || events->payload_type < 0 || events->payload_type > 127) return;
  audio.events_type = events->payload_type;
  audio.events_clock_rate_hz = events->clock_rate_hz;
}

/// The first codec of `own` that the relay knows and `others` has by the same number; without one:
/// no codec.
MediaAudio common_audio(const sip::SdpMedia& own, const sip::SdpMedia& others) {
  MediaAudio audio;
  const std::vector<sip::SdpCodec> of_other = sip::sdp_codecs(others);
  std::vector<sip::SdpCodec> events;
  std::uint32_t clock_rate_hz = audio_rate_hz;
  for (const sip::SdpCodec& codec : sip::sdp_codecs(own)) {
    if (codec.payload_type < 0 || codec.payload_type > 127) continue;
    const bool is_common =
        std::any_of(of_other.begin(), of_other.end(), [&](const sip::SdpCodec& one) {
          return one.payload_type == codec.payload_type &&
                 sip::equals_ignoring_case(one.name, codec.name) &&
                 one.clock_rate_hz == codec.clock_rate_hz;
        });
    if (!is_common) continue;
    if (sip::equals_ignoring_case(codec.name, "telephone-event")) {
      events.push_back(codec);
    } else if (audio.codec == nullptr && !codec.name.empty() && codec.clock_rate_hz != 0) {
      audio.codec = find_audio_codec(codec.name, codec.clock_rate_hz);
      audio.payload_type = static_cast<std::uint8_t>(codec.payload_type);
      audio.fmtp = codec.fmtp;
      clock_rate_hz = codec.clock_rate_hz;
    }
  }
  set_events(events, clock_rate_hz, audio);
  return audio;
}

}  // namespace

bool can_transcode(const GatewayConfig& customer, const GatewayConfig& vendor) {
  const auto has_known = [](const std::vector<CodecName>& list) {
    return list.empty() || std::any_of(list.begin(), list.end(), [](const CodecName& codec) {
             return !codec.is_video && find_audio_codec(codec.name, codec.clock_rate_hz) != nullptr;
           });
  };
  return customer.sip.transcode && vendor.sip.transcode && has_known(customer.codecs) &&
         has_known(vendor.codecs);
}

MediaAudio audio_of(const sip::SdpMedia& media) {
  MediaAudio audio;
  bool has_codec = false;
  std::uint32_t clock_rate_hz = audio_rate_hz;
  const std::vector<sip::SdpCodec> formats = sip::sdp_codecs(media);
  for (const sip::SdpCodec& codec : formats) {
    if (codec.payload_type < 0 || codec.payload_type > 127) continue;
    if (!has_codec && !sip::is_beside_codecs(codec)) {
      has_codec = true;
      if (codec.clock_rate_hz != 0) clock_rate_hz = codec.clock_rate_hz;
      audio.payload_type = static_cast<std::uint8_t>(codec.payload_type);
      if (!codec.name.empty() && codec.clock_rate_hz != 0)
        audio.codec = find_audio_codec(codec.name, codec.clock_rate_hz);
      audio.fmtp = codec.fmtp;
    }
  }
  set_events(formats, clock_rate_hz, audio);
  return audio;
}

/// What the relay has to do by an answer: `from` said one thing, and the other side was shown what
/// is for it.
void MediaPath::settle_audio(MediaSide from, const sip::SdpSession& said, std::string_view shown,
                             const MediaSettingsPair& settings) {
  const bool is_wanted =
      std::any_of(settings.begin(), settings.end(), [](const MediaSettings& one) {
        return one.description.transcodes || one.description.ptime_adaptive ||
               one.gets_converted_keys || one.hears_tones;
      });
  if (!is_wanted && audio_plan_ == nullptr) return;
  if (audio_plan_ != nullptr) audio_plan_->is_told = {};
  const sip::SdpMedia* const of_sender = said.first_audio();
  if (of_sender == nullptr) return;
  const auto index = static_cast<std::size_t>(of_sender - said.media.data());
  const auto answer = sip::parse_sdp(shown);
  if (!answer || index >= answer->media_count || index >= streams_.size() ||
      !streams_[index].is_open())
    return;
  MediaSession& stream = streams_[index];
  const sip::SdpMedia& of_receiver = answer->media[index];
  const bool is_plain = of_sender->is_rtp() && (ends_encryption(settings) ||
                                                (!of_sender->has_crypto && !of_sender->has_dtls));
  std::array<MediaAudio, 2> wires;
  wires[index_of(from)] = audio_of(*of_sender);
  MediaAudio& receiver = wires[index_of(other(from))];
  receiver = audio_of(of_receiver);
  // What it was shown says what the other side, or the relay, can take; what it can take itself it
  // has said before.
  receiver.fmtp.clear();
  if (audio_plan_ != nullptr) {
    for (const sip::SdpTaken& taken : audio_plan_->taken[index_of(other(from))]) {
      if (taken.payload_type == receiver.payload_type) receiver.fmtp = taken.fmtp;
    }
  }
  const bool is_other_codec = wires[0].codec != wires[1].codec;
  if (wires[0].codec == nullptr || wires[1].codec == nullptr)
    wires[0].codec = wires[1].codec = nullptr;
  bool is_needed = is_other_codec && wires[0].codec != nullptr;
  const auto ptime_ms = [&](std::size_t side) -> unsigned {
    const std::vector<Target>& targets = described_[side].targets;
    const unsigned own_ms = index < targets.size() ? targets[index].ptime_ms : 0;
    return own_ms == 0 ? usual_ptime_ms : own_ms;
  };
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const std::size_t to = index_of(side), by = index_of(other(side));
    MediaAudio& wire = wires[to];
    const MediaSettings& set = settings[to];
    if (set.description.ptime_adaptive)
      wire.ptime_ms = ptime_for(ptime_ms(to), ptime_ms(by), wire.codec.get());
    wire.hears_tones = set.hears_tones && wire.codec != nullptr;
    is_needed = is_needed || wire.ptime_ms != 0 || wire.hears_tones;
    if (!set.gets_converted_keys) continue;
    is_needed = true;
    if (set.dtmf_send == DtmfSend::inband && wire.codec != nullptr) {
      wire.keys = MediaKeys::tones;
    } else if (set.dtmf_send == DtmfSend::info ||
               (set.dtmf_send == DtmfSend::auto_mode && wire.events_type < 0)) {
      wire.keys = MediaKeys::none;
      if (audio_plan_ == nullptr) audio_plan_ = std::make_unique<AudioPlan>();
      audio_plan_->is_told[to] = true;
    }
  }
  // One format may have another number on either side, and events another clock.
  const bool is_renumbered = wires[0].payload_type != wires[1].payload_type ||
                             (wires[0].events_type >= 0 && wires[1].events_type >= 0 &&
                              (wires[0].events_type != wires[1].events_type ||
                               wires[0].events_clock_rate_hz != wires[1].events_clock_rate_hz));
  is_needed = is_needed || is_renumbered;
  // Early media of the callee's does not end what is played until it comes.
  const bool is_playing =
      stream.is_playing(MediaSide::caller) || stream.is_playing(MediaSide::callee);
  if (!is_plain || (!is_needed && !is_playing)) {
    stream.clear_audio();
    return;
  }
  (void)stream.set_audio(wires[0], wires[1]);  // in range: numbers and packet times were looked at
  if (!is_needed) return;
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const MediaAudio& wire = wires[index_of(side)];
    std::vector<std::uint8_t> types{wire.payload_type}, keys;
    if (wire.events_type >= 0) {
      keys.push_back(static_cast<std::uint8_t>(wire.events_type));
      types.push_back(keys.back());
    }
    if (wire.codec == nullptr && !is_renumbered) continue;  // as they were described
    if (wire.codec == nullptr) {  // what it was shown, by the numbers that it was shown
      const auto own = sip::parse_sdp(side == from ? last_sent_[index_of(from)] : shown);
      if (!own || index >= own->media_count) continue;
      for (const sip::SdpCodec& codec : sip::sdp_codecs(own->media[index])) {
        if (codec.payload_type >= 0 && codec.payload_type <= 127)
          types.push_back(static_cast<std::uint8_t>(codec.payload_type));
      }
    }
    (void)stream.set_payloads(side, types, keys);
    if (!keys.empty())
      (void)stream.set_event_clock_rate_hz(side, keys[0], wire.events_clock_rate_hz);
    if (wire.codec != nullptr) stream.set_clock_rate_hz(side, wire.codec->facts().clock_rate_hz);
  }
}

/// The stream that can be played on to the caller, and the description of it. `is_new`: made for
/// this offer, whatever was shown before.
Result<MediaSession*> MediaPath::describe_own(const SessionBody& offer,
                                              const MediaSettingsPair& settings, bool is_new,
                                              std::string& description) {
  const auto session = sip::parse_sdp(offer.bytes);
  if (!session) return session.error();
  const sip::SdpMedia* const audio = session->first_audio();
  const auto index =
      audio == nullptr ? SIZE_MAX : static_cast<std::size_t>(audio - session->media.data());
  if (!relayed_ || index >= streams_.size() || !streams_[index].is_open())
    return Error{ErrorCode::unsupported, "the audio of the call was not relayed"};
  const bool has_keys = has_own_keys(index, *audio, settings);
  if ((audio->has_dtls || audio->has_crypto) && !has_keys)
    return Error{ErrorCode::unsupported, "the audio of the call was encrypted end to end"};
  MediaSession& stream = streams_[index];
  const std::string shown(last_sent_[0]);
  MediaAudio wire;
  description = shown;
  const SocketAddress ours = stream.local_rtp(MediaSide::caller);
  const auto before = sip::parse_sdp(shown);
  // What it was shown of another vendor's may have led past the relay, or had keys of that one.
  const bool is_encrypted = has_keys && keys_[index].is_encrypted(MediaSide::caller);
  if (!is_new && before && index < before->media_count && before->media[index].address == ours.ip &&
      before->media[index].port == ours.port &&
      (before->media[index].has_crypto || before->media[index].has_dtls) == is_encrypted) {
    wire = audio_of(before->media[index]);
  } else {
    const std::span<const CodecName> list = settings[0].description.codecs;
    sip::SdpEdit edit;
    edit.streams.resize(session->media_count);
    for (sip::SdpStreamEdit& other_stream : edit.streams)
      other_stream.is_refused = true;
    sip::SdpStreamEdit& edited = edit.streams[index];
    std::string_view format;
    const std::vector<sip::SdpCodec> formats = sip::sdp_codecs(*audio);
    for (const sip::SdpCodec& codec : formats) {
      const bool is_listed =
          list.empty() || std::any_of(list.begin(), list.end(), [&](const CodecName& known) {
            return known.name == registered_codec_name(codec.name);
          });
      if (is_listed && !codec.name.empty() && codec.clock_rate_hz != 0) {
        // The first that costs little and that every vendor has; the answer is likely to have it.
        auto known = find_audio_codec(codec.name, codec.clock_rate_hz);
        if (known == nullptr || (wire.codec != nullptr &&
                                 (!wire.codec->facts().keeps_state || known->facts().keeps_state)))
          continue;
        wire.codec = std::move(known);
        wire.payload_type = static_cast<std::uint8_t>(codec.payload_type);
        wire.fmtp = codec.fmtp;
        format = codec.format;
      }
    }
    if (wire.codec != nullptr) {
      edited.formats.push_back(format);
      const auto* const events = sip::events_beside(std::span<const sip::SdpCodec>(formats),
                                                    wire.codec->facts().clock_rate_hz);
      if (events != nullptr) edited.formats.push_back(events->format);
      edited.is_refused = false;
      edited.address = ours.ip;
      edited.port = ours.port;
      if (has_keys) {
        if (auto answered = answer_keys(index, settings, edit); !answered) return answered.error();
      }
      auto own = show_own_answer(*session, edit);
      if (!own) return own.error();
      description = std::move(*own);
    }
  }
  if (wire.codec == nullptr)
    return Error{ErrorCode::unsupported, "the caller offered no codec that can be played in"};
  if (is_new || !stream.has_audio()) {
    MediaAudio of_caller = wire;
    of_caller.hears_tones = settings[0].hears_tones;
    if (auto set = stream.set_audio(of_caller, wire); !set) return set.error();
  }
  if (audio_plan_ == nullptr) audio_plan_ = std::make_unique<AudioPlan>();  // an answer ends it
  return &stream;
}

Result<std::string> MediaPath::play_early(const SessionBody& offer,
                                          const MediaSettingsPair& settings,
                                          const AudioPlaylist& playlist, const MediaPlay& how) {
  std::string description;
  auto stream = describe_own(offer, settings, false, description);
  if (!stream) return stream.error();
  if (auto played = (*stream)->play(MediaSide::caller, playlist, how); !played)
    return played.error();
  return description;
}

Result<std::string> MediaPath::answer_alone(const SessionBody& offer,
                                            const MediaSettingsPair& settings) {
  std::string description;
  if (auto stream = describe_own(offer, settings, true, description); !stream)
    return stream.error();
  if (auto heard = hear_alone(description); !heard) return heard.error();
  // Whoever sends to the free side would be heard, and hear the caller.
  if (described_[index_of(MediaSide::callee)].targets.empty()) {
    MediaSources nobody;
    nobody.allow_set.emplace();
    fence(MediaSide::callee, nobody);
  }
  return description;
}

Result<void> MediaPath::hear_alone(std::string_view own) {
  const auto said = sip::parse_sdp(own);
  const MediaSession* const stream = audio();
  const auto index =
      stream == nullptr ? SIZE_MAX : static_cast<std::size_t>(stream - streams_.data());
  if (!said || index >= said->media_count)
    return Error{ErrorCode::unsupported, "the audio of the call was not described"};
  const MediaAudio wire = audio_of(said->media[index]);
  std::vector<std::uint8_t> types{wire.payload_type}, keys;
  if (wire.events_type >= 0) keys.push_back(static_cast<std::uint8_t>(wire.events_type));
  types.insert(types.end(), keys.begin(), keys.end());
  auto set = streams_[index].set_payloads(MediaSide::caller, types, keys);
  if (set && !keys.empty())
    set = streams_[index].set_event_clock_rate_hz(MediaSide::caller, keys[0],
                                                  wire.events_clock_rate_hz);
  return set;
}

Result<void> MediaPath::play_over(MediaSide to, const AudioPlaylist& playlist, bool repeats) {
  if (!relayed_ || audio() == nullptr)
    return Error{ErrorCode::unsupported, "the audio of the call was not relayed"};
  if (!is_audio_plain())
    return Error{ErrorCode::unsupported, "the audio of the call was encrypted end to end"};
  const auto index = static_cast<std::size_t>(audio() - streams_.data());
  MediaSession& stream = streams_[index];
  if (!stream.has_audio()) {
    // What both sides were shown can be sent either way, so packets pass as they are.
    const auto of_other = sip::parse_sdp(last_sent_[index_of(to)]);
    const auto own = sip::parse_sdp(last_sent_[index_of(other(to))]);
    if (!own || !of_other || index >= own->media_count || index >= of_other->media_count)
      return Error{ErrorCode::unsupported, "the audio of the call was not described"};
    const MediaAudio wire = common_audio(own->media[index], of_other->media[index]);
    if (wire.codec == nullptr)
      return Error{ErrorCode::unsupported, "the call has no codec that can be played in"};
    if (auto set = stream.set_audio(wire, wire); !set) return set;
    if (audio_plan_ == nullptr) audio_plan_ = std::make_unique<AudioPlan>();  // changes end it
  }
  return stream.play(to, playlist, {.repeats = repeats, .until_heard = false});
}

void MediaPath::stop_playing_over(MediaSide to) noexcept {
  for (MediaSession& stream : streams_) {
    if (stream.is_open()) stream.stop_playing(to);
  }
}

bool MediaPath::is_playing() const noexcept {
  return std::any_of(streams_.begin(), streams_.end(), [](const MediaSession& stream) {
    return stream.is_open() && stream.is_playing(MediaSide::caller);
  });
}

void MediaPath::stop_playing() noexcept { stop_playing_over(MediaSide::caller); }

bool MediaPath::press_key(MediaSide to, char key, std::uint32_t duration_ms) {
  for (MediaSession& stream : streams_) {
    if (stream.is_open() && stream.has_audio()) return stream.press_key(to, key, duration_ms).ok();
  }
  return false;
}

}  // namespace tandem::call
