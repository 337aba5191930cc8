// The vendors that a call comes to, one after the other (A-02 stage 15).
#pragma once

#include <cstdint>
#include <functional>

#include "call/stages.hpp"

namespace tandem::call {

/// More vendors than this are not tried for one call.
inline constexpr std::size_t candidates_max = 256;

/// The candidates of a call to a number that is no phone's, best first. A live call and one in
/// hindsight take the turns of the sets they meet.
void find_vendors(CallContext& context);

/// a vendor of mode expiration keeps shorter prefixes away because it has the call. One that
/// was passed over has not, so that behind the last candidate the next shorter prefixes are gone
/// through, up to the next vendor of that mode. `was_tried`: whether the candidate with this index
/// got the call. False: there are no further candidates, or the parameter
/// `stop_descent_when_passed_over` wants none.
bool descend(CallContext& context, const std::function<bool(std::uint32_t vendor)>& was_tried);

}  // namespace tandem::call
