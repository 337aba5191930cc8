#include "tandem/error.hpp"

namespace tandem {

const char* error_code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::io:
      return "io";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::wrong_thread:
      return "wrong_thread";
    case ErrorCode::wrong_state:
      return "wrong_state";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::too_small:
      return "too_small";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::internal:
      return "internal";
  }
  return "unknown";
}

}  // namespace tandem
