#include "call/phone_check.hpp"

#include <algorithm>
#include <utility>

namespace tandem::call {
namespace {

constexpr std::int64_t turn_us = 20'000;  // between two turns while contacts wait

}  // namespace

class PhoneCheck::Question final : private ProbeEvents {
 public:
  Question(PhoneCheck& owner, std::string key, phone::UdpBinding binding)
      : owner_(owner),
        key_(std::move(key)),
        binding_(std::move(binding)),
        asked_us_(owner.loop_.clock().monotonic_us()) {
    probe_ = owner_.legs_.probe({binding_.destination, "udp", binding_.local, {}}, *this);
  }

 private:
  void on_probe(Probe&, bool is_answered) override {
    const auto gone =
        owner_.registrar_.note_check(binding_.id, binding_.destination, asked_us_, is_answered);
    if (gone) owner_.gone_(*gone);
    const std::string key = std::move(key_);
    owner_.under_way_.erase(key);  // and this with it
  }

  PhoneCheck& owner_;
  std::string key_;
  const phone::UdpBinding binding_;
  const std::int64_t asked_us_;
  std::unique_ptr<Probe> probe_;
};

PhoneCheck::PhoneCheck(io::Loop& loop, LegFactory& legs, phone::Registrar& registrar, Gone gone)
    : loop_(loop),
      legs_(legs),
      registrar_(registrar),
      gone_(std::move(gone)),
      timer_(Timer::member<&PhoneCheck::on_timer, PhoneCheck>(), this) {}

PhoneCheck::~PhoneCheck() = default;

void PhoneCheck::set_period(std::int64_t period_us) {
  if (std::exchange(period_us_, period_us) == period_us) return;
  waiting_.clear();
  next_ = next_part_ = 0;
  timer_.cancel();
  under_way_.clear();
  if (period_us == 0) return;
  round_began_us_ = loop_.clock().monotonic_us();
  loop_.timers().start(timer_, slot_us(1));
}

/// When the contacts of a part are due, from the begin of a round. The first part waits for the
/// second one's, so that a round that has just begun asks nobody at once.
std::int64_t PhoneCheck::slot_us(std::size_t part) const noexcept {
  return period_us_ * static_cast<std::int64_t>(part) / std::int64_t{phone::Registrar::parts};
}

void PhoneCheck::on_timer() {
  const std::int64_t now_us = loop_.clock().monotonic_us();
  if (next_ == waiting_.size() && next_part_ == phone::Registrar::parts) {
    next_part_ = 0;
    round_began_us_ = now_us;
  }
  for (std::size_t room = questions_a_turn; room > 0 && under_way_.size() < under_way_max;) {
    if (next_ == waiting_.size()) {
      const bool is_due = next_part_ < phone::Registrar::parts &&
                          now_us >= round_began_us_ + slot_us(next_part_ + 1);
      if (!is_due) break;
      waiting_ = registrar_.over_udp(next_part_++, now_us - period_us_, now_us);
      next_ = 0;
      continue;
    }
    ask(waiting_[next_++]);
    --room;
  }
  std::int64_t delay_us = turn_us;
  if (next_ == waiting_.size()) {
    const std::size_t slot = std::min(next_part_ + 1, phone::Registrar::parts);
    delay_us = std::max(turn_us, round_began_us_ + slot_us(slot) - now_us);
  }
  loop_.timers().start(timer_, delay_us);
}

void PhoneCheck::ask(const phone::UdpBinding& binding) {
  std::string key = binding.id + ' ' + binding.destination.to_string();
  if (under_way_.contains(key)) return;  // one that a short period overtakes
  auto made = std::make_unique<Question>(*this, key, binding);
  under_way_.emplace(std::move(key), std::move(made));
}

}  // namespace tandem::call
