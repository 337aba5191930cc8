// Calls that the host itself talks with (T-17): what a mailbox, an IVR or a card service is
// made of.
//
// A policy hook says that it serves a call (PolicyAnswer::serve). The switch takes the place of the
// callee then, and does with the caller what the host orders through Switch: play, collect keys,
// record, bridge to a number, hang up. What comes of an order is told by events of kind
// `call_service`. docs/voice.md shows whole services.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/audio_playlist.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

/// How a call is served.
struct ServeOrder {
  /// It is answered at once. False: the caller gets early media (183), for which nobody pays, until
  /// Switch::answer_call().
  bool answers = true;
  /// It is paid for from its answer to its end, like any answered call to the number that was
  /// called. False: nobody pays for it. What it is bridged to is paid for by itself either way.
  bool is_billed = true;
};

/// Answers a call that is served in early media.
struct AnswerOrder {};

/// Plays to the caller, in the place of what it hears so far.
struct PlayOrder {
  AudioPlaylist sounds;       ///< Required: a clip, or several one after the other.
  bool repeats = false;       ///< From its beginning again until something else ends it.
  bool stops_at_key = false;  ///< Any key of the caller ends it.
};

/// Ends what is played and what is collected, and a bridge that is not there yet.
struct StopOrder {};

/// Takes keys of the caller, those first that it pressed since the last collection ended.
struct CollectOrder {
  static constexpr std::size_t keys_max = 64;

  std::size_t min = 1;                 ///< 0..max; with fewer the collection is not complete.
  std::size_t max = 1;                 ///< 1..keys_max: the last of so many ends it.
  std::int64_t first_key_ms = 10'000;  ///< 100..600,000; from the end of what is played once.
  std::int64_t next_key_ms = 5'000;    ///< 100..600,000; between two.
  std::string terminators = "#";       ///< Keys that end it and are none of its digits.
  bool drops_earlier = false;          ///< Keys that were pressed before count as none.
};

/// Leads the caller to a number, as if it had dialled that instead: a call of its own is judged,
/// routed, rated, failed over and recorded, and its callee takes the place of the host.
struct BridgeOrder {
  std::string callee;                        ///< 1..32 characters of R-01. Required.
  std::string caller;                        ///< Who is shown, and pays by B-04; "": who calls.
  std::string customer;                      ///< Whose call it is, a customer gateway or the phone
                                             ///< "phone:NUMBER"; "": whose the served call is.
  std::vector<std::string> vendor_gateways;  ///< Not empty: try only these, in this order.
};

/// Ends the call.
struct HangUpOrder {
  int q850_cause = 16;  ///< 1..127. One that is not answered is refused with the status for it.
};

using ServiceOrder =
    std::variant<AnswerOrder, PlayOrder, StopOrder, CollectOrder, BridgeOrder, HangUpOrder>;

/// What an order would be refused for whatever call it is for. Errors: invalid_argument.
TANDEM_EXPORT Result<void> check(const ServiceOrder& order);

/// What became of a served call, or of an order.
struct ServiceReport {
  enum class What : std::uint8_t {
    ready,          ///< The caller can hear: orders are taken from now on.
    played,         ///< What was played is over.
    collected,      ///< `digits`; `is_complete`: not fewer than `min`.
    bridged,        ///< The callee has the caller: the call is served no longer.
    bridge_failed,  ///< With `sip_status`; the call is served as before.
  };
  enum class Why : std::uint8_t {
    none,
    finished,    ///< played: to its end.
    key,         ///< played: a key ended it.
    stopped,     ///< played, collected: by another order, a bridge, a reminder of the end (M-14).
    full,        ///< collected: `max` keys.
    terminator,  ///< collected.
    first_key,   ///< collected: no first key came in time.
    next_key,    ///< collected: no further key came in time.
  };
  What what = What::ready;
  Why why = Why::none;
  std::string digits;  ///< collected: 0..9, *, #, A..D.
  bool is_complete = false;
  int sip_status = 0;  ///< bridge_failed: 300..699, as a caller would have got it.
};
TANDEM_EXPORT const char* service_report_name(ServiceReport::What what) noexcept;
TANDEM_EXPORT const char* service_reason_name(ServiceReport::Why why) noexcept;  ///< none: "".

}  // namespace tandem
