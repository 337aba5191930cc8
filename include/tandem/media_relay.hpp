// The RTP relay: pairs of local ports that pass media between the two sides of a call and count it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/dtls.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/media_audio.hpp"
#include "tandem/media_backend.hpp"
#include "tandem/media_options.hpp"
#include "tandem/srtp.hpp"
#include "tandem/values.hpp"

namespace tandem {

namespace media {
class AudioBridge;
class RelayCore;
class TapRing;
class AudioBridge;
struct SessionExtras;
}  // namespace media

/// The two ends between which a session relays.
enum class MediaSide : std::uint8_t { caller, callee };

/// Where the relay lives and what it may take.
struct MediaConfig {
  IpAddress address;                 ///< IPv4 address of the media ports; none: no IPv4 media.
  IpAddress address6;                ///< IPv6 address of the media ports; none: no IPv6 media.
  std::uint16_t port_first = 10000;  ///< First port of the range, 1024..65534, rounded up to even.
  std::uint16_t port_last = 19999;   ///< Last port of the range, 1025..65535.
  unsigned shards = 1;               ///< Relay threads, 1..64. A call stays on one of them.
  int nice = -10;  ///< Of the relay threads, -20..0, where the system allows it (CAP_SYS_NICE or
                   ///< RLIMIT_NICE); 0, or what is above the creator's own: they keep that.
  unsigned ready_pairs = 256;  ///< RTP/RTCP port pairs bound ahead per shard and family, 2..32,768.
  unsigned rest_ms = 2000;     ///< A closed port hears no new call for this long, 0..60,000.
  /// Pause between turns under load, 0..5,000, and twice that up to 1 ms while little comes; 0:
  /// never.
  unsigned tick_us = 500;
  unsigned receive_buffer_bytes =
      12288;             ///< Per port, 2,304..4 Mi; the default is 16 packets of G.711.
  std::uint8_t tos = 0;  ///< TOS byte or traffic class of what is sent (M-18); 0: unmarked.
  /// Events that may wait for take_events(), for each shard; 0..1,048,576, rounded up to a power of
  /// two. 0: none are kept, and no silence, loss or lost end of a key is looked for.
  unsigned events_max = 0;
  /// The kinds that are kept, each as 1 << MediaEvent::Kind; 0: all. Others take no room.
  std::uint32_t event_kinds = 0;
  /// Open files that the program will want beside these, such as those of recordings, 0..1,000,000:
  /// second sockets leave them.
  unsigned files_reserved = 0;
  MediaBackend backend = MediaBackend::automatic;
  MediaKernelConfig kernel{};  ///< Of MediaBackend::kernel.
  /// Where audio is converted by a codec that keeps state (AudioCodecFacts), packets wait this long
  /// to be put in order (M-16): between the two bounds as long as the slowest of them need,
  /// 0..1,000 each. `jitter_max_ms` 0: nothing waits, and what is out of order is decoded as it
  /// comes.
  unsigned jitter_min_ms = 20;
  unsigned jitter_max_ms = 200;
  /// Certificate and key for DTLS, in PEM; "": the relay makes a pair of its own when it is first
  /// asked for.
  std::string dtls_certificate{};
  std::string dtls_key{};
  /// Told on a relay thread that events wait; again only after take_events(). Must not block, and
  /// must not call the relay.
  std::function<void()> on_events{};
};

/// What becomes of the packets of one side, beside being counted.
enum class MediaPolicy : std::uint8_t {
  forward,  ///< They go on to the other side.
  block,    ///< They end here, as with MediaFlags::discard.
};

/// What of a side is told as an event. All zero: nothing but sources and keys.
struct MediaWatch {
  /// Without RTP for this long the side is silent, 100..3,600,000; 0: nobody asks. Seen within
  /// 250 ms. A side that never spoke is silent since set_watch().
  std::uint32_t silence_ms = 0;
  /// More than this of a window lost is too much (O-05): thousandths, 1..999; 0: nobody asks.
  std::uint32_t loss_permille = 0;
  std::uint32_t loss_window_ms = 10'000;  ///< 1,000..600,000.
  bool operator==(const MediaWatch&) const = default;
};

/// Why a source was not listened to.
enum class MediaRefusal : std::uint8_t {
  none,
  latched,    ///< Another source speaks for the side (M-02).
  strict,     ///< It is not the signalled IP address (MediaFlags::strict_source).
  denied,     ///< MediaSources.
  unchecked,  ///< No authentic check of ICE came from it.
};
TANDEM_EXPORT const char* media_refusal_name(MediaRefusal refusal) noexcept;

/// Something that the relay saw on one side of a session.
struct MediaEvent {
  enum class Kind : std::uint8_t {
    first_packet,    ///< The first RTP that the side sent; `source` is latched from now on.
    source_changed,  ///< Its packets come from another `source` now.
    source_refused,  ///< Packets came from `source`, which may not speak. At most one a second.
    silence_began,   ///< MediaWatch::silence_ms.
    silence_ended,
    loss_began,  ///< MediaWatch::loss_permille.
    loss_ended,
    digit,            ///< A key was let go (RFC 4733).
    handshake_ended,  ///< DTLS-SRTP was agreed on, or failed; `handshake` says which.
  };
  Kind kind = Kind::first_packet;
  MediaSide side = MediaSide::caller;
  std::uint64_t tag = 0;   ///< Of the session, MediaSession::set_tag().
  std::int64_t at_us = 0;  ///< Monotonic.
  SocketAddress source{};  ///< Of the kinds about sources.
  MediaRefusal refusal = MediaRefusal::none;
  std::uint32_t refused = 0;        ///< source_refused: packets since the last such event.
  char digit = '\0';                ///< 0..9, *, #, A..D; ! is a flash.
  std::uint32_t duration_ms = 0;    ///< digit.
  bool is_end_lost = false;         ///< digit: no packet said that it was let go.
  std::uint32_t silence_ms = 0;     ///< The two of silence: how long so far, or in all.
  std::uint32_t loss_permille = 0;  ///< The two of loss: of the last window.
  MediaHandshakeState handshake = MediaHandshakeState::none;  ///< handshake_ended.
};
TANDEM_EXPORT const char* media_event_name(MediaEvent::Kind kind) noexcept;

/// A packet as it came, header and all.
struct TappedPacket {
  MediaSide side = MediaSide::caller;
  std::int64_t at_us = 0;  ///< Monotonic.
  std::string bytes;
};

/// Copies of the RTP that both sides of a session sent and the latch accepted.
///
/// Threading: one thread at a time, any. May outlive its session, then it is over.
class TANDEM_EXPORT MediaTap {
 public:
  MediaTap() noexcept;                                               ///< Of no session: over.
  explicit MediaTap(std::shared_ptr<media::TapRing> ring) noexcept;  ///< For lib/media.
  ~MediaTap();
  MediaTap(MediaTap&& other) noexcept;
  MediaTap& operator=(MediaTap&& other) noexcept;

