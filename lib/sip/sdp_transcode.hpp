// What descriptions say where the relay converts: codecs that one side has and the other has not
// (M-07), telephone events for keys that go on in another form (M-09), formats that have other
// names or numbers on the other side (M-08, M-09).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sip/sdp.hpp"
#include "tandem/audio_codec.hpp"
#include "tandem/media_options.hpp"

namespace tandem::sip {

/// Of several kinds of telephone events those that go with a codec: by its clock, as events have to
/// be sent (RFC 4733 section 2.1), else by 8,000 Hz, which many devices have beside any codec, else
/// the first whose clock can be converted. Null: there are none.
template <class Format>
const Format* events_beside(std::span<const Format> formats, std::uint32_t clock_rate_hz) noexcept;
bool is_telephone_event(std::string_view name, std::uint32_t clock_rate_hz) noexcept;

/// A format of what a side described.
struct SdpTaken {
  std::string name;
  std::uint32_t clock_rate_hz = 0;
  std::uint8_t channels = 1;
  int payload_type = -1;
  std::string fmtp{};
  [[nodiscard]] bool is_events() const noexcept;
};
/// Codecs and telephone events of a section.
std::vector<SdpTaken> taken_formats(const SdpMedia& media);

/// Who describes and who is shown it.
struct ConversionSides {
  std::span<const CodecName> of_sender, of_receiver;  ///< Their lists; empty: any.
  std::span<const SdpTaken> receiver_took;            ///< What the receiver offered before.
  bool has_events = true;                             ///< The settings leave telephone events.
  int events_type = 0;  ///< Number of these in an offer to the receiver; 0: any.
};

/// Offers the receiver codecs beside those that the sender has, where one of the sender's can be
/// converted: those of its list when there are none in common, and all when it has no list. False:
/// none was added.
bool offer_more(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
                const ConversionSides& sides, SdpStreamEdit& stream);

/// For an offer that keeps no codec but gets others: what goes beside these.
void keep_events_alone(const std::vector<SdpCodec>& described, const ConversionSides& sides,
                       std::vector<SdpCodec>& kept, SdpStreamEdit& stream);

/// Shows the receiver an answer with the best of what it offered, in the place of a codec that it
/// did not. False: it offered what the answer has, or nothing can be converted.
bool answer_in_kind(const std::vector<SdpCodec>& answered, const ConversionSides& sides,
                    SdpStreamEdit& stream);

/// Has telephone events in an offer, and in an answer exactly where they were offered, with the
/// number that they had there. `clock_rate_hz`: of the codec of the answer.
void settle_events(const std::vector<SdpCodec>& kept, bool is_offer, std::uint32_t clock_rate_hz,
                   const ConversionSides& sides, SdpStreamEdit& stream);

/// Has the telephone events of an offer by the clock of each codec that was added to it too.
void offer_events_beside(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
                         const ConversionSides& sides, SdpStreamEdit& stream);

/// Shows the receiver telephone events of an answer by the clock that it offered them with.
void answer_events_as_offered(const std::vector<SdpCodec>& kept, const ConversionSides& sides,
                              SdpStreamEdit& stream);

/// Gives telephone events the receiver's number in an offer, unless something else has it, and in
/// an answer that which they were offered with.
void renumber_events(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
                     bool is_offer, const ConversionSides& sides, SdpStreamEdit& stream);

/// Calls G.729 as `mode` of the receiver says, and in an answer, where that says nothing, as it was
/// offered. `can_renumber`: the relay can give it another number. After the parameters were set.
void name_g729(const std::vector<SdpCodec>& described, const std::vector<SdpCodec>& kept,
               bool is_offer, bool can_renumber, G729Mode mode, const ConversionSides& sides,
               SdpStreamEdit& stream);

template <class Format>
const Format* events_beside(std::span<const Format> formats, std::uint32_t clock_rate_hz) noexcept {
  const Format *by_usual_clock = nullptr, *by_any = nullptr;
  for (const Format& format : formats) {
    if (!is_telephone_event(format.name, format.clock_rate_hz)) continue;
    if (format.clock_rate_hz == clock_rate_hz) return &format;
    if (by_usual_clock == nullptr && format.clock_rate_hz == audio_rate_hz)
      by_usual_clock = &format;
    if (by_any == nullptr) by_any = &format;
  }
  return by_usual_clock != nullptr ? by_usual_clock : by_any;
}

}  // namespace tandem::sip
