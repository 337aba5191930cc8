#include "switch/config_check.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "io/dns_files.hpp"
#include "io/dns_message.hpp"
#include "switch/maintenance_desk.hpp"
#include "switch/shadow.hpp"

namespace tandem {

namespace {

/// What of a package is wrong whatever its calendar says; one that splits calls has bounds of its
/// own.
Result<void> check_package_config(const PackageConfig& config) {
  if (!config.split_windows) return check_package(config);
  Package package = config;
  auto split = RateSchedule::parse("split");
  if (!split) return std::move(split).error();
  package.schedule = std::move(*split);
  return check_package(package);
}

class Checker {
 public:
  Checker(const SwitchConfig& config, std::vector<ConfigError>& errors)
      : config_(config), errors_(errors), reported_(errors.size()) {
    for (const auto& account : config.provision.accounts) {
      accounts_.insert(account.id);
      if (account.kind == AccountKind::agent) agents_.emplace(account.id, account.currency);
      if (account.kind == AccountKind::clearing) clearing_.insert(account.id);
    }
    for (const auto& phone : config.provision.phones)
      payers_of_phones_.emplace(phone.number, phone.account);
    for (const auto& deck : config.provision.rate_decks)
      decks_.insert(deck.id);
    for (const auto& customer : config.provision.customer_gateways)
      customers_.insert(customer.id);
    for (const auto& vendor : config.provision.vendor_gateways)
      vendors_.insert(vendor.id);
    for (const auto& group : config.provision.gateway_groups)
      gateway_groups_.insert(group.id);
    for (const auto& group : config.provision.number_groups)
      number_groups_.insert(group.id);
    for (const auto& area : config.provision.geofence_areas)
      geofence_areas_.insert(area.id);
    for (const auto& calendar : config.provision.calendars)
      calendars_.insert(calendar.id);
    for (const auto& resolver : config.provision.lrn_resolvers)
      lrn_resolvers_.insert(resolver.id);
    for (const auto& voice : config.provision.voices)
      voices_.insert(voice.id);
  }

  void run() {
    check_mobile_areas();
    check_numbering_plan();
    check_addresses();
    check_sinks();
    check_maintenance();
    check_dns();
    check_trace();
    check_notices();
    if (auto numbers = FreeNumbers::from_list(config_.parameters.free_numbers); !numbers)
      fail("/parameters/free_numbers", numbers.error().message);
    if (auto prefixes = check_route_prefixes(config_.parameters.gateway_route_prefix); !prefixes)
      fail("/parameters/gateway_route_prefix", prefixes.error().message);
    check_cause_tables();
    check_timers();
    check_admin();
    check_accounts();
    check_decks();
    const auto& provision = config_.provision;
    for (std::size_t i = 0; i < provision.customer_gateways.size(); ++i) {
      check_customer(provision.customer_gateways[i], at("/provision/customer_gateways", i));
    }
    for (std::size_t i = 0; i < provision.vendor_gateways.size(); ++i) {
      check_vendor(provision.vendor_gateways[i], at("/provision/vendor_gateways", i));
    }
    for (std::size_t i = 0; i < provision.gateway_groups.size(); ++i) {
      check_group(provision.gateway_groups[i], at("/provision/gateway_groups", i));
    }
    for (std::size_t i = 0; i < provision.lrn_resolvers.size(); ++i) {
      check_lrn_resolver(provision.lrn_resolvers[i], at("/provision/lrn_resolvers", i));
    }
    check_phones();
    check_voices();
    check_packages();
    check_quality();
    check_transforms();
    check_shadow();
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

  void check_addresses() {
    if (config_.sip_connections_per_peer < 1 || config_.sip_connections_per_peer > 4096) {
      fail("/sip/connections_per_peer",
           std::to_string(config_.sip_connections_per_peer) + " is not within 1..4096");
    }
    const auto& listeners = config_.sip_listen;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      const SocketAddress& address = listeners[i].address;
      if (address.ip.is_unspecified()) {
        fail(at("/sip/listen", i), address.to_string() +
                                       " is no address that a peer could answer " +
                                       "to: name each address of this machine to listen on");
      }
      check_listener_tls(listeners[i], at("/sip/listen", i));
      for (std::size_t j = 0; j < i; ++j) {
        if (listeners[j].transport == listeners[i].transport && listeners[j].address == address &&
            address.port != 0)
          fail(at("/sip/listen", i), address.to_string() + " is there twice");
      }
    }
    if (config_.media_address.is_unspecified() &&
        config_.media_address.family != IpAddress::Family::none)
      fail("/media/address",
           config_.media_address.to_string() + " is no address that a peer could send media to");
    const bool may_be_kernel = config_.media_backend == MediaBackend::automatic ||
                               config_.media_backend == MediaBackend::kernel;
    if (config_.media_backend == MediaBackend::kernel && config_.media_kernel.interfaces.empty())
      fail("/media/kernel/interfaces", "needed by the backend kernel");
    if (!may_be_kernel && config_.media_kernel != MediaKernelConfig{})
      fail("/media/kernel", std::string("the backend ") +
                                media_backend_name(config_.media_backend) + " reads none of it");
    if (config_.media_dtls_certificate.empty() != config_.media_dtls_key.empty())
      fail("/media", "dtls_certificate and dtls_key belong together");
  }