  /// Up to `packets_max` packets in the order of their arrival; never waits.
  std::vector<TappedPacket> take(std::size_t packets_max = 1024);
  /// The next packet into `out`, whose memory is used again. False: none waits.
  bool take(TappedPacket& out);
  /// Packets that found no room, or were longer than 2,048 bytes.
  [[nodiscard]] std::uint64_t dropped() const noexcept;
  void end() noexcept;  ///< Nothing more is copied. Any thread.
  /// The session was closed or untapped, or end() was called; what waits can still be taken.
  [[nodiscard]] bool is_over() const noexcept;

 private:
  std::shared_ptr<media::TapRing> ring_;  // shared with the shard
};

/// How the relay treats what one side sends. All false: symmetric RTP as in M-02.
struct MediaFlags {
  bool strict_source = false;  ///< Take packets from the signalled IP address only.
  bool prefer_signalled =
      false;  ///< Send to the signalled address unless it is a private one (M-03).
  bool transparent =
      false;  ///< Not RTP (T.38 UDPTL): pass every datagram, keep no sequence statistics.
  bool discard =
      false;  ///< Count what the side sends but pass none of it on (hold, early media off).
  bool operator==(const MediaFlags&) const = default;
};

/// What the whole relay has counted since it began. Counters never decrease but for the gauges
/// named so.
struct MediaRelayStats {
  std::uint64_t sessions = 0;               ///< Gauge: open now.
  std::uint64_t sessions_refused = 0;       ///< open() failed for want of ports or files.
  std::uint64_t port_pairs_bound = 0;       ///< Gauge: in use, resting or ready.
  std::uint64_t ports_busy = 0;             ///< Tries on a port that another program held.
  std::uint64_t packets_forwarded = 0;      ///< RTP and RTCP.
  std::uint64_t packets_refused = 0;        ///< From a source that the latch did not accept.
  std::uint64_t packets_malformed = 0;      ///< Neither RTP nor RTCP where one of them was due.
  std::uint64_t packets_stray = 0;          ///< At a port without a session.
  std::uint64_t packets_undeliverable = 0;  ///< No address of the other side was known yet.
  std::uint64_t packets_discarded = 0;      ///< MediaFlags::discard.
  std::uint64_t send_failures = 0;          ///< The system refused to send.
  std::uint64_t marks_refused = 0;          ///< Ports on which the system refused MediaConfig::tos.
  std::uint64_t packets_overflowed = 0;     ///< Found no room in the receive buffer of their port.
  std::uint64_t priorities_refused = 0;     ///< Threads that the system refused MediaConfig::nice.
  std::uint64_t ports_connected = 0;  ///< Gauge: with a second socket, for a stream that lasts.
  std::uint64_t events_lost = 0;      ///< Found no room among MediaConfig::events_max.
  std::uint64_t taps_dropped = 0;     ///< Packets that no tap of a session had room for.
  std::uint64_t digits = 0;           ///< Keys pressed (RFC 4733).
  /// SRTP and SRTCP whose tag did not fit the key of its side; refused.
  std::uint64_t packets_not_authentic = 0;
  /// Not encrypted and so not sent, since their place in the stream had been used: repeated ones,
  /// and late ones of more than 64 packets.
  std::uint64_t packets_not_sealed = 0;
  /// Gauge: directions of calls that the kernel passes on itself (MediaBackend::kernel).
  std::uint64_t streams_in_kernel = 0;
  std::uint64_t packets_in_kernel = 0;   ///< Of packets_forwarded: those that it passed on.
  std::uint64_t packets_policed = 0;     ///< Above MediaKernelConfig::packets_per_s_max; dropped.
  std::uint64_t sessions_adopted = 0;    ///< That were found running when the relay began.
  std::uint64_t sessions_unclaimed = 0;  ///< Gauge: of them, those that nobody took back over.
  std::uint64_t handshakes_agreed = 0;   ///< MediaHandshakeState::agreed.
  std::uint64_t handshakes_failed = 0;   ///< The two kinds of failure.
};

/// Ports of one call: an RTP and an RTCP port towards each side. Destroying it ends the relaying at
/// once and gives the ports back.
///
/// Until the first valid RTP packet of a side came, media towards it goes to its signalled address;
/// from then on to where its packets come from (symmetric RTP, M-02). Another source takes over
/// only when it continues the stream's SSRC and sequence, when the latched one has been silent for
/// 2 s, when it is exactly the signalled address, or within a window that relatch() or a changed
/// set_remote() opened.
///
/// Threading: one thread at a time; never blocks and makes no system call. May outlive its relay,
/// then it relays nothing.
class TANDEM_EXPORT MediaSession {
 public:
  MediaSession() noexcept;  ///< Holds no ports; only is_open(), close() and assignment are allowed.
  MediaSession(MediaSession&& other) noexcept;
  MediaSession& operator=(MediaSession&& other) noexcept;
  ~MediaSession();

