#include "call/nat_keeper.hpp"

#include <algorithm>
#include <utility>

namespace tandem::call {

NatKeeper::NatKeeper(io::Loop& loop, LegFactory& legs, const phone::Registrar& registrar)
    : loop_(loop),
      legs_(legs),
      registrar_(registrar),
      timer_(Timer::member<&NatKeeper::on_timer, NatKeeper>(), this) {}

void NatKeeper::set_rhythm(NatRhythm rhythm) {
  const bool was_off = rhythm_.message.empty();
  rhythm_ = std::move(rhythm);
  if (rhythm_.message.empty()) {
    timer_.cancel();
  } else if (was_off) {
    round_began_us_ = loop_.clock().monotonic_us();
    loop_.timers().start(timer_, rhythm_.period_us);
  }
}

void NatKeeper::on_timer() {
  const std::int64_t now_us = loop_.clock().monotonic_us();
  if (next_part_ == 0 && next_ == waiting_.size()) round_began_us_ = now_us;
  std::size_t room = rhythm_.messages_a_batch;
  while (room > 0) {
    if (next_ == waiting_.size()) {
      if (next_part_ == phone::Registrar::parts) break;
      waiting_ = registrar_.behind_nat(next_part_++, now_us);
      next_ = 0;
      continue;
    }
    const phone::NatBinding& binding = waiting_[next_++];
    legs_.keep_alive(binding.destination, binding.local, rhythm_.message);
    --room;
  }
  const bool is_round_over = next_ == waiting_.size() && next_part_ == phone::Registrar::parts;
  std::int64_t delay_us = rhythm_.interval_us;
  if (is_round_over) {
    next_part_ = 0;
    delay_us = std::max(delay_us, round_began_us_ + rhythm_.period_us - now_us);
  }
  loop_.timers().start(timer_, delay_us);
}

}  // namespace tandem::call
