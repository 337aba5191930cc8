// Handles of the test kit.
#pragma once

#include <memory>
#include <vector>

#include "capi/guard.hpp"
#include "tandem/sim.hpp"

struct tandem_endpoint {
  tandem::sim::Endpoint* body;  // owned by its world
};
struct tandem_raw_endpoint {
  tandem::sim::RawEndpoint* body;  // likewise
};
struct tandem_lrn_server {
  tandem::sim::LrnServer* body;  // likewise
};
struct tandem_dns_server {
  tandem::sim::DnsServer* body;  // likewise
};
struct tandem_endpoint_call {
  std::shared_ptr<tandem::sim::EndpointCall> body;
};
struct tandem_world {
  explicit tandem_world(const tandem::sim::WorldOptions& options) : body(options) {}
  std::vector<std::unique_ptr<tandem_endpoint>> endpoints;
  std::vector<std::unique_ptr<tandem_raw_endpoint>> raw_endpoints;
  std::vector<std::unique_ptr<tandem_lrn_server>> lrn_servers;
  std::vector<std::unique_ptr<tandem_dns_server>> dns_servers;
  tandem::sim::World body;
};

// As they were published, without what the C++ plans have beside.
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_dial_plan> =
    offsetof(tandem_dial_plan, transport);
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_answer_plan> =
    offsetof(tandem_answer_plan, sdp);

namespace tandem::capi {

/// NULL: a plan of defaults.
Result<sim::DialPlan> read_dial_plan(const tandem_dial_plan* given);
Result<sim::AnswerPlan> read_answer_plan(const tandem_answer_plan* given);

}  // namespace tandem::capi
