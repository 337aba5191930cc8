// Calls to phones that go on to other numbers (T-02, T-03, T-09, P-13, B-15).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar.hpp"
#include "base/leg.hpp"
#include "tandem/call.hpp"
#include "tandem/clock.hpp"
#include "tandem/phone_forward.hpp"
#include "tandem/values.hpp"

namespace tandem::call {

/// How a call came to be that a phone has sent on, or that a phone or gateway transfers to. It is a
/// call of that one's own: its account pays, its settings hold.
struct Forwarding {
  std::uint32_t customer = 0;       ///< Index in Tables::customers: whose it is.
  bool is_transfer = false;         ///< Ordered in a call (T-04), not by the phone's forwarding.
  std::string transferor;           ///< Number that ordered it, and pays, whoever is shown (B-04).
  std::vector<std::string> phones;  ///< Numbers that have sent it on, the first one first.
  std::size_t diversions = 0;       ///< Hops so far, also those before it came here.
  bool shows_original = true;       ///< The caller stays who called the phone (T-09).
  /// What a policy hook would be asked is decided; null: it is asked.
  std::shared_ptr<const PolicyAnswer> decision;
  /// Parts that may still be made of the call that arrived, by all that send it on.
  std::shared_ptr<int> parts_left;
};

/// Targets of a phone that are being called.
struct ForwardHunt {
  ForwardReason reason = ForwardReason::unconditional;
  std::vector<ForwardTarget> targets;
  std::size_t next = 0;
  bool is_together = false;  ///< All at once; a `ring_s` of -1 then means no limit.
  [[nodiscard]] bool is_last() const noexcept { return next == targets.size(); }
};
/// In the order of the phone's method.
ForwardHunt begin_hunt(const PhoneForward& forward, ForwardReason reason,
                       const std::vector<ForwardTarget>& targets, Random& random);

/// Parts of one arriving call, whoever sends it on.
inline constexpr int forward_parts_max = 16;
/// Parts of one phone that are not answered yet; more are a circle over somebody else's network.
inline constexpr std::int32_t forward_pending_max = 16;

/// What a call to a phone does instead of calling it.
struct ForwardChoice {
  ForwardReason reason = ForwardReason::unconditional;
  const std::vector<ForwardTarget>* targets = nullptr;  ///< Of the phone; null: nothing.
};
/// By hours or unconditionally, or since it is offline. `calendar`: of its periods.
ForwardChoice forward_at_once(const PhoneForward& forward, const Calendar& calendar,
                              std::int64_t wall_us, bool is_online) noexcept;
/// After a try to call it. `reason`, `status`: of the failure.
ForwardChoice forward_after(const PhoneForward& forward, Reason reason, int status) noexcept;

/// Header lines that say who sent the call on, and why, with those of before (RFC 5806,
/// RFC 7044). `host`: ours.
HeaderCopies forwarding_headers(const HeaderCopies& before, std::string_view phone,
                                std::string_view target, std::string_view host,
                                ForwardReason reason);

}  // namespace tandem::call
