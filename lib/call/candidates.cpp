#include "call/candidates.hpp"

#include <algorithm>
#include <utility>

#include "call/choice.hpp"

namespace tandem::call {

namespace {

/// A policy hook may name the vendors to try: only those, in its order.
void keep_named(const CallContext& c, std::vector<RouteCandidate>& candidates) {
  if (!c.policy || c.policy->vendor_gateways.empty()) return;
  std::vector<RouteCandidate> kept;
  for (const auto& name : c.policy->vendor_gateways) {
    const auto found = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const RouteCandidate& candidate) { return candidate.gateway_name == name; });
    if (found != candidates.end()) kept.push_back(*found);
  }
  candidates = std::move(kept);
}

/// `shorter_than`: as RouteQuery has it.
std::vector<RouteCandidate> ask_table(const CallContext& c, std::uint8_t shorter_than) {
  const VendorConditions conditions(c);
  RouteQuery query = route_query(c, conditions);
  query.shorter_than = shorter_than;
  const RouteTable& routes = c.tables->routes;
  std::vector<RouteCandidate> found;
  if (c.is_rehearsal && c.hindsight == nullptr) {
    found = routes.explain(query).candidates;
    if (found.size() > candidates_max) found.resize(candidates_max);
  } else {
    found.resize(std::min(routes.size(), candidates_max));
    found.resize(routes.lookup(query, found));
  }
  return found;
}

}  // namespace

void find_vendors(CallContext& context) {
  context.candidates = ask_table(context, 0);
  keep_named(context, context.candidates);
}

bool descend(CallContext& context, const std::function<bool(std::uint32_t vendor)>& was_tried) {
  if (context.tables->parameters.stop_descent_when_passed_over ||
      context.called_phone != CallContext::no_phone)
    return false;
  const auto ends_list = [&](const RouteCandidate& candidate) {
    return context.tables->vendors[candidate.gateway].config.prefix_mode == PrefixMode::expiration;
  };
  // What is shorter than the prefix of one that got the call is out; that of a protect vendor keeps
  // away protect vendors only.
  std::uint8_t shortest = 0, shortest_protect = 0;
  for (const RouteCandidate& candidate : context.candidates) {
    if (!ends_list(candidate) || !was_tried(candidate.gateway)) continue;
    shortest_protect = std::max(shortest_protect, candidate.prefix_length);
    if (!candidate.is_protect) shortest = std::max(shortest, candidate.prefix_length);
  }
  for (;;) {
    // A vendor with several prefixes may end the list at a shorter one again.
    const auto& last = context.descended.empty() ? context.candidates : context.descended;
    std::uint8_t end = 0;
    for (const RouteCandidate& candidate : last) {
      const bool is_new =
          context.descended_below == 0 || candidate.prefix_length < context.descended_below;
      if (is_new && ends_list(candidate) && !was_tried(candidate.gateway))
        end = std::max(end, candidate.prefix_length);
    }
    if (end == 0) return false;  // none did, or behind the empty prefix, which is the last one
    context.descended_below = end;
    context.descended = ask_table(context, end);
    std::vector<RouteCandidate> further = context.descended;
    keep_named(context, further);
    std::erase_if(further, [&](const RouteCandidate& candidate) {
      return candidate.prefix_length < (candidate.is_protect ? shortest_protect : shortest) ||
             std::any_of(context.candidates.begin(), context.candidates.end(),
                         [&](const auto& known) { return known.gateway == candidate.gateway; });
    });
    const std::size_t room = candidates_max - std::min(candidates_max, context.candidates.size());
    if (further.size() > room) further.resize(room);
    if (further.empty()) continue;
    for (RouteCandidate& candidate : further) {
      candidate.rank = static_cast<std::uint32_t>(context.candidates.size());
      context.candidates.push_back(candidate);
    }
    return true;
  }
}

}  // namespace tandem::call
