// The media of one call: which way it goes, and the session descriptions that say so to both sides.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "call/audio_plan.hpp"
#include "call/media_keys.hpp"
#include "sip/sdp_policy.hpp"
#include "tandem/cdr.hpp"
#include "tandem/clock.hpp"
#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/media_recorder.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::call {

/// What decides whether media is relayed (M-01).
struct MediaChoice {
  MediaMode customer = MediaMode::auto_mode;
  MediaMode vendor = MediaMode::auto_mode;
  MediaMode parameter = MediaMode::on;
  bool needs_keys = false;  ///< Encryption of one side is the switch's (SrtpMode).
  /// Another thing that only the relay can do, by its name in the configuration; "": none.
  std::string_view need = {};
  bool caller_is_behind_nat =
      false;  ///< Signalling came from another address than its SDP names, or that is private.
  /// Where the signalling of both comes from and goes to; none: not known.
  IpAddress caller{}, callee{};
  bool relays_behind_nat = true, relays_same_nat = false, relays_between_networks = true;
};
/// Whether media is relayed, and the step of M-01 that says so.
struct MediaVerdict {
  bool is_relayed = false;
  /// "must_on", "off", "on", "media_mode", "srtp", what relay_need() names, "media_behind_nat",
  /// "media_same_nat", "media_between_networks" or "otherwise".
  std::string_view rule;
};
[[nodiscard]] MediaVerdict decide_media(const MediaChoice& choice) noexcept;
[[nodiscard]] inline bool is_relayed(const MediaChoice& choice) noexcept {
  return decide_media(choice).is_relayed;
}

/// What the settings of a call want of the relay beside encryption (M-01, step 6): "transcode",
/// "dtmf_convert", "dtmf_inband", "dtmf_payload_type", "g729_mode", "record", "ring_tone",
/// "reminder"; "": nothing.
[[nodiscard]] std::string_view relay_need(const CustomerGateway& customer,
                                          const VendorGateway& vendor) noexcept;

/// What the lists of both sides leave of audio codecs, in the order that the callee is offered them
/// where it has a list. Nothing: any.
[[nodiscard]] std::optional<std::vector<CodecName>> common_codecs(
    const std::vector<CodecName>& customer, const std::vector<CodecName>& vendor);
/// Both have a list of audio codecs, and no description could have one of both.
[[nodiscard]] bool have_no_common_codec(const std::vector<CodecName>& customer,
                                        const std::vector<CodecName>& vendor) noexcept;

/// Both sides allow a conversion, and each may have a codec that the relay knows (M-07).
[[nodiscard]] bool can_transcode(const GatewayConfig& customer, const GatewayConfig& vendor);

/// Whether the SDP of a caller points elsewhere than its signalling comes from (M-01, step 7).
[[nodiscard]] bool is_behind_nat(std::string_view sdp, const IpAddress& signalling) noexcept;

/// Whether a body describes a session: `application/sdp`, parameters aside.
[[nodiscard]] bool is_sdp(std::string_view content_type) noexcept;

using SdpRole = sip::SdpRole;

/// What is configured of one side of a call. The default changes nothing.
struct MediaSettings {
  sip::SdpPolicy description;
  bool nat_sdp_first = false;  ///< M-03.
  SrtpSetting srtp{};
  const MediaSources* sources = nullptr;  ///< Null: anybody.
  DtmfSend dtmf_send = DtmfSend::auto_mode;
  bool gets_converted_keys = false;
  bool hears_tones = false;
};
/// By MediaSide, the caller's first.
using MediaSettingsPair = std::array<MediaSettings, 2>;

/// Threading: loop-bound, like its call.
class MediaPath {
 public:
  /// `relay` may be null: then nothing can be relayed. `random` gives the session ids of RFC 8866
  /// section 5.2.
  MediaPath(MediaRelay* relay, Random& random) noexcept;

  void set_tag(std::uint64_t tag) noexcept { tag_ = tag; }  ///< Of what the relay tells of it.
  /// What is watched of the streams that are open now; those of later are not.
  void watch(const MediaWatch& watch);
  /// Records the first audio stream from now on, also when another takes its place or when it was
  /// encrypted in between. `recorder` outlives the object. Errors: those of
  /// MediaRecorder::record(), not_found (there is none), unsupported (it is encrypted end to end),
  /// limit (recordings_max of one call).
  Result<void> record(MediaRecorder& recorder, std::string_view name);
  void stop_recording() noexcept;  ///< What was recorded stays.
  /// The file of the recording that goes on, once there is audio in it; "": none.
  [[nodiscard]] std::string recording() const {
    return is_recorded() ? recordings_->newest.file() : std::string();
  }
  /// All files of the call, in their order, with commas between.
  [[nodiscard]] std::string recordings() const;
  [[nodiscard]] bool is_recorded() const noexcept {
    return recordings_ != nullptr && recordings_->is_going_on && !recordings_->newest.is_over();
  }
  static constexpr std::size_t recordings_max = 16;  ///< Of one call.
  /// Whether the media of `side` comes from the address that its description names.
  [[nodiscard]] bool is_from_described(MediaSide side) const noexcept;
  /// Where the media of `side` comes from; nothing before it came.
  [[nodiscard]] std::optional<SocketAddress> remote(MediaSide side) const noexcept;

