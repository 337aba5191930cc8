#include "switch/config_check.hpp"

#include <set>
#include <string>

namespace tandem {

namespace {

class Checker {
 public:
  Checker(const SwitchConfig& config, std::vector<ConfigError>& errors)
      : config_(config), errors_(errors), reported_(errors.size()) {
    for (const auto& account : config.provision.accounts)
      accounts_.insert(account.id);
    for (const auto& deck : config.provision.rate_decks)
      decks_.insert(deck.id);
    for (const auto& customer : config.provision.customer_gateways)
      customers_.insert(customer.id);
  }

  void run() {
    check_admin();
    check_accounts();
    check_decks();
    const auto& provision = config_.provision;
    for (std::size_t i = 0; i < provision.customer_gateways.size(); ++i) {
      check_gateway(provision.customer_gateways[i], at("/provision/customer_gateways", i));
    }
    for (std::size_t i = 0; i < provision.vendor_gateways.size(); ++i) {
      check_vendor(provision.vendor_gateways[i], at("/provision/vendor_gateways", i));
    }
  }

 private:
  static std::string at(const std::string& list, std::size_t index) {
    return list + "/" + std::to_string(index);
  }

  /// What was reported where it stands, or inside of it, is not reported again for what follows
  /// from it.
  void fail(std::string pointer, std::string message) {
    for (std::size_t i = 0; i < reported_; ++i) {
      const std::string& known = errors_[i].pointer;
      if (known.starts_with(pointer) &&
          (known.size() == pointer.size() || known[pointer.size()] == '/'))
        return;
    }
    errors_.push_back({std::move(pointer), std::move(message)});
  }

  void known(const std::set<std::string>& ids, const std::string& id, const char* what,
             std::string pointer) {
    if (!id.empty() && !ids.contains(id))
      fail(std::move(pointer), std::string("no ") + what + " \"" + id + "\"");
  }

  void check_admin() {
    if (config_.admin_listen && !config_.admin_listen->ip.is_loopback() &&
        config_.admin_token.empty()) {
      fail("/admin/token",
           "a token is required because " + config_.admin_listen->to_string() + " is not loopback");
    }
  }

  void check_accounts() {
    const auto& accounts = config_.provision.accounts;
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      const std::string pointer = at("/provision/accounts", i);
      known(decks_, accounts[i].rate_deck, "rate deck", pointer + "/rate_deck");
      for (const auto& deck : config_.provision.rate_decks) {
        if (deck.id == accounts[i].rate_deck && deck.currency != accounts[i].currency) {
          fail(pointer + "/currency", "account is in " + accounts[i].currency + ", its deck \"" +
                                          deck.id + "\" in " + deck.currency);
        }
      }
    }
  }

  void check_decks() {
    const auto& decks = config_.provision.rate_decks;
    for (std::size_t i = 0; i < decks.size(); ++i) {
      RateDeck::Builder builder(decks[i].id, decks[i].currency);
      for (std::size_t j = 0; j < decks[i].rates.size(); ++j) {
        if (auto added = builder.add(decks[i].rates[j]);
            !added && added.error().code == ErrorCode::already_exists) {
          fail(at(at("/provision/rate_decks", i) + "/rates", j) + "/prefix", added.error().message);
        }
      }
    }
  }

  void check_gateway(const GatewayConfig& gateway, const std::string& pointer) {
    known(accounts_, gateway.account, "account", pointer + "/account");
    if (auto policy = NumberPolicy::build(gateway.numbers); !policy)
      fail(pointer, policy.error().message);
  }

  void check_vendor(const VendorGateway& vendor, const std::string& pointer) {
    check_gateway(vendor, pointer);
    if (vendor.addresses.empty())
      fail(pointer + "/addresses", "a vendor needs at least one address");
    for (std::size_t i = 0; i < vendor.addresses.size(); ++i) {
      const auto& network = vendor.addresses[i].network;
      if (network.prefix_length != (network.address.is_ipv6() ? 128 : 32)) {
        fail(at(pointer + "/addresses", i),
             "\"" + vendor.addresses[i].text + "\" is a block; calls need one address");
      }
    }
    if (!vendor.customers_allow.empty() && !vendor.customers_deny.empty()) {
      fail(pointer + "/customers", "either \"allow\" or \"deny\" is possible, not both");
    }
    for (std::size_t i = 0; i < vendor.customers_allow.size(); ++i) {
      known(customers_, vendor.customers_allow[i], "customer gateway",
            at(pointer + "/customers/allow", i));
    }
    for (std::size_t i = 0; i < vendor.customers_deny.size(); ++i) {
      known(customers_, vendor.customers_deny[i], "customer gateway",
            at(pointer + "/customers/deny", i));
    }
  }

  const SwitchConfig& config_;
  std::vector<ConfigError>& errors_;
  const std::size_t reported_;  // errors of the reading, before this check
  std::set<std::string> accounts_, decks_, customers_;
};

}  // namespace

void check_config(const SwitchConfig& config, std::vector<ConfigError>& errors) {
  Checker(config, errors).run();
}

}  // namespace tandem
