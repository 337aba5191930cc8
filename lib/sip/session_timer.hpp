// Session timers (RFC 4028): what two sides say of them, and what they have agreed on then.
#pragma once

#include <cstdint>

#include "base/leg.hpp"
#include "sip/message.hpp"
#include "sip/writer.hpp"

namespace tandem::sip {

/// Least session interval (RFC 4028 section 5).
inline constexpr std::uint32_t session_interval_min_s = 90;

/// What a message says of session timers.
struct TimerOffer {
  enum class Refresher : std::uint8_t { none, uac, uas };
  std::uint32_t interval_s = 0;  ///< Session-Expires; 0: none.
  std::uint32_t least_s = 0;     ///< Min-SE; 0: none.
  Refresher refresher = Refresher::none;
  bool is_supported = false;  ///< Supported lists `timer`.
  bool is_required = false;   ///< Require does.
  bool has_update = false;    ///< Allow lists UPDATE.
};
TimerOffer read_timer_offer(const Message& message) noexcept;
/// Refused with 422, by whose Min-SE the other side can go (RFC 4028 section 9).
bool is_too_short(const TimerOffer& offer) noexcept;

/// What holds for a session.
struct TimerAgreement {
  std::uint32_t interval_s = 0;  ///< 0: nobody watches.
  bool is_refresher = false;     ///< We refresh; else the other side does.
  bool is_mutual = false;        ///< The other side speaks the extension.
};
/// As the server of a request (RFC 4028 section 9). Call it when `watch` is not off and the
/// interval of the request is none or at least session_interval_min_s.
TimerAgreement agree_as_server(const SessionWatch& watch, const TimerOffer& request) noexcept;
/// As the client that got a 2xx to a request for `asked_s` (RFC 4028 section 7.2): a longer
/// interval than that is none that may be answered. Where the other side does not speak the
/// extension, we refresh alone.
TimerAgreement agree_as_client(std::uint32_t asked_s, const TimerOffer& response) noexcept;

/// Supported, Session-Expires and Min-SE of a request. `agreement`: inside a session that has one;
/// else a first request, in which the other side may choose who refreshes.
void write_timer_request(MessageWriter& writer, const SessionWatch& watch,
                         const TimerAgreement* agreement, std::uint32_t least_s) noexcept;
/// The same for a 2xx.
void write_timer_response(MessageWriter& writer, const TimerAgreement& agreement) noexcept;

/// From the last refresh to our next one.
std::int64_t refresh_after_us(const SessionWatch& watch, const TimerAgreement& agreement) noexcept;
/// From the last refresh to the end of a session that was not refreshed: a third of the interval,
/// at most 32 s, before it expires when the other side refreshes (RFC 4028 section 10); `watch` may
/// want up to a third of it.
std::int64_t give_up_after_us(const SessionWatch& watch, const TimerAgreement& agreement) noexcept;

}  // namespace tandem::sip
