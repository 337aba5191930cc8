// What a handshake of DTLS-SRTP costs the thread that relays.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "io/dtls.hpp"

namespace tandem::bench {
namespace {

using Association = io::DtlsAssociation;

/// CPU us that one end needs for a whole handshake, as the server or as the client.
struct Cost {
  double server_us = 0, client_us = 0;
};

void step(Association& with, const Association::Datagrams& in, Association::Datagrams& out,
          std::int64_t& spent_ns) {
  const std::int64_t began_ns = thread_cpu_ns();
  for (const std::string& bytes : in)
    with.take(bytes, out);
  spent_ns += thread_cpu_ns() - began_ns;
}

Cost cost_of_one(const std::shared_ptr<const io::DtlsIdentity>& a,
                 const std::shared_ptr<const io::DtlsIdentity>& b) {
  std::int64_t server_ns = 0, client_ns = 0;
  std::int64_t began_ns = thread_cpu_ns();
  const auto server = Association::create(a, DtlsRole::server, {b->fingerprint()}).value();
  server_ns += thread_cpu_ns() - began_ns;
  began_ns = thread_cpu_ns();
  const auto client = Association::create(b, DtlsRole::client, {a->fingerprint()}).value();
  Association::Datagrams to_server, to_client;
  client->begin(to_server);
  client_ns += thread_cpu_ns() - began_ns;
  while (!to_server.empty() || !to_client.empty()) {
    Association::Datagrams in = std::exchange(to_server, {});
    step(*server, in, to_client, server_ns);
    in = std::exchange(to_client, {});
    step(*client, in, to_server, client_ns);
  }
  keep(server->state() == Association::State::agreed ? 1U : 0U);
  return {static_cast<double>(server_ns) / 1000, static_cast<double>(client_ns) / 1000};
}

}  // namespace

TANDEM_BENCH("media.dtls_cpu_us_per_handshake", "us") {
  const auto a = io::DtlsIdentity::make().value(), b = io::DtlsIdentity::make().value();
  Cost best;
  const std::int64_t end_ns = wall_ns() + static_cast<std::int64_t>(seconds() * 1e9 / 3);
  for (int round = 0; round < 20 || wall_ns() < end_ns; ++round) {
    const Cost cost = cost_of_one(a, b);
    best.server_us = round == 0 ? cost.server_us : std::min(best.server_us, cost.server_us);
    best.client_us = round == 0 ? cost.client_us : std::min(best.client_us, cost.client_us);
  }
  return Figure{std::max(best.server_us, best.client_us),
                "{\"server_us\":" + std::to_string(best.server_us) +
                    ",\"client_us\":" + std::to_string(best.client_us) + '}'};
}

}  // namespace tandem::bench
