// What the admin API answers, apart from how it is transported.
#pragma once

#include <memory>
#include <string>

#include "admin/http_message.hpp"
#include "admin/http_server.hpp"
#include "admin/provision_endpoints.hpp"
#include "admin/request_bodies.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// Threading: one thread at a time. Answers may wait for call workers, the journal's disk and the
/// CDR store.
class Endpoints {
 public:
  static constexpr std::size_t cdrs_max = 10'000;  ///< Of one answer; `before` gives the next page.

  static constexpr long event_streams_max = 16;  ///< At once.

  /// `token`: "" for none. `served` and `clock` outlive this object and its streams.
  Endpoints(Switch& served, std::string token, const Clock& clock)
      : switch_(served),
        token_(std::move(token)),
        clock_(clock),
        provisioned_(served.provisioning()) {}

  /// For the server: what is put may be long, when it comes from somebody who may put.
  [[nodiscard]] std::size_t body_limit(const HttpRequest& head) const;
  /// `http`: what the server counted, for /metrics.
  HttpResponse answer(const HttpRequest& request, const HttpServerCounters& http);

 private:
  [[nodiscard]] bool admits(const HttpRequest& request, HttpResponse& refusal) const;
  HttpResponse route(const HttpRequest& request, const HttpServerCounters& http);
  HttpResponse health() const;
  HttpResponse calls() const;
  HttpResponse disconnect(const std::string& id);
  HttpResponse gateways() const;
  HttpResponse accounts() const;
  HttpResponse account(const std::string& id) const;
  HttpResponse pay(const std::string& id, const HttpRequest& request);
  HttpResponse cdrs(const HttpRequest& request) const;
  HttpResponse explain(const HttpRequest& request) const;
  HttpResponse events(const HttpRequest& request);

  Switch& switch_;
  const std::string token_;
  const Clock& clock_;
  ProvisionEndpoints provisioned_;
  const std::shared_ptr<void> places_ = std::make_shared<char>();  // shared with each open stream
};

}  // namespace tandem::admin