  void check_listener_tls(const ListenConfig& listener, const std::string& pointer) {
    const bool is_tls = is_over_tls(listener.transport);
    if (!listener.origins.empty() && !is_websocket(listener.transport))
      fail(pointer + "/origins", "only WebSocket has origins");
    const bool has_certificate = config_.sip_tls && !config_.sip_tls->certificate.empty();
    if (is_tls && !has_certificate)
      fail(pointer, "a listener for TLS needs \"certificate\" in /sip/tls");
    if (listener.client_certificate == ClientCertificate::none) return;
    if (!is_tls) {
      fail(pointer + "/client_certificate", "only TLS has certificates");
    } else if (!config_.sip_tls || config_.sip_tls->ca.empty()) {
      fail(pointer + "/client_certificate",
           "needs \"ca\" in /sip/tls: whose certificates are good");
    }
  }

  void check_sinks() {
    const auto& sinks = config_.cdr_sinks;
    const auto is_remote = [](const CdrSinkConfig& sink) {
      return sink.type == "http" || sink.type == "postgresql" || sink.type == "mariadb";
    };
    for (std::size_t i = 0; i < sinks.size(); ++i) {
      const CdrSinkConfig& sink = sinks[i];
      for (std::size_t j = 0; j < i; ++j) {
        const bool is_alike =
            sinks[j].type == sink.type || (is_remote(sinks[j]) && is_remote(sink));
        if (is_alike && config_.path(sinks[j].path) == config_.path(sink.path))
          fail(at("/cdr/sinks", i) + "/path",
               "\"" + sink.path + "\" is the place of another sink of this type");
      }
      const Result<void> checked = sink.type == "http"         ? check_cdr_push(sink.push)
                                   : sink.type == "postgresql" ? check_cdr_postgresql(sink.sql)
                                   : sink.type == "mariadb"    ? check_cdr_mariadb(sink.sql)
                                                               : Result<void>{};
      if (!checked) fail(at("/cdr/sinks", i), checked.error().message);
      const bool has_tls_files = !sink.push.tls_ca.empty() || !sink.push.tls_certificate.empty() ||
                                 !sink.push.tls_key.empty();
      if (sink.type == "slots" &&
          std::none_of(sinks.begin(), sinks.end(),
                       [](const CdrSinkConfig& each) { return each.type == "sqlite"; }))
        fail(at("/cdr/sinks", i), "there is no sqlite sink whose reports could read the slots");
      if (has_tls_files && sink.type != "http")
        fail(at("/cdr/sinks", i), "tls_ca, tls_certificate and tls_key are for http sinks");
    }
  }

  void check_maintenance() {
    if (auto checked = tandem::check_maintenance(config_.maintenance); !checked)
      fail("/maintenance", checked.error().message);
    const bool has_days =
        std::any_of(config_.cdr_sinks.begin(), config_.cdr_sinks.end(),
                    [](const CdrSinkConfig& sink) { return sink.type == "sqlite"; });
    if (config_.maintenance.is_scheduled && !has_days)
      fail("/maintenance", "there is no sqlite sink whose days could be kept");
  }

  void check_notices() {
    if (!config_.phone_notices) return;
    if (auto checked = check_webhook(*config_.phone_notices); !checked)
      fail("/phone_notices", checked.error().message);
  }

  void check_trace() {
    const TraceConfig& trace = config_.trace;
    constexpr std::int64_t ring_low = 65'536, ring_high = 1'073'741'824;
    constexpr std::int64_t memory_low = 1'048'576, memory_high = 4'294'967'296;
    if (trace.ring_bytes != 0 && (trace.ring_bytes < ring_low || trace.ring_bytes > ring_high))
      fail("/trace/ring_bytes",
           std::to_string(trace.ring_bytes) + " is neither 0 nor in 65536..1073741824");
    if (trace.memory_bytes < memory_low || trace.memory_bytes > memory_high)
      fail("/trace/memory_bytes",
           std::to_string(trace.memory_bytes) + " is not in 1048576..4294967296");
    const HepConfig& hep = trace.hep;
    if (hep.queue_packets < 1 || hep.queue_packets > 65'536)
      fail("/trace/hep/queue_packets", std::to_string(hep.queue_packets) + " is not in 1..65536");
    if (hep.password.size() > 64) fail("/trace/hep/password", "longer than 64 characters");
    if (hep.server && (hep.server->port == 0 || hep.server->ip.is_unspecified()))
      fail("/trace/hep/server", hep.server->to_string() + " names no place to send to");
    if (hep.all_calls && (!hep.server || trace.ring_bytes == 0))
      fail("/trace/hep/all_calls", "needs trace.ring_bytes, where calls are recorded");
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
    check_bound_numbers();
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      const std::string pointer = at("/provision/accounts", i);
      known(decks_, accounts[i].rate_deck, "rate deck", pointer + "/rate_deck");
      for (const auto& [amount, key] :
           {std::pair(accounts[i].balance, "/balance"),
            std::pair(accounts[i].overdraft_limit, "/overdraft_limit")}) {
        if (amount > account_amount_max || amount < Amount::from_units(-account_amount_max.units()))
          fail(pointer + key, amount.to_string() + " is beyond " + account_amount_max.to_string());
      }
      check_agent(accounts[i], pointer);
      check_phone_book(accounts[i], pointer + "/phone_book");
      if (accounts[i].kind == AccountKind::card && !accounts[i].overdraft_limit.is_zero())
        fail(pointer + "/overdraft_limit", "a card was paid in advance and has none");
      if (accounts[i].kind == AccountKind::clearing && !accounts[i].limits.empty())
        fail(pointer + "/limits", "a clearing account pays for no calls that limits could refuse");
      for (const auto& deck : config_.provision.rate_decks) {
        if (deck.id == accounts[i].rate_deck && deck.currency != accounts[i].currency) {
          fail(pointer + "/currency", "account is in " + accounts[i].currency + ", its deck \"" +
                                          deck.id + "\" in " + deck.currency);
        }
      }
    }
  }

