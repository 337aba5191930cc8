// The vendors that a call comes to, one after the other (A-02 stage 15).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "call/stages.hpp"

namespace tandem::call {

/// More vendors than this are not tried for one call.
inline constexpr std::size_t candidates_max = 256;

/// The candidates of a call to a number that is no phone's, best first. A live call and one in
/// hindsight take the turns of the sets they meet.
void find_vendors(CallContext& context);

/// What redirect servers are to a call whose customer is known (I-03).
[[nodiscard]] RedirectServers use_of_servers(const CallContext& context) noexcept;

/// The redirect servers that may be asked about a call (I-03), the first one first, whatever other
/// vendors there are.
void find_redirect_servers(CallContext& context);

/// The candidate whose turn it is, and moves `next`, its index, behind it; null: none is left.
/// `tried`: the vendors that got the call so far.
///
/// a vendor of mode expiration keeps shorter prefixes away because it has the call. One that
/// was passed over has not, so that the list grows by the next shorter prefixes, up to the next
/// vendor of that mode, when all ordinary vendors in it have had their turn: new ordinary vendors
/// come before the protect vendors, new protect vendors behind them. The parameter
/// `stop_descent_when_passed_over` wants none of this. The pointer holds until the next question.
const RouteCandidate* next_candidate(CallContext& context, std::size_t& next,
                                     std::span<const std::uint32_t> tried);

/// A vendor that may get the call by what the tables say of it now, whatever is tried before it; as
/// it was found. Nothing: it may not.
std::optional<RouteCandidate> find_vendor(const CallContext& context, std::uint32_t vendor);

}  // namespace tandem::call
