// What the admin API answers, apart from how it is transported.
#pragma once

#include <string>

#include "admin/http_message.hpp"
#include "admin/http_server.hpp"
#include "admin/request_bodies.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// Threading: one thread at a time. Answers may wait for call workers, the journal's disk and the
/// CDR store.
class Endpoints {
 public:
  static constexpr std::size_t cdrs_max = 10'000;  ///< Of one answer; `before` gives the next page.

  /// `token`: "" for none. `served` outlives this object.
  Endpoints(Switch& served, std::string token) : switch_(served), token_(std::move(token)) {}

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

  Switch& switch_;
  const std::string token_;
};

}  // namespace tandem::admin