  [[nodiscard]] bool is_open() const noexcept { return core_ != nullptr; }
  void close() noexcept;

  /// The address to put into the SDP that `side` gets.
  [[nodiscard]] SocketAddress local_rtp(MediaSide side) const noexcept;
  [[nodiscard]] SocketAddress local_rtcp(
      MediaSide side) const noexcept;  ///< The port after the RTP port.

  /// Where the SDP of `side` wants its media. `rtcp` with port 0 means the port after `rtp` (RFC
  /// 3550 section 11), `rtcp` equal to `rtp` means RTP and RTCP on one port (RFC 5761). A change of
  /// an earlier `rtp` opens a window as relatch() does. An address with port 0 forgets it. Errors:
  /// invalid_argument (another address family than the side's).
  Result<void> set_remote(MediaSide side, const SocketAddress& rtp, const SocketAddress& rtcp = {});

  void set_flags(MediaSide side, const MediaFlags& flags) noexcept;

  /// What becomes of the packets of `side` from the next one on; none is lost or sent twice by a
  /// change.
  void set_policy(MediaSide side, MediaPolicy policy) noexcept;

  /// What MediaEvent::tag says of this session. Default 0.
  void set_tag(std::uint64_t tag) noexcept;

  /// Payload types that `side` may send, and those among them that are keys (RFC 4733), 0..127
  /// each. Packets of others pass and are counted, and are named as the cause where nothing else
  /// came. Empty `negotiated`: every type is fine. Errors: invalid_argument.
  Result<void> set_payloads(MediaSide side, const std::vector<std::uint8_t>& negotiated,
                            const std::vector<std::uint8_t>& telephone_events);

