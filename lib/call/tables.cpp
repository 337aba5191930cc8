#include "call/tables.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace tandem::call {

namespace {

constexpr std::uint16_t sip_port = 5060;

Error in(const char* kind, const std::string& id, Error error) {
  error.message = std::string(kind) + " \"" + id + "\": " + error.message;
  return error;
}

class TablesBuilder {
 public:
  TablesBuilder(const SwitchConfig& config, SharedState& state) : config_(config), state_(state) {}

  Result<std::shared_ptr<const Tables>> build(const Tables* previous) {
    tables_->parameters = config_.parameters;
    if (auto rules = check_fee_rules(config_.parameters.fees); !rules) return rules.error();
    auto free_numbers = FreeNumbers::from_list(config_.parameters.free_numbers);
    if (!free_numbers) return free_numbers.error();
    tables_->free_numbers = std::move(*free_numbers);
    if (auto done = decks(); !done) return done.error();
    if (auto done = accounts(); !done) return done.error();
    if (auto done = customers(); !done) return done.error();
    if (auto done = vendors(); !done) return done.error();
    tables_->vendor_lines =
        std::make_unique<route::VendorLines>(tables_->routes, state_.vendor_lines);
    tables_->rotation = previous == nullptr
                            ? std::make_unique<RouteRotation>(tables_->routes)
                            : std::make_unique<RouteRotation>(tables_->routes, previous->routes,
                                                              *previous->rotation);
    return std::shared_ptr<const Tables>(std::move(tables_));
  }

 private:
  Result<void> decks() {
    for (const auto& deck : config_.provision.rate_decks) {
      RateDeck::Builder builder(deck.id, deck.currency);
      for (const Rate& rate : deck.rates) {
        if (auto added = builder.add(rate); !added) return in("rate deck", deck.id, added.error());
      }
      auto built = builder.build();
      if (!built) return in("rate deck", deck.id, built.error());
      decks_.emplace(deck.id, std::move(*built));
    }
    return {};
  }

  Result<void> accounts() {
    for (const auto& account : config_.provision.accounts) {
      auto handle = state_.accounts.provision(account, account.balance);
      if (!handle) return in("account", account.id, handle.error());
      Payer& payer = payers_[account.id];
      payer.account = *handle;
      payer.account_id = account.id;
      payer.currency = account.currency;
      payer.call_level = account.call_level;
      if (auto deck = decks_.find(account.rate_deck); deck != decks_.end()) {
        payer.deck = deck->second;
        payer.has_deck = true;
      }
    }
    return {};
  }

  Payer payer(const std::string& account) const {
    Payer result;
    if (const auto found = payers_.find(account); found != payers_.end()) result = found->second;
    return result;
  }

  template <class Side>
  Result<void> rewrite_rules(Side& side) {
    auto caller = RewriteRules::compile(side.config.rewrite_caller);
    if (!caller) return caller.error();
    auto callee = RewriteRules::compile(side.config.rewrite_callee);
    if (!callee) return callee.error();
    side.rewrite_caller = std::move(*caller);
    side.rewrite_callee = std::move(*callee);
    return {};
  }

  Result<void> customers() {
    SourceTable::Builder sources;
    for (const auto& gateway : config_.provision.customer_gateways) {
      CustomerSource source;
      source.id = gateway.id;
      source.priority = gateway.priority;
      source.locked = gateway.locked;
      source.numbers = gateway.numbers;
      for (const auto& address : gateway.addresses) {
        source.addresses.push_back({address.network, address.port.value_or(0)});
      }
      if (auto added = sources.add(std::move(source)); !added)
        return in("customer gateway", gateway.id, added.error());
      Customer customer;
      customer.config = gateway;
      if (auto rules = rewrite_rules(customer); !rules)
        return in("customer gateway", gateway.id, rules.error());
      customer.payer = payer(gateway.account);
      customer.lines = state_.customer_lines.counter(gateway.id);
      tables_->customers.push_back(std::move(customer));
    }
    tables_->sources = sources.build();
    return {};
  }

  Result<void> vendors() {
    RouteTable::Builder routes;
    for (const auto& gateway : config_.provision.vendor_gateways) {
      VendorRoute route;
      route.gateway = gateway.id;
      route.prefixes = gateway.prefixes;
      route.prefix_mode = gateway.prefix_mode;
      route.priority = gateway.priority;
      route.line_limit = gateway.line_limit;
      route.locked = gateway.locked;
      route.allow_customers = gateway.customers_allow;
      route.deny_customers = gateway.customers_deny;
      route.numbers = gateway.numbers;
      if (auto added = routes.add(std::move(route)); !added)
        return in("vendor gateway", gateway.id, added.error());
      if (gateway.addresses.empty()) {
        return in("vendor gateway", gateway.id,
                  {ErrorCode::invalid_argument, "no address was given"});
      }
      Vendor vendor;
      vendor.config = gateway;
      if (auto rules = rewrite_rules(vendor); !rules)
        return in("vendor gateway", gateway.id, rules.error());
      vendor.payee = payer(gateway.account);
      const auto& first = gateway.addresses.front();
      vendor.destination = {first.network.address, first.port.value_or(sip_port)};
      tables_->vendors.push_back(std::move(vendor));
    }
    tables_->routes = routes.build();
    return {};
  }

  const SwitchConfig& config_;
  SharedState& state_;
  std::unique_ptr<Tables> tables_ = std::make_unique<Tables>();
  std::map<std::string, RateDeck> decks_;
  std::map<std::string, Payer> payers_;
};

}  // namespace

std::optional<std::uint32_t> Tables::find_customer(std::string_view id) const noexcept {
  const auto found =
      std::find_if(customers.begin(), customers.end(),
                   [&](const Customer& customer) { return customer.config.id == id; });
  if (found == customers.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - customers.begin());
}

Result<std::shared_ptr<const Tables>> build_tables(const SwitchConfig& config, SharedState& state,
                                                   const Tables* previous) {
  return TablesBuilder(config, state).build(previous);
}

}  // namespace tandem::call
