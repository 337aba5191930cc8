// What one side of a session agrees on with the relay before its media passes: ICE and DTLS-SRTP.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/dtls.hpp"
#include "media/packed_address.hpp"
#include "media/srtp_side.hpp"
#include "media/stun.hpp"
#include "tandem/dtls.hpp"

namespace tandem::media {

/// What a handshake sends.
class HandshakeOutput {
 public:
  virtual void send(const PackedAddress& to, std::string_view bytes) noexcept = 0;

 protected:
  ~HandshakeOutput() = default;
};

/// How many handshakes a shard lets begin, so that they leave it time for media. The shard's alone.
class HandshakeBudget {
 public:
  static constexpr unsigned begins_max = 32;  ///< In each window.
  static constexpr std::int64_t window_us = 100'000;
  bool take(std::int64_t now_us) noexcept {
    if (now_us - window_from_us_ >= window_us) {
      window_from_us_ = now_us;
      begun_ = 0;
    }
    return begun_ < begins_max && ++begun_ != 0;
  }

 private:
  std::int64_t window_from_us_ = 0;
  unsigned begun_ = 0;
};

/// Threading: made and asked for state() on any thread; the rest on the shard of the session. Ends
/// where it is retired.
class SideHandshake {
 public:
  static constexpr std::int64_t patience_us = 30'000'000;  ///< Then it has failed.

  /// `former`, may be null: what was there before. With ICE anew and nothing else it goes on with
  /// the association of that one (RFC 8842 section 5.5).
  SideHandshake(MediaHandshake asked, std::shared_ptr<const io::DtlsIdentity> identity,
                std::shared_ptr<const io::DtlsCookies> cookies,
                std::shared_ptr<SideHandshake> former, std::int64_t now_us);
  ~SideHandshake();

  [[nodiscard]] const MediaHandshake& asked() const noexcept { return asked_; }
  [[nodiscard]] bool has_dtls() const noexcept { return asked_.role != DtlsRole::none; }
  [[nodiscard]] bool has_ice() const noexcept { return !asked_.ice_ufrag.empty(); }
  [[nodiscard]] MediaHandshakeState state() const noexcept {
    return state_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] bool has_failed() const noexcept {
    return state() == MediaHandshakeState::dtls_failed ||
           state() == MediaHandshakeState::fingerprint_mismatch;
  }

  /// Takes over what goes on of the former. Before anything else here is asked or told.
  void adopt() noexcept;
  /// A datagram that is no RTP. `signalled`: where its description wants its media. False: it was
  /// of no use, or not authentic.
  bool take(const PackedAddress& from, std::string_view bytes, const PackedAddress& signalled,
            std::int64_t now_us, HandshakeBudget& budget, HandshakeOutput& output) noexcept;
  /// Every tick_us while is_busy().
  void tick(const PackedAddress& signalled, std::int64_t now_us, HandshakeBudget& budget,
            HandshakeOutput& output) noexcept;
  static constexpr std::int64_t tick_us = 50'000;
  [[nodiscard]] bool is_busy() const noexcept { return !is_over_; }

  /// Of a side with ICE: whether a check from there was authentic.
  [[nodiscard]] bool is_checked(const PackedAddress& from) const noexcept;
  /// ... and where it wants its media; not set: it said nothing yet.
  [[nodiscard]] const PackedAddress& selected() const noexcept { return selected_; }
  /// Something authentic came under keys(): the peer has them too and needs nothing sent again.
  void note_media() noexcept {
    if (association_ != nullptr) association_.reset();  // tens of KB
  }
  /// Null: not agreed on.
  [[nodiscard]] SrtpSide* keys() noexcept { return keys_.get(); }

 private:
  static constexpr std::size_t sources_max = 8;
  struct Source {
    PackedAddress address;
    std::int64_t checked_us = 0;
  };

  bool take_check(const PackedAddress& from, std::string_view bytes, std::int64_t now_us,
                  HandshakeOutput& output);
  void note_check(const PackedAddress& from, const StunMessage& check, std::int64_t now_us);
  bool take_dtls(const PackedAddress& from, std::string_view bytes, const PackedAddress& signalled,
                 std::int64_t now_us, HandshakeBudget& budget, HandshakeOutput& output);
  /// As a server: of somebody without a check, or after the agreement. It must bring a cookie.
  bool take_hello(const PackedAddress& from, std::string_view bytes, const PackedAddress& signalled,
                  std::int64_t now_us, HandshakeBudget& budget, HandshakeOutput& output);
  /// The handshake may be a stranger's: one that fails does not decide for the side.
  [[nodiscard]] bool is_open_to_all() const noexcept {
    return !has_ice() && asked_.role == DtlsRole::server;
  }
  [[nodiscard]] bool may_begin() const noexcept;
  void settle_next(const io::DtlsAssociation::Datagrams& out, HandshakeOutput& output);
  bool begin(const PackedAddress& with, std::int64_t now_us, HandshakeBudget& budget);
  void settle(std::int64_t now_us, const io::DtlsAssociation::Datagrams& out,
              HandshakeOutput& output);
  void become(MediaHandshakeState state) noexcept {
    state_.store(state, std::memory_order_relaxed);
  }

  const MediaHandshake asked_;
  const std::shared_ptr<const io::DtlsIdentity> identity_;
  const std::shared_ptr<const io::DtlsCookies> cookies_;
  const std::int64_t until_us_;
  std::atomic<MediaHandshakeState> state_;

  // The shard's.
  std::shared_ptr<SideHandshake> former_;  // until its association was taken over
  bool is_over_ = false;
  std::array<Source, sources_max> sources_{};
  std::size_t source_count_ = 0;
  PackedAddress selected_;
  std::uint32_t selected_priority_ = 0;
  std::int64_t selected_us_ = 0;
  std::unique_ptr<io::DtlsAssociation> association_;
  PackedAddress peer_;                         // whom it is with
  std::unique_ptr<io::DtlsAssociation> next_;  // what comes after it, once it is agreed on
  PackedAddress next_peer_;
  std::int64_t begun_us_ = 0;
  std::array<std::uint8_t, 2> begun_{};  // how many: with strangers, with who is described
  std::int64_t repeat_at_us_ = 0, repeat_after_us_ = 0;
  std::shared_ptr<SrtpSide> keys_;
};

}  // namespace tandem::media
