#include "call/spoken_voice.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace tandem::call {

Result<SpokenVoice> SpokenVoice::load(const SwitchConfig& config, const SpokenVoiceConfig& voice,
                                      const std::vector<std::string>& currencies) {
  const std::string& source = voice.grammar.empty() ? voice.id : voice.grammar;
  const bool is_path = source.find('/') != std::string::npos;
  auto grammar = SpokenGrammar::load(is_path ? config.path(source) : source);
  if (!grammar) return grammar.error();
  auto names = grammar->vocabulary("remaining_time");
  if (!names) return names.error();
  std::set<std::string> all(names->begin(), names->end());
  for (const std::string& currency : currencies) {
    auto of_money = grammar->vocabulary("remaining_amount", currency);
    if (!of_money) return of_money.error();
    all.insert(of_money->begin(), of_money->end());
  }
  SpokenVoice loaded;
  loaded.grammar_ = std::move(*grammar);
  const std::string folder = config.path(voice.folder);
  for (const std::string& name : all)
    loaded.read(name, folder);
  return loaded;
}

void SpokenVoice::read(const std::string& name, const std::string& folder) {
  const auto path = spoken_file(name, folder);
  auto clip = !path           ? Result<AudioClip>(path.error())
              : path->empty() ? Result<AudioClip>(AudioClip())
                              : AudioClip::load_wav(*path);
  if (!clip) faults_.push_back(clip.error().message);
  clips_.emplace(name, std::move(clip));
}

Result<AudioPlaylist> SpokenVoice::heard(const Result<SpokenPhrase>& phrase) const {
  if (!phrase) return phrase.error();
  std::vector<AudioClip> clips;
  clips.reserve(phrase->size());
  for (const std::string& name : *phrase) {
    const auto known = clips_.find(name);
    if (known == clips_.end())
      return Error{ErrorCode::not_found, "sound file \"" + name + "\" was not read"};
    if (!known->second) return known->second.error();
    clips.push_back(*known->second);
  }
  return AudioPlaylist::of(std::move(clips));
}

Result<AudioPlaylist> SpokenVoice::remaining_time(std::int64_t seconds) const {
  return heard(
      grammar_.remaining_time(static_cast<std::uint64_t>(std::max<std::int64_t>(0, seconds))));
}

Result<AudioPlaylist> SpokenVoice::remaining_amount(Amount amount,
                                                    std::string_view currency) const {
  return heard(grammar_.remaining_amount(amount, currency));
}

std::vector<std::string> spoken_currencies(const SwitchConfig& config) {
  const auto is_amount = [](const std::optional<ReminderConfig>& reminder) {
    return reminder && reminder->says == Remaining::amount;
  };
  const auto speaks = [&](const auto& party) {
    return party.announce_remaining == Remaining::amount || is_amount(party.reminder);
  };
  const Provision& provision = config.provision;
  const bool is_spoken =
      config.parameters.announce_remaining == Remaining::amount ||
      std::any_of(provision.customer_gateways.begin(), provision.customer_gateways.end(), speaks) ||
      std::any_of(provision.phones.begin(), provision.phones.end(), speaks) ||
      std::any_of(provision.accounts.begin(), provision.accounts.end(),
                  [&](const AccountConfig& account) { return is_amount(account.reminder); });
  std::set<std::string> currencies;
  if (is_spoken) {
    for (const AccountConfig& account : provision.accounts)
      currencies.insert(account.currency);
  }
  return {currencies.begin(), currencies.end()};
}

}  // namespace tandem::call
