// The reminder that money or time of a call are about to end it (M-14).
#include <algorithm>
#include <utility>

#include "call/call.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t step_us = 10 * second_us;      // between looks while the end is far
constexpr std::int64_t close_us = 3 * step_us;        // behind that it is looked at every second
constexpr std::int64_t reprieve_us = 10 * second_us;  // so much later it is another end

}  // namespace

/// The reminder of who calls, else that of the account that pays. `ends_us`: when the longest call
/// is over, monotonic; 0: never.
void Call::arm_reminder(std::int64_t ends_us) {
  const Customer& customer = *context_.customer_entry();
  const auto& wanted =
      customer.reminder != nullptr ? customer.reminder : context_.payers()->payer.reminder;
  if (wanted == nullptr || wanted->clip.is_empty()) return;
  if (!wanted->of_money && (!wanted->of_time || ends_us == 0)) return;
  reminding_ = std::make_unique<Reminding>();
  reminding_->reminder = wanted;
  reminding_->time_ends_us = wanted->of_time ? ends_us : 0;
}

/// When the call can pay no further, as far as that can be foreseen; INT64_MAX: never. Other calls
/// take from the same account: the end that comes nearer faster than time passes is met earlier.
std::int64_t Call::money_ends_us(std::int64_t now_us) {
  Reminding& watch = *reminding_;
  const std::int64_t reachable_s = std::min(
      meter_.reachable_s(), agent_meter_ != nullptr ? agent_meter_->reachable_s() : INT64_MAX);
  if (reachable_s >= rated_time_max_s) return INT64_MAX;
  const std::int64_t ends_us = answered_us_ + reachable_s * second_us;
  const std::int64_t passed_us = now_us - watch.seen_at_us;
  if (watch.seen_at_us == 0 || passed_us >= step_us) {
    const std::int64_t nearer_us =
        watch.seen_at_us == 0 ? 0 : std::max<std::int64_t>(0, watch.seen_end_us - ends_us);
    // Of the time that is left so many thousandths pass until the end. Another call takes much at
    // once for its beginning, or in advance (B-11), and then no more for a while: only what two
    // looks have found is a pace.
    const std::int64_t pace = nearer_us == 0 ? 1000 : 1000 * passed_us / (passed_us + nearer_us);
    watch.pace_permille = std::max(pace, std::exchange(watch.newest_pace_permille, pace));
    watch.seen_at_us = now_us;
    watch.seen_end_us = ends_us;
  }
  return now_us + (ends_us - now_us) / 1000 * watch.pace_permille;
}

/// Once a second: whether it is time.
void Call::look_at_end(std::int64_t now_us) {
  Reminding& watch = *reminding_;
  if (now_us < watch.look_us) return;
  std::int64_t ends_us = watch.time_ends_us != 0 ? watch.time_ends_us : INT64_MAX;
  if (watch.reminder->of_money) ends_us = std::min(ends_us, money_ends_us(now_us));
  const std::int64_t left_us = ends_us == INT64_MAX ? INT64_MAX : ends_us - now_us;
  if (left_us > watch.reminder->before_us) {
    // A payment has put the end off: then it is announced once more.
    if (watch.was_heard && left_us > watch.reminder->before_us + reprieve_us)
      watch.was_heard = false;
    const bool is_far = left_us == INT64_MAX || left_us - watch.reminder->before_us > close_us;
    watch.look_us = now_us + (is_far ? step_us : second_us);
    return;
  }
  if (std::exchange(watch.was_heard, true)) {
    watch.look_us = now_us + step_us;
    return;
  }
  // The second that has begun counts: a minute before the end is said to be one.
  remind((left_us + second_us - 1) / second_us);
}

/// What one party hears: what is left, else the sound.
AudioPlaylist Call::reminder_for(MediaSide side, std::int64_t left_s) const {
  const Reminder& reminder = *reminding_->reminder;
  if (reminder.says == Remaining::none || context_.customer_entry()->voice == nullptr)
    return reminder.clip;
  // What somebody else has is none of the callee's business.
  const Remaining what =
      side == MediaSide::caller && pays_for_itself() ? reminder.says : Remaining::minutes;
  const std::int64_t talked_ms = (worker_.loop().clock().monotonic_us() - answered_us_) / 1000;
  auto spoken = remaining_of(what, left_s, meter_.remaining_money(talked_ms));
  if (spoken && !spoken->is_empty()) {
    // As often as the sound, with its second between, as far as one list can have it.
    static const AudioClip pause = *AudioClip::of(std::vector<std::int16_t>(8000));
    std::vector<AudioClip> clips(spoken->clips().begin(), spoken->clips().end());
    const std::size_t once = clips.size();
    for (std::int32_t i = 1; i < reminder.times; ++i) {
      if (clips.size() + once + 1 > AudioPlaylist::clips_max) break;
      clips.push_back(pause);
      clips.insert(clips.end(), spoken->clips().begin(), spoken->clips().end());
    }
    if (auto repeated = AudioPlaylist::of(std::move(clips))) return *repeated;
    return *spoken;
  }
  if (!spoken) note_unspoken(spoken.error());
  return reminder.clip;
}

void Call::remind(std::int64_t left_s) {
  const Reminder& reminder = *reminding_->reminder;
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const Hearers alone = side == MediaSide::caller ? Hearers::caller : Hearers::callee;
    if (reminder.to != alone && reminder.to != Hearers::both) continue;
    // What a host plays (T-17) does not go on behind it, so that it has to know.
    if (side == MediaSide::caller) end_play(ServiceReport::Why::stopped);
    const auto played = media_.play_over(side, reminder_for(side, left_s));
    const char* const who = side == MediaSide::caller ? "the caller" : "the callee";
    if (is_traced_) {
      trace_note("reminder",
                 played ? std::string(who) + " hears that " + std::to_string(left_s) + " s are left"
                        : std::string(who) + ": " + played.error().message);
    }
    if (played) continue;
    worker_.commons().log.write(LogLevel::info, "call", "a reminder was not played",
                                {{"call", std::to_string(id_)},
                                 {"customer", context_.customer_entry()->config.id},
                                 {"side", side == MediaSide::caller ? "caller" : "callee"},
                                 {"error", played.error().message}});
  }
}

}  // namespace tandem::call