  /// Who pays is never a matter of order.
  void check_bound_numbers() {
    std::map<std::string_view, std::string_view> bound;  // accounts by number
    const auto& accounts = config_.provision.accounts;
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      const AccountConfig& account = accounts[i];
      const std::string pointer = at("/provision/accounts", i) + "/bound_numbers";
      if (account.kind == AccountKind::clearing && !account.bound_numbers.empty())
        fail(pointer, "a clearing account pays for no callers");
      if (account.bound_numbers.size() > bound_numbers_max)
        fail(pointer, std::to_string(account.bound_numbers.size()) + " numbers are more than " +
                          std::to_string(bound_numbers_max));
      for (std::size_t n = 0; n < account.bound_numbers.size(); ++n) {
        const std::string& number = account.bound_numbers[n];
        if (!is_number(number)) fail(at(pointer, n), "\"" + number + "\" is no number");
        const auto [other, is_new] = bound.emplace(number, account.id);
        if (!is_new)
          fail(at(pointer, n), "\"" + number + "\" is bound to account \"" +
                                   std::string(other->second) + "\" already");
      }
    }
  }

  /// What is dialled stands for one number.
  void check_phone_book(const AccountConfig& account, const std::string& pointer) {
    const std::vector<ShortNumber>& book = account.phone_book;
    if (book.size() > phone_book_max)
      fail(pointer, std::to_string(book.size()) + " short numbers are more than " +
                        std::to_string(phone_book_max));
    std::set<std::string_view> known_short;
    for (const ShortNumber& entry : book) {
      const std::string place = pointer + "/" + entry.short_number;
      for (const std::string& number : {entry.short_number, entry.number}) {
        if (!is_number(number)) fail(place, "\"" + number + "\" is no number");
      }
      if (!known_short.insert(entry.short_number).second) fail(place, "stands for two numbers");
    }
  }

  /// Only a customer has one, and it has none itself: so there is no chain and no ring of agents.
  void check_agent(const AccountConfig& account, const std::string& pointer) {
    if (account.agent.empty()) return;
    if (account.kind != AccountKind::customer) {
      fail(pointer + "/agent",
           std::string("an account of kind ") + account_kind_name(account.kind) + " has no agent");
      return;
    }
    const auto agent = agents_.find(account.agent);
    if (agent == agents_.end()) {
      fail(pointer + "/agent", "no account \"" + account.agent + "\" of kind agent");
    } else if (agent->second != account.currency) {
      fail(pointer + "/agent", "agent \"" + account.agent + "\" is in " + agent->second +
                                   ", its customer in " + account.currency);
    }
  }

