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
  /// "http[s]://host[:port]/path[?query]"; the host by name or address.
  std::string url;
  std::string token;                   ///< "Authorization: Bearer TOKEN"; "": no such header.
  std::string secret;                  ///< Signs each request (I-06); "": unsigned.
  std::vector<std::string> headers{};  ///< Further "Name: value" lines, at most 16.
  std::int32_t batch_records = 500;    ///< Most in one request; 1..10000.
  std::int32_t timeout_ms = 10'000;    ///< From the connection to the whole response; 100..120000.
  /// https only, files in PEM that are read for each connection. Authorities that the server's
  /// certificate must come from; "": those of the system.
  std::string tls_ca{};
  std::string tls_certificate{};  ///< Shown to a server that asks for one; "": none.
  std::string tls_key{};          ///< Of `tls_certificate`; "": it is in the same file.
  bool operator==(const CdrPushConfig&) const = default;
};

/// Does not look at the files. Errors: invalid_argument (a member out of its range, or of no use).
[[nodiscard]] TANDEM_EXPORT Result<void> check_cdr_push(const CdrPushConfig& config);

/// A sink that sends records to a server: POST with a JSON array of to_json(Cdr), acknowledged by
/// any 2xx. The place reached is in "<folder>/position" and moves after the acknowledgement; a
/// request whose response was lost is sent again, so the server drops duplicates by `record_id`.
/// 400, 413 and 422 say that a record of the batch cannot be taken (invalid_argument);
/// everything else, that the server cannot take any now (io, timeout). docs/remote-sinks.md has the
/// form. A server with TLS must show a certificate that is good and for the host of the URL.
/// Errors: those of check_cdr_push(), io (a file of TLS is not usable too), corrupt (the place is
/// not readable), already_exists (another process uses the folder).
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_cdr_push_sink(CdrPushConfig config);

}  // namespace tandem
