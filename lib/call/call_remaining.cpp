// What is left of time or money, spoken to who calls before anybody is called (M-14).
#include <algorithm>
#include <utility>

#include "call/call.hpp"

namespace tandem::call {

namespace {

constexpr std::int64_t tail_us = 200'000;  // what is on its way when the last packet left

}  // namespace

/// Who is on the caller's side pays: neither the phone that is called (B-04), nor somebody whose
/// place another has taken by now. What they have is for nobody else to hear.
bool Call::pays_for_itself() const noexcept {
  const bool is_caller = !is_loop(MediaSide::caller) && stand_in(MediaSide::caller) == nullptr;
  return is_caller && (context_.called_phone == CallContext::no_phone ||
                       !context_.tables->phone_at(context_.called_phone).config.pays_when_called);
}

void Call::note_unspoken(const Error& error) const {
  worker_.commons().log.write(LogLevel::info, "call", "what is left could not be spoken",
                              {{"call", std::to_string(id_)},
                               {"customer", context_.customer_entry()->config.id},
                               {"error", error.message}});
}

/// Of no sound: nothing is limited, so there is nothing to say.
Result<AudioPlaylist> Call::remaining_of(Remaining what, std::int64_t left_s, Amount money) const {
  const SpokenVoice& voice = *context_.customer_entry()->voice;
  if (what == Remaining::amount) {
    // Who may owe anything (B-28) has that much at least.
    if (money.units() >= account_amount_max.units() / 2) return AudioPlaylist();
    return voice.remaining_amount(money, context_.payers()->payer.currency);
  }
  if (left_s >= rated_time_max_s) return AudioPlaylist();
  return voice.remaining_time(left_s);
}

/// Before the answer: of what the call holds for its first second, and could hold.
Result<AudioPlaylist> Call::remaining_at_start() const {
  const Customer& customer = *context_.customer_entry();
  const CallSetup& setup = *context_.setup;
  const Payers& payers = *context_.payers();
  const auto left_s = [&](const Payer& payer, const Rate* rate, const MoneyHold& hold,
                          const PackageHold& packages, const LimitHold& limits) {
    return rate == nullptr ? rated_time_max_s
                           : CallMeter::reachable_s(*rate, payer.fees,
                                                    context_.call_start(payer, context_.wall_us),
                                                    hold, packages, limits);
  };
  std::int64_t seconds =
      std::min(left_s(payers.payer, context_.rate, setup.money, setup.packages, setup.limits),
               left_s(payers.agent, context_.agent_rate, setup.agent_money, setup.agent_packages,
                      setup.agent_limits));
  // A time that is drawn is not shorter than this; what the vendor's setting does is not known yet.
  const auto& own = customer.config.max_call_s;
  const std::int64_t longest_s = own ? own->lower_s : parameters().max_call_s;
  if (longest_s > 0) seconds = std::min(seconds, longest_s);
  const Amount money =
      setup.money.is_open() ? setup.money.reachable() : Amount::from_units(INT64_MAX);
  return remaining_of(customer.announces, seconds, money);
}

/// True: the caller hears it, and vendors are called behind that. It is early media, so nobody pays
/// for it.
bool Call::announce_remaining() {
  const Customer* const customer = context_.customer_entry();
  if (customer == nullptr || customer->announces == Remaining::none || customer->voice == nullptr ||
      context_.rate == nullptr || forwarding_ != nullptr ||
      customer->config.media == MediaMode::off || !pays_for_itself() || !may_play())
    return false;
  const auto phrase = remaining_at_start();
  if (!phrase) {
    note_unspoken(phrase.error());
    return false;
  }
  if (phrase->is_empty()) return false;
  const SessionBody offer{setup_->offer_type, setup_->offer};
  const MediaSettingsPair settings = media_settings(nullptr);
  const IpAddress::Family family = context_.source.ip.family;
  media_.set_relayed(true, {family, family});
  auto led = media_.pass(MediaSide::caller, SdpRole::offer, offer, settings);
  auto played = led ? media_.play_early(offer, settings, *phrase, {.until_heard = false})
                    : Result<std::string>(led.error());
  if (!played) {
    note_unspoken(played.error());
    return false;
  }
  setup_->timer.cancel();
  EarlyAudio& audio = early_audio();
  audio.is_announcing = true;
  setup_->announced_us = phrase->duration_us() + tail_us;
  if (setup_->deadline_us != 0) setup_->deadline_us += setup_->announced_us;  // of vendors (P-19)
  worker_.loop().timers().start(audio.timer, setup_->announced_us);
  if (is_traced_) {
    const char* const what = customer->announces == Remaining::amount ? "money" : "time";
    trace_note("remaining", std::string("the caller hears what is left of ") + what);
  }
  inbound_->progress(183, {"application/sdp", *played});
  return true;
}

}  // namespace tandem::call
