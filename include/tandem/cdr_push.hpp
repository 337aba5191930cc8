// Call records pushed to a server by HTTP (C-06, I-06).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

struct CdrPushConfig {
  std::string folder;  ///< Where it keeps its place; made when absent, its parent must exist.
  std::string url;     ///< "http://host[:port]/path[?query]"; the host by name or address.
  std::string token;   ///< "Authorization: Bearer TOKEN"; "": no such header.
  std::string secret;  ///< Signs each request (I-06); "": unsigned.
  std::vector<std::string> headers{};  ///< Further "Name: value" lines, at most 16.
  std::int32_t batch_records = 500;    ///< Most in one request; 1..10000.
  std::int32_t timeout_ms = 10'000;    ///< From the connection to the whole response; 100..120000.
  bool operator==(const CdrPushConfig&) const = default;
};

/// Errors: invalid_argument (a member out of its range), unsupported (an "https" URL: there is no
/// TLS here).
[[nodiscard]] TANDEM_EXPORT Result<void> check_cdr_push(const CdrPushConfig& config);

/// A sink that sends records to a server: POST with a JSON array of to_json(Cdr), acknowledged by
/// any 2xx. The place reached is in "<folder>/position" and moves after the acknowledgement; a
/// request whose response was lost is sent again, so the server drops duplicates by `record_id`.
/// 400, 413 and 422 say that a record of the batch cannot be taken (invalid_argument);
/// everything else, that the server cannot take any now (io, timeout). docs/remote-sinks.md has the
/// form. Errors: those of check_cdr_push(), io, corrupt (the place is not readable), already_exists
/// (another process uses the folder).
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_cdr_push_sink(CdrPushConfig config);

}  // namespace tandem
