#include "flow/flow.hpp"

#include <utility>

namespace tandem::sim::test {

GatewayAddress gateway_address(const std::string& text) {
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
  } else if (auto network = IpNetwork::parse(text)) {
    address.network = *network;
  }  // else a name
  return address;
}

CustomerGateway customer(const std::string& id, const std::string& address,
                         const std::string& account) {
  CustomerGateway gateway;
  gateway.id = id;
  gateway.addresses = {gateway_address(address)};
  gateway.account = account;
  return gateway;
}

VendorGateway vendor(const std::string& id, const std::string& address, int priority) {
  VendorGateway gateway;
  gateway.id = id;
  gateway.addresses = {gateway_address(address)};
  gateway.priority = priority;
  return gateway;
}

AccountConfig account(const std::string& id, std::string_view balance, const std::string& deck) {
  AccountConfig one;
  one.id = id;
  one.balance = money(balance);
  one.rate_deck = deck;
  return one;
}

RateDeckConfig deck(const std::string& id, std::string_view price) {
  RateDeckConfig one;
  one.id = id;
  Rate rate;
  rate.prefix = "";
  rate.price = money(price);
  one.rates = {rate};
  return one;
}

SwitchConfig base_config(int vendors) {
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

Bench::Bench(SwitchConfig settings, const WorldOptions& options, SwitchHooks host)
    : world(options), config(std::move(settings)), hooks(std::move(host)) {
  a = endpoint("10.0.1.1:5060");
  for (const VendorGateway& gateway : config.provision.vendor_gateways) {
    if (gateway.addresses.empty()) continue;  // it registers
    const GatewayAddress& address = gateway.addresses.front();
    if (address.is_name()) continue;
    vendors.push_back(
        endpoint(SocketAddress{address.network.address, address.port.value_or(5060)}.to_string()));
  }
  if (!vendors.empty()) b = vendors.front();
  open();
}

Bench::~Bench() { tandem.reset(); }

void Bench::open() {
  auto made = world.create_switch(config, hooks);
  if (!made) FAIL(made.error().message);
  tandem = std::move(*made);
  REQUIRE(tandem->start().ok());
}

Endpoint* Bench::endpoint(const std::string& address, const std::string& peer) {
  EndpointConfig settings;
  settings.address = address;
  settings.peer = peer;
  auto made = world.add_endpoint(settings);
  if (!made) FAIL(made.error().message);
  return *made;
}

std::shared_ptr<EndpointCall> Bench::connect(const DialPlan& plan) {
  auto call = dial(plan);
  REQUIRE(world.run_until([&] { return call->was_answered(); }, 60 * second_us));
  world.run_for_us(20'000);
  return call;
}

int Bench::lines(std::string_view gateway) const {
  for (const GatewayView& view : tandem->gateways()) {
    if (view.id == gateway) return view.calls;
  }
  return -1;
}

void Bench::check_clean() {
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

const Cdr& Bench::only_cdr() {
  check_clean();
  REQUIRE(world.cdrs().size() == 1);
  return world.cdrs().front();
}

}  // namespace tandem::sim::test
