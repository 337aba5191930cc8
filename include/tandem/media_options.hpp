// What a gateway or phone says of media: where it goes, which codecs are negotiated, and what the
// session descriptions that it gets and gives become.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/dtls.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/ip_set.hpp"
#include "tandem/srtp.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Where media goes (M-01). `auto_mode` decides by the rules of M-01; `must_on` beats an `off` of
/// the other side.
enum class MediaMode : std::uint8_t { auto_mode, on, off, must_on };
TANDEM_EXPORT const char* media_mode_name(MediaMode mode) noexcept;

/// A codec of a list (M-07).
struct CodecName {
  std::string name;                 ///< As it is registered: "PCMA", "G729", "opus".
  std::uint32_t clock_rate_hz = 0;  ///< RTP clock that is meant; 0: any.
  bool is_video = false;

  /// "G729" or "speex/16000"; case does not matter, and other spellings of a codec are the codec.
  /// Errors: invalid_argument (not known, or carried beside the codecs such as telephone-event).
  static TANDEM_EXPORT Result<CodecName> parse(std::string_view text);
  [[nodiscard]] TANDEM_EXPORT std::string to_string() const;
  bool operator==(const CodecName&) const = default;
};

/// Most codecs of one list.
inline constexpr std::size_t codecs_max = 32;

/// The registered spelling of an encoding name: "G729" for "g729a". What is not known stays as it
/// is.
TANDEM_EXPORT std::string_view registered_codec_name(std::string_view name) noexcept;

/// "PCMA,G729": for logs, records and answers.
TANDEM_EXPORT std::string to_string(const std::vector<CodecName>& codecs);

/// What the descriptions that a side gets say of annexb of G.729 or annexa of G.723.1 (M-08).
enum class AnnexMode : std::uint8_t {
  auto_mode,  ///< What the other side says; nothing when that says nothing.
  yes,
  no,
  omit,  ///< Nothing; a device takes that as yes (RFC 4856 sections 2.1.9 and 2.1.11).
  pass,  ///< What the other side says, spelled out: yes when that says nothing.
};
TANDEM_EXPORT const char* annex_mode_name(AnnexMode mode) noexcept;

/// What the descriptions that a side gets call G.729 (M-08). All are one codec: annex A is a
/// simpler encoder of the same bits, but devices are known that take one name alone.
enum class G729Mode : std::uint8_t {
  auto_mode,  ///< What the other side calls it.
  g729,
  g729a,
  both,  ///< An offer has either name, each with a number of its own, where media is relayed.
};
TANDEM_EXPORT const char* g729_mode_name(G729Mode mode) noexcept;

/// What a caller gets when the callee rings or describes early media (M-12).
enum class RemoteRingback : std::uint8_t {
  auto_mode,         ///< What the callee sent.
  session_progress,  ///< 183 with a description.
  ringing,           ///< 180 with a description.
};
TANDEM_EXPORT const char* remote_ringback_name(RemoteRingback mode) noexcept;

/// How keys that are pressed in a call may come from a gateway or phone, and how they may go to it
/// (M-09): as telephone events in the media (RFC 4733), or in INFO. What comes in a way that may
/// not be used, for the other side either, ends here.
enum class DtmfReceive : std::uint8_t { all, rfc4733, signalling, off };
/// `inband`: as tones in the voice, which the relay makes.
enum class DtmfSend : std::uint8_t { auto_mode, rfc4733, info, off, inband };
TANDEM_EXPORT const char* dtmf_receive_name(DtmfReceive ways) noexcept;
TANDEM_EXPORT const char* dtmf_send_name(DtmfSend ways) noexcept;

/// Who hears a reminder.
enum class Hearers : std::uint8_t { caller, callee, both };
TANDEM_EXPORT const char* hearers_name(Hearers hearers) noexcept;

/// What is said of what is left: nothing, how long the call can last, or the money of who pays.
enum class Remaining : std::uint8_t { none, minutes, amount };
TANDEM_EXPORT const char* remaining_name(Remaining remaining) noexcept;

/// An announcement before a call is refused (M-14).
struct PromptConfig {
  Reason reason = Reason::none;
  std::string source;  ///< As VendorGateway::ring_tone; tones are heard for 5 s.
};
/// Of one gateway or phone.
inline constexpr std::size_t prompts_max = 32;

