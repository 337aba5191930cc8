// What an endpoint of a simulation does with keys in descriptions (SDES) and with SRTP.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "media/srtp_side.hpp"
#include "sip/sdp_crypto.hpp"
#include "tandem/clock.hpp"
#include "tandem/srtp.hpp"

namespace tandem::sim {

class EndpointKeys {
 public:
  /// The other end's description, whose audio is `audio`; may be null.
  void take(const sip::SdpMedia* audio);
  /// Completes a description: `protocol` of its m= line, and its key lines, each with its end.
  /// `answered`: audio of the offer that it answers; null: it is an offer.
  std::string describe(SrtpMode mode, const sip::SdpMedia* answered, Random& random,
                       std::string& protocol);
  void renew() noexcept { shown_.clear(); }  ///< The next description has other keys.

  /// The last description of the other end has keys.
  [[nodiscard]] bool has_offer() const noexcept { return !theirs_.empty(); }
  [[nodiscard]] bool is_on() const noexcept { return side_ != nullptr; }
  /// False: it cannot be sent, or was not encrypted for this end.
  bool seal(std::string_view& packet) noexcept;
  bool open(std::string_view& packet) noexcept;
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }

 private:
  void settle();

  std::vector<sip::SdpCrypto> shown_, theirs_;
  std::shared_ptr<media::SrtpSide> side_;
  std::uint64_t failures_ = 0;
};

}  // namespace tandem::sim
