#include "sip/sdp_transcode.hpp"

#include <algorithm>
#include <iterator>
#include <memory>

#include "sip/message.hpp"
#include "sip/sdp_policy.hpp"
#include "tandem/audio_codec.hpp"

namespace tandem::sip {
namespace {

constexpr std::string_view events_name = "telephone-event";
constexpr int dynamic_first = 96, dynamic_last = 127;  // RFC 3551 section 3
constexpr int events_usual = 101;

bool is_events(const SdpCodec& codec) noexcept {
  return equals_ignoring_case(codec.name, events_name);
}

bool is_codec(const SdpCodec& codec) noexcept { return !is_beside_codecs(codec); }

bool has_audio(std::span<const CodecName> list) noexcept {
  return std::any_of(list.begin(), list.end(),
                     [](const CodecName& codec) { return !codec.is_video; });
}

bool is_allowed(std::span<const CodecName> list, std::string_view name,
                std::uint32_t clock_rate_hz) noexcept {
  if (!has_audio(list)) return true;
  return std::any_of(list.begin(), list.end(), [&](const CodecName& known) {
    return known.name == registered_codec_name(name) &&
           (known.clock_rate_hz == 0 || known.clock_rate_hz == clock_rate_hz);
  });
}

bool is_same(const SdpCodec& codec, std::string_view name, std::uint32_t clock_rate_hz) noexcept {
  return registered_codec_name(codec.name) == registered_codec_name(name) &&
         codec.clock_rate_hz == clock_rate_hz;
}

bool can_convert(std::string_view name, std::uint32_t clock_rate_hz) {
  return clock_rate_hz != 0 && find_audio_codec(name, clock_rate_hz) != nullptr;
}

/// The wanted number, or one that nothing of the stream has; -1: none is left.
int free_number(const std::vector<SdpCodec>& described, const SdpStreamEdit& stream, int wanted) {
  const auto is_used = [&](int number) {
    return std::any_of(described.begin(), described.end(),
                       [&](const SdpCodec& codec) { return codec.payload_type == number; }) ||
           std::any_of(stream.added.begin(), stream.added.end(),
                       [&](const SdpAddedFormat& added) { return added.payload_type == number; });
  };
  if (wanted >= 0 && !is_used(wanted)) return wanted;
  for (int number = dynamic_first; number <= dynamic_last; ++number) {
    if (!is_used(number)) return number;
  }
  return -1;
}

std::string rtpmap(std::string_view name, std::uint32_t clock_rate_hz, std::uint8_t channels) {
  std::string text = std::string(name) + '/' + std::to_string(clock_rate_hz);
  if (channels > 1) text += '/' + std::to_string(channels);
  return text;
}

}  // namespace

// Of other clocks, durations could not be converted to and from 8,000 Hz without a rest.
bool is_telephone_event(std::string_view name, std::uint32_t clock_rate_hz) noexcept {
  constexpr std::uint32_t clock_rate_max_hz = 48'000;
  return equals_ignoring_case(name, events_name) && clock_rate_hz >= audio_rate_hz &&
         clock_rate_hz <= clock_rate_max_hz && clock_rate_hz % audio_rate_hz == 0;
}

bool SdpTaken::is_events() const noexcept { return equals_ignoring_case(name, events_name); }

std::vector<SdpTaken> taken_formats(const SdpMedia& media) {
  std::vector<SdpTaken> taken;
  for (const SdpCodec& codec : sdp_codecs(media)) {
    if (codec.payload_type < 0 || codec.payload_type > 127 || codec.name.empty()) continue;
    if (!is_codec(codec) && !is_events(codec)) continue;
    taken.push_back({std::string(codec.name), codec.clock_rate_hz, codec.channels,
                     codec.payload_type, std::string(codec.fmtp)});
  }
  return taken;
}

bool offer_more(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
                const ConversionSides& sides, SdpStreamEdit& stream) {
  const bool has_common = std::any_of(kept.begin(), kept.end(), is_codec);
  if (has_common && has_audio(sides.of_receiver)) return false;
  const bool can_be_converted =
      std::any_of(described.begin(), described.end(), [&](const SdpCodec& codec) {
        return is_codec(codec) && is_allowed(sides.of_sender, codec.name, codec.clock_rate_hz) &&
               can_convert(codec.name, codec.clock_rate_hz);
      });
  if (!can_be_converted) return false;
  struct Offered {
    std::shared_ptr<const AudioCodec> codec;
    std::size_t place;  // in the receiver's list
  };
  std::vector<Offered> offered;
  for (auto& codec : audio_codecs()) {
    const AudioCodecFacts& facts = codec->facts();
    if (!is_allowed(sides.of_receiver, facts.name, facts.clock_rate_hz)) continue;
    // It costs many times what G.711 does: who wants that says so.
    if (facts.keeps_state && !has_audio(sides.of_receiver)) continue;
    const bool is_there = std::any_of(kept.begin(), kept.end(), [&](const SdpCodec& known) {
      return is_same(known, facts.name, facts.clock_rate_hz);
    });
    if (is_there) continue;
    std::size_t place = 0;
    while (place < sides.of_receiver.size() && sides.of_receiver[place].name != facts.name)
      ++place;
    offered.push_back({std::move(codec), place});
  }
  std::stable_sort(offered.begin(), offered.end(),
                   [](const Offered& a, const Offered& b) { return a.place < b.place; });
  for (const Offered& one : offered) {
    const AudioCodecFacts& facts = one.codec->facts();
    const int number = free_number(described, stream, facts.payload_type);
    if (number < 0) break;
    stream.added.push_back(
        {number, rtpmap(facts.name, facts.clock_rate_hz, facts.channels), facts.fmtp});
  }
  stream.is_added_first = !has_common;  // before the events, which are all that is left
  return !stream.added.empty();
}

void keep_events_alone(const std::vector<SdpCodec>& described, const ConversionSides& sides,
                       std::vector<SdpCodec>& kept, SdpStreamEdit& stream) {
  kept.clear();
  stream.keeps_no_format = true;
  if (!sides.has_events) return;
  std::copy_if(described.begin(), described.end(), std::back_inserter(kept),
               [](const SdpCodec& codec) {
                 return is_events(codec) && codec.clock_rate_hz == audio_rate_hz;
               });
}

bool answer_in_kind(const std::vector<SdpCodec>& answered, const ConversionSides& sides,
                    SdpStreamEdit& stream) {
  const SdpCodec* chosen = nullptr;
  for (const SdpCodec& codec : answered) {
    if (!is_codec(codec) || !is_allowed(sides.of_sender, codec.name, codec.clock_rate_hz)) continue;
    const bool is_offered = std::any_of(
        sides.receiver_took.begin(), sides.receiver_took.end(), [&](const SdpTaken& taken) {
          return is_same(codec, taken.name, taken.clock_rate_hz) &&
                 is_allowed(sides.of_receiver, taken.name, taken.clock_rate_hz);
        });
    if (is_offered) return false;
    if (chosen == nullptr && can_convert(codec.name, codec.clock_rate_hz)) chosen = &codec;
  }
  if (chosen == nullptr) return false;
  const auto best = std::find_if(
      sides.receiver_took.begin(), sides.receiver_took.end(), [&](const SdpTaken& taken) {
        return !taken.is_events() &&
               is_allowed(sides.of_receiver, taken.name, taken.clock_rate_hz) &&
               can_convert(taken.name, taken.clock_rate_hz);
      });
  if (best == sides.receiver_took.end()) return false;
  stream.formats.clear();
  stream.keeps_no_format = true;
  // What it said of itself is not true of us, unless nothing else is known.
  const auto codec = find_audio_codec(best->name, best->clock_rate_hz);
  const std::string& ours = codec->facts().fmtp;
  stream.added = {{best->payload_type, rtpmap(best->name, best->clock_rate_hz, best->channels),
                   ours.empty() ? best->fmtp : ours}};
  if (std::any_of(answered.begin(), answered.end(), is_events))
    settle_events({}, false, best->clock_rate_hz, sides, stream);
  return true;
}

void settle_events(const std::vector<SdpCodec>& kept, bool is_offer, std::uint32_t clock_rate_hz,
                   const ConversionSides& sides, SdpStreamEdit& stream) {
  if (!sides.has_events) return;
  const bool has_them = std::any_of(kept.begin(), kept.end(), is_events);
  if (is_offer) {
    if (has_them) return;
    const int wanted = sides.events_type != 0 ? sides.events_type : events_usual;
    if (const int number = free_number(kept, stream, wanted); number >= 0)
      stream.added.push_back({number, "telephone-event/8000", "0-15"});
    return;
  }
  const SdpTaken* const offered = events_beside(sides.receiver_took, clock_rate_hz);
  const bool was_offered = offered != nullptr;
  if (was_offered == has_them) return;
  if (was_offered) {
    stream.added.push_back(
        {offered->payload_type, rtpmap(events_name, offered->clock_rate_hz, 1), offered->fmtp});
    return;
  }
  if (stream.formats.empty()) {
    for (const SdpCodec& codec : kept)
      stream.formats.push_back(codec.format);
  }
  for (const SdpCodec& codec : kept) {
    if (is_events(codec)) std::erase(stream.formats, codec.format);
  }
  stream.keeps_no_format = true;
}

namespace {

void drop_format(const std::vector<SdpCodec>& kept, std::string_view format,
                 SdpStreamEdit& stream) {
  if (stream.formats.empty() && !stream.keeps_no_format) {
    for (const SdpCodec& codec : kept)
      stream.formats.push_back(codec.format);
  }
  std::erase(stream.formats, format);
  stream.keeps_no_format = true;
}

bool is_g729(std::string_view name) noexcept { return registered_codec_name(name) == "G729"; }

/// The value of a=fmtp that the receiver is shown.
std::string told_fmtp(const SdpCodec& codec, const SdpStreamEdit& stream) {
  for (const SdpFmtpEdit& edit : stream.fmtp) {
    if (edit.format == codec.format) return edit.value;
  }
  return std::string(codec.fmtp);
}

}  // namespace

void offer_events_beside(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
                         const ConversionSides& sides, SdpStreamEdit& stream) {
  if (!sides.has_events) return;
  const auto said = std::find_if(described.begin(), described.end(), is_events);
  if (said == described.end()) return;
  const std::vector<SdpAddedFormat> codecs = stream.added;
  for (const SdpAddedFormat& codec : codecs) {
    // "opus/48000/2", "telephone-event/8000"
    std::string_view text(codec.rtpmap);
    const std::size_t slash = text.find('/');
    text = text.substr(slash + 1, text.find('/', slash + 1) - slash - 1);
    const std::string events = std::string(events_name) + '/' + std::string(text);
    const bool is_there =
        std::any_of(kept.begin(), kept.end(),
                    [&](const SdpCodec& one) {
                      return is_events(one) && std::to_string(one.clock_rate_hz) == text;
                    }) ||
        std::any_of(stream.added.begin(), stream.added.end(),
                    [&](const SdpAddedFormat& one) { return one.rtpmap == events; });
    if (is_there) continue;
    const int wanted = sides.events_type != 0 ? sides.events_type : events_usual;
    if (const int number = free_number(described, stream, wanted); number >= 0)
      stream.added.push_back({number, events, std::string(said->fmtp)});
  }
}

void renumber_events(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
                     bool is_offer, const ConversionSides& sides, SdpStreamEdit& stream) {
  const auto is_kept = [&](const SdpCodec& codec) {
    return is_events(codec) && codec.clock_rate_hz == audio_rate_hz &&
           ((stream.formats.empty() && !stream.keeps_no_format) ||
            std::find(stream.formats.begin(), stream.formats.end(), codec.format) !=
                stream.formats.end());
  };
  const auto events = std::find_if(kept.begin(), kept.end(), is_kept);
  if (events == kept.end()) return;
  int wanted = sides.events_type;
  if (!is_offer) {
    const auto offered = std::find_if(
        sides.receiver_took.begin(), sides.receiver_took.end(), [](const SdpTaken& taken) {
          return taken.is_events() && taken.clock_rate_hz == audio_rate_hz;
        });
    wanted = offered == sides.receiver_took.end() ? 0 : offered->payload_type;
  }
  if (wanted == 0 || wanted == events->payload_type ||
      free_number(described, stream, wanted) != wanted)
    return;
  stream.added.push_back({wanted, "telephone-event/8000", std::string(events->fmtp)});
  drop_format(kept, events->format, stream);
}

void answer_events_as_offered(const std::vector<SdpCodec>& kept, const ConversionSides& sides,
                              SdpStreamEdit& stream) {
  const auto was_offered = [&](std::uint32_t clock_rate_hz) {
    return std::any_of(sides.receiver_took.begin(), sides.receiver_took.end(),
                       [&](const SdpTaken& taken) {
                         return taken.is_events() && taken.clock_rate_hz == clock_rate_hz;
                       });
  };
  std::uint32_t codec_clock_hz = audio_rate_hz;
  const auto codec = std::find_if(kept.begin(), kept.end(), is_codec);
  if (codec != kept.end()) codec_clock_hz = codec->clock_rate_hz;
  const SdpCodec* const said = events_beside(std::span(kept), codec_clock_hz);
  const SdpTaken* const offered = events_beside(sides.receiver_took, codec_clock_hz);
  if (said == nullptr || offered == nullptr || was_offered(said->clock_rate_hz)) return;
  std::vector<SdpCodec> left;
  for (const SdpCodec& one : kept) {
    if (is_events(one) && !was_offered(one.clock_rate_hz)) {
      drop_format(kept, one.format, stream);
    } else {
      left.push_back(one);
    }
  }
  const bool is_there = std::any_of(left.begin(), left.end(), is_events);
  if (!is_there && free_number(left, stream, offered->payload_type) == offered->payload_type)
    stream.added.push_back(
        {offered->payload_type, rtpmap(events_name, offered->clock_rate_hz, 1), offered->fmtp});
}

void name_g729(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
               bool is_offer, bool can_renumber, G729Mode mode, const ConversionSides& sides,
               SdpStreamEdit& stream) {
  const auto is_one = [](const SdpCodec& codec) { return is_g729(codec.name); };
  const auto first = std::find_if(kept.begin(), kept.end(), is_one);
  if (first == kept.end()) return;
  const auto rename = [&stream](const SdpCodec& codec, std::string_view name) {
    if (!equals_ignoring_case(codec.name, name))
      stream.rtpmap.push_back({codec.format, rtpmap(name, audio_rate_hz, 1)});
  };
  if (is_offer) {
    if (mode == G729Mode::auto_mode) return;
    const bool has_two = std::count_if(kept.begin(), kept.end(), is_one) > 1;
    if (mode == G729Mode::both && has_two) return;
    for (auto codec = first; codec != kept.end(); ++codec) {
      if (is_one(*codec)) rename(*codec, mode == G729Mode::g729a ? "G729A" : "G729");
    }
    if (mode != G729Mode::both || !can_renumber) return;
    if (const int number = free_number(described, stream, -1); number >= 0)
      stream.added.push_back(
          {number, rtpmap("G729A", audio_rate_hz, 1), told_fmtp(*first, stream)});
    return;
  }
  // The number that it was offered with says which of several it is.
  const auto by_number = [&](const SdpCodec& codec) {
    return std::find_if(sides.receiver_took.begin(), sides.receiver_took.end(),
                        [&](const SdpTaken& taken) {
                          return is_g729(taken.name) && taken.payload_type == codec.payload_type;
                        });
  };
  const auto name_of = [&](const SdpCodec& codec, std::string_view offered) -> std::string_view {
    return mode == G729Mode::g729    ? "G729"
           : mode == G729Mode::g729a ? "G729A"
           : offered.empty()         ? codec.name
                                     : offered;
  };
  const auto offered = std::find_if(sides.receiver_took.begin(), sides.receiver_took.end(),
                                    [](const SdpTaken& taken) { return is_g729(taken.name); });
  bool is_there = false;
  for (const SdpCodec& codec : kept) {
    if (!is_one(codec)) continue;
    if (const auto same = by_number(codec); same != sides.receiver_took.end()) {
      rename(codec, name_of(codec, same->name));
      is_there = true;
    } else if (offered == sides.receiver_took.end()) {
      rename(codec, name_of(codec, {}));
    }
  }
  if (offered == sides.receiver_took.end() || !can_renumber) return;
  if (is_there) {  // what was offered besides means nothing to the receiver
    for (const SdpCodec& codec : kept) {
      if (is_one(codec) && by_number(codec) == sides.receiver_took.end())
        drop_format(kept, codec.format, stream);
    }
    return;
  }
  // It took the name that was offered besides.
  if (free_number(described, stream, offered->payload_type) != offered->payload_type) return;
  stream.is_added_first = first == kept.begin();
  stream.added.insert(
      stream.added.begin(),
      {offered->payload_type, rtpmap(name_of(*first, offered->name), audio_rate_hz, 1),
       told_fmtp(*first, stream)});
  drop_format(kept, first->format, stream);
}

}  // namespace tandem::sip
