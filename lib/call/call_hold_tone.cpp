// What a party hears that waits for a transfer which the other one has ordered (T-05): while that
// one speaks with the target, and when it has left before the target is there.
#include <utility>

#include "call/call.hpp"
#include "sip/sdp.hpp"

namespace tandem::call {

/// As who stands on that side wants it.
AudioClip Call::hold_tone_of(MediaSide side) const {
  if (const StandIn* const in = stand_in(side)) return in->entry().hold_tone;
  if (is_loop(side)) return {};
  return side == MediaSide::caller ? context_.customer_entry()->hold_tone : vendor().hold_tone;
}

/// What the party that is put on hold is shown.
std::string Call::hold_description() {
  Consultation& now = *transfer_->consultation;
  const MediaSide waiting =
      transfer_->side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
  MediaRelay* const relay = worker_.commons().relay;
  if (!now.tone && !transfer_->tone.is_empty() && relay != nullptr) {
    const SipOptions* const options = options_of(waiting);
    auto opened = HoldTone::open(*relay, waiting, transfer_->before,
                                 options == nullptr ? MediaSources{} : options->media_sources);
    if (opened) now.tone = std::move(*opened);
  }
  if (now.tone) {
    const bool is_behind_nat = media_.remote(waiting) && !media_.is_from_described(waiting);
    if (auto leading = now.tone->description(transfer_->before, is_behind_nat)) return *leading;
    now.tone.reset();
  }
  return sip::held(transfer_->before);
}

/// It has agreed to that.
void Call::play_hold_tone(const SessionBody& said) {
  Consultation& now = *transfer_->consultation;
  const MediaSide waiting =
      transfer_->side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
  if (!now.tone || !is_sdp(said.content_type) || !check_description(waiting, said)) return;
  if (const auto played = now.tone->play(said.bytes, transfer_->tone); !played) {
    worker_.commons().log.write(
        LogLevel::info, "call", "a hold tone was not played",
        {{"call_id", std::string(arrival_call_id())}, {"error", played.error().message}});
  }
}

/// Whom the transferor has left hears the tone until it hears the target. There is nothing to agree
/// on: it speaks with nobody, over the same ports.
void Call::let_wait() {
  if (!transfer_->has_left || !transfer_->answer.empty() || transfer_->tone.is_empty()) return;
  if (std::exchange(transfer_->has_tone, true)) return;
  const MediaSide staying =
      transfer_->side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
  // Where media is not relayed there is no way to it.
  (void)media_.play_over(staying, transfer_->tone, true);
}

}  // namespace tandem::call
