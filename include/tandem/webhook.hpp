// What happens in a switch told to a server by HTTP POST, as it happens (I-02, I-06).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Where notices of one kind go, and how.
struct WebhookConfig {
  /// "http[s]://host[:port]/path[?query]"; the host by name or address.
  std::string url;
  std::string token{};                 ///< "Authorization: Bearer TOKEN"; "": no such header.
  std::string secret{};                ///< Signs each request (I-06); "": unsigned.
  std::vector<std::string> headers{};  ///< Further "Name: value" lines, at most 16.
  std::int32_t timeout_ms = 5'000;     ///< From the connection to the whole response; 100..120000.
  /// Further attempts for one notice before it is given up; 0..1000.
  std::int32_t retries = 20;
  /// The first pause after a failure, doubled with each one that follows up to the second; ms,
  /// 100..3600000, and the first not above the second.
  std::int32_t retry_min_ms = 1'000, retry_max_ms = 60'000;
  /// Notices that may wait; beyond it old ones are given up; 1..1000000.
  std::int32_t queue_max = 10'000;
  std::int32_t connections = 4;  ///< To the server at once; 1..64.
  /// https only, files in PEM. Authorities that the server's certificate must come from; "": those
  /// of the system.
  std::string tls_ca{};
  std::string tls_certificate{};  ///< Shown to a server that asks for one; "": none.
  std::string tls_key{};          ///< Of `tls_certificate`; "": it is in the same file.
  /// File that notices go to which were given up, a JSON object a line; "": none.
  std::string dead_letters{};
  bool operator==(const WebhookConfig&) const = default;
};

/// Does not look at the files. Errors: invalid_argument (a member out of its range, or of no use).
[[nodiscard]] TANDEM_EXPORT Result<void> check_webhook(const WebhookConfig& config);

/// How notices of one kind fare since the start.
struct WebhookState {
  bool is_configured = false;
  std::uint64_t waiting = 0;    ///< Now, those under way among them.
  std::uint64_t delivered = 0;  ///< Acknowledged by the server.
  std::uint64_t failures = 0;   ///< Attempts that came to nothing.
  std::uint64_t refused = 0;    ///< Given up: the server cannot take such a notice.
  std::uint64_t expired = 0;    ///< Given up after the last of its retries.
  std::uint64_t dropped = 0;    ///< Given up for lack of room, or when the switch was closed.
  std::uint64_t dead_letters_lost = 0;  ///< Given up, and not in the file: it is full or cannot be
                                        ///< written.
  std::uint64_t snapshot_left = 0;  ///< Phones that are still to be told of, of those asked for.
  bool is_failing = false;          ///< The last attempt failed.
  std::string last_error{};         ///< One line; "": none since the last success.
};
TANDEM_EXPORT std::string to_json(const WebhookState& state);

}  // namespace tandem