  /// For a call to another callee: from now on descriptions are rewritten to lead through the
  /// relay, or keep their addresses. `families`: address family towards each side, by MediaSide.
  void set_relayed(bool relayed, std::array<IpAddress::Family, 2> families) noexcept;
  [[nodiscard]] bool relayed() const noexcept { return relayed_; }

  /// What the other side gets to see of a description that `from` sent. A body that is no SDP
  /// passes as it is. Errors: invalid_argument (malformed), limit (no ports), unsupported (no
  /// address of the family, no codec left, nothing that a relay can carry).
  Result<std::string> pass(MediaSide from, SdpRole role, const SessionBody& body,
                           const MediaSettingsPair& settings = {});

  /// An answer to the caller's offer that no callee gave, for early media that is silent: the
  /// relay's address, and all codecs that the settings leave. The answer of the callee comes after
  /// it. Errors: those of pass(), unsupported (media is not relayed, or not the switch's to
  /// answer).
  Result<std::string> answer_early(const SessionBody& offer, const MediaSettingsPair& settings);

  /// Plays to the caller before the answer, and gives the description that it must have been shown
  /// for that: what it was shown last, or an answer of our own to its offer. Errors: those of
  /// answer_early(), unsupported (it offers no codec that the relay knows).
  Result<std::string> play_early(const SessionBody& offer, const MediaSettingsPair& settings,
                                 const AudioPlaylist& playlist, const MediaPlay& how);
  /// An answer of our own to an offer of the caller's, before or behind the answer, where nobody
  /// but the switch is there: it can be played to, and heard by its keys. Errors: the same.
  Result<std::string> answer_alone(const SessionBody& offer, const MediaSettingsPair& settings);
  /// The caller sends what `own` of ours says, and nobody else does.
  Result<void> hear_alone(std::string_view own);
  void stop_playing() noexcept;  ///< To the caller.
  /// Plays to a side of an answered call, over what the other side says. Errors: unsupported (there
  /// is no audio that the relay can play in), those of MediaSession::play().
  Result<void> play_over(MediaSide to, const AudioPlaylist& playlist, bool repeats = false);
  void stop_playing_over(MediaSide to) noexcept;
  [[nodiscard]] bool is_playing() const noexcept;

  /// Whether keys of the other side go to `to` in INFO, because its media has no way for them.
  [[nodiscard]] bool tells_keys(MediaSide to) const noexcept {
    return audio_plan_ != nullptr && audio_plan_->is_told[to == MediaSide::caller ? 0 : 1];
  }
  /// Sends a key in the media of `to`. False: it takes none there that the relay could make.
  bool press_key(MediaSide to, char key, std::uint32_t duration_ms);

  /// What `to` was shown of the other side last; "": nothing.
  [[nodiscard]] std::string_view shown(MediaSide to) const noexcept {
    return last_sent_[to == MediaSide::caller ? 0 : 1];
  }

  /// Keeps what `from` has described, for revert(); for an offer that may be refused.
  void remember(MediaSide from);
  /// The offer was refused, the session is as it was before remember() (RFC 3261 section 14.1).
  void revert() noexcept;
  /// The offer was accepted.
  void forget() noexcept;

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
  /// Of the last answer, and what the sides described last before anything was changed.
  [[nodiscard]] MediaCodecs codecs() const {
    return {negotiated_, described_[0].codecs, described_[1].codecs};
  }
  /// Frees the ports; statistics are gone.
  void close() noexcept {
    end_recording();
    streams_.clear();
    keys_.clear();
  }

  /// The same for a change that is undone later, among others: takes what remember() kept.
  struct Remembered;
  [[nodiscard]] std::unique_ptr<Remembered> take_remembered() noexcept;
  void revert(std::unique_ptr<Remembered> remembered) noexcept;

  /// What `to` gets of a description of ours, which no other party has sent now: with the next
  /// version.
  [[nodiscard]] std::string say(MediaSide to, std::string_view description);

