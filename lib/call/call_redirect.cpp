// A vendor that is a redirect server: it takes no calls, but says which vendors shall get them
// (I-03, RFC 3261 section 8.3).
//
// Vendors that it names must be ones that the call may go to by what the tables say of the new
// number: the server decides about the order, and not about rights.
#include <algorithm>
#include <utility>

#include "call/call.hpp"
#include "call/candidates.hpp"
#include "sip/content.hpp"
#include "sip/message.hpp"

namespace tandem::call {

namespace {

/// Whether calls of `vendor` go to that address. A port decides between vendors of one host.
bool is_at(const Vendor& vendor, const Names* names, const SocketAddress& address,
           bool with_port) noexcept {
  const auto matches = [&](const SocketAddress& own) {
    return own.ip == address.ip && (!with_port || own.port == address.port);
  };
  if (const route::Places* const places = places_of(vendor, names); places != nullptr) {
    return std::any_of(places->begin(), places->end(),
                       [&](const route::Place& place) { return matches(place.health->address()); });
  }
  return std::any_of(vendor.addresses.begin(), vendor.addresses.end(),
                     [&](const auto& health) { return matches(health->address()); });
}

/// The vendor that a Contact names: by its parameter `gw`, by an address, or by a host that is the
/// id of one.
std::optional<std::uint32_t> named_vendor(const std::vector<Vendor>& vendors, const Names* names,
                                          const RedirectTarget& target, const sip::Uri& uri) {
  const auto find = [&](auto is_it) -> std::optional<std::uint32_t> {
    const auto found = std::find_if(vendors.begin(), vendors.end(), [&](const Vendor& vendor) {
      return !vendor.is_phone && !vendor.config.sip.redirects.to_gateways && is_it(vendor);
    });
    if (found == vendors.end()) return std::nullopt;
    return static_cast<std::uint32_t>(found - vendors.begin());
  };
  const auto by_id = [&](std::string_view id) {
    return find([&](const Vendor& vendor) { return vendor.config.id == id; });
  };
  if (const std::string_view id = sip::find_param(uri.params, "gw"); !id.empty()) return by_id(id);
  if (target.address.port == 0) return by_id(uri.host);
  for (const bool with_port : {true, false}) {
    const auto found =
        find([&](const Vendor& vendor) { return is_at(vendor, names, target.address, with_port); });
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace

/// Takes what a redirect server says to a call. False: the call may go nowhere.
bool Call::take_directions(const Failure& failure) {
  // What it is refused with is the server's word; what comes of a redirection is ours, until a
  // vendor that it named has been tried.
  if (failure.status / 100 == 3) note_own_failure(Reason::RedirectFailed);
  if (failure.targets.empty()) return false;
  auto directions = std::make_unique<Directions>();
  directions->routed = context_.callee;
  for (const RedirectTarget& target : failure.targets) {
    sip::Uri uri;
    if (!sip::parse_uri(target.uri, uri)) continue;
    const auto vendor = named_vendor(context_.tables->vendors, context_.names.get(), target, uri);
    sip::Unescaped room;
    const auto param = [&](std::string_view name) {
      return sip::unescaped(sip::find_param(uri.params, name), room);
    };
    const std::string number =
        std::string(param("prefix")) +
        (target.user.empty() ? std::string(context_.callee.view()) : target.user);
    const auto callee = number_from_user(number);
    const std::string_view shown = param("caller");
    const auto caller = shown.empty() ? Number() : number_from_user(shown);
    if (vendor && callee && !callee->empty() && caller) {
      directions->all.push_back({*vendor, *callee, *caller});
      continue;
    }
    worker_.commons().log.write(
        LogLevel::warning, "call", "a redirect server named what is no vendor or no number",
        {{"server", this->vendor().config.id}, {"contact", target.uri.substr(0, 128)}});
  }
  if (directions->all.empty()) return false;
  if (const Verdict verdict = charge_led_away(context_); verdict.kind == Verdict::Kind::reject) {
    note_own_failure(verdict.reason);
    return false;
  }
  shadow_notes_.reset();  // other tables would not have sent it there
  setup_->directions = std::move(directions);
  return true;
}

/// What the caller is told instead of what a server said.
void Call::note_own_failure(Reason reason) {
  LastFailure& last = setup_->last_failure;
  last = LastFailure{};
  last.reason = reason;
  last.failure.status = reason_facts(last.reason).sip_status;
  last.failure.is_local = true;
}

/// The vendor whose turn it is by them; null: none is left.
const RouteCandidate* Call::take_direction() {
  Directions& directions = *setup_->directions;
  while (directions.next < directions.all.size()) {
    const auto& [vendor, callee, caller] = directions.all[directions.next++];
    context_.setup->caller_by_server = caller;
    if (callee.view() != context_.callee.view()) {
      // What was known of another number says nothing of this one. The caller pays for what it has
      // dialled.
      context_.callee = callee;
      context_.setup->callee_by_lrn = Number();
      context_.setup->is_dipped = false;
    }
    const bool is_as_routed = callee.view() == directions.routed.view();
    context_.setup->callee_by_server = is_as_routed ? Number() : callee;
    directions.candidate = find_vendor(context_, vendor);
    if (directions.candidate) return &*directions.candidate;
    worker_.commons().log.write(LogLevel::warning, "call",
                                "a redirect server named a vendor that the call may not go to",
                                {{"vendor", context_.tables->vendors[vendor].config.id},
                                 {"callee", std::string(callee.view())}});
  }
  return nullptr;
}

/// It was to say where the call goes, and not to take it.
void Call::refuse_server_answer(Leg& leg) {
  worker_.commons().log.write(LogLevel::warning, "call", "a redirect server accepted a call",
                              {{"server", vendor().config.id}});
  leg.release(reason_facts(Reason::VendorFailure).q850_cause);
  Failure failure;
  failure.status = reason_facts(Reason::VendorFailure).sip_status;
  failure.is_local = true;
  attempt_failed(failure, Reason::VendorFailure);
}

}  // namespace tandem::call
