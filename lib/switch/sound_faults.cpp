// Whether the sounds that a configuration names can be had (M-13, M-14, T-05).
#include <set>

#include "call/sounds.hpp"
#include "call/spoken_voice.hpp"
#include "tandem/config.hpp"

namespace tandem {

namespace {

class SoundCheck {
 public:
  explicit SoundCheck(SoundFaults& faults) : faults_(faults) {}

  void sound(const std::string& source, const std::string& pointer) {
    if (source.empty()) return;
    if (const auto clip = sounds_.clip(source); !clip)
      faults_.errors.push_back({pointer, clip.error().message});
  }
  void prompts(const std::vector<PromptConfig>& prompts, const std::string& pointer) {
    for (const PromptConfig& prompt : prompts)
      sound(prompt.source, pointer + '/' + std::string(reason_facts(prompt.reason).name));
  }
  void reminder(const std::optional<ReminderConfig>& reminder, const std::string& pointer) {
    if (reminder) sound(reminder->sound, pointer + "/sound");
  }

 private:
  SoundFaults& faults_;
  call::Sounds sounds_;
};

std::string at(const char* list, std::size_t index) {
  return "/provision/" + std::string(list) + '/' + std::to_string(index);
}

}  // namespace

SoundFaults sound_faults(const SwitchConfig& config) {
  SoundFaults faults;
  SoundCheck check(faults);
  const Provision& provision = config.provision;
  for (std::size_t i = 0; i < provision.accounts.size(); ++i)
    check.reminder(provision.accounts[i].reminder, at("accounts", i) + "/reminder");
  const auto look_at_source = [&](const auto& party, const std::string& pointer) {
    check.prompts(party.prompts, pointer + "/prompts");
    check.reminder(party.reminder, pointer + "/reminder");
    check.sound(party.hold_tone, pointer + "/hold_tone");
  };
  for (std::size_t i = 0; i < provision.customer_gateways.size(); ++i)
    look_at_source(provision.customer_gateways[i], at("customer_gateways", i));
  for (std::size_t i = 0; i < provision.vendor_gateways.size(); ++i) {
    const VendorGateway& vendor = provision.vendor_gateways[i];
    check.sound(vendor.ring_tone, at("vendor_gateways", i) + "/ring_tone");
    check.sound(vendor.hold_tone, at("vendor_gateways", i) + "/hold_tone");
  }
  for (std::size_t i = 0; i < provision.phones.size(); ++i) {
    look_at_source(provision.phones[i], at("phones", i));
    check.sound(provision.phones[i].ring_tone, at("phones", i) + "/ring_tone");
  }
  const auto currencies = call::spoken_currencies(config);
  for (std::size_t i = 0; i < provision.voices.size(); ++i) {
    const auto voice = call::SpokenVoice::load(config, provision.voices[i], currencies);
    if (!voice) {
      faults.errors.push_back({at("voices", i) + "/grammar", voice.error().message});
      continue;
    }
    for (const std::string& fault : voice->faults())
      faults.warnings.push_back({at("voices", i) + "/folder", fault});
  }
  return faults;
}

}  // namespace tandem