  /// Clock by which the keys of one of these types count how long they last, 1..1,000,000 Hz, where
  /// it is not that of the side's audio: many devices that speak Opus have "telephone-event/8000".
  /// set_payloads() forgets it. Errors: invalid_argument, limit (4 of one side).
  Result<void> set_event_clock_rate_hz(MediaSide side, std::uint8_t payload_type,
                                       std::uint32_t rate_hz);

  /// Errors: invalid_argument (a field out of range), wrong_state (MediaConfig::events_max is 0).
  Result<void> set_watch(MediaSide side, const MediaWatch& watch);

  /// Who may be latched for `side` from now on; what is latched stays. Both empty: everybody.
  /// Errors: limit (too many networks).
  Result<void> set_sources(MediaSide side, MediaSources sources);

  /// Encrypts what goes to `side` and takes the encryption from what it sends (SRTP and SRTCP,
  /// RFC 3711), from the next packet on; both suites `none`: plain RTP. The other side has its own
  /// keys or none. Latching, statistics, keys and taps see what was inside; what is not authentic
  /// or was there before is refused and latches nothing. A key that was set before keeps its
  /// counters; a new one to receive by takes over with the first packet that fits it. Errors:
  /// invalid_argument (a key of the wrong length, one suite alone), internal (the cipher was
  /// refused).
  Result<void> set_crypto(MediaSide side, const MediaCrypto& crypto);

  /// Agrees on keys with `side` by DTLS, and on where its media comes from by ICE, from the next
  /// packet on; the default: neither. Until that is done nothing passes that would be encrypted.
  /// Other fingerprints or another role begin a handshake anew, other words of ICE alone do not.
  /// Takes the place of keys of set_crypto(). Errors: invalid_argument, limit (1,024 handshakes
  /// under way on one shard), internal.
  Result<void> set_handshake(MediaSide side, const MediaHandshake& handshake);
  [[nodiscard]] MediaHandshakeState handshake(MediaSide side) const noexcept;

