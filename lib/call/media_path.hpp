// The media of one call: which way it goes, and the session descriptions that say so to both sides.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "tandem/cdr.hpp"
#include "tandem/clock.hpp"
#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::call {

/// What decides whether media is relayed (M-01).
struct MediaChoice {
  MediaMode customer = MediaMode::auto_mode;
  MediaMode vendor = MediaMode::auto_mode;
  MediaMode parameter = MediaMode::on;
  bool caller_is_behind_nat =
      false;  ///< Signalling came from another address than its SDP names, or that is private.
};
[[nodiscard]] bool is_relayed(const MediaChoice& choice) noexcept;

/// Whether the SDP of a caller points elsewhere than its signalling comes from (M-01, step 7).
[[nodiscard]] bool is_behind_nat(std::string_view sdp, const IpAddress& signalling) noexcept;

/// Whether a body describes a session: `application/sdp`, parameters aside.
[[nodiscard]] bool is_sdp(std::string_view content_type) noexcept;

/// Threading: loop-bound, like its call.
class MediaPath {
 public:
  /// `relay` may be null: then nothing can be relayed. `random` gives the session ids of RFC 8866
  /// section 5.2.
  MediaPath(MediaRelay* relay, Random& random) noexcept;

  /// From now on descriptions are rewritten to lead through the relay, or passed as they are.
  /// `families`: address family towards each side, by MediaSide.
  void set_relayed(bool relayed, std::array<IpAddress::Family, 2> families) noexcept;
  [[nodiscard]] bool relayed() const noexcept { return relayed_; }

  /// What the other side gets to see of a description that `from` sent. A body that is no SDP
  /// passes as it is. Errors: invalid_argument (malformed), limit (no ports), unsupported (no
  /// address of the family).
  Result<std::string> pass(MediaSide from, const SessionBody& body);

  /// What `to` was shown of the other side last; "": nothing.
  [[nodiscard]] std::string_view shown(MediaSide to) const noexcept {
    return last_sent_[to == MediaSide::caller ? 0 : 1];
  }

  /// Keeps what `from` has described, for revert(); for an offer that may be refused.
  void remember(MediaSide from);
  /// The offer was refused, the session is as it was before remember() (RFC 3261 section 14.1).
  void revert() noexcept;
  /// The offer was accepted.
  void forget() noexcept { remembered_.reset(); }

  /// Monotonic time of the last RTP of either side, and of one side; 0: none yet.
  [[nodiscard]] std::int64_t last_rtp_us() const noexcept;
  [[nodiscard]] std::int64_t last_rtp_us(MediaSide side) const noexcept;
  /// Sums over the streams of the call.
  [[nodiscard]] MediaSideStats stats(MediaSide side) const;
  /// True while the last description of either side put the call on hold (M-05).
  [[nodiscard]] bool on_hold() const noexcept {
    return described_[0].is_hold || described_[1].is_hold;
  }
  [[nodiscard]] bool has_streams() const noexcept { return !streams_.empty(); }
  /// Frees the ports; statistics are gone.
  void close() noexcept { streams_.clear(); }

 private:
  /// Where a side wants the media of one m= line.
  struct Target {
    SocketAddress rtp, rtcp;  // Port 0: nowhere.
    bool is_rtp = true;
  };
  struct Description {
    bool is_hold = false;
    std::vector<Target> targets;  // By m= line.
  };
  struct Remembered {
    MediaSide side;
    Description description;
    std::size_t streams;
  };

  Result<void> open_stream(std::size_t index);
  Result<void> direct(MediaSide from, std::size_t index, const Target& target);

  MediaRelay* relay_;
  bool relayed_ = false;
  std::array<IpAddress::Family, 2> families_{IpAddress::Family::ipv4, IpAddress::Family::ipv4};
  std::vector<MediaSession> streams_;  // by m= line
  std::array<Description, 2> described_;
  std::unique_ptr<Remembered> remembered_;
  std::array<std::string, 2> last_sent_{};      // what each side got last
  std::array<std::uint64_t, 2> version_{1, 1};  // of what each side gets (RFC 3264 section 8)
  std::uint64_t session_id_;
};

}  // namespace tandem::call
