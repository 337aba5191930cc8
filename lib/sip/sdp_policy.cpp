#include "sip/sdp_policy.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "sip/message.hpp"
#include "sip/sdp_crypto.hpp"

namespace tandem::sip {
namespace {

constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

/// Whether a list says anything about media of that kind.
bool is_about(std::span<const CodecName> list, bool is_video) noexcept {
  return std::any_of(list.begin(), list.end(),
                     [&](const CodecName& known) { return known.is_video == is_video; });
}

std::size_t place_in(std::span<const CodecName> list, const SdpCodec& codec) noexcept {
  const std::string_view name = registered_codec_name(codec.name);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].name == name &&
        (list[i].clock_rate_hz == 0 || list[i].clock_rate_hz == codec.clock_rate_hz))
      return i;
  }
  return nowhere;
}

bool is_named(const SdpCodec& codec, std::string_view name) noexcept {
  return equals_ignoring_case(codec.name, name);
}

bool keeps_type(const std::vector<SdpCodec>& kept, std::string_view type) noexcept {
  return std::any_of(kept.begin(), kept.end(),
                     [&](const SdpCodec& codec) { return codec.format == type; });
}

bool keeps_rate(const std::vector<SdpCodec>& kept, std::uint32_t rate_hz) noexcept {
  return std::any_of(kept.begin(), kept.end(),
                     [&](const SdpCodec& codec) { return codec.clock_rate_hz == rate_hz; });
}

/// "96" of "apt=96;rtx-time=200".
std::string_view apt_of(std::string_view fmtp) noexcept {
  const std::size_t at = fmtp.find("apt=");
  if (at == std::string_view::npos) return {};
  fmtp.remove_prefix(at + 4);
  return fmtp.substr(0, fmtp.find_first_of("; "));
}

