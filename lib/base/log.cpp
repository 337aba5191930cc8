#include "tandem/log.hpp"

#include <mutex>
#include <unordered_map>

#include "base/text.hpp"

namespace tandem {
namespace {

// Texts are constants of the program; the bound holds should one ever be built from input.
constexpr std::size_t texts_max = 1024;

bool is_secret(std::string_view key) noexcept {
  for (std::string_view word : {"password", "secret", "token", "authorization", "private_key"}) {
    for (std::size_t at = 0; at + word.size() <= key.size(); ++at) {
      if (equals_ignoring_case(key.substr(at, word.size()), word)) return true;
    }
  }
  return false;
}

// Values come from the network: what could end the line, hide in it or read as another field is
// escaped.
void append_value(std::string& out, std::string_view value) {
  bool is_plain = !value.empty();
  for (char c : value)
    is_plain = is_plain && c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '=';
  if (is_plain) {
    out += value;
    return;
  }
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += "\\x";
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[static_cast<unsigned char>(c) & 15];
    }
  }
  out += '"';
}

}  // namespace

const char* log_level_name(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

std::string LogRecord::to_string() const {
  std::string out = format_time_us(at_us);
  out += ' ';
  out += log_level_name(level);
  out += ' ';
  out += room;
  out += ": ";
  out += text;
  for (const LogField& field : fields) {
    out += ' ';
    out += field.key;
    out += '=';
    if (is_secret(field.key)) {
      out += "***";
    } else {
      append_value(out, field.value);
    }
  }
  if (suppressed > 0) {
    out += " suppressed=";
    append_integer(out, suppressed);
  }
  return out;
}

struct Log::Body {
  // One second's worth of one text.
  struct Window {
    std::int64_t start_us = 0;
    unsigned lines = 0;
    std::uint64_t suppressed = 0;
  };

  const Clock& clock;
  const LogSink sink;
  const LogLevel lowest;
  const unsigned lines_per_second;
  std::mutex mutex;  // guards `windows`; not held while the sink runs
  std::unordered_map<std::string, Window> windows;

  // True when a line of `text` may pass; `suppressed` gets the number that did not since the last
  // one.
  bool admit(std::string_view text, std::uint64_t& suppressed) {
    if (lines_per_second == 0) return true;
    const std::int64_t now_us = clock.monotonic_us();
    const std::lock_guard lock(mutex);
    std::string key(text);
    // Texts beyond the bound share one window.
    if (windows.size() >= texts_max && !windows.contains(key)) key.clear();
    Window& window = windows[std::move(key)];
    if (window.lines == 0 || now_us - window.start_us >= 1'000'000) {
      window.start_us = now_us;
      window.lines = 0;
    }
    if (window.lines >= lines_per_second) {
      ++window.suppressed;
      return false;
    }
    ++window.lines;
    suppressed = std::exchange(window.suppressed, 0);
    return true;
  }
};

Log::Log(const Clock& clock, LogSink sink, LogLevel lowest, unsigned lines_per_second)
    : body_(new Body{clock, std::move(sink), lowest, lines_per_second, {}, {}}) {}
Log::~Log() = default;

bool Log::wants(LogLevel level) const noexcept { return body_->sink && level >= body_->lowest; }

void Log::write(LogLevel level, std::string_view room, std::string_view text,
                std::initializer_list<LogField> fields) noexcept {
  if (!wants(level)) return;
  try {
    std::uint64_t suppressed = 0;
    if (!body_->admit(text, suppressed)) return;
    body_->sink(LogRecord{level, body_->clock.wall_us(), room, text, fields, suppressed});
  } catch (...) {
    // A line that cannot be written must not end the call that it is about.
  }
}

}  // namespace tandem
