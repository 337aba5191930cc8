#include "capi/guard.hpp"

#include <algorithm>

#include "capi/values.hpp"
#include "tandem/clock.hpp"
#include "tandem/values.hpp"

namespace tandem::capi {
namespace {

// Plain bytes: no destructor runs at the end of a thread, and nothing can fail.
thread_local char last_error[1024] = "";

}  // namespace

void clear_error() noexcept { last_error[0] = '\0'; }

int fail(ErrorCode code, std::string_view message) noexcept {
  std::size_t length = std::min(message.size(), sizeof last_error - 1);
  // A cut must not leave half of a UTF-8 character behind.
  if (length < message.size())
    while (length > 0 && (static_cast<unsigned char>(message[length]) & 0xC0) == 0x80)
      --length;
  message.copy(last_error, length);
  last_error[length] = '\0';
  std::replace(last_error, last_error + length, '\n', ' ');
  return static_cast<int>(code);
}

int fail_null(std::string_view what) noexcept {
  char message[96];
  const std::size_t length = what.copy(message, 64);
  std::memcpy(message + length, " was NULL", 9);
  return fail(ErrorCode::invalid_argument, {message, length + 9});
}

std::string json_quoted(std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  return out += '"';
}

tandem_address to_c(const SocketAddress& address) {
  tandem_address out{};
  address.ip.to_string().copy(out.ip, sizeof out.ip - 1);
  out.port = address.port;
  return out;
}

}  // namespace tandem::capi

using namespace tandem;
using namespace tandem::capi;

static_assert(TANDEM_ERR_INVALID_ARGUMENT == static_cast<int>(ErrorCode::invalid_argument));
static_assert(TANDEM_ERR_NOT_FOUND == static_cast<int>(ErrorCode::not_found));
static_assert(TANDEM_ERR_ALREADY_EXISTS == static_cast<int>(ErrorCode::already_exists));
static_assert(TANDEM_ERR_IO == static_cast<int>(ErrorCode::io));
static_assert(TANDEM_ERR_LIMIT == static_cast<int>(ErrorCode::limit));
static_assert(TANDEM_ERR_WRONG_THREAD == static_cast<int>(ErrorCode::wrong_thread));
static_assert(TANDEM_ERR_WRONG_STATE == static_cast<int>(ErrorCode::wrong_state));
static_assert(TANDEM_ERR_UNSUPPORTED == static_cast<int>(ErrorCode::unsupported));
static_assert(TANDEM_ERR_TOO_SMALL == static_cast<int>(ErrorCode::too_small));
static_assert(TANDEM_ERR_TIMEOUT == static_cast<int>(ErrorCode::timeout));
static_assert(TANDEM_ERR_CORRUPT == static_cast<int>(ErrorCode::corrupt));
static_assert(TANDEM_ERR_INTERNAL == static_cast<int>(ErrorCode::internal));

extern "C" {

const char* tandem_version(void) { return TANDEM_VERSION_STRING; }

uint32_t tandem_version_number(void) {
  return TANDEM_VERSION_MAJOR * 1'000'000U + TANDEM_VERSION_MINOR * 1'000U + TANDEM_VERSION_PATCH;
}

const char* tandem_error_name(int code) {
  if (code == TANDEM_OK) return "ok";
  if (code > TANDEM_OK || code < TANDEM_ERR_INTERNAL) return "unknown";
  return error_code_name(static_cast<ErrorCode>(code));
}

const char* tandem_last_error(void) { return last_error; }

const char* tandem_text_data(const tandem_text* text) {
  return text == nullptr ? "" : text->content.c_str();
}
size_t tandem_text_size(const tandem_text* text) {
  return text == nullptr ? 0 : text->content.size();
}
void tandem_text_destroy(tandem_text* text) { delete text; }

int tandem_amount_parse(const char* text, int64_t* units) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(text);
    TANDEM_CAPI_NOT_NULL(units);
    const auto amount = Amount::parse(text);
    TANDEM_CAPI_TRY(amount);
    *units = amount->units();
    return TANDEM_OK;
  });
}

int tandem_amount_format(int64_t units, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    return give(Amount::from_units(units).to_string(), out);
  });
}

int tandem_time_parse(const char* text, int64_t* at_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(text);
    TANDEM_CAPI_NOT_NULL(at_us);
    const auto time = parse_time_us(text);
    TANDEM_CAPI_TRY(time);
    *at_us = *time;
    return TANDEM_OK;
  });
}

int tandem_time_format(int64_t at_us, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    return give(format_time_us(at_us), out);
  });
}

const char* tandem_reason_name(int32_t reason) {
  if (reason < INT16_MIN || reason > INT16_MAX) return reason_facts(Reason::InternalError).name;
  return reason_facts(static_cast<Reason>(reason)).name;
}

int tandem_reason_from_name(const char* name, int32_t* reason) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(name);
    TANDEM_CAPI_NOT_NULL(reason);
    const auto found = reason_from_name(name);
    if (!found) return fail(ErrorCode::not_found, "reason \"" + copy(name) + "\" does not exist");
    *reason = static_cast<int32_t>(*found);
    return TANDEM_OK;
  });
}

}  // extern "C"
