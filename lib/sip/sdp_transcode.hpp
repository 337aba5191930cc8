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
#include "tandem/media_options.hpp"

namespace tandem::sip {

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
/// number that they had there.
void settle_events(const std::vector<SdpCodec>& kept, bool is_offer, const ConversionSides& sides,
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

}  // namespace tandem::sip