 private:
  struct EventClock {
    std::uint8_t payload_type = 0;
    std::uint32_t rate_hz = 0;
  };
  /// Where a side wants the media of one m= line.
  struct Target {
    SocketAddress rtp, rtcp;  // Port 0: nowhere.
    bool is_rtp = true;
    bool wants_mux = false;  // RTCP on the port of RTP, if the other side does so too (RFC 5761)
    bool prefers_signalled = false;
    bool is_audio = false;
    bool is_plain = true;                      // not encrypted end to end
    std::uint8_t ptime_ms = 0;                 // 0: not said, or more than is ever meant
    std::uint32_t clock_rate_hz = 0;           // of its first codec; 0: not known
    std::bitset<128> payloads, keys;           // types that it takes; those of telephone-event
    std::array<EventClock, 4> event_clocks{};  // of the first of these; others count as the audio
  };
  struct Description {
    bool is_hold = false;
    std::string codecs;
    std::vector<Target> targets;  // By m= line.
  };
  /// Of a call that is or was recorded.
  struct Recordings {
    MediaRecorder* recorder = nullptr;  // while it shall be recorded
    std::string name;
    MediaRecording newest;
    bool is_going_on = false;          // the newest was not stopped
    std::vector<std::string> earlier;  // files of those before it
  };
  Result<void> open_stream(std::size_t index);
  Result<void> direct(MediaSide from, std::size_t index, const Target& target);
  Result<void> lead(MediaSide from, SdpRole role, const sip::SdpSession& session,
                    const MediaSettingsPair& settings, sip::SdpEdit& edit);
  Result<void> pass_keys(MediaSide from, SdpRole role, const sip::SdpSession& session,
                         const MediaSettingsPair& settings, sip::SdpEdit& edit);
  Result<void> settle_keys(std::size_t index, bool takes_keys);
  /// Completes what a description for `to` says of its handshake.
  Result<void> say_handshake(MediaSide to, std::size_t index, sip::SdpEdit& edit);
  [[nodiscard]] bool ends_encryption(const MediaSettingsPair& settings) const noexcept;
  [[nodiscard]] bool awaits_keys(MediaSide side, std::size_t index, const sip::SdpMedia& media,
                                 const MediaSettings& own) const noexcept;
  [[nodiscard]] bool has_own_keys(std::size_t index, const sip::SdpMedia& media,
                                  const MediaSettingsPair& settings) const noexcept;
  Result<void> answer_keys(std::size_t index, const MediaSettingsPair& settings,
                           sip::SdpEdit& edit);
  void fence(MediaSide side, const MediaSources& sources);
  [[nodiscard]] MediaSources fence_of(MediaSide side) const;
  void forget_side(MediaSide side) noexcept;
  void settle_mux(std::size_t index) noexcept;
  void settle_clock(MediaSide from, std::size_t index) noexcept;
  void settle_audio(MediaSide from, const sip::SdpSession& said, std::string_view shown,
                    const MediaSettingsPair& settings);
  [[nodiscard]] IpAddress origin(MediaSide to) const noexcept;
  template <class Write>
  Result<std::string> show(MediaSide to, sip::SdpEdit& edit, Write write);
  Result<MediaSession*> describe_own(const SessionBody& offer, const MediaSettingsPair& settings,
                                     bool is_new, std::string& description);
  Result<std::string> show_own_answer(const sip::SdpSession& offer, sip::SdpEdit& edit);

  [[nodiscard]] const MediaSession* audio() const noexcept;
  [[nodiscard]] bool is_audio_plain() const noexcept;
  Result<void> begin_recording();
  void end_recording() noexcept;
  void keep_recording();
  void decode_recording();

  MediaRelay* relay_;
  std::uint64_t tag_ = 0;
  std::unique_ptr<Recordings> recordings_;  // null: it was never to be recorded
  bool relayed_ = false;
  std::array<IpAddress::Family, 2> families_{IpAddress::Family::ipv4, IpAddress::Family::ipv4};
  std::vector<MediaSession> streams_;  // by m= line
  std::vector<StreamKeys> keys_;       // of what is encrypted as far as the relay, by m= line
  std::unique_ptr<std::array<MediaSources, 2>> fences_;  // by MediaSide; null: never one
  std::array<Description, 2> described_;
  std::unique_ptr<Remembered> remembered_;
  std::unique_ptr<AudioPlan> audio_plan_;  // null: packets pass as they are
  std::string negotiated_;
  std::array<std::string, 2> last_sent_{};      // what each side got last
  std::array<std::uint64_t, 2> version_{1, 1};  // of what each side gets (RFC 3264 section 8)
  Random& random_;
  std::uint64_t session_id_;
};

struct MediaPath::Remembered {
  MediaSide side;
  Description description;
  std::size_t streams;
  std::vector<StreamKeys> keys;
  MediaSources sources;
  std::string shown;  // to the other side
};

}  // namespace tandem::call
