// What flow tests share: a switch between customers and vendors, and what must hold after every
// call.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/sim.hpp"

namespace tandem::sim::test {

inline constexpr std::int64_t second_us = 1'000'000;
inline constexpr std::string_view switch_ip = "10.0.0.1";
inline const std::string switch_address = "10.0.0.1:5060";

inline Amount money(std::string_view text) { return Amount::parse(text).value(); }
inline SocketAddress at(std::string_view text) { return SocketAddress::parse(text).value(); }
inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

/// Value of a header line of a message, as it stands there; "" when there is none.
inline std::string header(const std::string& message, const std::string& name) {
  const auto begin = message.find("\r\n" + name + ": ");
  if (begin == std::string::npos) return {};
  const auto value = begin + name.size() + 4;
  return message.substr(value, message.find("\r\n", value) - value);
}

GatewayAddress gateway_address(const std::string& text);

CustomerGateway customer(const std::string& id, const std::string& address,
                         const std::string& account = "acme");

VendorGateway vendor(const std::string& id, const std::string& address, int priority = 0);

AccountConfig account(const std::string& id, std::string_view balance,
                      const std::string& deck = "retail");

/// 0.60 a minute, by the second.
RateDeckConfig deck(const std::string& id, std::string_view price = "0.60");

/// One customer "cust" at 10.0.1.1 with account "acme" (100.00), vendors v1.. at 10.0.2.N.
SwitchConfig base_config(int vendors = 1);

/// A world with one switch, its customer and its vendors.
struct Bench {
  World world;
  SwitchConfig config;
  SwitchHooks hooks;
  std::unique_ptr<Switch> tandem;
  Endpoint* a = nullptr;           ///< The customer.
  std::vector<Endpoint*> vendors;  ///< v1, v2, ...
  Endpoint* b = nullptr;           ///< v1.

  explicit Bench(SwitchConfig settings = base_config(), const WorldOptions& options = {},
                 SwitchHooks host = {});
  ~Bench();

  void open();
  Endpoint* endpoint(const std::string& address, const std::string& peer = switch_address);
  std::shared_ptr<EndpointCall> dial(const DialPlan& plan = {},
                                     const std::string& callee = "442079460000",
                                     const std::string& caller = "1000") {
    return a->dial(callee, caller, plan);
  }
  /// Dials and runs until the answer.
  std::shared_ptr<EndpointCall> connect(const DialPlan& plan = {});
  void run_s(std::int64_t seconds) { world.run_for_us(seconds * second_us); }
  void run_ms(std::int64_t ms) { world.run_for_us(ms * 1000); }

  [[nodiscard]] Amount balance(std::string_view id = "acme") const {
    return tandem->account(id)->balance;
  }
  [[nodiscard]] int lines(std::string_view gateway) const;

  /// What holds when no call is up: nothing is taken, nothing is kept.
  void check_clean();
  /// The only record so far.
  const Cdr& only_cdr();
};

/// A vendor that rings at once and answers later.
inline AnswerPlan answer_after(std::int64_t us, std::int64_t ring_us = 0) {
  AnswerPlan plan;
  plan.ring_after_us = ring_us;
  plan.answer_after_us = us;
  return plan;
}

inline AnswerPlan refuse(int status, std::int64_t after_us = 0) {
  AnswerPlan plan;
  plan.status = status;
  plan.answer_after_us = after_us;
  return plan;
}

inline AnswerPlan never_responds() {
  AnswerPlan plan;
  plan.responds = false;
  return plan;
}

/// 100 and nothing more, or what is set besides.
inline AnswerPlan never_answers() {
  AnswerPlan plan;
  plan.answer_after_us = -1;
  return plan;
}

}  // namespace tandem::sim::test
