// What every function of the C API goes through: the error slot, the guard against exceptions, and
// the reading and writing of structures that grow.
#pragma once

#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/error.hpp"
#include "tandem/tandem.h"

struct tandem_text {
  std::string content;
};

namespace tandem::capi {

/// The slot of tandem_last_error(). Neither allocates, so that "memory ran out" can be said too.
void clear_error() noexcept;
int fail(ErrorCode code, std::string_view message) noexcept;
inline int fail(const Error& error) noexcept { return fail(error.code, error.message); }

/// `what` was NULL.
int fail_null(std::string_view what) noexcept;

/// Runs the body of a function that returns a code: empties the error slot, and turns what is
/// thrown into a code. The only place where exceptions of the library end on their way to C.
template <class Body>
int guarded(Body&& body) noexcept {
  clear_error();
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::limit, "memory ran out");
  } catch (const std::exception& e) {
    return fail(ErrorCode::internal, e.what());
  } catch (...) {
    return fail(ErrorCode::internal, "an unknown exception was thrown");
  }
}

/// For functions that return void or a plain value: what is thrown ends here.
template <class Value, class Body>
Value guarded_value(Value fallback, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return fallback;
  }
}

/// NULL is an empty text.
inline std::string_view view(const char* text) noexcept {
  return text == nullptr ? std::string_view() : std::string_view(text);
}
inline std::string copy(const char* text) { return std::string(view(text)); }

inline int give(std::string content, tandem_text** out) {
  *out = new tandem_text{std::move(content)};
  return TANDEM_OK;
}
inline int give(Result<std::string> content, tandem_text** out) {
  if (!content) return fail(content.error());
  return give(std::move(*content), out);
}

/// A list of texts. Errors: invalid_argument (NULL with a count, or a NULL inside).
template <class Container>
Result<void> read_texts(const char* const* texts, std::size_t count, const char* name,
                        Container& out) {
  if (count > 0 && texts == nullptr)
    return Error{ErrorCode::invalid_argument, std::string(name) + " was NULL with a count"};
  for (std::size_t i = 0; i < count; ++i) {
    if (texts[i] == nullptr)
      return Error{ErrorCode::invalid_argument,
                   std::string(name) + "[" + std::to_string(i) + "] was NULL"};
    out.emplace_back(texts[i]);
  }
  return {};
}

/// No structure is larger, so a larger `struct_size` was never set: its bytes are not looked at.
inline constexpr std::size_t struct_bytes_max = 4096;

/// The size that a structure had when it was published: no caller has a smaller one. A structure
/// that grows gets a specialisation with its first size.
template <class Struct>
inline constexpr std::size_t first_struct_bytes = sizeof(Struct);

/// Reads a caller's structure: members that the caller does not know are zero, bytes that this
/// library does not know must be.
template <class Struct>
Result<Struct> read_struct(const Struct* given, const char* name) {
  if (given == nullptr) return Error{ErrorCode::invalid_argument, std::string(name) + " was NULL"};
  const std::size_t bytes = given->struct_size;
  if (bytes < first_struct_bytes<Struct> || bytes > struct_bytes_max)
    return Error{ErrorCode::invalid_argument, "struct_size " + std::to_string(bytes) + " of " +
                                                  name + " was not set by its initialiser"};
  const auto* raw = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof(Struct); i < bytes; ++i)
    if (raw[i] != 0)
      return Error{ErrorCode::unsupported, "a newer member of " + std::string(name) + " at byte " +
                                               std::to_string(i) + " was set"};
  Struct known{};
  std::memcpy(&known, given, bytes < sizeof(Struct) ? bytes : sizeof(Struct));
  return known;
}

/// The check that comes before write_struct(), so that nothing is done when the result has no
/// place.
template <class Struct>
Result<void> check_result_struct(const Struct* out, const char* name) {
  if (out == nullptr) return Error{ErrorCode::invalid_argument, std::string(name) + " was NULL"};
  if (out->struct_size < first_struct_bytes<Struct> || out->struct_size > struct_bytes_max)
    return Error{ErrorCode::invalid_argument, "struct_size " + std::to_string(out->struct_size) +
                                                  " of " + name +
                                                  " was not set by its initialiser"};
  return {};
}

/// Fills what the caller's structure has room for; members that this library does not know become
/// zero. REQUIRES: check_result_struct().
template <class Struct>
void write_struct(Struct* out, const Struct& value) noexcept {
  const std::size_t bytes = out->struct_size;
  auto* raw = reinterpret_cast<unsigned char*>(out);
  const std::size_t known = bytes < sizeof(Struct) ? bytes : sizeof(Struct);
  std::memcpy(raw, &value, known);
  if (bytes > known) std::memset(raw + known, 0, bytes - known);
  out->struct_size = bytes;
}

}  // namespace tandem::capi

/// Leaves the function with the code of a failed Result.
#define TANDEM_CAPI_TRY(result)                                \
  if (auto&& tandem_capi_tried = (result); !tandem_capi_tried) \
    return ::tandem::capi::fail(tandem_capi_tried.error());    \
  else                                                         \
    static_cast<void>(0)
#define TANDEM_CAPI_NOT_NULL(pointer) \
  if ((pointer) == nullptr) return ::tandem::capi::fail_null(#pointer)
