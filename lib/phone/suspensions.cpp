#include "phone/suspensions.hpp"

#include <algorithm>
#include <tuple>

namespace tandem::phone {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int32_t address_factor = 5;
constexpr std::size_t user_length_max = 64;  // what is longer is no user of ours
constexpr std::int64_t sweep_rhythm_us = 10 * second_us;

/// The address that an entry is about.
IpAddress subscriber(IpAddress address) noexcept {
  if (address.is_ipv6()) std::fill(address.bytes.begin() + 8, address.bytes.end(), 0);
  return address;
}

}  // namespace

std::string Suspensions::key(std::string_view user, const IpAddress& address) {
  std::string text = subscriber(address).to_string();
  text += ' ';
  text += user.substr(0, user_length_max);
  return text;
}

bool Suspensions::is_suspended(std::string_view user, const IpAddress& address,
                               std::int64_t now_us) const {
  if (size_.load(std::memory_order_relaxed) == 0) return false;
  const std::lock_guard lock(mutex_);
  for (const std::string& one : {key(user, address), key({}, address)}) {
    const auto found = entries_.find(one);
    if (found != entries_.end() && found->second.until_us > now_us) return true;
  }
  return false;
}

bool Suspensions::count(const std::string& key, std::int32_t limit, const SuspensionRules& rules,
                        std::int64_t now_us) {
  if (entries_.size() >= entries_max && !entries_.contains(key)) {
    // Not for each that comes: then whoever fills the table would also cost a walk through it.
    if (now_us - swept_us_ >= sweep_rhythm_us) {
      swept_us_ = now_us;
      std::erase_if(entries_, [&](const auto& entry) {
        return entry.second.until_us <= now_us &&
               now_us - entry.second.latest_us > rules.suspend_s * second_us;
      });
    }
    if (entries_.size() >= entries_max) entries_.erase(entries_.begin());
  }
  Entry& entry = entries_[key];
  // What was long ago has nothing to do with this one.
  const bool is_over = entry.until_us != 0 && entry.until_us <= now_us;
  if (is_over || now_us - entry.latest_us > rules.suspend_s * second_us) entry = Entry{};
  entry.latest_us = now_us;
  if (++entry.failures < limit || entry.until_us > now_us) return false;
  entry.until_us = now_us + rules.suspend_s * second_us;
  return true;
}

bool Suspensions::note_failure(std::string_view user, const IpAddress& address,
                               const SuspensionRules& rules, std::int64_t now_us) {
  if (rules.suspend_s == 0) return false;
  const std::lock_guard lock(mutex_);
  const bool is_user = count(key(user, address), rules.failures, rules, now_us);
  const bool is_address = count(key({}, address), rules.failures * address_factor, rules, now_us);
  size_.store(entries_.size(), std::memory_order_relaxed);
  return is_user || is_address;
}

void Suspensions::note_success(std::string_view user, const IpAddress& address) {
  if (size_.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(mutex_);
  entries_.erase(key(user, address));
  size_.store(entries_.size(), std::memory_order_relaxed);
}

std::vector<SuspensionView> Suspensions::list(std::int64_t now_us) const {
  std::vector<SuspensionView> views;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      if (entry.until_us <= now_us) continue;
      const std::size_t blank = key.find(' ');
      views.push_back(
          {key.substr(blank + 1), key.substr(0, blank), (entry.until_us - now_us + 999) / 1000});
    }
  }
  std::sort(views.begin(), views.end(), [](const SuspensionView& a, const SuspensionView& b) {
    return std::tie(a.address, a.user) < std::tie(b.address, b.user);
  });
  return views;
}

bool Suspensions::lift(std::string_view user, const IpAddress& address, std::int64_t now_us) {
  const std::lock_guard lock(mutex_);
  std::size_t lifted = 0;
  if (user.empty()) {
    const std::string begin = key({}, address);
    lifted = std::erase_if(entries_, [&](const auto& entry) {
      return entry.first.starts_with(begin) && entry.second.until_us > now_us;
    });
  } else {
    const auto found = entries_.find(key(user, address));
    if (found != entries_.end() && found->second.until_us > now_us) {
      entries_.erase(found);
      lifted = 1;
    }
  }
  size_.store(entries_.size(), std::memory_order_relaxed);
  return lifted != 0;
}

}  // namespace tandem::phone
