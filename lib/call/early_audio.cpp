// What a caller hears before the answer or in the place of one: the auxiliary ring tone (M-13) and
// prompts before a refusal (M-14). Nothing of it is an answer, so nobody pays.
#include <algorithm>
#include <utility>

#include "call/call.hpp"
#include "call/identity.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t prompt_tail_us = 200'000;  // what is on its way when the last packet left

}  // namespace

Call::EarlyAudio::EarlyAudio(Call& call)
    : timer(Timer::member<&Call::on_early_audio, Call>(), &call) {}

Call::EarlyAudio& Call::early_audio() {
  if (setup_->early_audio == nullptr) setup_->early_audio = std::make_unique<EarlyAudio>(*this);
  return *setup_->early_audio;
}

/// Somebody offered audio, and a description that is no answer may be shown: one that goes out
/// reliably would be the answer for good (RFC 3262).
bool Call::may_play() const {
  return setup_ != nullptr && !setup_->offer.empty() && is_sdp(setup_->offer_type) &&
         worker_.commons().relay != nullptr && !inbound_->is_reliable();
}

/// M-13: the tone of a vendor begins its time after the call came; another vendor does not begin it
/// anew. That of a phone begins when the phone rings (T-14).
void Call::arm_ring_tone() {
  if (vendor().ring_tone.is_empty() || trial_.is_forward || !may_play()) return;
  if (vendor().is_phone && !trial_.has_ringing) return;
  EarlyAudio& audio = early_audio();
  if (media_.is_playing() || std::exchange(audio.is_armed, true)) return;
  const std::int64_t now_us = worker_.loop().clock().monotonic_us();
  const std::int64_t due_us =
      vendor().is_phone ? now_us
                        : context_.arrived_us + vendor().config.ring_tone_after_s * second_us;
  worker_.loop().timers().start(audio.timer, std::max<std::int64_t>(due_us - now_us, 0));
}

void Call::on_early_audio() {
  if (is_over_ || setup_ == nullptr || setup_->early_audio == nullptr) return;
  if (setup_->early_audio->ending) return end_prompt();
  if (std::exchange(setup_->early_audio->is_announcing, false)) return try_next_vendor();
  setup_->early_audio->is_armed = false;
  if (trial_.leg == nullptr || is_answer_pending()) return;
  const bool was_shown = !setup_->early_answer.empty();
  const std::string description = begin_ring_tone();
  // One that the caller has already needs no second response.
  if (!description.empty() && !was_shown) inbound_->progress(183, {"application/sdp", description});
}

/// Plays to the caller until the vendor does. Gives what the caller must be shown for it; "": it
/// cannot be, or the vendor is heard.
std::string Call::begin_ring_tone() {
  if (vendor().ring_tone.is_empty() || !media_.relayed() || !may_play()) return {};
  const std::int64_t last_rtp_us = media_.last_rtp_us(MediaSide::callee);
  if (last_rtp_us != 0 && last_rtp_us >= trial_.started_us) return {};
  const GatewayConfig* const callee = is_loop(MediaSide::callee) ? nullptr : &vendor().config;
  auto played = media_.play_early({setup_->offer_type, setup_->offer}, media_settings(callee),
                                  vendor().ring_tone, {.repeats = true});
  if (!played) {
    worker_.commons().log.write(
        LogLevel::info, "call", "a ring tone was not played",
        {{"vendor", vendor().config.id}, {"error", played.error().message}});
    return {};
  }
  return *played;
}

/// M-14: lets the caller hear why, and refuses the call behind that. False: there is nothing to
/// hear, or no way to it.
bool Call::play_prompt(const Ending& ending, int q850_cause, int retry_after_s,
                       HeaderCopies headers) {
  const Customer* const customer = context_.customer_entry();
  if (customer == nullptr || is_loop(MediaSide::caller) || !may_play()) return false;
  const auto prompt = std::find_if(customer->prompts.begin(), customer->prompts.end(),
                                   [&](const auto& one) { return one.first == ending.reason; });
  if (prompt == customer->prompts.end()) return false;
  const SessionBody offer{setup_->offer_type, setup_->offer};
  const MediaSettingsPair settings = media_settings(nullptr);
  const IpAddress::Family family = context_.source.ip.family;
  media_.set_relayed(true, {family, family});
  auto led = media_.pass(MediaSide::caller, SdpRole::offer, offer, settings);
  auto played = led ? media_.play_early(offer, settings, prompt->second, {.until_heard = false})
                    : Result<std::string>(led.error());
  if (!played) {
    worker_.commons().log.write(LogLevel::info, "call", "a prompt was not played",
                                {{"customer", customer->config.id},
                                 {"reason", std::string(reason_facts(ending.reason).name)},
                                 {"error", played.error().message}});
    return false;
  }
  setup_->timer.cancel();
  EarlyAudio& audio = early_audio();
  audio.ending = ending;
  audio.q850_cause = q850_cause;
  audio.retry_after_s = retry_after_s;
  audio.headers = std::move(headers);
  worker_.loop().timers().start(audio.timer, prompt->second.duration_us() + prompt_tail_us);
  inbound_->progress(183, {"application/sdp", *played});
  return true;
}

void Call::end_prompt() {
  EarlyAudio& audio = *setup_->early_audio;
  const Ending ending = *std::exchange(audio.ending, std::nullopt);
  Refusal refusal;
  refusal.status = ending.sip_status;
  refusal.q850_cause = audio.q850_cause;
  refusal.retry_after_s = audio.retry_after_s;
  refusal.headers = views_of(audio.headers);
  inbound_->reject(refusal);
  finish(ending);
}

}  // namespace tandem::call
