#include "lrn/http_resolver.hpp"

#include "http/syntax.hpp"
#include "lrn/number.hpp"
#include "lrn/resolver_state.hpp"

namespace tandem::lrn {
namespace {

constexpr std::string_view place = "{number}";

}  // namespace

std::string http_question(const LrnResolverConfig& config, const SocketAddress& server,
                          std::string_view number) {
  std::string request = "GET ";
  std::string_view rest = config.path;
  for (std::size_t at = rest.find(place); at != std::string_view::npos; at = rest.find(place)) {
    request += rest.substr(0, at);
    http::append_escaped(number, request);
    rest.remove_prefix(at + place.size());
  }
  request += rest;
  request += " HTTP/1.1\r\nHost: " + http::host_of(config.https.name, server) +
             "\r\nAccept: application/json\r\n";
  for (const std::string& header : config.headers)
    request += header + "\r\n";
  return request + "\r\n";
}

HttpResolver::HttpResolver(const LrnResolverConfig& config, const http::ClientTls& tls,
                           io::Loop& loop, ResolverEvents& events)
    : config_(config), events_(events) {
  http::ClientLimits limits;
  limits.connections_max = static_cast<std::size_t>(config.connections);
  limits.waiting_max = static_cast<std::size_t>(config.queries_max);
  http::ClientEvents& own_events = *this;
  for (std::size_t i = 0; i < config.addresses.size(); ++i) {
    clients_.push_back(
        std::make_unique<http::Client>(loop, server_of(config, i), limits, own_events, tls));
  }
}

bool HttpResolver::ask(std::uint64_t id, std::string_view number, unsigned attempt) {
  if (clients_.empty()) return false;
  const std::size_t index = attempt % clients_.size();
  return clients_[index]->ask(id, http_question(config_, server_of(config_, index), number));
}

void HttpResolver::forget(std::uint64_t id) {
  for (const auto& client : clients_)
    client->forget(id);
}

void HttpResolver::on_response(std::uint64_t id, http::ReceivedResponse& response) {
  if (response.status != 200) {
    events_.on_attempt_end(id,
                           response.status >= 500 ? AttemptEnd::unreachable : AttemptEnd::refused,
                           std::nullopt, "status " + std::to_string(response.status));
    return;
  }
  const auto record = record_from_json(response.body, config_.lrn_key, config_.region_key);
  events_.on_attempt_end(id, record ? AttemptEnd::answered : AttemptEnd::refused, record,
                         record ? "" : "answer was malformed");
}

void HttpResolver::on_failure(std::uint64_t id, std::string_view reason) {
  events_.on_attempt_end(id, AttemptEnd::unreachable, std::nullopt, reason);
}

}  // namespace tandem::lrn
