// What the settings of the two sides of a call make of a session description: which codecs it
// keeps and in which order, and what it says of them.
#pragma once

#include <cstdint>
#include <span>

#include "sip/sdp.hpp"
#include "sip/sdp_transcode.hpp"
#include "tandem/media_options.hpp"

namespace tandem::sip {

enum class SdpRole : std::uint8_t { offer, answer };

/// What one side is configured with. The default changes nothing.
struct SdpPolicy {
  std::span<const CodecName> codecs{};  ///< Lives longer than the policy. Empty: any.
  AnnexMode annexb = AnnexMode::auto_mode;
  AnnexMode annexa = AnnexMode::auto_mode;
  bool ptime_adaptive = false;
  bool takes_events = true;  ///< Telephone events from this side (M-09), ...
  bool gets_events = true;   ///< ... and to it.
  /// Where both sides say so, audio is converted when they have no codec in common (M-07).
  bool transcodes = false;
  /// Keys of either side are put into another form where they must be, so both may use events
  /// whatever the other does (M-09).
  bool converts_keys = false;
  bool takes_fax = true;  ///< T.38 (M-11).
  G729Mode g729_mode = G729Mode::auto_mode;
  int events_type = 0;  ///< Number of telephone events in an offer to the side; 0: any.
  /// What the side said last in an offer, for the answer to it; empty: not known. Lives longer.
  std::span<const SdpTaken> taken{};

  /// Formats have other names or numbers for the side than for the other one.
  [[nodiscard]] bool is_mapped() const noexcept {
    return g729_mode != G729Mode::auto_mode || events_type != 0;
  }
  [[nodiscard]] bool decides() const noexcept {
    return !codecs.empty() || ptime_adaptive || !takes_events || !gets_events || transcodes ||
           converts_keys || !takes_fax || is_mapped() || annexb != AnnexMode::auto_mode ||
           annexa != AnnexMode::auto_mode;
  }
};

/// Whether a format goes beside the codecs, whatever they are: telephone events, comfort noise,
/// redundancy, retransmission.
bool is_beside_codecs(const SdpCodec& codec) noexcept;

/// Completes `edit.streams`, one for each media section, with what the policies leave of a
/// description (M-07 .. M-10): codecs that the lists of both sides have; in an offer in the
/// order of the receiver's list, where it has one; else in that of the description. A used stream
/// that keeps no codec becomes refused. Payload types stay as they are but where audio is
/// converted: then each side has its own. Errors: unsupported (audio was described and none is
/// left).
Result<void> apply_policies(const SdpSession& session, SdpRole role, const SdpPolicy& of_sender,
                            const SdpPolicy& of_receiver, SdpEdit& edit);

/// The codec of a session by its answer: the first of the first used audio stream, "T38" for a fax,
/// "" when there is neither.
std::string negotiated_codec(const SdpSession& answer);
/// What a description has for its first used audio stream: "PCMA,PCMU,telephone-event".
std::string described_codecs(const SdpSession& session);

}  // namespace tandem::sip
