// What flow tests of encrypted media share: one call between a customer and a vendor that both
// speak, each by a pattern of its own.
#pragma once

#include <memory>
#include <string>

#include "flow/flow.hpp"

namespace tandem::sim::test {

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline SipOptions& cust(SwitchConfig& config) {
  return config.provision.customer_gateways.front().sip;
}
inline SipOptions& first(SwitchConfig& config) {
  return config.provision.vendor_gateways.front().sip;
}

struct MediaCall {
  SwitchConfig config = base_config();
  std::unique_ptr<Bench> bench;
  DialPlan dial;
  AnswerPlan answer;

  MediaCall() { dial.send_rtp = answer.send_rtp = true; }
  /// Made, with the settings by now, and so long under way.
  std::shared_ptr<EndpointCall> call_for_s(std::int64_t seconds) {
    bench = std::make_unique<Bench>(config);
    bench->b->set_plan(answer);
    auto made = bench->dial(dial);
    bench->run_s(seconds);
    return made;
  }
  EndpointCall& callee() { return *bench->b->calls().back(); }
  /// Both are heard as they spoke.
  void check_heard(EndpointCall& caller, std::uint64_t packets_min) {
    REQUIRE(caller.was_answered());
    CHECK(caller.received_pattern() == 0x2A);
    CHECK(callee().received_pattern() == 0xD5);
    CHECK(caller.packets_received() > packets_min);
    CHECK(callee().packets_received() > packets_min);
    CHECK(caller.srtp_failures() == 0);
    CHECK(callee().srtp_failures() == 0);
  }
};

}  // namespace tandem::sim::test