  /// Begins to copy what both sides send, into `buffer_bytes` (4,096..16 Mi); what finds no room is
  /// dropped and counted, the relay does not wait. Errors: already_exists (one tap a session at a
  /// time), invalid_argument.
  Result<MediaTap> tap(std::size_t buffer_bytes = 65'536);
  void untap() noexcept;  ///< The tap is over; so it is when the session is closed.

  /// What becomes of the audio of the session, from the next packet on: its two sides speak
  /// different codecs or get other lengths of packets, or keys go on in another form. Needs plain
  /// RTP. Errors: invalid_argument.
  Result<void> set_audio(const MediaAudio& caller, const MediaAudio& callee);
  void clear_audio() noexcept;                    ///< Packets go on as they are.
  [[nodiscard]] bool has_audio() const noexcept;  ///< set_audio() holds.
  /// Plays to a side, in the place of what was played to it. Errors: wrong_state (without
  /// set_audio(), or a relay that was closed), unsupported (no codec was said of the side, or it
  /// made no encoder), limit (4,096 sessions of one shard).
  Result<void> play(MediaSide to, const AudioPlaylist& list, const MediaPlay& how = {});
  void stop_playing(MediaSide to) noexcept;
  [[nodiscard]] bool is_playing(MediaSide to) const noexcept;
  /// Sends a key, 0..9, *, #, A..D, as set_audio() says of the side; 40 ms..8 s. Errors:
  /// wrong_state (no way, or 16 wait already), limit (as play()).
  Result<void> press_key(MediaSide to, char key, std::uint32_t duration_ms = 100);

  /// RTP clock of what `side` sends, for the jitter; 1..1,000,000 Hz, others are ignored. Default
  /// 8,000.
  void set_clock_rate_hz(MediaSide side, std::uint32_t rate_hz) noexcept;

  /// Lets the next new source of `side` take over the latch within `window_ms` (1..60,000), and
  /// sends to the signalled address until it does or the window ends. For a re-INVITE that moves
  /// the media. 0 ends an open window: the media did not move after all.
  void relatch(MediaSide side, std::uint32_t window_ms = 5000) noexcept;

  /// What came from `side` and went to it. A consistent picture of each number, not of all at one
  /// instant.
  [[nodiscard]] MediaSideStats stats(MediaSide side) const;

  /// Monotonic time of the last RTP packet that `side` sent and the latch accepted; 0: none yet.
  /// RTCP does not count (M-05). Costs a few nanoseconds.
  [[nodiscard]] std::int64_t last_rtp_us(MediaSide side) const noexcept;

  /// Where the RTP of `side` comes from; nothing before the latch.
  [[nodiscard]] std::optional<SocketAddress> remote(MediaSide side) const noexcept;

  /// Packets that `side` says it missed of what was sent to it (RFC 3550 section 6.4.1); nothing:
  /// no report came.
  [[nodiscard]] std::optional<std::uint64_t> reported_lost(MediaSide side) const noexcept;

  /// What `side` says of the jitter of what was sent to it; nothing: no report came.
  [[nodiscard]] std::optional<std::uint32_t> reported_jitter_us(MediaSide side) const noexcept;

 private:
  friend class media::RelayCore;
  media::SessionExtras& extras();
  media::AudioBridge& bridge();
  std::shared_ptr<media::RelayCore>
      core_;  // shared, so that a host may destroy relay and sessions in any order
  std::uint32_t slot_[2] = {0, 0};  // of the RTP port of each side
  std::uint32_t epoch_[2] = {0, 0};
  std::uint32_t shard_ = 0;
  // Null: neither tapped, fenced, encrypted nor converted.
  std::unique_ptr<media::SessionExtras> extras_;
};

/// A pool of media ports and the threads that relay between them.
///
/// Threading: thread-safe. open() takes a mutex that guards the lists of free ports; nobody holds
/// it across a system call. While ports are ready open() makes no system call; when none is, it
/// binds one pair itself.
class TANDEM_EXPORT MediaRelay {
 public:
  /// Binds `ready_pairs` and starts the threads.
  /// Errors: invalid_argument (a field out of range), io (an address is not one of this machine, a
  /// thread or epoll was refused), limit (no port pair could be bound), unsupported (the named
  /// backend cannot be used here).
  static Result<MediaRelay> create(const MediaConfig& config);

  explicit MediaRelay(std::shared_ptr<media::RelayCore> core) noexcept;  ///< For lib/media.
  MediaRelay(MediaRelay&& other) noexcept;
  MediaRelay& operator=(MediaRelay&& other) noexcept;
  ~MediaRelay();  ///< Ends the relaying of all sessions, joins the threads, frees the ports.

  /// A session with ports of the given family towards each side; they may differ.
  /// Errors: unsupported (no address of that family), limit (all ports in use, or the limit of open
  /// files).
  Result<MediaSession> open(IpAddress::Family caller = IpAddress::Family::ipv4,
                            IpAddress::Family callee = IpAddress::Family::ipv4);

  [[nodiscard]] MediaRelayStats stats() const noexcept;

  /// Takes a session over that the kernel went on relaying after the process that opened it died,
  /// by its RTP ports (MediaSession::local_rtp()). It has its latched sources and its counters;
  /// all that its owner set has to be set again. Until then, or until a side is silent for
  /// `adopted_silence_ms`, nothing passes but what was in the kernel. Errors: not_found.
  Result<MediaSession> adopt(const SocketAddress& caller_rtp, const SocketAddress& callee_rtp);

  /// Each backend, best first: which one runs, and why others could not be used.
  [[nodiscard]] std::vector<MediaBackendState> backends() const;
  /// The same of `config` without making a relay.
  [[nodiscard]] static std::vector<MediaBackendState> probe(const MediaConfig& config);

  /// Of the certificate that is shown in handshakes, for descriptions; sha-256. Errors: internal.
  Result<DtlsFingerprint> dtls_fingerprint();

  /// Takes up to `events_max` of what was seen, of each session in its order; waits up to `wait_us`
  /// for the first one (0..60,000,000; 0: not; a relay on the loop of its caller never waits). One
  /// thread at a time is served, others wait for it. Empty: nothing came. MediaConfig::events_max
  /// bounds what waits; the rest is counted in MediaRelayStats::events_lost.
  std::vector<MediaEvent> take_events(std::size_t events_max = 1024, std::int64_t wait_us = 0);

 private:
  std::shared_ptr<media::RelayCore> core_;
};

}  // namespace tandem
