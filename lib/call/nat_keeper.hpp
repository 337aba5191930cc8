// Keeps the way open to phones behind NAT (P-22).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "phone/registrar.hpp"

namespace tandem::call {

struct NatRhythm {
  std::string message;           ///< What is sent; "": nothing.
  std::int64_t period_us = 0;    ///< From one message to a phone to the next.
  std::int64_t interval_us = 0;  ///< Between two batches.
  std::size_t messages_a_batch = 0;
};

/// Sends each contact that is behind NAT and on UDP a few bytes in each period, from the address
/// that it registered at. Where there are more of them than batches of a period have room for, a
/// round takes longer. Threading: loop-bound.
class NatKeeper {
 public:
  /// All outlive it; `legs` belong to the loop.
  NatKeeper(io::Loop& loop, LegFactory& legs, const phone::Registrar& registrar);

  void set_rhythm(NatRhythm rhythm);

 private:
  void on_timer();

  io::Loop& loop_;
  LegFactory& legs_;
  const phone::Registrar& registrar_;
  NatRhythm rhythm_;
  std::vector<phone::NatBinding> waiting_;  // of the part in work
  std::size_t next_ = 0;                    // in `waiting_`
  std::size_t next_part_ = 0;
  std::int64_t round_began_us_ = 0;
  Timer timer_;
};

}  // namespace tandem::call
