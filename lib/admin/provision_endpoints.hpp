// The part of the admin API that is about provisioned objects; needs no running switch.
#pragma once

#include <optional>
#include <string>

#include "admin/http_message.hpp"
#include "tandem/provision.hpp"

namespace tandem::admin {

/// GET, PUT /api/v1/KIND, GET, PUT, DELETE /api/v1/KIND/ID, rates and versions of decks.
///
/// Threading: one thread at a time. Answers wait for the disk and for tables to be built.
class ProvisionEndpoints {
 public:
  static constexpr std::size_t body_bytes_max = std::size_t{256} << 20;  ///< Of what is put.

  /// `objects` outlives this object.
  explicit ProvisionEndpoints(Provisioning& objects) : objects_(objects) {}

  /// Nothing: the request is about something else.
  std::optional<HttpResponse> answer(const HttpRequest& request);
  /// Whether the request may carry objects, and so a body of up to body_bytes_max.
  static bool is_put(const HttpRequest& head);

 private:
  HttpResponse list(const std::string& kind, const HttpRequest& request);
  HttpResponse put_list(const std::string& kind, const HttpRequest& request);
  HttpResponse get(const std::string& kind, const std::string& id);
  HttpResponse put(const std::string& kind, const std::string& id, const HttpRequest& request);
  HttpResponse remove(const std::string& kind, const std::string& id);
  std::optional<HttpResponse> deck(const std::string& id, const std::string& what,
                                   const HttpRequest& request);
  HttpResponse rates(const std::string& id, const HttpRequest& request);
  HttpResponse put_rates(const std::string& id, const HttpRequest& request);
  HttpResponse diff(const std::string& id, const HttpRequest& request);
  HttpResponse roll_back(const std::string& id, const HttpRequest& request);
  HttpResponse schedule(const std::string& id, const HttpRequest& request);

  Provisioning& objects_;
};

}  // namespace tandem::admin
