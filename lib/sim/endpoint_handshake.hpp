// What an endpoint of a simulation does as a browser does: ICE as a full agent, and DTLS-SRTP.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/timer_wheel.hpp"
#include "io/dtls.hpp"
#include "media/srtp_side.hpp"
#include "sip/sdp_dtls.hpp"
#include "tandem/clock.hpp"
#include "tandem/dtls.hpp"
#include "tandem/srtp.hpp"
#include "tandem/values.hpp"

namespace tandem::sim {

class EndpointHandshake {
 public:
  struct Plan {
    bool has_ice = false;
    DtlsRole role = DtlsRole::none;  ///< None: the client, unless the other end insists on it.
    bool shows_other_certificate = false;
    bool has_wrong_password = false;  ///< Of ICE.
  };
  using Send = std::function<void(const SocketAddress& to, std::string_view bytes)>;

  EndpointHandshake(const Plan& plan, TimerWheel& timers, Random& random, Send send);
  ~EndpointHandshake();

  /// The other end's description, whose audio is `audio`; may be null.
  void take(const sip::SdpMedia* audio);
  /// Completes a description; false: the offer that it answers has none of it.
  bool describe(const sip::SdpMedia* answered, std::string& protocol, std::string& lines);
  /// False: it is media.
  bool take_datagram(const SocketAddress& from, std::string_view bytes);

  [[nodiscard]] bool has_offer() const noexcept { return !theirs_.fingerprints.empty(); }
  [[nodiscard]] bool has_ice() const noexcept { return plan_.has_ice; }
  [[nodiscard]] bool is_agreed() const noexcept { return keys_ != nullptr; }
  [[nodiscard]] bool is_checked() const noexcept { return is_checked_; }
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }
  bool seal(std::string_view& packet) noexcept;
  bool open(std::string_view& packet) noexcept;
  void stop() noexcept { timer_.cancel(); }

 private:
  void begin();
  void on_timer();
  void check();
  void shake();
  void send(const io::DtlsAssociation::Datagrams& out);

  const Plan plan_;
  TimerWheel& timers_;
  Random& random_;
  const Send send_;
  std::shared_ptr<const io::DtlsIdentity> identity_, shown_;
  sip::SdpHandshake theirs_;
  SocketAddress remote_;
  std::string ufrag_, password_, transaction_;
  sip::SdpSetup setup_ = sip::SdpSetup::actpass;
  bool has_said_ = false, is_checked_ = false;
  unsigned ticks_ = 0;
  std::unique_ptr<io::DtlsAssociation> association_;
  std::shared_ptr<media::SrtpSide> keys_;
  std::uint64_t failures_ = 0;
  Timer timer_;
};

}  // namespace tandem::sim
