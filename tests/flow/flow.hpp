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

inline GatewayAddress gateway_address(const std::string& text) {
  GatewayAddress address;
  address.text = text;
  const bool has_port = text.find(':') != std::string::npos && text.find('/') == std::string::npos;
  if (has_port && SocketAddress::parse(text) && text.find("::") == std::string::npos) {
    const SocketAddress parsed = at(text);
    address.network = IpNetwork::parse(parsed.ip.to_string()).value();
    address.port = parsed.port;
  } else if (text.starts_with('[')) {
    const SocketAddress parsed = SocketAddress::parse(text, 5060).value();
    address.network = IpNetwork::parse(parsed.ip.to_string()).value();
    address.port = parsed.port;
  } else {
    address.network = IpNetwork::parse(text).value();
  }
  return address;
}

inline CustomerGateway customer(const std::string& id, const std::string& address,
                                const std::string& account = "acme") {
  CustomerGateway gateway;
  gateway.id = id;
  gateway.addresses = {gateway_address(address)};
  gateway.account = account;
  return gateway;
}

inline VendorGateway vendor(const std::string& id, const std::string& address, int priority = 0) {
  VendorGateway gateway;
  gateway.id = id;
  gateway.addresses = {gateway_address(address)};
  gateway.priority = priority;
  return gateway;
}

inline AccountConfig account(const std::string& id, std::string_view balance,
                             const std::string& deck = "retail") {
  AccountConfig one;
  one.id = id;
  one.balance = money(balance);
  one.rate_deck = deck;
  return one;
}

/// 0.60 a minute, by the second.
inline RateDeckConfig deck(const std::string& id, std::string_view price = "0.60") {
  RateDeckConfig one;
  one.id = id;
  Rate rate;
  rate.prefix = "";
  rate.price = money(price);
  one.rates = {rate};
  return one;
}

/// One customer "cust" at 10.0.1.1 with account "acme" (100.00), vendors v1.. at 10.0.2.N.
inline SwitchConfig base_config(int vendors = 1) {
  SwitchConfig config;
  config.folder = "/switch";
  config.sip_listen = {{SipTransport::udp, at(switch_address)},
                       {SipTransport::tcp, at(switch_address)}};
  config.provision.rate_decks = {deck("retail"), deck("wholesale", "0.30")};
  AccountConfig clearing = account("clearing", "0", "wholesale");
  clearing.kind = AccountKind::clearing;
  config.provision.accounts = {account("acme", "100.00"), clearing};
  config.provision.customer_gateways = {customer("cust", "10.0.1.1")};
  for (int i = 1; i <= vendors; ++i) {
    config.provision.vendor_gateways.push_back(
        vendor("v" + std::to_string(i), "10.0.2." + std::to_string(i) + ":5060", i));
    config.provision.vendor_gateways.back().account = "clearing";
  }
  return config;
}

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
                 SwitchHooks host = {})
      : world(options), config(std::move(settings)), hooks(std::move(host)) {
    a = endpoint("10.0.1.1:5060");
    for (const VendorGateway& gateway : config.provision.vendor_gateways) {
      const GatewayAddress& address = gateway.addresses.front();
      vendors.push_back(endpoint(
          SocketAddress{address.network.address, address.port.value_or(5060)}.to_string()));
    }
    if (!vendors.empty()) b = vendors.front();
    open();
  }
  ~Bench() { tandem.reset(); }

  void open() {
    auto made = world.create_switch(config, hooks);
    if (!made) FAIL(made.error().message);
    tandem = std::move(*made);
    REQUIRE(tandem->start().ok());
  }
  Endpoint* endpoint(const std::string& address, const std::string& peer = switch_address) {
    EndpointConfig settings;
    settings.address = address;
    settings.peer = peer;
    auto made = world.add_endpoint(settings);
    if (!made) FAIL(made.error().message);
    return *made;
  }
  std::shared_ptr<EndpointCall> dial(const DialPlan& plan = {},
                                     const std::string& callee = "442079460000",
                                     const std::string& caller = "1000") {
    return a->dial(callee, caller, plan);
  }
  /// Dials and runs until the answer.
  std::shared_ptr<EndpointCall> connect(const DialPlan& plan = {}) {
    auto call = dial(plan);
    REQUIRE(world.run_until([&] { return call->was_answered(); }, 60 * second_us));
    world.run_for_us(20'000);
    return call;
  }
  void run_s(std::int64_t seconds) { world.run_for_us(seconds * second_us); }
  void run_ms(std::int64_t ms) { world.run_for_us(ms * 1000); }

  [[nodiscard]] Amount balance(std::string_view id = "acme") const {
    return tandem->account(id)->balance;
  }
  [[nodiscard]] int lines(std::string_view gateway) const {
    for (const GatewayView& view : tandem->gateways()) {
      if (view.id == gateway) return view.calls;
    }
    return -1;
  }

  /// What holds when no call is up: nothing is taken, nothing is kept.
  void check_clean() {
    REQUIRE(world.run_until_idle());
    const SwitchCounters counters = tandem->counters();
    CHECK(counters.calls_live == 0);
    CHECK(counters.dialogs_live == 0);
    CHECK(counters.transactions_live == 0);
    CHECK(counters.media_sessions_live == 0);
    CHECK(counters.calls_started == counters.calls_ended);
    for (const GatewayView& gateway : tandem->gateways()) {
      CAPTURE(gateway.id);
      CHECK(gateway.calls == 0);
    }
    for (const AccountState& state : tandem->accounts()) {
      CAPTURE(state.settings.id);
      CHECK(state.held.is_zero());
      CHECK(state.open_holds == 0);
    }
  }
  /// The only record so far.
  const Cdr& only_cdr() {
    check_clean();
    REQUIRE(world.cdrs().size() == 1);
    return world.cdrs().front();
  }
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