  void check_decks() {
    const auto& decks = config_.provision.rate_decks;
    for (std::size_t i = 0; i < decks.size(); ++i) {
      known(calendars_, decks[i].calendar, "calendar",
            at("/provision/rate_decks", i) + "/calendar");
      if (decks[i].built) continue;  // which it could not be otherwise
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
    if (gateway.forward_pool) check_pool(gateway.forward_pool->numbers, pointer + "/forward_pool");
    known(accounts_, gateway.account, "account", pointer + "/account");
    check_number_rules(gateway, pointer);
    check_geofence(gateway.geofence, pointer + "/geofence");
    const NumberGroupRules& groups = gateway.number_groups;
    known_all(number_groups_, groups.allow_caller, "number group",
              pointer + "/allow_caller_groups");
    known_all(number_groups_, groups.deny_caller, "number group", pointer + "/deny_caller_groups");
    known_all(number_groups_, groups.allow_callee, "number group",
              pointer + "/allow_callee_groups");
    known_all(number_groups_, groups.deny_callee, "number group", pointer + "/deny_callee_groups");
    for (std::size_t i = 0; i < gateway.complete_mobile_areas.size(); ++i) {
      if (auto chosen = mobile_areas_.choose({gateway.complete_mobile_areas[i]}); !chosen)
        fail(at(pointer + "/complete_mobile_areas", i), chosen.error().message);
    }
  }

  void check_number_rules(const GatewayConfig& gateway, const std::string& pointer) {
    bool has_all_areas = true;
    for (const auto& [key, areas] :
         {std::pair("/allow_mobile_areas", &gateway.numbers.allow_mobile_areas),
          std::pair("/deny_mobile_areas", &gateway.numbers.deny_mobile_areas)}) {
      for (std::size_t i = 0; i < areas->size(); ++i) {
        if (auto chosen = numbering_plan_.choose({(*areas)[i]}); !chosen) {
          fail(at(pointer + key, i), chosen.error().message);
          has_all_areas = false;
        }
      }
    }
    if (!has_all_areas) return;
    NumberPolicyConfig rules = gateway.numbers;
    rules.plan = numbering_plan_;
    if (auto policy = NumberPolicy::build(rules); !policy) fail(pointer, policy.error().message);
  }

  /// What registering takes, and that no two are called alike.
  void check_registration(const GatewayConfig& gateway, const std::string& pointer) {
    using enum GatewayRegistration;
    if (gateway.id.starts_with(phone_id_prefix))
      fail(pointer + "/id", "\"" + gateway.id + "\" would be taken for a phone");
    if (gateway.registration == dynamic) {
      if (!gateway.addresses.empty())
        fail(pointer + "/addresses", "a gateway that registers here has no addresses");
    } else if (gateway.addresses.empty()) {
      fail(pointer + "/addresses", "missing \"addresses\"");
    }
    if (gateway.registration == fixed) return;
    if (!gateway.auth || gateway.auth->username.empty()) {
      fail(pointer + "/auth", "registration needs credentials");
    } else if (gateway.registration == dynamic) {
      const auto [known, is_new] =
          registrants_.emplace(gateway.auth->username, std::pair(gateway.id, &*gateway.auth));
      // A customer and a vendor of one id are one device.
      const auto& [id, auth] = known->second;
      if (!is_new && (id != gateway.id || auth->password != gateway.auth->password)) {
        fail(pointer + "/auth/username",
             "\"" + gateway.auth->username + "\" is the user of another gateway");
      }
    }
  }

  void check_phones() {
    const auto& phones = config_.provision.phones;
    std::set<std::string_view> numbers;
    for (std::size_t i = 0; i < phones.size(); ++i) {
      const PhoneConfig& phone = phones[i];
      const std::string pointer = at("/provision/phones", i);
      if (!is_number(phone.number))
        fail(pointer + "/number", "\"" + phone.number + "\" is no number");
      if (phone.id != phone.number)
        fail(pointer + "/number", "a phone is listed by its number, not by \"" + phone.id + "\"");
      if (phone.password.empty()) fail(pointer + "/password", "a phone needs a password");
      if (phone.account.empty()) fail(pointer + "/account", "a phone needs an account");
      known(accounts_, phone.account, "account", pointer + "/account");
      // Anybody could call it, and nothing would bound what that costs.
      if (phone.pays_when_called && clearing_.contains(phone.account))
        fail(pointer + "/pays_when_called",
             "account \"" + phone.account + "\" is a clearing account, which pays for no callers");
      known(calendars_, phone.forward.calendar, "calendar", pointer + "/forward/calendar");
      const auto claim = [&](std::string_view number, const std::string& place) {
        if (!numbers.insert(number).second)
          fail(place, "\"" + std::string(number) + "\" is a phone's already");
      };
      claim(phone.number, pointer + "/number");
      for (std::size_t d = 0; d < phone.dids.size(); ++d)
        claim(phone.dids[d], at(pointer + "/dids", d));
      if (registrants_.contains(phone.number)) {
        fail(pointer + "/number", "\"" + phone.number + "\" is the user of a gateway");
      }
      if (!phone.vendor_groups_allow.empty() && !phone.vendor_groups_deny.empty())
        fail(pointer + "/vendor_groups", "either \"allow\" or \"deny\" is possible, not both");
      known_all(gateway_groups_, phone.vendor_groups_allow, "gateway group",
                pointer + "/vendor_groups/allow");
      known_all(gateway_groups_, phone.vendor_groups_deny, "gateway group",
                pointer + "/vendor_groups/deny");
      if (phone.lrn) check_lrn(*phone.lrn, pointer + "/lrn");
      check_geofence(phone.geofence, pointer + "/geofence");
      check_language(phone, pointer);
    }
  }

  /// M-14: what is to be spoken needs a voice.
  void check_voices() {
    const Parameters& parameters = config_.parameters;
    known(voices_, parameters.language, "voice", "/parameters/language");
    if (parameters.announce_remaining != Remaining::none && parameters.language.empty())
      fail("/parameters/announce_remaining", "no language says in what words");
    const auto& accounts = config_.provision.accounts;
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      if (accounts[i].reminder && accounts[i].reminder->says != Remaining::none && voices_.empty())
        fail(at("/provision/accounts", i) + "/reminder/says", "there are no voices");
    }
  }

  template <class Party>
  void check_language(const Party& party, const std::string& pointer) {
    known(voices_, party.language, "voice", pointer + "/language");
    if (!party.language.empty() || !config_.parameters.language.empty()) return;
    if (party.announce_remaining.value_or(Remaining::none) != Remaining::none)
      fail(pointer + "/announce_remaining", "no language says in what words");
    if (party.reminder && party.reminder->says != Remaining::none)
      fail(pointer + "/reminder/says", "no language says in what words");
  }