/// Whether a format beside the codecs still means something with those that are kept.
bool goes_with(const SdpCodec& beside, const std::vector<SdpCodec>& kept) noexcept {
  if (is_named(beside, "CN")) return keeps_rate(kept, beside.clock_rate_hz);
  if (is_named(beside, "rtx")) return keeps_type(kept, apt_of(beside.fmtp));
  if (!is_named(beside, "RED") || beside.fmtp.empty()) return true;
  std::string_view types = beside.fmtp;  // "0/0/5" (RFC 2198 section 5)
  for (;;) {
    const std::size_t slash = types.find('/');
    if (!keeps_type(kept, types.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    types.remove_prefix(slash + 1);
  }
}

/// Events of a clock that no kept codec has are of no use, unless no others are there.
void keep_events(const std::vector<SdpCodec>& kept, std::vector<SdpCodec>& beside) {
  const auto is_event = [](const SdpCodec& codec) { return is_named(codec, "telephone-event"); };
  const bool has_fitting = std::any_of(beside.begin(), beside.end(), [&](const SdpCodec& codec) {
    return is_event(codec) && keeps_rate(kept, codec.clock_rate_hz);
  });
  if (!has_fitting) return;
  std::erase_if(beside, [&](const SdpCodec& codec) {
    return is_event(codec) && !keeps_rate(kept, codec.clock_rate_hz);
  });
}

/// The codecs of a stream that both lists have. False: none.
bool choose_codecs(const std::vector<SdpCodec>& codecs, bool is_video, SdpRole role,
                   const SdpPolicy& of_sender, const SdpPolicy& of_receiver,
                   std::vector<SdpCodec>& chosen) {
  const bool sender_decides = is_about(of_sender.codecs, is_video);
  const bool receiver_decides = is_about(of_receiver.codecs, is_video);
  std::vector<SdpCodec> beside;
  bool has_codec = false;
  for (const SdpCodec& codec : codecs) {
    if (is_beside_codecs(codec)) {
      beside.push_back(codec);
      continue;
    }
    has_codec = true;
    if (sender_decides && place_in(of_sender.codecs, codec) == nowhere) continue;
    if (receiver_decides && place_in(of_receiver.codecs, codec) == nowhere) continue;
    chosen.push_back(codec);
  }
  if (chosen.empty() && has_codec) return false;
  // A description says what its sender can be sent.
  const bool has_events = of_sender.gets_events && of_receiver.takes_events;
  if (!has_events && has_codec && !is_video) {
    std::erase_if(beside, [](const SdpCodec& codec) {
      return is_named(codec, "telephone-event") || is_named(codec, "tone");
    });
  }
  if (role == SdpRole::offer && receiver_decides) {
    std::stable_sort(chosen.begin(), chosen.end(), [&](const SdpCodec& a, const SdpCodec& b) {
      return place_in(of_receiver.codecs, a) < place_in(of_receiver.codecs, b);
    });
  }
  if (has_codec) {
    std::erase_if(beside, [&](const SdpCodec& codec) { return !goes_with(codec, chosen); });
    keep_events(chosen, beside);
  }
  chosen.insert(chosen.end(), beside.begin(), beside.end());
  return true;
}

struct AnnexSetting {
  std::string_view codec, parameter;
  AnnexMode of_sender, of_receiver;
};

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

/// Splits "a=1; annexb=no" into the value of the parameter and the rest.
std::optional<bool> take_annex(std::string_view fmtp, std::string_view parameter,
                               std::string& rest) {
  std::optional<bool> stated;
  while (!fmtp.empty()) {
    const std::size_t end = fmtp.find(';');
    std::string_view item = fmtp.substr(0, end);
    fmtp.remove_prefix(end == std::string_view::npos ? fmtp.size() : end + 1);
    item = trimmed(item);
    const std::size_t equals = item.find('=');
    if (equals != std::string_view::npos &&
        equals_ignoring_case(trimmed(item.substr(0, equals)), parameter)) {
      stated = !equals_ignoring_case(trimmed(item.substr(equals + 1)), "no");
      continue;
    }
    if (item.empty()) continue;
    if (!rest.empty()) rest += ';';
    rest += item;
  }
  return stated;
}

/// M-08: what the receiver is told of silence suppression.
void set_annex(const SdpCodec& codec, const AnnexSetting& setting, SdpStreamEdit& stream) {
  if (registered_codec_name(codec.name) != setting.codec) return;
  std::string value;
  const std::optional<bool> said = take_annex(codec.fmtp, setting.parameter, value);
  std::optional<bool> told = said;
  // Who is configured to be told no does not do it himself either (RFC 7261 section 3).
  if (setting.of_sender == AnnexMode::no) told = false;
  switch (setting.of_receiver) {
    case AnnexMode::auto_mode:
      break;
    case AnnexMode::yes:
      told = true;
      break;
    case AnnexMode::no:
      told = false;
      break;
    case AnnexMode::omit:
      told.reset();
      break;
    case AnnexMode::pass:
      told = told.value_or(true);
      break;
  }
  if (told == said) return;
  if (told) {
    if (!value.empty()) value += ';';
    value += setting.parameter;
    value += *told ? "=yes" : "=no";
  }
  stream.fmtp.push_back({codec.format, std::move(value)});
}

/// M-10: a packet time that the sender of the description can take; 0: it says so itself.
int packet_time(const SdpMedia& media) noexcept {
  if (media.maxptime_ms == 0) return 0;
  constexpr int usual_ms = 20;  // RFC 3551 section 4.2
  const int said_ms = media.ptime_ms != 0 ? media.ptime_ms : usual_ms;
  return said_ms > media.maxptime_ms ? media.maxptime_ms : 0;
}

}  // namespace

bool is_beside_codecs(const SdpCodec& codec) noexcept {
  for (const char* name :
       {"telephone-event", "tone", "CN", "RED", "rtx", "ulpfec", "parityfec", "flexfec"}) {
    if (is_named(codec, name)) return true;
  }
  return false;
}

Result<void> apply_policies(const SdpSession& session, SdpRole role, const SdpPolicy& of_sender,
                            const SdpPolicy& of_receiver, SdpEdit& edit) {
  if (!of_sender.decides() && !of_receiver.decides()) return {};
  const SdpMedia* refused = nullptr;
  bool has_audio = false, refuses_fax = false, is_left = false;
  for (std::size_t i = 0; i < session.media_count; ++i) {
    const SdpMedia& media = session.media[i];
    SdpStreamEdit& stream = edit.streams[i];
    const bool is_fax = !media.is_rtp() && equals_ignoring_case(media.type, "image");
    if (is_fax && media.port != 0 && !(of_sender.takes_fax && of_receiver.takes_fax))
      stream.is_refused = refuses_fax = true;
    is_left |= !stream.is_refused && media.port != 0;
    if (stream.is_refused || media.port == 0 || !media.is_rtp() ||
        (!media.is_audio() && !media.is_video()))
      continue;
    std::vector<SdpCodec> codecs = sdp_codecs(media);
    const bool drops_events = !of_sender.gets_events || !of_receiver.takes_events;
    const bool is_readable = (!media.has_dtls && !media.has_crypto) ||
                             (edit.ends_encryption && can_have_keys(media.protocol));
    const bool is_convertible = &media == session.first_audio() && is_readable && !edit.is_direct;
    const bool transcodes = is_convertible && of_sender.transcodes && of_receiver.transcodes;
    const bool converts_keys =
        is_convertible && (of_sender.converts_keys || of_receiver.converts_keys);
    const ConversionSides sides{of_sender.codecs, of_receiver.codecs, of_receiver.taken,
                                !drops_events, of_receiver.events_type};
    const std::vector<SdpCodec> described = codecs;
    if (transcodes && role == SdpRole::answer && answer_in_kind(codecs, sides, stream)) {
      has_audio = true;
      continue;
    }
    if (is_about(of_sender.codecs, media.is_video()) ||
        is_about(of_receiver.codecs, media.is_video()) || (drops_events && media.is_audio())) {
      std::vector<SdpCodec> chosen;
      const bool has_chosen =
          choose_codecs(codecs, media.is_video(), role, of_sender, of_receiver, chosen);
      if (!has_chosen && transcodes && role == SdpRole::offer)
        keep_events_alone(codecs, sides, chosen, stream);
      const bool is_offered_more =
          transcodes && role == SdpRole::offer && offer_more(codecs, chosen, sides, stream);
      if (!has_chosen && !is_offered_more) {
        stream.is_refused = true;
        if (media.is_audio()) refused = &media;
        continue;
      }
      const auto is_same = [](const SdpCodec& a, const SdpCodec& b) {
        return a.format == b.format;
      };
      if (!std::equal(codecs.begin(), codecs.end(), chosen.begin(), chosen.end(), is_same)) {
        for (const SdpCodec& codec : chosen)
          stream.formats.push_back(codec.format);
      }
      codecs = std::move(chosen);
    } else if (transcodes && role == SdpRole::offer) {
      (void)offer_more(codecs, codecs, sides, stream);
    }
    const bool is_offer = role == SdpRole::offer;
    if (converts_keys) {
      const auto codec = std::find_if(codecs.begin(), codecs.end(),
                                      [](const SdpCodec& one) { return !is_beside_codecs(one); });
      settle_events(codecs, is_offer, codec == codecs.end() ? 0 : codec->clock_rate_hz, sides,
                    stream);
    }
    if (transcodes && is_offer) offer_events_beside(described, codecs, sides, stream);
    if ((transcodes || converts_keys) && !is_offer) answer_events_as_offered(codecs, sides, stream);
    if (!media.is_audio()) continue;
    if (is_convertible && (of_sender.events_type != 0 || of_receiver.events_type != 0))
      renumber_events(described, codecs, is_offer, sides, stream);
    has_audio = true;
    for (const SdpCodec& codec : codecs) {
      set_annex(codec, {"G729", "annexb", of_sender.annexb, of_receiver.annexb}, stream);
      set_annex(codec, {"G723", "annexa", of_sender.annexa, of_receiver.annexa}, stream);
    }
    if (of_sender.g729_mode != G729Mode::auto_mode || of_receiver.g729_mode != G729Mode::auto_mode)
      name_g729(described, codecs, is_offer, is_convertible, of_receiver.g729_mode, sides, stream);
    if (of_sender.ptime_adaptive) stream.ptime_ms = packet_time(media);
  }
  if (refused != nullptr && !has_audio) {
    return Error{ErrorCode::unsupported,
                 "no codec was left of \"" + sdp_codec_names(*refused) + "\""};
  }
  if (refuses_fax && !is_left)
    return Error{ErrorCode::unsupported, "a fax was described, which is not passed on (t38)"};
  return {};
}

std::string negotiated_codec(const SdpSession& answer) {
  if (const SdpMedia* const audio = answer.first_audio()) {
    for (const SdpCodec& codec : sdp_codecs(*audio)) {
      if (is_beside_codecs(codec)) continue;
      if (codec.name.empty()) return std::to_string(codec.payload_type);
      return std::string(registered_codec_name(codec.name.substr(0, 32)));
    }
    return {};
  }
  for (std::size_t i = 0; i < answer.media_count; ++i) {
    if (answer.media[i].type == "image" && answer.media[i].port != 0) return "T38";
  }
  return {};
}

std::string described_codecs(const SdpSession& session) {
  constexpr std::size_t bytes_max = 200;  // kept for each call and record
  const SdpMedia* const audio = session.first_audio();
  if (audio == nullptr) return {};
  std::string names = sdp_codec_names(*audio);
  if (names.size() > bytes_max)
    names.resize(names.rfind(',', bytes_max) == std::string::npos ? bytes_max
                                                                  : names.rfind(',', bytes_max));
  return names;
}

}  // namespace tandem::sip
