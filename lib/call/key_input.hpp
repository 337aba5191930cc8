// Keys that a party presses in a call, as SIP INFO brings them (T-04..T-07).
#pragma once

#include <cstdint>
#include <string>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::call {

/// The key that the body of an INFO tells of: 0..9, *, #, A..D; '\0': none. Reads
/// application/dtmf-relay ("Signal=5") and application/dtmf ("5"), where 10 and 11 are * and #.
char dtmf_key(const SessionBody& body) noexcept;

/// How long it was pressed ("Duration=160"); 100 ms where the body does not say.
std::uint32_t dtmf_duration_ms(const SessionBody& body) noexcept;
/// Body of application/dtmf-relay.
std::string dtmf_relay(char key, std::uint32_t duration_ms);

/// What becomes of a key.
enum class KeyAction : std::uint8_t {
  pass,    ///< It is for the other side.
  take,    ///< It is part of an order.
  dial,    ///< The order is complete: `number()` is to be called.
  cancel,  ///< What was ordered last is to be undone.
  finish,  ///< The party that pressed them leaves the two others alone.
};

/// The keys of one party: `*1 NUMBER #` orders a transfer, `*2 NUMBER #` one that it asks the
/// target about first, `*0` cancels it, `*#` ends the asking. The first star is passed, since only
/// the next key shows whether it was for the switch.
///
/// Threading: loop-bound, like its call.
class KeyInput {
 public:
  static constexpr std::size_t digits_max = 32;

  KeyInput(MediaSide of, Timer::Callback on_timer, void* context)
      : side(of), timer(on_timer, context) {}

  /// `can_order`: a transfer may begin now; `can_cancel`: there is one to cancel; `can_finish`: one
  /// that asks first.
  KeyAction press(char key, bool can_order, bool can_cancel, bool can_finish);
  /// Nothing is expected to follow the last key.
  [[nodiscard]] bool is_idle() const noexcept { return state_ == State::idle; }
  /// Its first digit is waited for.
  [[nodiscard]] bool is_empty() const noexcept { return number_.empty(); }
  [[nodiscard]] const std::string& number() const noexcept { return number_; }
  /// The target is to be asked first (T-05).
  [[nodiscard]] bool asks_first() const noexcept { return asks_first_; }

  const MediaSide side;
  Timer timer;  ///< Until the next key is too late.

 private:
  enum class State : std::uint8_t { idle, star, number, number_star };
  State state_ = State::idle;
  bool asks_first_ = false;
  std::string number_;
};

}  // namespace tandem::call
