// What a world of the test kit has beside plain endpoints: TLS, browsers, servers of numbers and
// names, and what is seen of its network.
#include "capi/sim.hpp"
#include "capi/values.hpp"
#include "tandem/lrn.hpp"

using namespace tandem;
using namespace tandem::capi;

static_assert(TANDEM_SIM_FATE_TOO_LONG == static_cast<int>(sim::DatagramFate::too_long));
static_assert(TANDEM_SIM_CERTIFICATE_REQUIRE == static_cast<int>(ClientCertificate::require));

namespace {

/// Adds what `made` has to the handles of a world.
template <class Handle, class Body>
int keep(std::vector<std::unique_ptr<Handle>>& handles, const Result<Body*>& made, Handle** out) {
  TANDEM_CAPI_TRY(made);
  handles.push_back(std::make_unique<Handle>(Handle{*made}));
  *out = handles.back().get();
  return TANDEM_OK;
}

std::string lines_of(const std::vector<std::string>& entries) {
  std::string text;
  for (const std::string& entry : entries)
    text += entry + '\n';
  return text;
}

std::vector<std::string> read_lines(const char* text) {
  std::vector<std::string> lines;
  std::string_view rest = view(text);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end != 0) lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return lines;
}

tandem_sim_datagram shown(const sim::DatagramView& seen) {
  return {sizeof(tandem_sim_datagram),
          to_c(seen.from),
          to_c(seen.to),
          seen.at_us,
          seen.bytes.data(),
          seen.bytes.size(),
          static_cast<std::int32_t>(seen.fate)};
}

}  // namespace

extern "C" {

int tandem_world_add_endpoint_with(tandem_world* world, const tandem_endpoint_config* config,
                                   tandem_endpoint** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_struct(config, "tandem_endpoint_config");
    TANDEM_CAPI_TRY(read);
    if (read->client_certificate < 0 || read->client_certificate > TANDEM_SIM_CERTIFICATE_REQUIRE)
      return fail(ErrorCode::invalid_argument,
                  "client_certificate " + std::to_string(read->client_certificate) + " is none");
    sim::EndpointConfig wanted;
    wanted.address = copy(read->address);
    wanted.peer = copy(read->peer);
    if (read->product != nullptr) wanted.product = read->product;
    if (read->tls_certificate != nullptr) {
      TlsConfig& tls = wanted.tls.emplace();
      tls.certificate = read->tls_certificate;
      tls.key = copy(read->tls_key);
      tls.ca = copy(read->tls_ca);
    }
    wanted.tls_name = copy(read->tls_name);
    wanted.tls_verify = read->tls_not_verified == 0;
    wanted.client_certificate = static_cast<ClientCertificate>(read->client_certificate);
    wanted.is_browser = read->is_browser != 0;
    return keep(world->endpoints, world->body.add_endpoint(wanted), out);
  });
}

// --- who knows where numbers are ---

int tandem_world_add_lrn_server(tandem_world* world, const char* address, const char* kind,
                                tandem_lrn_server** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(address);
    TANDEM_CAPI_NOT_NULL(out);
    for (const LrnResolverKind known :
         {LrnResolverKind::sip302, LrnResolverKind::http, LrnResolverKind::naptr}) {
      if (view(kind) == lrn_resolver_kind_name(known))
        return keep(world->lrn_servers, world->body.add_lrn_server(address, known), out);
    }
    return fail(ErrorCode::invalid_argument, "no server of kind \"" + copy(kind) + '"');
  });
}

int tandem_lrn_server_set(tandem_lrn_server* server, const char* number, const char* lrn,
                          const char* region) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    TANDEM_CAPI_NOT_NULL(number);
    server->body->set(number, {copy(lrn), copy(region)});
    return TANDEM_OK;
  });
}

int tandem_lrn_server_behave(tandem_lrn_server* server, int64_t delay_us, int32_t status,
                             int32_t is_silent) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    if (delay_us < 0)
      return fail(ErrorCode::invalid_argument,
                  "delay of " + std::to_string(delay_us) + " us was negative");
    server->body->set_delay_us(delay_us);
    server->body->set_status(status);
    server->body->set_silent(is_silent != 0);
    return TANDEM_OK;
  });
}

