// The part of the admin API that is about provisioned objects; needs no running switch.
#pragma once

#include <optional>
#include <string>

#include "admin/import_jobs.hpp"
#include "http/message.hpp"
#include "tandem/provision.hpp"

namespace tandem::admin {

/// GET, PUT /api/v1/KIND, GET, PUT, DELETE /api/v1/KIND/ID, rates and versions of decks, and with
/// jobs GET /api/v1/imports[/ID].
///
/// Threading: one thread at a time. Answers wait for the disk and for tables to be built.
class ProvisionEndpoints {
 public:
  static constexpr std::size_t body_bytes_max = std::size_t{256} << 20;  ///< Of what is put.

  /// `objects` and `jobs` outlive this object. `jobs`: of puts with `background`; null: there is no
  /// such parameter.
  explicit ProvisionEndpoints(Provisioning& objects, ImportJobs* jobs = nullptr)
      : objects_(objects), jobs_(jobs) {}

  /// Nothing: the request is about something else.
  std::optional<http::Response> answer(const http::Request& request);
  /// Whether the request may carry objects, and so a body of up to body_bytes_max.
  static bool is_put(const http::Request& head);

 private:
  http::Response imports(const http::Request& request) const;
  http::Response put_in_background(http::Request request);
  http::Response list(const std::string& kind, const http::Request& request);
  http::Response put_list(const std::string& kind, const http::Request& request);
  http::Response get(const std::string& kind, const std::string& id);
  http::Response put(const std::string& kind, const std::string& id, const http::Request& request);
  http::Response remove(const std::string& kind, const std::string& id,
                        const http::Request& request);
  std::optional<http::Response> deck(const std::string& id, const std::string& what,
                                     const http::Request& request);
  http::Response rates(const std::string& id, const http::Request& request);
  http::Response put_rates(const std::string& id, const http::Request& request);
  http::Response put_deck(const ProvisionChange& change);
  http::Response diff(const std::string& id, const http::Request& request);
  http::Response roll_back(const std::string& id, const http::Request& request);
  http::Response schedule(const std::string& id, const http::Request& request);

  Provisioning& objects_;
  ImportJobs* const jobs_;
};

}  // namespace tandem::admin
