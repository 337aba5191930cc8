#include "lrn/resolver_state.hpp"

namespace tandem {

const char* lrn_resolver_kind_name(LrnResolverKind kind) noexcept {
  switch (kind) {
    case LrnResolverKind::sip302:
      return "sip302";
    case LrnResolverKind::http:
      return "http";
    case LrnResolverKind::host:
      return "host";
    case LrnResolverKind::naptr:
      return "enum";
  }
  return "";
}

}  // namespace tandem

namespace tandem::lrn {
namespace {

/// Where servers of its kind listen.
std::uint16_t lrn_port(const LrnResolverConfig& config) noexcept {
  switch (config.kind) {
    case LrnResolverKind::http:
      return config.https.is_on ? 443 : 80;
    case LrnResolverKind::naptr:
      return 53;
    case LrnResolverKind::sip302:
    case LrnResolverKind::host:
      break;
  }
  return 5060;
}

}  // namespace

Result<http::ClientTls> open_tls(const LrnResolverConfig& config, const std::string& folder) {
  return http::open_client_tls(config.https, folder);
}

std::string state_id(const LrnResolverConfig& config, const http::ClientTls& tls) {
  std::string id;
  const auto add = [&id](std::string_view text) {
    id += text;
    id += '\n';  // stands in none of the texts
  };
  for (const std::string_view text :
       {std::string_view(config.id), std::string_view(lrn_resolver_kind_name(config.kind)),
        std::string_view(config.caller), std::string_view(config.path),
        std::string_view(config.lrn_key), std::string_view(config.region_key),
        std::string_view(config.suffix)}) {
    add(text);
  }
  for (const std::int64_t number :
       {std::int64_t{config.timeout_ms}, std::int64_t{config.retries}, std::int64_t{config.cache_s},
        std::int64_t{config.cache_entries}, std::int64_t{config.queries_max},
        std::int64_t{config.connections}, static_cast<std::int64_t>(config.transport)}) {
    add(std::to_string(number));
  }
  for (const SocketAddress& address : config.addresses)
    add(address.to_string());
  for (const std::string& header : config.headers)
    add(header);
  const HttpsConfig& https = config.https;
  if (https.is_on) {
    for (const std::string& text : {https.name, https.ca, https.certificate, https.key})
      add(text);
    if (tls.context != nullptr) id += tls.context->fingerprint();
  }
  return id;
}

SocketAddress server_of(const LrnResolverConfig& config, std::size_t attempt) noexcept {
  SocketAddress server = config.addresses[attempt % config.addresses.size()];
  if (server.port == 0) server.port = lrn_port(config);
  return server;
}

LrnCounters counters_of(const ResolverState& state) {
  LrnCounters counters;
  counters.resolver = state.config.id;
  counters.cache_hits = state.cache_hits.load();
  counters.coalesced = state.coalesced.load();
  counters.questions = state.questions.load();
  counters.answers = state.answers.load();
  counters.timeouts = state.timeouts.load();
  counters.failures = state.failures.load();
  counters.overflows = state.overflows.load();
  counters.under_way = state.under_way.load();
  counters.cache_entries = state.cache.size();
  return counters;
}

}  // namespace tandem::lrn
