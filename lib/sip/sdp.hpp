// Session descriptions as a back-to-back user agent needs them: read what matters, change that,
// keep the rest.
//
// Why not libre's SDP session: `sdp_session` is one end of a negotiation. It takes a description
// apart into its own model and prints that model again. A class-4 switch is in the middle: what it
// does not understand (bandwidth modifiers, rtcp-fb, T.38 attributes, the order of lines) belongs
// to the two ends and must pass byte for byte, and the n-th m= line must stay the n-th (RFC 3264
// section 6), whether known here or not.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/values.hpp"

namespace tandem::sip {

struct SdpLimits {
  static constexpr std::size_t bytes_max = 65536;
  static constexpr std::size_t lines_max = 1024;
  static constexpr std::size_t media_max = 16;
  static constexpr std::size_t formats_max = 128;  ///< Per m= line.
};

enum class SdpDirection : std::uint8_t { sendrecv, sendonly, recvonly, inactive };
std::string_view sdp_direction_name(SdpDirection direction) noexcept;
SdpDirection reversed(
    SdpDirection direction) noexcept;  ///< As the other side sees it (RFC 3264 section 6.1).

/// One media section. Views point into the description.
struct SdpMedia {
  std::string_view head;     ///< What the session says before its first m= line.
  std::string_view section;  ///< From its m= line to the next one or the end, line ends included.
  std::string_view type;     ///< "audio", "video", "image", ...
  std::uint16_t port = 0;    ///< 0: refused or not used (RFC 3264 section 6).
  std::uint16_t port_count = 1;  ///< "49170/2" (RFC 8866 section 5.14).
  std::string_view protocol;     ///< "RTP/AVP", "RTP/SAVP", "udptl", ...
  std::string_view formats;      ///< "0 8 101".
  IpAddress address;             ///< Of its c= line, else of the session's; none for a host name.
  std::string_view address_text;
  bool has_own_address = false;  ///< The section has a c= line.
  SdpDirection direction = SdpDirection::sendrecv;
  std::uint16_t rtcp_port = 0;  ///< Of a=rtcp (RFC 3605); 0: none given.
  IpAddress rtcp_address;       ///< Of a=rtcp; none: that of the stream.
  int ptime_ms = 0;             ///< 0: not given.
  int maxptime_ms = 0;
  bool has_rtcp_mux = false;
  bool has_ice = false;     ///< Candidates or ICE credentials, here or in the session.
  bool has_dtls = false;    ///< a=fingerprint, here or in the session.
  bool has_crypto = false;  ///< a=crypto (RFC 4568).

  [[nodiscard]] bool is_rtp() const noexcept;  ///< RTP/AVP and its relatives.
  [[nodiscard]] bool is_audio() const noexcept { return type == "audio"; }
  [[nodiscard]] bool is_video() const noexcept { return type == "video"; }
  /// Packets on UDP that need no handshake between the two ends: no TCP, no DTLS. What a relay
  /// that sees no keys and speaks no ICE can carry.
  [[nodiscard]] bool can_be_relayed() const noexcept;
  /// The port RTCP is expected at: a=rtcp, the same port with rtcp-mux, else port + 1.
  [[nodiscard]] std::uint16_t effective_rtcp_port() const noexcept;
  /// RFC 3264 section 8.4 and RFC 2543's address 0.0.0.0: no media wanted towards the sender of
  /// this description, or announced as hold (sendonly, inactive).
  [[nodiscard]] bool is_hold() const noexcept;
};

/// A payload format with what its a=rtpmap or RFC 3551 says.
struct SdpCodec {
  int payload_type = -1;  ///< 0..127.
  std::string_view name;  ///< "PCMU"; "" when nothing names it.
  std::uint32_t clock_rate_hz = 0;
  std::uint8_t channels = 1;
  std::string_view fmtp;    ///< Value of a=fmtp; "" when none.
  std::string_view format;  ///< As the m= line has it.
};

/// A description taken apart; the text it was read from must outlive it.
struct SdpSession {
  std::string_view text;
  std::string_view origin_username;
  std::string_view origin_session_id;
  std::string_view origin_version;  ///< Compare with the former one to see whether anything changed
                                    ///< (RFC 3264 section 8).
  std::string_view origin_address;
  IpAddress address;  ///< Of the session's c= line; none: not given or a host name.
  SdpDirection direction = SdpDirection::sendrecv;
  std::array<SdpMedia, SdpLimits::media_max> media;
  std::size_t media_count = 0;

