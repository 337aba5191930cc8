// Errors: what failed, said once, in one line.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "tandem/export.h"

namespace tandem {

/// Kind of a failure. The values are those of the C constants TANDEM_ERR_*; never renumbered.
enum class ErrorCode : int {
  invalid_argument = -1,  ///< A value is out of its range or malformed.
  not_found = -2,         ///< The named thing does not exist.
  already_exists = -3,    ///< The named thing exists.
  io = -4,                ///< The operating system refused: file, socket, database.
  limit = -5,             ///< A stated bound is reached.
  wrong_thread = -6,      ///< Called on a thread that may not call it.
  wrong_state = -7,       ///< Not possible now: not started, closed, already answered.
  unsupported = -8,       ///< Known, but not built or not possible here.
  too_small = -9,         ///< The caller's buffer cannot hold the answer.
  timeout = -10,          ///< The deadline passed.
  corrupt = -11,          ///< Stored data failed its check.
  internal = -12,         ///< A broken promise of this library; please report it.
};

/// Name of a code, for instance "invalid_argument". Lives for ever.
TANDEM_EXPORT const char* error_code_name(ErrorCode code) noexcept;

/// A failure: its kind and one line, past tense, with the offending value.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

/// A value or the Error that prevented it. Discarding one takes `(void)` and a comment.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  /// REQUIRES: ok().
  T& value() & { return assert(ok()), *std::get_if<0>(&content_); }
  const T& value() const& { return assert(ok()), *std::get_if<0>(&content_); }
  T&& value() && { return assert(ok()), std::move(*std::get_if<0>(&content_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  /// REQUIRES: !ok().
  const Error& error() const& { return assert(!ok()), *std::get_if<1>(&content_); }
  Error&& error() && { return assert(!ok()), std::move(*std::get_if<1>(&content_)); }

  T value_or(T fallback) && { return ok() ? std::move(*this).value() : std::move(fallback); }

 private:
  std::variant<T, Error> content_;
};

/// Success or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  [[nodiscard]] bool ok() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return ok(); }
  /// REQUIRES: !ok().
  const Error& error() const& { return assert(!ok()), *error_; }
  Error&& error() && { return assert(!ok()), std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace tandem
