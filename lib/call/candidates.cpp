#include "call/candidates.hpp"

#include <algorithm>
#include <utility>

#include "call/choice.hpp"

namespace tandem::call {

namespace {

/// A policy hook that names vendors has decided: servers are vendors then.
bool is_decided(const CallContext& c) noexcept {
  return c.setup->policy && !c.setup->policy->vendor_gateways.empty();
}

bool asks_servers_first(const CallContext& c) noexcept {
  return !is_decided(c) && use_of_servers(c) == RedirectServers::first;
}

/// A policy hook may name the vendors to try: only those, in its order.
void keep_named(const CallContext& c, std::vector<RouteCandidate>& candidates) {
  if (!is_decided(c)) return;
  std::vector<RouteCandidate> kept;
  for (const auto& name : c.setup->policy->vendor_gateways) {
    const auto found = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const RouteCandidate& candidate) { return candidate.gateway_name == name; });
    if (found != candidates.end()) kept.push_back(*found);
  }
  candidates = std::move(kept);
}

/// Of the table, which vendors, and whether those that come first take the turn of their set.
enum class Asked { vendors, one_vendor };

/// `shorter_than`: as RouteQuery has it.
std::vector<RouteCandidate> ask_table(const CallContext& c, std::uint8_t shorter_than,
                                      Asked asked) {
  // Redirect servers that come before all vendors hide none of these.
  const bool has_servers_before = asked == Asked::vendors && asks_servers_first(c);
  const VendorConditions conditions(c, has_servers_before);
  RouteQuery query = route_query(c, conditions);
  query.shorter_than = shorter_than;
  if (asked == Asked::one_vendor) query.rotation = nullptr;
  const RouteTable& routes = c.tables->routes;
  std::vector<RouteCandidate> found;
  if (c.is_rehearsal && c.setup->hindsight == nullptr) {
    found = routes.explain(query).candidates;
    if (found.size() > candidates_max) found.resize(candidates_max);
  } else {
    found.resize(std::min(routes.size(), candidates_max));
    found.resize(routes.lookup(query, found));
  }
  return found;
}

void add_vendors(CallContext& c) {
  for (const RouteCandidate& candidate : ask_table(c, 0, Asked::vendors)) {
    if (c.setup->candidates.size() < candidates_max) c.setup->candidates.push_back(candidate);
  }
}

/// Those with shorter prefixes are kept away by a vendor that got the call.
struct KeptAway {
  std::uint8_t ordinary = 0;
  std::uint8_t protect = 0;  // also by protect vendors

  [[nodiscard]] bool has(const RouteCandidate& candidate) const noexcept {
    return candidate.prefix_length < (candidate.is_protect ? protect : ordinary);
  }
};

/// A call's candidates while vendors are tried.
class Descent {
 public:
  Descent(CallContext& context, std::size_t next, std::span<const std::uint32_t> tried) noexcept
      : c_(context), next_(next), tried_(tried) {}

  /// Adds what follows behind expiration vendors that were passed over. False: nothing that could
  /// be tried now.
  bool go_on() {
    if (c_.tables->parameters.stop_descent_when_passed_over ||
        c_.called_phone != CallContext::no_phone || use_of_servers(c_) == RedirectServers::only)
      return false;
    // Protect vendors that are left end nothing yet: they may still get the call.
    const bool is_at_end = next_ == c_.setup->candidates.size();
    const KeptAway kept = kept_away();
    while (c_.setup->candidates.size() < candidates_max) {
      const Ends ends = ends_of_last();
      const bool ends_protect = is_at_end && ends.any > kept.protect;
      if (ends.ordinary <= kept.ordinary && !ends_protect) return false;  // asking takes turns
      c_.setup->descended_below = ends.any;
      c_.setup->descended = ask_table(c_, ends.any, Asked::vendors);
      if (add(kept, is_at_end)) return true;
    }
    return false;
  }

  /// Whether a protect candidate, which was found before it was known who gets the call, is behind
  /// one that got it.
  [[nodiscard]] bool is_kept_away(const RouteCandidate& candidate) const {
    return c_.setup->descended_below != 0 && candidate.is_protect && kept_away().has(candidate);
  }

 private:
  /// Longest prefixes at which a vendor ended the list that is the last one, and did not get the
  /// call. 0: none, or behind the empty prefix, behind which nothing is.
  struct Ends {
    std::uint8_t any = 0, ordinary = 0;
  };

  [[nodiscard]] bool was_tried(std::uint32_t vendor) const noexcept {
    return std::find(tried_.begin(), tried_.end(), vendor) != tried_.end();
  }

  [[nodiscard]] bool ends_list(const RouteCandidate& candidate) const noexcept {
    const VendorGateway& vendor = c_.tables->vendors[candidate.gateway].config;
    if (vendor.sip.redirects.to_gateways && asks_servers_first(c_)) return false;
    return vendor.prefix_mode == PrefixMode::expiration;
  }