/// What is heard some time before the money or the time limit of a call ends it (M-14).
struct ReminderConfig {
  std::string sound;  ///< As PromptConfig::source, tones for 2 s; "": no reminder.
  Hearers to = Hearers::caller;
  std::int32_t times = 1;     ///< 1..10: how often it is heard, with a second between.
  std::int32_t before_s = 0;  ///< 1..3600; 0: as the parameter says.
  bool of_money = true;       ///< Before money, packages or limits of the account end the call.
  bool of_time = true;        ///< Before the longest call ends it (B-12).
  /// What the caller hears in the place of the sound, in its language, where it can be spoken;
  /// callees hear how long the call can last, and never of money.
  Remaining says = Remaining::none;
};

/// Which sources may speak for a side, by address (the media part of S-01). Asked when a source is
/// about to be latched, so it costs nothing for the packets behind that.
struct MediaSources {
  std::vector<IpNetwork> allow;  ///< Not empty: from these only. At most 4,096.
  std::vector<IpNetwork> deny;   ///< From none of these, whatever `allow` says. At most 4,096.
  /// The same of sets of any size, besides. An `allow_set` of no address: from nowhere.
  std::optional<IpSet> allow_set{};
  IpSet deny_set{};
  [[nodiscard]] bool is_anybody() const noexcept {
    return allow.empty() && deny.empty() && !allow_set && deny_set.is_empty();
  }
};

/// How the descriptions of a gateway or phone are changed, and how it is told of ringing.
struct DescriptionOptions {
  AnnexMode annexb = AnnexMode::auto_mode;  ///< Of G.729.
  AnnexMode annexa = AnnexMode::auto_mode;  ///< Of G.723.1.
  G729Mode g729_mode = G729Mode::auto_mode;
  /// The other side is told a packet time that it can take: its ptime, not above its maxptime
  /// (M-10), and gets packets of its ptime where the relay can make them.
  bool ptime_adaptive = false;
  /// Relayed media goes to the address of its description, unless that is a private one, also when
  /// its packets come from elsewhere (M-03).
  bool nat_sdp_first = false;
  /// Of a caller; of a callee for callers that do not say (M-12).
  RemoteRingback remote_ringback = RemoteRingback::auto_mode;
  DtmfReceive dtmf_receive = DtmfReceive::all;
  DtmfSend dtmf_send = DtmfSend::auto_mode;
  SrtpMode srtp = SrtpMode::pass;
  /// Keys are offered to it over signalling that anybody on the way can read, too.
  bool srtp_any_transport = false;
  SrtpKeySource srtp_keys = SrtpKeySource::sdes;
  IceMode ice = IceMode::off;    ///< With keys of DTLS.
  MediaSources media_sources{};  ///< Where its relayed media may come from (S-01).
  /// Keys for it that come in another way than `dtmf_send` says are converted by the relay.
  bool dtmf_convert = false;
  /// Number of telephone events in what it is offered, 96..127, where media is relayed (M-09); 0:
  /// that of the other side, or 101 where that has none.
  std::uint8_t dtmf_payload_type = 0;
  bool dtmf_inband = false;  ///< Tones in what it sends are keys as well.
  /// M-11: fax over T.38 is passed on; else what describes it alone gets 488, and beside audio it
  /// is taken out.
  bool t38 = true;
  /// Audio is converted where it and the other side, which must say so too, have no codec in
  /// common and the relay knows one of either (M-07).
  bool transcode = false;

  /// Whether keys may come from it, or go to it, as telephone events or in INFO.
  [[nodiscard]] bool takes_events() const noexcept {
    return dtmf_receive == DtmfReceive::all || dtmf_receive == DtmfReceive::rfc4733;
  }
  [[nodiscard]] bool takes_info() const noexcept {
    return dtmf_receive == DtmfReceive::all || dtmf_receive == DtmfReceive::signalling;
  }
  [[nodiscard]] bool gets_events() const noexcept {
    return dtmf_send == DtmfSend::auto_mode || dtmf_send == DtmfSend::rfc4733;
  }
  /// Keys are put into another form for it.
  [[nodiscard]] bool gets_converted() const noexcept {
    return dtmf_send != DtmfSend::off && (dtmf_convert || dtmf_send == DtmfSend::inband);
  }
  [[nodiscard]] bool gets_info() const noexcept {
    return dtmf_send == DtmfSend::auto_mode || dtmf_send == DtmfSend::info;
  }
};

}  // namespace tandem
