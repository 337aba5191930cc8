// The HTTP admin API of a switch: health, metrics, calls, accounts, records (docs/admin-api.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/provision.hpp"
#include "tandem/switch.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Serves the admin API on a thread of its own, so that a query never delays a call.
///
/// docs/admin-api.md has the endpoints: health, metrics, calls, events, gateways, accounts,
/// payments, records, explain, and the provisioned objects with the versions of rate decks. With a
/// token every request but /healthz needs "Authorization: Bearer TOKEN".
///
/// Threading: one thread at a time. Destroyed before the switch it serves.
class TANDEM_EXPORT AdminServer {
 public:
  AdminServer() noexcept;  ///< Serves nothing.
  /// Listens where `config.admin_listen` says; without it the result serves nothing. `served`
  /// outlives the server. Errors: already_exists (address in use), io, invalid_argument (no token
  /// off loopback).
  static Result<AdminServer> create(const SwitchConfig& config, Switch& served);
  ~AdminServer();
  AdminServer(AdminServer&&) noexcept;
  AdminServer& operator=(AdminServer&&) noexcept;

  /// Where it really listens; port 0 was replaced by a free one. None when it serves nothing.
  [[nodiscard]] SocketAddress address() const noexcept;

 private:
  class Body;
  std::unique_ptr<Body> body_;
};

/// What the admin API answers.
struct AdminAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
};

/// What the admin API of a switch with these objects would answer to a request about provisioned
/// objects; for programs that work on the database while no switch runs. `target`: path and query.
/// Requests about anything else are answered with 404.
TANDEM_EXPORT AdminAnswer answer_offline(Provisioning& objects, std::string_view method,
                                         std::string_view target, std::string_view content_type,
                                         std::string_view body);

/// What an answer with an error says: pointer and message of each thing that is wrong. Messages
/// about a table name row and column, then the pointer is empty.
TANDEM_EXPORT std::vector<ConfigError> errors_of(const AdminAnswer& answer);

/// How far a put with `background` is.
struct ImportState {
  std::string target;  ///< Path of GET requests that ask again.
  bool is_over = false;
  std::string step;              ///< provision_step_name(); "idle" once it is over.
  std::uint64_t done_bytes = 0;  ///< As of ProvisionProgress, likewise the next.
  std::uint64_t total_bytes = 0;
  AdminAnswer answer;  ///< Once it is over: what the put without `background` would have got.
};
/// What a put with `background`, or a GET of its target, was answered. Errors: corrupt (the answer
/// is about something else; errors_of() may say why).
TANDEM_EXPORT Result<ImportState> import_state_of(const AdminAnswer& answer);

}  // namespace tandem
