#include "call/uplinks.hpp"

#include <algorithm>
#include <utility>

#include "base/timer_wheel.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int32_t retry_max_s = 600;
constexpr std::int32_t refresh_min_s = 5;  // whatever a vendor grants
// First requests are spread, so that a thousand vendors are not asked in one tick for ever.
constexpr std::int64_t spread_us = 5'000;

bool is_same(const UplinkOrder& a, const UplinkOrder& b) noexcept {
  return a.tls_verify == b.tls_verify && a.auth.username == b.auth.username &&
         a.auth.password == b.auth.password;
}

bool is_for_the_next_place(int status) noexcept { return status == 0 || status == 503; }

}  // namespace

class Uplinks::Entry final : private RegistrationEvents {
 public:
  Entry(Uplinks& owner, UplinkOrder order)
      : owner_(owner),
        order_(std::move(order)),
        place_(order_.places.front()),
        due_(Timer::member<&Entry::send, Entry>(), this) {
    open();
  }
  ~Entry() override { set(false, 0); }

  /// Goes on by this order. False: where it is kept is no place any more, or the rest differs.
  [[nodiscard]] bool adopt(UplinkOrder& order) {
    const auto& places = order.places;
    if (!is_same(order_, order) || std::find(places.begin(), places.end(), place_) == places.end())
      return false;
    order_.places = std::move(order.places);
    return true;
  }
  void start_in(std::int64_t delay_us) { owner_.loop_.timers().start(due_, delay_us); }
  void take_back() {
    due_.cancel();
    is_leaving_ = true;
    if (order_.uplink->is_registered.load()) registration_->send(0);
  }

 private:
  void open() {
    const RegistrationOrder what{
        place_.destination,   transport_name(place_.transport),     order_.auth.username,
        order_.auth.password, {place_.tls_name, order_.tls_verify}, place_.peer_name};
    registration_ = owner_.legs_.registration(what, *this);
    is_opened_anew_ = false;
  }
  void send() {
    if (is_opened_anew_) open();
    expires_s_ = std::max(owner_.rhythm_.expires_s, expires_min_s_);
    registration_->send(expires_s_);
  }

  void on_registration(const RegistrationResult& result) override {
    order_.uplink->last_status.store(result.status);
    if (is_leaving_) return set(false, 0);
    if (result.status >= 200 && result.status < 300 && result.expires_s > 0) {
      failures_ = 0;
      places_failed_ = 0;
      order_.uplink->set_service_route(result.service_route);
      set(true, result.expires_s);
      tell(true, result.status);
      return start_in(std::max(result.expires_s / 2, refresh_min_s) * second_us);
    }
    // A registration that still holds is good for calls while it is refreshed in vain.
    const bool holds = owner_.loop_.clock().wall_us() < order_.uplink->expires_at_us.load();
    if (!holds || result.status != 0) {
      set(false, 0);
      tell(false, result.status);
    }
    if (result.status == 423 && result.min_expires_s > expires_s_ &&
        result.min_expires_s <= 86'400) {
      expires_min_s_ = result.min_expires_s;
      return start_in(0);
    }
    if (is_for_the_next_place(result.status) && move_on()) return start_in(0);
    const std::int64_t wait_s = std::min<std::int64_t>(
        std::int64_t{owner_.rhythm_.retry_s} << std::min(failures_, 8), retry_max_s);
    ++failures_;
    start_in(std::max<std::int64_t>(wait_s, std::min(result.retry_after_s, 86'400)) * second_us);
  }

  /// To the place behind the one that failed. False: all have failed since the last success, and
  /// the next one waits for its turn.
  bool move_on() {
    const auto& places = order_.places;
    if (places.size() < 2) return false;
    const auto here = std::find(places.begin(), places.end(), place_);
    const auto next = here == places.end() || here + 1 == places.end() ? places.begin() : here + 1;
    place_ = *next;
    is_opened_anew_ = true;  // not here: it is the registration that speaks
    if (++places_failed_ < places.size()) return true;
    places_failed_ = 0;
    return false;
  }
  void set(bool is_registered, std::int32_t expires_s) {
    phone::Uplink& uplink = *order_.uplink;
    uplink.expires_at_us.store(
        is_registered ? owner_.loop_.clock().wall_us() + expires_s * second_us : 0);
    if (!is_registered) uplink.set_service_route({});
    uplink.is_registered.store(is_registered);
  }
  void tell(bool is_registered, int status) {
    if (was_told_ && std::exchange(was_registered_, is_registered) == is_registered) return;
    was_told_ = true;
    was_registered_ = is_registered;
    owner_.changed_(order_, place_, status);
  }

  Uplinks& owner_;
  UplinkOrder order_;
  UplinkPlace place_;
  Timer due_;
  std::unique_ptr<OutboundRegistration> registration_;
  std::int32_t expires_s_ = 0;
  std::int32_t expires_min_s_ = 0;  // learnt from a 423
  int failures_ = 0;
  std::size_t places_failed_ = 0;  // one after the other
  bool is_opened_anew_ = false;
  bool is_leaving_ = false;
  bool was_told_ = false, was_registered_ = false;
};

Uplinks::Uplinks(io::Loop& loop, LegFactory& legs, Changed changed)
    : loop_(loop), legs_(legs), changed_(std::move(changed)) {}

Uplinks::~Uplinks() = default;

void Uplinks::keep(std::vector<UplinkOrder> orders, const UplinkRhythm& rhythm) {
  rhythm_ = rhythm;
  auto before = std::exchange(entries_, {});
  std::int64_t delay_us = 0;
  for (UplinkOrder& order : orders) {
    std::unique_ptr<Entry>& entry = entries_[order.gateway];
    const auto known = before.find(order.gateway);
    if (known != before.end() && known->second->adopt(order)) {
      entry = std::move(known->second);
      before.erase(known);
      continue;
    }
    if (known != before.end()) {
      known->second->take_back();
      before.erase(known);  // before its successor counts as registered
    }
    entry = std::make_unique<Entry>(*this, std::move(order));
    entry->start_in(delay_us);
    delay_us += spread_us;
  }
  for (const auto& [gateway, gone] : before)
    gone->take_back();
}

void Uplinks::leave() {
  for (const auto& [gateway, entry] : entries_)
    entry->take_back();
}

}  // namespace tandem::call