int tandem_lrn_server_asked(const tandem_lrn_server* server, tandem_text** lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    TANDEM_CAPI_NOT_NULL(lines);
    return give(lines_of(server->body->asked()), lines);
  });
}

// --- name servers ---

int tandem_world_add_dns_server(tandem_world* world, const char* address, tandem_dns_server** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(address);
    TANDEM_CAPI_NOT_NULL(out);
    return keep(world->dns_servers, world->body.add_dns_server(address), out);
  });
}

int tandem_dns_server_set(tandem_dns_server* server, const char* name, const char* type,
                          const char* data, uint32_t ttl_s) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    TANDEM_CAPI_NOT_NULL(name);
    TANDEM_CAPI_NOT_NULL(type);
    TANDEM_CAPI_TRY(server->body->set(name, type, read_lines(data), ttl_s));
    return TANDEM_OK;
  });
}

int tandem_dns_server_forget(tandem_dns_server* server, const char* name) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    TANDEM_CAPI_NOT_NULL(name);
    server->body->forget(name);
    return TANDEM_OK;
  });
}

int tandem_dns_server_behave(tandem_dns_server* server, const tandem_dns_manners* manners) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    const auto read = read_struct(manners, "tandem_dns_manners");
    TANDEM_CAPI_TRY(read);
    IpAddress forged;
    if (read->forged_address != nullptr) {
      const auto address = IpAddress::parse(read->forged_address);
      TANDEM_CAPI_TRY(address);
      forged = *address;
    }
    server->body->set_forged(forged);
    server->body->set_code(read->code);
    server->body->set_silent(read->is_silent != 0);
    server->body->set_truncating(read->is_truncating != 0);
    server->body->set_follows_aliases(read->keeps_aliases == 0);
    server->body->set_negative_ttl_s(read->negative_ttl_s == 0 ? 30 : read->negative_ttl_s);
    return TANDEM_OK;
  });
}

int tandem_dns_server_asked(const tandem_dns_server* server, tandem_text** lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    TANDEM_CAPI_NOT_NULL(lines);
    return give(lines_of(server->body->asked()), lines);
  });
}

// --- the network ---

int tandem_world_drop_if(tandem_world* world,
                         int (*drops)(const tandem_sim_datagram* datagram, void* user),
                         void* user) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    if (drops == nullptr) {
      world->body.drop_if({});
    } else {
      world->body.drop_if([drops, user](const sim::DatagramView& seen) {
        const tandem_sim_datagram datagram = shown(seen);
        return drops(&datagram, user) != 0;
      });
    }
    return TANDEM_OK;
  });
}

int tandem_world_set_tap(tandem_world* world,
                         void (*tap)(const tandem_sim_datagram* datagram, void* user), void* user) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    if (tap == nullptr) {
      world->body.set_tap({});
    } else {
      world->body.set_tap([tap, user](const sim::DatagramView& seen) {
        const tandem_sim_datagram datagram = shown(seen);
        tap(&datagram, user);
      });
    }
    return TANDEM_OK;
  });
}

int tandem_world_count(const tandem_world* world, tandem_network_counters* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_network_counters"));
    const sim::NetworkCounters& c = world->body.network_counters();
    write_struct(
        out, tandem_network_counters{sizeof(tandem_network_counters), c.sent, c.delivered, c.lost,
                                     c.filtered, c.partitioned, c.too_long, c.cut, c.duplicated,
                                     c.reordered, c.unreachable, c.undeliverable, c.streams_opened,
                                     c.streams_refused, c.stream_bytes});
    return TANDEM_OK;
  });
}

int tandem_endpoint_count(const tandem_endpoint* endpoint, tandem_endpoint_counters* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_endpoint_counters"));
    const sim::EndpointCounters c = endpoint->body->counters();
    write_struct(out, tandem_endpoint_counters{sizeof(tandem_endpoint_counters), c.calls_out,
                                               c.calls_in, c.answered, c.refused, c.released,
                                               c.calls_live, c.packets_sent, c.packets_received,
                                               c.dialogs_live, c.transactions_live});
    return TANDEM_OK;
  });
}

}  // extern "C"