  void known_all(const std::set<std::string>& ids, const std::vector<std::string>& given,
                 const char* what, const std::string& pointer) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (!ids.contains(given[i]))
        fail(at(pointer, i), std::string("no ") + what + " \"" + given[i] + "\"");
    }
  }

  void check_customer(const CustomerGateway& customer, const std::string& pointer) {
    check_gateway(customer, pointer);
    check_registration(customer, pointer);
    if (customer.registration == GatewayRegistration::outbound)
      fail(pointer + "/registration", "the switch registers at vendors only");
    if (!customer.vendor_groups_allow.empty() && !customer.vendor_groups_deny.empty()) {
      fail(pointer + "/vendor_groups", "either \"allow\" or \"deny\" is possible, not both");
    }
    known_all(gateway_groups_, customer.vendor_groups_allow, "gateway group",
              pointer + "/vendor_groups/allow");
    known_all(gateway_groups_, customer.vendor_groups_deny, "gateway group",
              pointer + "/vendor_groups/deny");
    known(calendars_, customer.calendar, "calendar", pointer + "/calendar");
    check_language(customer, pointer);
    if (customer.lrn) check_lrn(*customer.lrn, pointer + "/lrn");
    if (customer.reconciliation_token.empty()) return;
    if (config_.admin_token.empty())
      fail(pointer + "/reconciliation_token", "without a token of `admin` everything is open");
    if (customer.reconciliation_token == config_.admin_token)
      fail(pointer + "/reconciliation_token", "the token of `admin` opens everything");
  }

  void check_lrn(const LrnGatewayConfig& lrn, const std::string& pointer) {
    if (lrn.resolver.empty()) {
      fail(pointer, "a resolver is needed");
    } else {
      known(lrn_resolvers_, lrn.resolver, "LRN resolver", pointer + "/resolver");
    }
    in_range(lrn.eat_prefix_length, 0, 32, pointer + "/eat_prefix_length");
    for (const auto& [key, prefix] :
         {std::pair{"/interstate_billing_prefix", &lrn.interstate_billing_prefix},
          {"/undetermined_billing_prefix", &lrn.undetermined_billing_prefix}}) {
      if (!prefix->empty() && !is_number(*prefix))
        fail(pointer + key, "\"" + *prefix + "\" is no prefix");
    }
  }

  void check_https(const HttpsConfig& https, const std::string& pointer) {
    if (!https.is_on) {
      for (const auto& [key, text] : {std::pair{"/tls_name", &https.name},
                                      {"/tls_ca", &https.ca},
                                      {"/tls_certificate", &https.certificate},
                                      {"/tls_key", &https.key}}) {
        if (!text->empty()) fail(pointer + key, "\"" + *text + "\" counts with \"tls\" only");
      }
      return;
    }
    if (!https.key.empty() && https.certificate.empty())
      fail(pointer + "/tls_key", "\"" + https.key + "\" came without tls_certificate");
    if (IpAddress::parse(https.name))
      fail(pointer + "/tls_name", "\"" + https.name + "\" is an address and no domain name");
  }

  void check_lrn_resolver(const LrnResolverConfig& resolver, const std::string& pointer) {
    if (resolver.https.is_on && resolver.kind != LrnResolverKind::http)
      fail(pointer + "/tls", "is for a resolver of kind http");
    check_https(resolver.https, pointer);
    const bool is_host = resolver.kind == LrnResolverKind::host;
    if (is_host != resolver.addresses.empty()) {
      fail(pointer + "/addresses",
           is_host ? "a resolver of kind host has none" : "a resolver needs at least one address");
    }
    if (resolver.suffix.empty() || resolver.suffix.size() > lrn_suffix_bytes_max ||
        !io::dns::is_name(resolver.suffix)) {
      fail(pointer + "/suffix", "\"" + resolver.suffix + "\" is no name such as \"e164.arpa\"");
    }
    in_range(resolver.timeout_ms, 50, 10'000, pointer + "/timeout_ms");
    in_range(resolver.retries, 0, 5, pointer + "/retries");
    in_range(resolver.cache_s, 0, 86'400, pointer + "/cache_s");
    in_range(resolver.cache_entries, 1, 10'000'000, pointer + "/cache_entries");
    in_range(resolver.queries_max, 1, 65'536, pointer + "/queries_max");
    in_range(resolver.connections, 1, 64, pointer + "/connections");
  }

  /// Hosts that give structures have not been through the reader.
  void in_range(std::int64_t value, std::int64_t low, std::int64_t high,
                const std::string& pointer) {
    if (value < low || value > high) {
      fail(pointer, std::to_string(value) + " is not in " + std::to_string(low) + ".." +
                        std::to_string(high));
    }
  }

  void check_cause_tables() {
    const auto check = [&](const std::vector<CodeReplacement>& list, bool is_from_sip,
                           const std::string& pointer) {
      if (list.size() > 128) fail(pointer, std::to_string(list.size()) + " rows are more than 128");
      for (std::size_t i = 0; i < list.size(); ++i) {
        const std::int32_t status = is_from_sip ? list[i].from : list[i].to;
        const std::int32_t cause = is_from_sip ? list[i].to : list[i].from;
        in_range(status, 300, 699, at(pointer, i) + (is_from_sip ? "/from" : "/to"));
        in_range(cause, 1, 127, at(pointer, i) + (is_from_sip ? "/to" : "/from"));
      }
    };
    check(config_.parameters.q850_for_sip, true, "/parameters/q850_for_sip");
    check(config_.parameters.sip_for_q850, false, "/parameters/sip_for_q850");
  }

  void check_dns() {
    const DnsConfig& dns = config_.dns;
    if (dns.servers.size() > io::dns_servers_max)
      fail("/dns/servers", std::to_string(dns.servers.size()) + " name servers are more than 8");
    in_range(dns.timeout_ms, 50, 10'000, "/dns/timeout_ms");
    in_range(dns.rounds, 1, 5, "/dns/rounds");
    in_range(dns.ttl_min_s, 1, 3'600, "/dns/ttl_min_s");
    in_range(dns.ttl_max_s, dns.ttl_min_s, 86'400, "/dns/ttl_max_s");
    in_range(dns.negative_ttl_max_s, 1, 3'600, "/dns/negative_ttl_max_s");
    in_range(dns.stale_s, 0, 604'800, "/dns/stale_s");
    in_range(dns.entries_max, 64, 65'536, "/dns/entries_max");
    in_range(dns.rest_s, 0, 3'600, "/dns/rest_s");
  }

  void check_group(const GatewayGroup& group, const std::string& pointer) {
    known(calendars_, group.calendar, "calendar", pointer + "/calendar");
    std::set<std::string> members;
    for (std::size_t i = 0; i < group.members.size(); ++i) {
      const GroupMember& member = group.members[i];
      const std::string place = at(pointer + "/members", i);
      if (!customers_.contains(member.gateway)) {
        known(vendors_, member.gateway, "customer or vendor gateway", place + "/gateway");
      }
      if (!members.insert(member.gateway).second)
        fail(place + "/gateway", "\"" + member.gateway + "\" is there twice");
      if (group.line_limit >= 0 && member.reserved_lines > group.line_limit) {
        fail(place + "/reserved_lines",
             std::to_string(member.reserved_lines) + " reserved lines of a group with " +
                 std::to_string(group.line_limit) + " would never let it call");
      }
    }
  }

  /// What a call took of packages is kept as a list that has these between ids and numbers.
  void no_separator(const std::string& id, const char* what, std::string pointer) {
    const auto place = id.find_first_of(";|");
    if (place == std::string::npos) return;
    fail(std::move(pointer),
         "\"" + id + "\" has a \"" + id[place] + "\", which the id of " + what + " cannot have");
  }

  void check_packages() {
    std::map<std::string_view, const PackageConfig*> packages;
    for (std::size_t i = 0; i < config_.provision.packages.size(); ++i) {
      const PackageConfig& package = config_.provision.packages[i];
      const std::string pointer = at("/provision/packages", i);
      packages.emplace(package.id, &package);
      known(calendars_, package.calendar, "calendar", pointer + "/calendar");
      if (auto checked = check_package_config(package); !checked)
        fail(pointer, checked.error().message);
    }
    std::set<std::string_view> others;  // accounts that are no customer's
    std::set<std::string_view> without_packages;
    for (std::size_t i = 0; i < config_.provision.accounts.size(); ++i) {
      const AccountConfig& account = config_.provision.accounts[i];
      if (account.kind == AccountKind::customer) {
        if (!account.monthly.are_none())
          no_separator(account.id, "an account with monthly rules",
                       at("/provision/accounts", i) + "/id");
        continue;
      }
      others.insert(account.id);
      if (account.kind != AccountKind::agent) without_packages.insert(account.id);
      if (!account.monthly.are_none())
        fail(at("/provision/accounts", i), "monthly rules are for accounts of customers");
    }
    for (std::size_t i = 0; i < config_.provision.phones.size(); ++i) {
      const PhoneConfig& phone = config_.provision.phones[i];
      if (phone.monthly.are_none()) continue;
      no_separator(phone.account, "an account of a phone with monthly rules",
                   at("/provision/phones", i) + "/account");
      if (others.contains(phone.account))
        fail(at("/provision/phones", i) + "/account",
             "account \"" + phone.account + "\" is no customer's; monthly rules are for customers");
    }
    const auto& orders = config_.provision.package_orders;
    for (std::size_t i = 0; i < orders.size(); ++i) {
      const std::string pointer = at("/provision/package_orders", i);
      PackageOrder order = orders[i];
      find_payer(order, pointer);
      no_separator(order.id, "a package order", pointer + "/id");
      if (const auto package = packages.find(order.package); package != packages.end()) {
        const auto checked =
            order.account.empty() ? Result<void>() : check_package_order(order, *package->second);
        if (!checked) fail(pointer, checked.error().message);
      } else if (!order.package.empty()) {
        fail(pointer + "/package", "no package \"" + order.package + "\"");
      }
      known(accounts_, order.account, "account", pointer + "/account");
      if (without_packages.contains(order.account))
        fail(pointer + "/account", "account \"" + order.account +
                                       "\" is no customer's and no agent's; packages belong to "
                                       "those");
    }
  }

  /// The account of a phone pays for what the phone has ordered.
  void find_payer(PackageOrder& order, const std::string& pointer) {
    if (order.phone.empty()) {
      if (order.account.empty())
        fail(pointer + "/account", "missing \"account\": an order is of an account or a phone");
      return;
    }
    const auto phone = payers_of_phones_.find(order.phone);
    if (phone == payers_of_phones_.end()) {
      fail(pointer + "/phone", "no phone \"" + order.phone + "\"");
    } else if (!order.account.empty() && order.account != phone->second) {
      fail(pointer + "/account", "phone \"" + order.phone + "\" is of account \"" +
                                     std::string(phone->second) + "\", not of \"" + order.account +
                                     "\"");
    } else {
      order.account = phone->second;
    }
  }

  void check_geofence(const GeofenceConfig& fence, const std::string& pointer) {
    known_all(geofence_areas_, fence.areas, "geofence area", pointer + "/areas");
    if (fence.mode != GeofenceMode::ignore && geofence_areas_.empty())
      fail(pointer + "/mode", std::string(geofence_mode_name(fence.mode)) +
                                  " needs an area in /provision/geofence_areas");
  }

  void check_timers() {
    const Parameters& p = config_.parameters;
    check_geofence(p.geofence, "/parameters/geofence");
    if (p.sip_t2_ms < p.sip_t1_ms) {
      fail("/parameters/sip_t2_ms", std::to_string(p.sip_t2_ms) + " ms are less than T1, " +
                                        std::to_string(p.sip_t1_ms) + " ms");
    }
  }

  void check_quality() {
    const Parameters& p = config_.parameters;
    if (p.quality_slice_s < 1 || p.quality_slice_s > p.quality_window_s ||
        p.quality_window_s / p.quality_slice_s > 1440) {
      fail("/parameters/quality_slice_s",
           std::to_string(p.quality_slice_s) + " s are no slice of a window of " +
               std::to_string(p.quality_window_s) + " s: it takes 1..1440 of them");
    }
  }

  /// Before the gateways, which name areas.
  void check_mobile_areas() {
    auto areas = MobileAreas::build(config_.provision.mobile_areas);
    if (areas) {
      mobile_areas_ = std::move(*areas);
    } else {
      fail("/provision/mobile_areas", areas.error().message);
    }
  }

  void check_numbering_plan() {
    auto plan = NumberingPlan::build(config_.provision.numbering_plan);
    if (plan) {
      numbering_plan_ = std::move(*plan);
    } else {
      fail("/provision/numbering_plan", plan.error().message);
    }
  }

  void check_transforms() {
    const auto transforms = NumberTransforms::build(config_.provision.number_transforms);
    if (!transforms) fail("/provision/number_transforms", transforms.error().message);
  }

  /// The shape of the plan; its objects are read when the shadow starts.
  void check_shadow() {
    if (config_.shadow.empty()) return;
    const auto plan = read_shadow_plan(config_.shadow);
    if (plan) return;
    std::string pointer, message = plan.error().message;  // may begin with a place in the plan
    if (const auto end = message.find(": "); message.starts_with('/') && end != std::string::npos) {
      pointer = message.substr(0, end);
      message.erase(0, end + 2);
    }
    fail("/shadow" + pointer, message);
  }

  void check_pool(const std::string& numbers, const std::string& pointer) {
    for (const NumberGroup& group : config_.provision.number_groups) {
      if (group.id != numbers) continue;
      if (group.numbers.empty())
        fail(pointer + "/numbers", "number group \"" + numbers + "\" is empty");
      return;
    }
    known({}, numbers, "number group", pointer + "/numbers");
  }

  void check_vendor(const VendorGateway& vendor, const std::string& pointer) {
    check_gateway(vendor, pointer);
    known(calendars_, vendor.calendar, "calendar", pointer + "/calendar");
    if (vendor.caller_pool) check_pool(vendor.caller_pool->numbers, pointer + "/caller_pool");
    if (vendor.reconciliation)
      check_https(vendor.reconciliation->https, pointer + "/reconciliation");
    check_registration(vendor, pointer);
    if (vendor.options_check && vendor.registration == GatewayRegistration::dynamic)
      fail(pointer + "/options_check", "a gateway that registers here is there while it does");
    for (std::size_t i = 0; i < vendor.addresses.size(); ++i) {
      if (vendor.addresses[i].is_name()) continue;
      const auto& network = vendor.addresses[i].network;
      if (network.prefix_length != (network.address.is_ipv6() ? 128 : 32)) {
        fail(at(pointer + "/addresses", i),
             "\"" + vendor.addresses[i].text + "\" is a block; calls need one address");
      }
    }
    if (!vendor.customers_allow.empty() && !vendor.customers_deny.empty()) {
      fail(pointer + "/customers", "either \"allow\" or \"deny\" is possible, not both");
    }
    known_all(customers_, vendor.customers_allow, "customer gateway", pointer + "/customers/allow");
    known_all(customers_, vendor.customers_deny, "customer gateway", pointer + "/customers/deny");
    if (vendor.sip.transport == SipTransport::tls &&
        (!config_.sip_tls || std::none_of(config_.sip_listen.begin(), config_.sip_listen.end(),
                                          [](const ListenConfig& listen) {
                                            return listen.transport == SipTransport::tls;
                                          }))) {
      fail(pointer + "/sip/transport",
           "needs a listener tls:IP:PORT, which names the switch to it");
    }
    const SocketAddress& own = vendor.sip.local_address;
    if (vendor.sip.finds_transport && own != SocketAddress())
      fail(pointer + "/sip/local_address", "is of one transport, where \"auto\" means any");
    const auto is_own = [&](const ListenConfig& listen) {
      return listen.transport == vendor.sip.transport && listen.address == own;
    };
    const auto& listeners = config_.sip_listen;
    if (own != SocketAddress() && std::none_of(listeners.begin(), listeners.end(), is_own)) {
      fail(pointer + "/sip/local_address",
           own.to_string() + " is none of the addresses in /sip/listen of that transport");
    }
    for (const GatewayAddress& address : vendor.addresses) {
      if (own != SocketAddress() && !address.is_name() &&
          address.network.address.family != own.ip.family) {
        fail(pointer + "/sip/local_address", own.to_string() + " cannot reach \"" + address.text +
                                                 "\", which is of another family");
      }
    }
  }

  const SwitchConfig& config_;
  std::vector<ConfigError>& errors_;
  const std::size_t reported_;  // errors of the reading, before this check
  MobileAreas mobile_areas_;
  NumberingPlan numbering_plan_;
  std::map<std::string, std::string> agents_;  // their currency by id
  std::set<std::string_view> clearing_;        // accounts of that kind
  std::unordered_map<std::string_view, std::string_view> payers_of_phones_;  // accounts by number
  std::set<std::string> accounts_, decks_, customers_, vendors_, gateway_groups_, number_groups_,
      geofence_areas_, calendars_, lrn_resolvers_, voices_;
  /// Users that gateways register with: whose they are, and their credentials.
  std::map<std::string, std::pair<std::string, const GatewayAuth*>> registrants_;
};

}  // namespace

void check_config(const SwitchConfig& config, std::vector<ConfigError>& errors) {
  Checker(config, errors).run();
}

void check_zone_of_slots(const SwitchConfig& before, const SwitchConfig& after,
                         std::vector<ConfigError>& errors) {
  const auto name_of = [](const std::string& zone) { return zone.empty() ? "UTC" : zone; };
  const std::string former = name_of(before.parameters.timezone);
  const std::string zone = name_of(after.parameters.timezone);
  if (zone == former) return;
  const auto sums_of = [](const SwitchConfig& config) {
    return std::find_if(config.cdr_sinks.begin(), config.cdr_sinks.end(),
                        [](const CdrSinkConfig& sink) { return sink.type == "slots"; });
  };
  const auto sink = sums_of(before);
  if (sink == before.cdr_sinks.end() || sums_of(after) == after.cdr_sinks.end()) return;
  errors.push_back({"/parameters/timezone",
                    "\"" + zone + "\" is another zone than \"" + former + "\", whose days \"" +
                        before.path(sink->path) +
                        "/slots.db\" has sums of: stop the switch and have them made anew "
                        "(tandem-switch maintenance rebuild_slots)"});
}

void check_moved_phones(const SwitchConfig& before, const SwitchConfig& after,
                        std::vector<ConfigError>& errors) {
  std::unordered_map<std::string_view, const PhoneConfig*> former;  // by number
  for (const PhoneConfig& phone : before.provision.phones)
    former.emplace(phone.number, &phone);
  std::vector<std::size_t> moved;
  for (std::size_t i = 0; i < after.provision.phones.size(); ++i) {
    const auto was = former.find(after.provision.phones[i].number);
    if (was != former.end() && was->second->account != after.provision.phones[i].account)
      moved.push_back(i);
  }
  if (moved.empty()) return;
  // Accounts keep their currency, so that one list has those of both.
  std::unordered_map<std::string_view, std::string_view> currencies;
  for (const SwitchConfig* config : {&before, &after}) {
    for (const AccountConfig& account : config->provision.accounts)
      currencies.emplace(account.id, account.currency);
  }
  std::set<std::string_view> ordered;  // phones with orders that were there before
  std::set<std::string_view> former_orders;
  for (const PackageOrder& order : before.provision.package_orders)
    former_orders.insert(order.id);
  for (const PackageOrder& order : after.provision.package_orders) {
    if (!order.phone.empty() && former_orders.contains(order.id)) ordered.insert(order.phone);
  }
  for (const std::size_t i : moved) {
    const PhoneConfig& phone = after.provision.phones[i];
    const PhoneConfig& was = *former.at(phone.number);
    const bool has_rules = !phone.monthly.are_none() && !was.monthly.are_none();
    if (currencies[phone.account] == currencies[was.account] ||
        (!has_rules && !ordered.contains(phone.number)))
      continue;
    errors.push_back({"/provision/phones/" + std::to_string(i) + "/account",
                      "phone \"" + phone.number + "\" has " +
                          (has_rules ? "monthly rules" : "package orders") + " in " +
                          std::string(currencies[was.account]) + " and account \"" + phone.account +
                          "\" is in " + std::string(currencies[phone.account])});
  }
}

}  // namespace tandem
