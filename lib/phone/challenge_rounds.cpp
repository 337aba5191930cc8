#include "phone/challenge_rounds.hpp"

#include <functional>
#include <string>

namespace tandem::phone {
namespace {

std::uint64_t key(std::string_view call_id, const IpAddress& address) {
  std::string text = address.to_string();
  text += ' ';
  text += call_id;
  return std::hash<std::string>{}(text);
}

}  // namespace

bool ChallengeRounds::is_exhausted(std::string_view call_id, const IpAddress& address,
                                   const RoundRules& rules, std::int64_t now_us) const {
  const std::uint64_t whose = key(call_id, address);
  const std::lock_guard lock(mutex_);
  if (places_.empty()) return false;
  const Place& place = places_[whose % places_max];
  return place.whose == whose && now_us - place.first_us < rules.within_us &&
         place.rounds >= rules.rounds;
}

void ChallengeRounds::note(std::string_view call_id, const IpAddress& address,
                           const RoundRules& rules, std::int64_t now_us) {
  const std::uint64_t whose = key(call_id, address);
  const std::lock_guard lock(mutex_);
  if (places_.empty()) places_.resize(places_max);
  Place& place = places_[whose % places_max];
  if (place.whose != whose || now_us - place.first_us >= rules.within_us)
    place = Place{whose, now_us, 0};
  ++place.rounds;
}

void ChallengeRounds::forget(std::string_view call_id, const IpAddress& address) {
  const std::uint64_t whose = key(call_id, address);
  const std::lock_guard lock(mutex_);
  if (places_.empty()) return;
  Place& place = places_[whose % places_max];
  if (place.whose == whose) place = Place{};
}

}  // namespace tandem::phone
