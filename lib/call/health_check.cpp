#include "call/health_check.hpp"

#include <utility>

#include "base/timer_wheel.hpp"

namespace tandem::call {

namespace {

// First questions are spread, so that a thousand gateways are not asked in one tick for ever.
constexpr std::int64_t spread_us = 5'000;

}  // namespace

class HealthCheck::Entry final : private ProbeEvents {
 public:
  Entry(HealthCheck& owner, CheckedAddress address)
      : owner_(owner),
        address_(std::move(address)),
        due_(Timer::member<&Entry::ask, Entry>(), this) {}

  [[nodiscard]] const CheckedAddress& address() const noexcept { return address_; }
  void update(CheckedAddress address) { address_ = std::move(address); }
  void start_in(std::int64_t delay_us) { owner_.loop_.timers().start(due_, delay_us); }

 private:
  void ask() {
    if (std::exchange(probe_, nullptr) != nullptr) note(false);
    start_in(owner_.period_us_);
    probe_ = owner_.legs_.probe({address_.health->address(),
                                 address_.transport,
                                 address_.local,
                                 {address_.tls_name, address_.tls_verify}},
                                *this);
  }
  void on_probe(Probe&, bool is_answered) override {
    probe_.reset();
    note(is_answered);
  }
  void note(bool is_answered) {
    if (address_.health->note_probe(is_answered)) owner_.changed_(address_);
  }

  HealthCheck& owner_;
  CheckedAddress address_;
  Timer due_;
  std::unique_ptr<Probe> probe_;
};

HealthCheck::HealthCheck(io::Loop& loop, LegFactory& legs, Changed changed)
    : loop_(loop), legs_(legs), changed_(std::move(changed)) {}

HealthCheck::~HealthCheck() = default;

void HealthCheck::watch(std::vector<CheckedAddress> addresses, std::int64_t period_us) {
  const bool is_rhythm_new = std::exchange(period_us_, period_us) != period_us;
  auto before = std::exchange(entries_, {});
  std::int64_t delay_us = 0;
  for (CheckedAddress& address : addresses) {
    std::unique_ptr<Entry>& entry = entries_[address.health.get()];
    const auto known = before.find(address.health.get());
    const bool is_known = known != before.end();
    if (is_known) {
      entry = std::move(known->second);
      before.erase(known);
      entry->update(std::move(address));
    } else {
      entry = std::make_unique<Entry>(*this, std::move(address));
    }
    if (is_known && !is_rhythm_new) continue;
    entry->start_in(delay_us);
    delay_us = (delay_us + spread_us) % period_us;
  }
  for (const auto& [health, gone] : before)
    gone->address().health->forget_probes();
}

}  // namespace tandem::call
