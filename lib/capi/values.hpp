// Values of the C API made from those of C++, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "capi/guard.hpp"
#include "tandem/cdr.hpp"
#include "tandem/config.hpp"
#include "tandem/log.hpp"
#include "tandem/number_policy.hpp"
#include "tandem/rating.hpp"
#include "tandem/switch.hpp"
#include "tandem/values.hpp"

struct tandem_config {
  tandem::ConfigReading reading;
  std::vector<tandem::ConfigError> warnings{};  // of a reading without errors
};
struct tandem_switch {
  std::unique_ptr<tandem::Switch> body;
  std::shared_ptr<void> owner_mark;  // the one that its callbacks carry; see CallbackScope
};
struct tandem_cdr_sink {
  std::unique_ptr<tandem::CdrSink> body;
};

// As it was published, without why a side is not heard.
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_media_side_stats> =
    offsetof(tandem_media_side_stats, cause);

namespace tandem::capi {

tandem_address to_c(const SocketAddress& address);

/// Any enumeration whose C constants are 0..last in the order of C++.
template <class Enum>
Result<Enum> read_enum(std::int32_t value, Enum last, const char* name) {
  if (value < 0 || value > static_cast<std::int32_t>(last))
    return Error{ErrorCode::invalid_argument,
                 std::string(name) + " " + std::to_string(value) + " is none of its constants"};
  return static_cast<Enum>(value);
}

/// NULL: no restriction.
Result<NumberPolicyConfig> read_number_policy(const tandem_number_policy_config* given);

Result<Rate> read_rate(const tandem_rate* given);
/// What the windows of a lone rate are judged by.
Result<CallStart> read_call_start(const tandem_rate* given, std::int64_t at_us);
/// NULL: the defaults.
Result<FeeRules> read_fee_rules(const tandem_fee_rules* given);
Result<CallLevel> read_call_level(std::int32_t level);

Result<Cdr> read_cdr(const tandem_cdr* given);
/// NULL: everything.
Result<CdrQuery> read_cdr_query(const tandem_cdr_query* given);
/// NULL: the defaults.
Result<CdrGuards> read_guards(const tandem_cdr_guards* given);
std::string to_json_lines(const std::vector<Cdr>& cdrs);

/// A record as C sees it; borrows from `cdr`, which must outlive it.
class CdrView {
 public:
  explicit CdrView(const Cdr& cdr);
  CdrView(const CdrView&) = delete;
  CdrView& operator=(const CdrView&) = delete;
  [[nodiscard]] const tandem_cdr* get() const noexcept { return &record_; }

 private:
  tandem_cdr record_{};
  tandem_charge_facts customer_{}, vendor_{}, agent_{};
  tandem_media_side_stats media_[2]{};
  std::vector<tandem_attempt> attempts_;
  std::vector<const tandem_attempt*> attempt_pointers_;
};

tandem_media_side_stats to_c(const MediaSideStats& stats);

/// Says on the callback thread whose callback is running, so that a switch that is closed inside of
/// its own callback can refuse instead of waiting for itself.
class CallbackScope {
 public:
  explicit CallbackScope(const void* mark) noexcept : before_(current_) { current_ = mark; }
  ~CallbackScope() { current_ = before_; }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;
  static bool is_inside(const void* mark) noexcept { return mark != nullptr && current_ == mark; }

 private:
  inline static thread_local const void* current_ = nullptr;
  const void* before_;
};

/// The host's pointer with what frees it. The last copy frees, so that user_free runs exactly once
/// however far a function got. NULL as `user_free`: the host keeps it.
std::shared_ptr<void> own_user(void* user, void (*user_free)(void*));

/// Empty when `log` is NULL.
LogSink make_log_sink(tandem_log_fn log, std::shared_ptr<void> user);
Result<LogLevel> read_log_level(std::int32_t level);

/// Takes over `sink`, whatever becomes of the call that was given it.
std::unique_ptr<CdrSink> take_sink(tandem_cdr_sink* sink) noexcept;

/// "[a,b]" of objects that are JSON already.
template <class Items>
std::string json_array(const Items& items) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    out += to_json(item);
  }
  return out += ']';
}
/// A JSON string with its quotes. Bytes that are not UTF-8 are passed on as they are.
std::string json_quoted(std::string_view text);
/// A JSON array.
std::string sinks_json(const std::vector<CdrSinkState>& sinks);

}  // namespace tandem::capi
