// flow_races: plays every order of what two ends of a call can do, and says what went wrong.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "races/explorer.hpp"

using namespace tandem::races;

namespace {

int usage() {
  std::fprintf(stderr,
               "usage: flow_races [--depth N] [--setting NAME] [--seconds N]\n"
               "       flow_races --replay \"SETTING: ACT ACT ...\"\n"
               "       flow_races --list\n");
  return 2;
}

int replay(std::string_view text) {
  const std::size_t colon = text.find(':');
  const Setting* setting = find_setting(text.substr(0, colon));
  if (setting == nullptr || colon == std::string_view::npos) return usage();
  Scene scene(*setting);
  scene.set_verbose(true);
  const Outcome outcome = scene.replay(split_acts(text.substr(colon + 1)));
  for (const std::string& breach : outcome.breaches)
    std::printf("BREACH %s\n", breach.c_str());
  std::printf("%s: %s\n", setting->name.c_str(), join_acts(outcome.played).c_str());
  return outcome.breaches.empty() ? 0 : 1;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  int depth = 2;
  long seconds_max = 0;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (arg == "--list") {
      for (const Setting& one : settings()) {
        std::printf("%s\n", one.name.c_str());
        for (const std::string& origin : one.origins)
          std::printf("  %s\n", origin.c_str());
      }
      return 0;
    }
    if (value == nullptr) return usage();
    ++i;
    if (arg == "--replay") return replay(value);
    if (arg == "--depth") {
      depth = std::atoi(value);
    } else if (arg == "--seconds") {
      seconds_max = std::atol(value);
    } else if (arg == "--setting") {
      only = value;
    } else {
      return usage();
    }
  }
  if (!only.empty() && find_setting(only) == nullptr) return usage();
  std::uint64_t schedules = 0, states = 0, failed = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const Setting& setting : settings()) {
    if (!only.empty() && setting.name != only) continue;
    Explorer explorer(setting, depth);
    const auto setting_begin = std::chrono::steady_clock::now();
    bool is_cut = false;
    explorer.run([&] {
      is_cut = is_cut ||
               (seconds_max > 0 && seconds_since(setting_begin) > static_cast<double>(seconds_max));
      return !is_cut;
    });
    const Counts& counts = explorer.counts();
    const double took = seconds_since(setting_begin);
    std::printf(
        "%-12s depth %d: %llu schedules, %llu states, %llu came to known states, %llu "
        "messages, %.1f s, %.0f/s, %llu failed%s\n",
        setting.name.c_str(), depth, static_cast<unsigned long long>(counts.schedules),
        static_cast<unsigned long long>(counts.states),
        static_cast<unsigned long long>(counts.pruned),
        static_cast<unsigned long long>(counts.packets), took,
        static_cast<double>(counts.schedules + counts.pruned) / took,
        static_cast<unsigned long long>(counts.failed), is_cut ? " (cut short)" : "");
    for (const Failure& failure : explorer.failures()) {
      std::printf("  --replay \"%s: %s\"\n", failure.setting.c_str(),
                  join_acts(failure.acts).c_str());
      for (const std::string& breach : failure.breaches)
        std::printf("      %s\n", breach.c_str());
    }
    std::fflush(stdout);
    schedules += counts.schedules;
    states += counts.states;
    failed += counts.failed;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%llu schedules, %llu states, %llu failed, %.1f s, %ld MB\n",
              static_cast<unsigned long long>(schedules), static_cast<unsigned long long>(states),
              static_cast<unsigned long long>(failed), seconds_since(begin),
              usage.ru_maxrss / 1024);
  return failed == 0 ? 0 : 1;
}
