#include "races/explorer.hpp"

#include <algorithm>

namespace tandem::races {
namespace {

constexpr std::uint64_t plays_max = 500;  // in one world, whose memory grows by what it records
constexpr std::size_t failures_max = 40;

/// What is broken, without the numbers that differ from one schedule to the next.
std::string kind_of(const std::string& breach) {
  std::string kind;
  for (const char c : breach) {
    if (c < '0' || c > '9') kind += c;
  }
  return kind;
}

}  // namespace

void Explorer::run(const std::function<bool()>& may_go_on) {
  for (const std::string& origin : setting_.origins)
    explore(split_acts(origin), may_go_on);
  counts_.states = seen_.size();
}

void Explorer::explore(const std::vector<std::string>& origin,
                       const std::function<bool()>& may_go_on) {
  std::vector<Choice> path;
  do {
    if (!may_go_on()) return;
    if (scene_ == nullptr || ++scene_plays_ > plays_max) {
      scene_ = std::make_unique<Scene>(setting_);
      scene_plays_ = 0;
    }
    std::size_t at = 0;
    bool is_known = false;
    bool is_origin_wrong = false;
    const Outcome outcome = scene_->play([&](const std::vector<std::string>& possible,
                                             std::uint64_t state) -> std::optional<std::string> {
      const std::size_t step = at++;
      if (step < origin.size()) {
        if (std::find(possible.begin(), possible.end(), origin[step]) == possible.end()) {
          is_origin_wrong = true;
          return "rest";
        }
        return origin[step];
      }
      const std::size_t place = step - origin.size();
      if (place < path.size()) return path[place].acts[path[place].next];
      const int left = depth_ - static_cast<int>(place);
      int& seen = seen_.try_emplace(state, -1).first->second;
      if (seen >= left) {
        is_known = true;
        return std::nullopt;
      }
      seen = left;
      Choice& choice = path.emplace_back();
      if (left > 0) {
        choice.acts = possible;
      } else {
        choice.acts = {"rest", "silence"};
      }
      return choice.acts.front();
    });
    if (is_origin_wrong) {
      ++counts_.failed;
      failures_.push_back({setting_.name, origin, {"an act of this origin is not possible"}});
      return;
    }
    if (is_known) {
      ++counts_.pruned;
    } else {
      ++counts_.schedules;
    }
    counts_.packets += outcome.packets;
    if (!outcome.breaches.empty()) note(outcome);
    while (!path.empty() && ++path.back().next >= path.back().acts.size())
      path.pop_back();
  } while (!path.empty());
}

void Explorer::note(const Outcome& outcome) {
  ++counts_.failed;
  scene_.reset();  // what is wrong with it must not fail what comes after
  bool is_new = false;
  for (const std::string& breach : outcome.breaches) {
    is_new = is_new || std::none_of(failures_.begin(), failures_.end(), [&](const Failure& known) {
               return std::any_of(
                   known.breaches.begin(), known.breaches.end(),
                   [&](const std::string& one) { return kind_of(one) == kind_of(breach); });
             });
  }
  if (!is_new || failures_.size() >= failures_max) return;
  Failure failure{
      setting_.name, {outcome.played.begin() + 1, outcome.played.end()}, outcome.breaches};
  shrink(failure);
  failures_.push_back(failure);
}

/// Leaves out acts one by one, as long as the first breach stays.
void Explorer::shrink(Failure& failure) const {
  const std::string kind = kind_of(failure.breaches.front());
  const auto fails = [&](const std::vector<std::string>& acts) {
    const Outcome outcome = Scene(setting_).replay(acts);
    const bool is_same = std::any_of(outcome.breaches.begin(), outcome.breaches.end(),
                                     [&](const std::string& one) { return kind_of(one) == kind; });
    if (!is_same) return false;
    failure.acts = {outcome.played.begin() + 1, outcome.played.end()};
    failure.breaches = outcome.breaches;
    return true;
  };
  if (!fails(failure.acts)) {
    failure.breaches.insert(failure.breaches.begin(), "only after other calls");
    return;
  }
  // The last act is the end, which stays.
  for (std::size_t i = failure.acts.empty() ? 0 : failure.acts.size() - 1; i-- > 0;) {
    std::vector<std::string> fewer = failure.acts;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    (void)fails(fewer);
    i = std::min(i, failure.acts.empty() ? 0 : failure.acts.size() - 1);
  }
}

}  // namespace tandem::races