  [[nodiscard]] KeptAway kept_away() const {
    KeptAway kept;
    for (const RouteCandidate& candidate : c_.setup->candidates) {
      if (!ends_list(candidate) || !was_tried(candidate.gateway)) continue;
      kept.protect = std::max(kept.protect, candidate.prefix_length);
      if (!candidate.is_protect) kept.ordinary = std::max(kept.ordinary, candidate.prefix_length);
    }
    return kept;
  }

  /// A vendor with several prefixes may end the list at a shorter one again, and one that a policy
  /// hook did not name is in no list of candidates, never gets the call and hides nobody.
  [[nodiscard]] Ends ends_of_last() const {
    Ends ends;
    for (const RouteCandidate& candidate :
         c_.setup->descended.empty() ? c_.setup->candidates : c_.setup->descended) {
      const bool is_of_last =
          c_.setup->descended_below == 0 || candidate.prefix_length < c_.setup->descended_below;
      if (!is_of_last || !ends_list(candidate) || was_tried(candidate.gateway)) continue;
      ends.any = std::max(ends.any, candidate.prefix_length);
      if (!candidate.is_protect) ends.ordinary = std::max(ends.ordinary, candidate.prefix_length);
    }
    return ends;
  }

  /// False: nothing of the new list comes next.
  bool add(const KeptAway& kept, bool is_at_end) {
    std::vector<RouteCandidate> further = c_.setup->descended;
    keep_named(c_, further);
    std::erase_if(further, [&](const RouteCandidate& candidate) {
      return kept.has(candidate) ||
             std::any_of(c_.setup->candidates.begin(), c_.setup->candidates.end(),
                         [&](const auto& known) { return known.gateway == candidate.gateway; });
    });
    further.resize(std::min(further.size(), candidates_max - c_.setup->candidates.size()));
    const auto protect =
        std::stable_partition(further.begin(), further.end(),
                              [](const auto& candidate) { return !candidate.is_protect; });
    const bool has_next = is_at_end ? !further.empty() : protect != further.begin();
    c_.setup->candidates.insert(c_.setup->candidates.end(), protect, further.end());
    c_.setup->candidates.insert(c_.setup->candidates.begin() + static_cast<std::ptrdiff_t>(next_),
                                further.begin(), protect);
    return has_next;
  }

  CallContext& c_;
  const std::size_t next_;
  const std::span<const std::uint32_t> tried_;
};

}  // namespace

RedirectServers use_of_servers(const CallContext& context) noexcept {
  return context.setup->redirect_servers.value_or(
      context.customer_entry()->config.redirect_servers);
}

void find_redirect_servers(CallContext& context) {
  for (const std::uint32_t server : context.tables->redirect_servers) {
    if (context.setup->candidates.size() == candidates_max) break;
    if (auto candidate = find_vendor(context, server)) {
      candidate->rank = static_cast<std::uint32_t>(context.setup->candidates.size());
      context.setup->candidates.push_back(*candidate);
    }
  }
}

void find_vendors(CallContext& context) {
  if (!is_decided(context)) {
    const RedirectServers servers = use_of_servers(context);
    const bool is_for_servers =
        servers == RedirectServers::first || servers == RedirectServers::only;
    if (is_for_servers) find_redirect_servers(context);
    if (servers != RedirectServers::only) add_vendors(context);
    return;
  }
  context.setup->candidates = ask_table(context, 0, Asked::vendors);
  context.setup->descended = context.setup->candidates;
  keep_named(context, context.setup->candidates);
  if (context.setup->candidates.empty()) (void)Descent(context, 0, {}).go_on();
}

std::optional<RouteCandidate> find_vendor(const CallContext& context, std::uint32_t vendor) {
  // Expiration vendors hide those of shorter prefixes, which are no less allowed.
  for (std::uint8_t shorter_than = 0;;) {
    const std::vector<RouteCandidate> found = ask_table(context, shorter_than, Asked::one_vendor);
    std::uint8_t shortest = shorter_than;
    for (const RouteCandidate& candidate : found) {
      if (candidate.gateway == vendor) return candidate;
      if (shortest == 0 || candidate.prefix_length < shortest) shortest = candidate.prefix_length;
    }
    if (shortest == 0 || shortest == shorter_than) return std::nullopt;
    shorter_than = shortest;
  }
}

const RouteCandidate* next_candidate(CallContext& context, std::size_t& next,
                                     std::span<const std::uint32_t> tried) {
  std::vector<RouteCandidate>& candidates = context.setup->candidates;
  for (;;) {
    Descent descent(context, next, tried);
    // A policy hook may put protect vendors before others.
    const bool has_ordinary =
        std::any_of(candidates.begin() + static_cast<std::ptrdiff_t>(next), candidates.end(),
                    [](const RouteCandidate& candidate) { return !candidate.is_protect; });
    if (!has_ordinary && descent.go_on()) continue;
    if (next == candidates.size()) return nullptr;
    if (!descent.is_kept_away(candidates[next])) {
      candidates[next].rank = static_cast<std::uint32_t>(next);
      return &candidates[next++];
    }
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(next));
  }
}

}  // namespace tandem::call
