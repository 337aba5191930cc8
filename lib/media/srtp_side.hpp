// Encryption between the relay and one side of a session (RFC 3711), by libre's cipher and tags.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "tandem/error.hpp"
#include "tandem/srtp.hpp"

namespace tandem::media {

class SrtpReceiver;
class SrtpSender;

/// What came of taking the encryption from a packet.
enum class SrtpVerdict : std::uint8_t {
  authentic,
  not_authentic,  ///< Its tag does not fit the key: other keys, plain RTP, a stranger's.
  repeated,       ///< It was there before, or is too old to tell (RFC 3711 section 3.3.2).
};

/// The keys of one side, and what must be remembered of its streams: roll-over counters, which
/// packets were there, index of reports.
///
/// Threading: create() on any thread; the rest on the shard of the session. Ends where it is
/// retired, when the shard has left it.
class SrtpSide {
 public:
  /// `former`, may be null: what was there before. A key that stays keeps its counters; with a new
  /// one to receive by, packets of the former pass until the first of the new one comes (RFC 4568
  /// section 7.1.4). Errors: invalid_argument (a key of the wrong length, one suite alone),
  /// internal (the cipher was refused).
  static Result<std::shared_ptr<SrtpSide>> create(const MediaCrypto& crypto,
                                                  const SrtpSide* former);
  ~SrtpSide();

  /// Takes the encryption from `bytes`, whose header was read; `bytes` becomes what was in it,
  /// which lives until the next call.
  SrtpVerdict open_rtp(std::string_view& bytes) noexcept;
  SrtpVerdict open_rtcp(std::string_view& bytes) noexcept;
  /// Encrypts `bytes` in the same way. False: must not be sent, since its place in the stream was
  /// used already, or the side has seen too many streams.
  bool seal_rtp(std::string_view& bytes) noexcept;
  bool seal_rtcp(std::string_view& bytes) noexcept;

  [[nodiscard]] const MediaCrypto& crypto() const noexcept { return crypto_; }

 private:
  SrtpSide() = default;

  MediaCrypto crypto_;
  std::shared_ptr<SrtpReceiver> receiver_, former_;
  std::shared_ptr<SrtpSender> sender_;
  bool is_former_over_ = false;  // the shard's; the object goes with this one
};

}  // namespace tandem::media
