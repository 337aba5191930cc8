// tandem-load: makes calls through a switch and says what came of them. docs/load.md.
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "generator.hpp"
#include "port.hpp"

namespace {

constexpr const char* usage =
    "usage: tandem-load --target IP:PORT --from IP[:PORT] --uas IP:PORT --calls N|--seconds N\n"
    "  --rate CPS           calls started a second (10)\n"
    "  --hold MS            from the answer to the BYE (0)\n"
    "  --ring MS            from the INVITE to the called party's final response (0)\n"
    "  --callee N           number called, --caller N: number calling; each # is a digit of the\n"
    "                       call's ordinal number\n"
    "  --answer PATTERN     answer:90,busy:5,noanswer:3,silent:1,reject503:1: weights (answer)\n"
    "  --hangup SIDE        caller, callee or alternate (caller)\n"
    "  --patience MS        callers cancel when there is no final response (3000; 0: never)\n"
    "  --rtp                both sides send and count G.711 packets\n"
    "  --ptime MS           audio in one RTP packet, 10..100 (20)\n"
    "  --t1 MS              RFC 3261 timer T1 (500)\n"
    "  --invite-timeout MS  how long an INVITE without any response is repeated (64 T1)\n"
    "  --live N             no call is started beyond so many live ones (100000)\n"
    "  --seed N             of the order of the called parties' behaviours (1)\n"
    "  --answered-log FILE  a line for each 2xx that a caller got: Call-ID, microseconds since "
    "1970\n"
    "  --progress           a line a second on stderr\n"
    "Prints one JSON line. Exit status: 0 every call ended as its called party was told, 1 some "
    "did "
    "not, 2 bad usage.\n";

tandem::load::Generator* running = nullptr;

void on_signal(int) {
  if (running != nullptr) running->interrupt();
}

int complain(const std::string& text) {
  std::fprintf(stderr, "tandem-load: %s\n", text.c_str());
  return 2;
}

template <class Number>
bool read_number(std::string_view text, Number low, Number high, Number& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && value >= low && value <= high;
}

/// Takes one option with its value; a text says what was wrong with it.
std::string take(std::string_view name, std::string_view value, tandem::load::Options& options) {
  using tandem::load::Hangup;
  constexpr std::int64_t day_ms = 86'400'000;
  const auto bad = [&] {
    return "--" + std::string(name) + " \"" + std::string(value) + "\" is not possible";
  };
  const auto milliseconds = [&](std::int64_t& us, std::int64_t low_ms = 0) {
    std::int64_t ms = 0;
    if (!read_number<std::int64_t>(value, low_ms, day_ms, ms)) return bad();
    us = ms * 1000;
    return std::string();
  };
  const auto address = [&](sockaddr_in& where, bool needs_port) {
    auto read = tandem::load::read_address(value, 0);
    if (!read) return "--" + std::string(name) + ": " + read.error().message;
    where = *read;
    return needs_port && where.sin_port == 0 ? bad() : std::string();
  };
  if (name == "target") return address(options.target, true);
  if (name == "from") return address(options.from, false);
  if (name == "uas") return address(options.uas, false);
  if (name == "rate") return read_number(value, 0.001, 1e6, options.calls_per_s) ? "" : bad();
  if (name == "seconds") return read_number(value, 0.001, 1e6, options.seconds) ? "" : bad();
  if (name == "calls")
    return read_number<std::uint64_t>(value, 1, 1'000'000'000, options.calls) ? "" : bad();
  if (name == "live")
    return read_number<std::size_t>(value, 1, 10'000'000, options.live_max) ? "" : bad();
  if (name == "seed")
    return read_number<std::uint64_t>(value, 0, UINT64_MAX, options.seed) ? "" : bad();
  if (name == "hold") return milliseconds(options.hold_us);
  if (name == "ring") return milliseconds(options.ring_us);
  if (name == "patience") return milliseconds(options.patience_us);
  if (name == "ptime")
    return read_number<std::int64_t>(value, 10, 100, options.ptime_ms) ? "" : bad();
  if (name == "t1") return milliseconds(options.t1_us, 1);
  if (name == "invite-timeout") return milliseconds(options.invite_timeout_us);
  if (name == "callee" || name == "caller") {
    (name == "callee" ? options.callee : options.caller) = value;
    return value.empty() ? bad() : "";
  }
  if (name == "answered-log") {
    options.answered_log = value;
    return "";
  }
  if (name == "answer") {
    auto behaviours = tandem::load::read_behaviours(value);
    if (!behaviours) return "--answer: " + behaviours.error().message;
    options.behaviours = *behaviours;
    return "";
  }
  if (name == "hangup") {
    if (value == "caller")
      options.hangup = Hangup::caller;
    else if (value == "callee")
      options.hangup = Hangup::callee;
    else if (value == "alternate")
      options.hangup = Hangup::alternate;
    else
      return bad();
    return "";
  }
  return "unknown option --" + std::string(name);
}

}  // namespace

int main(int count, char** words) {
  tandem::load::Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--help") {
      std::fputs(usage, stdout);
      return 0;
    }
    if (word == "--rtp") {
      options.with_rtp = true;
    } else if (word == "--progress") {
      options.shows_progress = true;
    } else if (!word.starts_with("--")) {
      return complain("unexpected \"" + std::string(word) + "\"; see tandem-load --help");
    } else if (i + 1 == count) {
      return complain(std::string(word) + " needs a value; see tandem-load --help");
    } else if (const std::string wrong = take(word.substr(2), words[++i], options);
               !wrong.empty()) {
      return complain(wrong + "; see tandem-load --help");
    }
  }
  if (options.target.sin_family == 0 || options.from.sin_family == 0 ||
      options.uas.sin_family == 0) {
    return complain("--target, --from and --uas are needed; see tandem-load --help");
  }
  auto generator = tandem::load::Generator::open(options);
  if (!generator) return complain(generator.error().message);
  running = &*generator;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  const tandem::load::Report report = generator->run();
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  running = nullptr;
  std::printf("%s\n", report.to_json().c_str());
  return report.failures() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
