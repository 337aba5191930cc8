// tandem-bench [--list] [--filter TEXT] [--seconds N]: a JSON line per figure.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bench.hpp"

namespace tandem::bench {
namespace {

struct Registered {
  const char* name;
  const char* unit;
  Function function;
};

std::vector<Registered>& registered() {
  static std::vector<Registered> entries;
  return entries;
}

double wanted_seconds = 1;

std::int64_t clock_ns(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out += '"';
}

int run(const std::string& filter, bool is_list) {
  auto& entries = registered();
  std::sort(entries.begin(), entries.end(), [](const Registered& a, const Registered& b) {
    return std::strcmp(a.name, b.name) < 0;
  });
  int matched = 0;
  int failed = 0;
  for (const Registered& entry : entries) {
    if (std::string_view(entry.name).find(filter) == std::string_view::npos) continue;
    ++matched;
    if (is_list) {
      std::printf("%s %s\n", entry.name, entry.unit);
      continue;
    }
    const Figure figure = entry.function();
    if (!figure.not_run.empty()) {
      std::fprintf(stderr, "%s: not run: %s\n", entry.name, figure.not_run.c_str());
      ++failed;
      continue;
    }
    std::printf("{\"bench\":%s,\"value\":%.6g,\"unit\":%s,\"detail\":%s}\n",
                json_string(entry.name).c_str(), figure.value, json_string(entry.unit).c_str(),
                figure.detail.c_str());
    std::fflush(stdout);
  }
  if (matched == 0) std::fprintf(stderr, "no benchmark has \"%s\" in its name\n", filter.c_str());
  return matched > 0 && failed == 0 ? 0 : 1;
}

}  // namespace

Entry::Entry(const char* name, const char* unit, Function function) noexcept {
  registered().push_back({name, unit, function});
}

std::int64_t cpu_ns() noexcept { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
std::int64_t thread_cpu_ns() noexcept { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }
std::int64_t wall_ns() noexcept { return clock_ns(CLOCK_MONOTONIC); }
double seconds() noexcept { return wanted_seconds; }

}  // namespace tandem::bench

int main(int argc, char** argv) {
  std::string filter;
  bool is_list = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--list") {
      is_list = true;
    } else if (option == "--filter" && has_value) {
      filter = argv[++i];
    } else if (option == "--seconds" && has_value) {
      const std::string_view text = argv[++i];
      double value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size() ||
          !(value > 0 && value <= 3600)) {
        std::fprintf(stderr, "--seconds \"%s\" was not a number above 0 and up to 3600\n", argv[i]);
        return 2;
      }
      tandem::bench::wanted_seconds = value;
    } else {
      const bool is_help = option == "--help";
      std::fprintf(is_help ? stdout : stderr,
                   "usage: tandem-bench [--list] [--filter TEXT] [--seconds N]\n");
      return is_help ? 0 : 2;
    }
  }
  return tandem::bench::run(filter, is_list);
}
