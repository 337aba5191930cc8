// Structured log lines to a callback of the host.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/clock.hpp"
#include "tandem/export.h"

namespace tandem {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
TANDEM_EXPORT const char* log_level_name(LogLevel level) noexcept;

/// One thing that a log line says beside its text. Never a secret, never a whole message.
struct LogField {
  std::string_view key;
  std::string value;
};

/// One line. `fields` ends with the call that delivers it.
struct LogRecord {
  LogLevel level;
  std::int64_t at_us;     ///< Wall clock, microseconds since 1970 UTC.
  std::string_view room;  ///< "sip", "cdr", ...
  std::string_view text;  ///< A constant sentence; variable parts are in the fields.
  std::initializer_list<LogField> fields;
  std::uint64_t
      suppressed;  ///< Lines of this text that the rate limit held back since the last one.

  /// "2026-11-25T12:00:00.000000Z warning sip: datagram refused source=192.0.2.1:5060".
  [[nodiscard]] TANDEM_EXPORT std::string to_string() const;
};

/// Called on whatever thread logs; must not block for long and must not call tandem.
using LogSink = std::function<void(const LogRecord&)>;

/// Distributes lines to a sink; each text passes at most `lines_per_second` times a second (0: no
/// limit). Threading: thread-safe.
class TANDEM_EXPORT Log {
 public:
  explicit Log(const Clock& clock, LogSink sink = {}, LogLevel lowest = LogLevel::info,
               unsigned lines_per_second = 20);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(LogLevel level, std::string_view room, std::string_view text,
             std::initializer_list<LogField> fields = {}) noexcept;
  [[nodiscard]] bool wants(LogLevel level) const noexcept;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace tandem
