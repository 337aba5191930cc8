// Calls in which one party asks that the other one be led to somebody else (T-04, RFC 3515, 5589).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/leg.hpp"
#include "base/timer_wheel.hpp"
#include "call/hold_tone.hpp"
#include "call/media_path.hpp"
#include "call/stand_in.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::call {

/// Re-INVITEs that lead one party to another, of those that cross with somebody else's.
inline constexpr int join_tries_max = 4;
/// How long a leg that has left its call may wait for what it was told to be acknowledged.
inline constexpr std::int64_t farewell_us = 5'000'000;

/// The transferor speaks, or is about to, with the target, while the other party waits.
struct Consultation {
  enum class Step : std::uint8_t { holding, leading, talking };
  Step step = Step::holding;
  bool ends_at_once = false;   ///< As soon as the two could speak.
  const Leg* asked = nullptr;  ///< Is being held or led; null: nobody is.
  std::string held;            ///< What the party that waits was shown of it.
  std::string said_before;     ///< By the target, before what it said last.
  // Of the party that waits, while the target stands in its place.
  std::unique_ptr<Leg> waiting;
  std::unique_ptr<StandIn> stand_in;
  bool was_joined = false;
  std::uint32_t referrals = 0, requests = 0;
  std::optional<HoldTone> tone;  ///< That it hears, or is about to.
};

/// A transfer that is under way in an answered call.
struct Transfer {
  enum class Order : std::uint8_t {
    refer,  ///< The transferor is told what comes of it.
    keys,
    consult,     ///< By keys, and the transferor speaks with the target first (T-05).
    other_call,  ///< Which says when the target is to be led here.
    replaces,    ///< The target asked for it; `answer` is its offer, and waits for an answer.
  };

  Transfer(MediaSide of, Timer::Callback on_timer, void* context)
      : side(of), timer(on_timer, context) {}

  const MediaSide side;  ///< The transferor's.
  /// Where the target stands or shall stand: in the place of the transferor, or of who waits.
  [[nodiscard]] MediaSide place() const noexcept {
    if (order != Order::consult) return side;
    return side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
  }
  /// The target stands in the place of who waits.
  [[nodiscard]] bool is_talking() const noexcept {
    return consultation != nullptr && consultation->step == Consultation::Step::talking;
  }
  /// To who takes the transferor's place; null once it stands there.
  std::unique_ptr<Leg> leg;
  Leg* target = nullptr;  ///< The same, wherever it stands.
  bool has_left = false;  ///< The transferor hung up, and `target` stands in its place.
  std::string offered;    ///< What the target was told of the party that stays; "": nothing.
  std::string early;      ///< What it said of itself before its answer; "": nothing.
  std::string answer;     ///< What it answered; "": it has not yet.
  std::string offering;   ///< Where the party that stays is being led.
  std::string led_to;     ///< What of both the party that stays has accepted ...
  std::string heard;      ///< ... and what it said to that.
  Order order = Order::refer;
  std::string event;                   ///< Event of what the transferor is told.
  int told = 0;                        ///< The last status that it was told.
  std::uint32_t earlier_requests = 0;  ///< To it, that were not answered when it ordered this.
  bool is_unsubscribed = false;        ///< It does not want to be told (RFC 5057 section 5.1).
  bool is_given_up = false;            ///< The target has gone, and who stays was led there.
  std::unique_ptr<StandIn> stand_in;   ///< Of `replaces`: who the target is.
  std::unique_ptr<Consultation> consultation;  ///< Of `consult`, once the target has answered.
  /// Of a party that has waited: what it was shown of the transferor before, ...
  std::string before;
  std::unique_ptr<MediaPath::Remembered> was;  ///< ... what it said, ...
  std::string known;                           ///< ... and what the transferor was shown of it, ...
  bool is_known = false;                       ///< ... which it was not led away from.
  /// What the party that stays hears while it waits for the target; of no sound: nothing.
  AudioClip tone;
  bool has_tone = false;  ///< It does, where nobody stands in its place.
  int tries = 0;          ///< Of the party that stays, to lead it to the target.
  Timer timer;            ///< Until the next of these.
};

/// What the target of a transfer is still to be told: how the party that stays describes itself.
struct Rejoin {
  Rejoin(Leg& to, std::string description, bool must_know, Timer::Callback on_timer, void* context)
      : target(to), offer(std::move(description)), is_needed(must_know), timer(on_timer, context) {}

  /// Then the other one is told what it said, too.
  enum class Next : std::uint8_t { nobody, always, when_moved };

  Leg& target;
  const std::string offer;
  const bool is_needed;  ///< It knows nothing of that party.
  Next next = Next::nobody;
  std::string known;      ///< Of `when_moved`: what the other one knows.
  bool is_asked = false;  ///< It has yet to answer.
  int tries = 0;
  Timer timer;
};

/// A NOTIFY of the subscription that a REFER made. `text` holds what it refers to.
DialogRequest referral_notice(std::string_view event, int status, bool is_final, std::string& text);

/// Whether a party that reads `after` in place of `before` would send elsewhere, or not any more.
/// What cannot be read is another place.
bool leads_elsewhere(std::string_view before, std::string_view after);

}  // namespace tandem::call
