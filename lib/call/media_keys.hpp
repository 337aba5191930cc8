// The keys of one media stream of a call, towards both sides (SDES, RFC 4568, and
// DTLS-SRTP, RFC 5763).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "call/side_dtls.hpp"
#include "sip/sdp_crypto.hpp"
#include "tandem/clock.hpp"
#include "tandem/media_relay.hpp"
#include "tandem/srtp.hpp"

namespace tandem::call {

/// What a side is configured with.
struct SrtpSetting {
  SrtpMode mode = SrtpMode::pass;
  /// Whether keys may be offered to it: its signalling is encrypted, or need not be.
  bool may_offer = false;
  SrtpKeySource keys = SrtpKeySource::sdes;
  IceMode ice = IceMode::off;  ///< Where it has keys of DTLS.
};
using SrtpSettings = std::array<SrtpSetting, 2>;  // by MediaSide

/// A value: copy it to go back to it.
class StreamKeys {
 public:
  /// Takes the keys that `from` offers, and completes what the other side is offered. A stream that
  /// the modes do not allow becomes refused.
  void pass_offer(MediaSide from, const sip::SdpMedia& media, const SrtpSettings& settings,
                  Random& random, sip::SdpStreamEdit& edit);
  /// Takes the keys that `from` answers with, and completes what the offerer is answered. From now
  /// on agreed() holds.
  void pass_answer(MediaSide from, const sip::SdpMedia& media, const SrtpSettings& settings,
                   Random& random, sip::SdpStreamEdit& edit);
  /// Answers the offer of `side` without the other.
  void answer_own(MediaSide side, const SrtpSettings& settings, Random& random,
                  sip::SdpStreamEdit& edit);

  /// Of the last answer; none: the side is plain.
  [[nodiscard]] const MediaCrypto& agreed(MediaSide side) const noexcept {
    return sides_[static_cast<std::size_t>(side)].agreed;
  }
  /// It was offered keys, or answered with some.
  [[nodiscard]] bool is_shown_keys(MediaSide side) const noexcept {
    return !sides_[static_cast<std::size_t>(side)].shown.empty() || dtls(side).is_shown();
  }
  /// Its handshake.
  [[nodiscard]] const SideDtls& dtls(MediaSide side) const noexcept {
    return sides_[static_cast<std::size_t>(side)].dtls;
  }
  [[nodiscard]] bool is_encrypted(MediaSide side) const noexcept {
    return agreed(side).send.suite != SrtpSuite::none || dtls(side).is_agreed();
  }
  void forget(MediaSide side) noexcept { sides_[static_cast<std::size_t>(side)] = {}; }

 private:
  struct Side {
    std::string protocol;                 // of the stream as it sees it
    std::vector<sip::SdpCrypto> offered;  // of its last offer
    std::vector<sip::SdpCrypto> shown;    // what it was offered last
    MediaCrypto agreed;
    SideDtls dtls;
    std::uint32_t tag = 0;    // of what is agreed
    bool is_offerer = false;  // of the last exchange of both sides
    bool is_spent = false;    // one of `shown` was agreed on
  };
  void answer(Side& offerer, SrtpMode mode, Random& random, sip::SdpStreamEdit& edit);

  std::array<Side, 2> sides_;
};

}  // namespace tandem::call