  [[nodiscard]] const SdpMedia* first_audio()
      const noexcept;  ///< With a port; nullptr when there is none.
  [[nodiscard]] bool has_audio() const noexcept { return first_audio() != nullptr; }
  [[nodiscard]] bool is_hold() const noexcept;  ///< Every stream with a port is on hold.
};

/// Reads a description. Tolerates what devices send: LF alone, no t= line, unknown lines, trailing
/// blank lines. Strict about what is used: v=0 first, o=, m= lines with ports in range, addresses
/// that parse, a c= line for each used stream. Errors: invalid_argument (malformed), limit (beyond
/// SdpLimits).
Result<SdpSession> parse_sdp(std::string_view text);

/// The formats of a media section in order of preference. Static RTP/AVP types without rtpmap are
/// named by RFC 3551.
std::vector<SdpCodec> sdp_codecs(const SdpMedia& media);
/// "PCMU,PCMA,telephone-event": for logs and records.
std::string sdp_codec_names(const SdpMedia& media);

/// Whether `answer` can stand as the answer to `offer` (RFC 3264 section 6): the same kinds of
/// streams in the same order, and in each that both use a format in common. False: not, or one of
/// them is no description or has no streams.
bool can_answer(std::string_view answer, std::string_view offer);

/// What the a=fmtp or a=rtpmap line of a format becomes.
struct SdpFmtpEdit {
  std::string_view format;
  std::string value;  ///< "": there is none.
};

/// A format that the description does not have.
struct SdpAddedFormat {
  int payload_type = -1;
  std::string rtpmap;  ///< "PCMA/8000".
  std::string fmtp;    ///< "": none.
};

/// What one stream becomes.
struct SdpStreamEdit {
  bool is_refused = false;  ///< Port 0 (RFC 3264 section 6); address and ports are not looked at.
  IpAddress address;
  std::uint16_t port = 0;  ///< Required unless refused.
  /// Port for a=rtcp; 0 or port + 1: no such line. Any a=rtcp of the sender is dropped either way.
  std::uint16_t rtcp_port = 0;
  /// Formats to keep, spelled as in the m= line and in the order that it gets; empty: all as they
  /// are. Others lose their rtpmap, fmtp and rtcp-fb lines too.
  std::vector<std::string_view> formats;
  /// Formats of other numbers than those that are kept, behind these, or before them.
  std::vector<SdpAddedFormat> added{};
  bool is_added_first = false;
  bool keeps_no_format = false;       ///< Empty `formats` mean none.
  std::vector<SdpFmtpEdit> fmtp{};    ///< Of kept formats; others keep theirs.
  std::vector<SdpFmtpEdit> rtpmap{};  ///< The same of a=rtpmap lines: "G729/8000".
  int ptime_ms = 0;                   ///< 0: a=ptime stays as it is.
  std::string_view protocol{};        ///< "": as it is.
  /// Whether a=crypto lines of the sender go, and `crypto` are there instead, without line ends.
  bool replaces_crypto = false;
  std::vector<std::string> crypto{};
  /// Whether what the sender says of DTLS, ICE, BUNDLE, and of what browsers do besides goes
  /// (header extensions, feedback), and `handshake` is there instead, without line ends.
  bool replaces_handshake = false;
  std::vector<std::string> handshake{};

  [[nodiscard]] bool changes_codecs() const noexcept {
    return !formats.empty() || !added.empty() || !fmtp.empty() || !rtpmap.empty() || ptime_ms != 0;
  }
};

/// How a description is changed on its way through.
struct SdpEdit {
  std::uint64_t session_id = 0;
  std::uint64_t session_version = 0;   ///< Must grow by one with each change (RFC 3264 section 8).
  IpAddress origin_address;            ///< Ours; replaces o= and the session's c= address.
  std::vector<SdpStreamEdit> streams;  ///< One for each media section, in order.
  /// Direct media (M-04): o=, addresses, ports and what leads around us stay; the fields above but
  /// `streams` are not looked at, of these no address and no port.
  bool is_direct = false;
  /// Keys of SDES end at the relay, so that it hears what they encrypt.
  bool ends_encryption = false;
  /// The same of the session; with streams of which one replaces_handshake.
  std::vector<std::string> session_handshake{};
};

/// The description with our addresses. Everything else is kept byte for byte, line ends included,
/// but for a=candidate, a=end-of-candidates, a=ice-*, a=remote-candidates and a=rtcp lines, which
/// tell the way around us. The o= user name becomes "-", so that neither side learns the other's.
/// Errors: invalid_argument (streams do not fit the description, or an address or port is missing).
Result<std::string> rewrite_sdp(const SdpSession& session, const SdpEdit& edit);

/// An answer to `offer` that nobody but the switch gives: its streams with what is needed to send
/// to us, and nothing else that the offer says. A stream without `formats` in the edit keeps all.
/// Errors: unsupported (no stream of plain RTP/AVP audio is left), invalid_argument (as
/// rewrite_sdp()).
Result<std::string> write_own_answer(const SdpSession& offer, const SdpEdit& edit);

/// The description without its directions: every stream is for both ways (RFC 3264 section 6.1).
std::string without_directions(std::string_view text);

/// The same session, on hold both ways (RFC 3264 section 8.4).
std::string held(std::string_view text);
/// The same, but for the stream at `index` of its media sections, which has that direction.
std::string held(std::string_view text, std::size_t index, std::string_view direction);

/// With that id and version in its o= line, where it has one.
std::string with_version(std::string_view text, std::uint64_t session_id, std::uint64_t version);

}  // namespace tandem::sip
