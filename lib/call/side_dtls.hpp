// What one side of a stream and the switch tell each other of DTLS-SRTP and ICE.
#pragma once

#include <string>
#include <vector>

#include "sip/sdp_dtls.hpp"
#include "tandem/clock.hpp"
#include "tandem/dtls.hpp"

namespace tandem::call {

/// A value: copy it to go back to it.
class SideDtls {
 public:
  /// Takes its offer. False: it has nothing that a handshake could go by.
  bool take_offer(const sip::SdpMedia& media, IceMode ice, Random& random);
  /// What it is answered from now on; agreed() holds.
  void answer();
  /// It is offered a handshake, with the words of the last one.
  void make_offer(IceMode ice, Random& random);
  /// Takes its answer; agreed() holds. False: as take_offer().
  bool take_answer(const sip::SdpMedia& media);

  /// Of the last exchange: it offered, or was offered, a handshake.
  [[nodiscard]] bool has_offer() const noexcept { return has_offer_; }
  [[nodiscard]] bool is_offered() const noexcept { return is_offered_; }
  [[nodiscard]] bool is_shown() const noexcept { return setup_ != sip::SdpSetup::none; }
  /// It told where it is by ICE, so its description does not.
  [[nodiscard]] bool uses_ice() const noexcept;
  [[nodiscard]] const std::string& mid() const noexcept { return mid_; }  ///< "": none.
  /// The default: nothing.
  [[nodiscard]] const MediaHandshake& agreed() const noexcept { return agreed_; }
  [[nodiscard]] bool is_agreed() const noexcept { return agreed_.role != DtlsRole::none; }

  /// What a description for it says, in its stream and in its session.
  [[nodiscard]] std::vector<std::string> lines(const DtlsFingerprint& fingerprint,
                                               const SocketAddress& ours) const;
  [[nodiscard]] std::vector<std::string> session_lines() const;

 private:
  void agree(DtlsRole role);
  void make_words(Random& random);

  sip::SdpHandshake theirs_;
  bool has_offer_ = false, is_offered_ = false;
  std::string ice_ufrag_, ice_password_;       // ours
  sip::SdpSetup setup_ = sip::SdpSetup::none;  // what we say; none: nothing
  std::string mid_;
  bool is_bundled_ = false, has_rtcp_mux_ = false;
  MediaHandshake agreed_;
};

}  // namespace tandem::call
