// A call that the host serves in the place of a callee (T-17).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/timer_wheel.hpp"
#include "tandem/voice.hpp"

namespace tandem::call {

/// What the host's orders have made of a call so far.
///
/// Threading: loop-bound, like its call.
struct Service {
  /// Of its three timers.
  struct Handlers {
    Timer::Callback on_play_end, on_key_time, on_idle;
  };
  Service(const ServeOrder& as, const Handlers& handlers, void* context)
      : order(as),
        play_timer(handlers.on_play_end, context),
        key_timer(handlers.on_key_time, context),
        idle_timer(handlers.on_idle, context) {}

  /// Beyond them the newest are lost: nobody types so far ahead.
  static constexpr std::size_t earlier_keys_max = CollectOrder::keys_max;

  const ServeOrder order;
  std::string description;  ///< Of the switch, as the caller was shown it.
  bool is_ready = false;    ///< The host was told, and may give orders.
  bool is_bridged = false;  ///< Somebody else stands there now.
  std::string bridged_to;   ///< Who, or who is being called; "": nobody yet.

  bool is_playing = false, repeats = false, stops_at_key = false;
  std::optional<CollectOrder> collection;  ///< That goes on.
  std::string digits;                      ///< Of it.
  std::string earlier_keys;                ///< Pressed while nothing was collected.

  bool awaits_answer = false;  ///< In the ACK of the caller, to `description`.

  Timer play_timer;  ///< Until what is played once is over.
  Timer key_timer;   ///< Until the next key is too late.
  Timer idle_timer;  ///< Until an order of the host is too late.
};

}  // namespace tandem::call
