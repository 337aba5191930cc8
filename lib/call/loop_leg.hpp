// Two legs that are one: what one call of a worker sends out, another one takes in.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "base/leg.hpp"
#include "io/loop.hpp"

namespace tandem::call {

/// What both ends say of themselves.
struct LoopFacts {
  std::string call_id;   ///< Of the call that is sent on.
  SocketAddress remote;  ///< Where that came from.
  bool has_offer = false;
  std::string product{};  ///< Of who sends it on; "": it is not shown.
};

/// The end of the call that is sent out, which `events` are told of, and the end of the one that
/// takes it in. They behave as two legs with a network between them do: what one end does is told
/// to the other at the end of the turn, in order.
///
/// Threading: loop-bound.
std::pair<std::unique_ptr<Leg>, std::unique_ptr<Leg>> make_loop(io::Loop& loop, LoopFacts facts,
                                                                LegEvents& events);

/// The same between two workers: the first end is for the thread of `out`, the second for that of
/// `in`, where the calls of both are told through posted tasks. `is_closed`: true once the loops
/// have stopped and are about to go; outlives both.
std::pair<std::unique_ptr<Leg>, std::unique_ptr<Leg>> make_loop(io::Loop& out, io::Loop& in,
                                                                const std::atomic<bool>& is_closed,
                                                                LoopFacts facts, LegEvents& events);

}  // namespace tandem::call
