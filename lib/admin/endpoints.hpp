// What the admin API answers, apart from how it is transported.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "admin/provision_endpoints.hpp"
#include "admin/request_bodies.hpp"
#include "http/message.hpp"
#include "http/server.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// Threading: one thread at a time. Answers may wait for call workers, the journal's disk and the
/// CDR store.
class Endpoints {
 public:
  /// Records or entries of one answer; `before` gives the next page.
  static constexpr std::size_t rows_max = 10'000;

  static constexpr long event_streams_max = 16;  ///< At once.

  /// `token`: "" for none. `served` and `clock` outlive this object and its streams.
  Endpoints(Switch& served, std::string token, const Clock& clock)
      : switch_(served),
        token_(std::move(token)),
        clock_(clock),
        imports_(clock, [&served] { return served.provisioning().progress(); }),
        provisioned_(served.provisioning(), &imports_) {}

  /// For the server: what is put may be long, when it comes from somebody who may put.
  [[nodiscard]] std::size_t body_limit(const http::Request& head) const;
  /// For the server: whether the request is from somebody who may ask for more than /healthz.
  [[nodiscard]] bool knows(const http::Request& head) const;
  /// `server`: what it counted, for /metrics.
  http::Response answer(const http::Request& request, const http::ServerCounters& server);

 private:
  /// Nothing: the request may be made. 401: nothing but the token was missing.
  [[nodiscard]] std::optional<http::Response> refusal_of(const http::Request& request) const;
  http::Response route(const http::Request& request, const http::ServerCounters& server);
  http::Response health() const;
  http::Response calls() const;
  http::Response disconnect(const std::string& id);
  http::Response record(const std::string& id, bool on);
  http::Response gateways() const;
  http::Response phones() const;
  http::Response phone(const std::string& number) const;
  http::Response bans() const;
  http::Response drain();
  http::Response notify_phones();
  http::Response lift(const std::string& name);
  http::Response accounts() const;
  http::Response account(const std::string& id) const;
  http::Response pay(const std::string& id, const http::Request& request);
  http::Response ledger(const std::string& id, const http::Request& request) const;
  http::Response packages(const std::string& id) const;
  http::Response phone_packages(const std::string& number, const http::Request& request);
  http::Response order_package(const char* key, const std::string& owner,
                               const http::Request& request);
  http::Response cdrs(const http::Request& request) const;
  http::Response explain(const http::Request& request) const;
  http::Response shadow(const http::Request& request);
  http::Response events(const http::Request& request);

  Switch& switch_;
  const std::string token_;
  const Clock& clock_;
  ImportJobs imports_;
  ProvisionEndpoints provisioned_;
  const std::shared_ptr<void> places_ = std::make_shared<char>();  // shared with each open stream
};

}  // namespace tandem::admin
