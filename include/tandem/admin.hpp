// The HTTP admin API of a switch: health, metrics, calls, accounts, records (docs/admin-api.md).
#pragma once

#include <memory>

#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/switch.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Serves the admin API on a thread of its own, so that a query never delays a call.
///
/// Endpoints: GET /healthz, GET /metrics (Prometheus text), GET /api/v1/calls, DELETE
/// /api/v1/calls/ID, GET /api/v1/gateways, GET /api/v1/accounts[/ID], POST
/// /api/v1/accounts/ID/payments, GET /api/v1/cdrs?..., POST /api/v1/explain. With a token every
/// request but /healthz needs "Authorization: Bearer TOKEN".
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

}  // namespace tandem
