#include "call/tables.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace tandem::call {

namespace {

Error in(const char* kind, const std::string& id, Error error) {
  error.message = std::string(kind) + " \"" + id + "\": " + error.message;
  return error;
}

/// A zone and its classes of days, as objects name them; "": the parameter `timezone`, Monday to
/// Friday work.
Result<RateSchedule> schedule_of(const SwitchConfig& config, const std::string& calendar_id,
                                 const std::string& timezone, bool is_split) {
  CalendarConfig calendar;
  if (!calendar_id.empty()) {
    const auto& calendars = config.provision.calendars;
    const auto found = std::find_if(calendars.begin(), calendars.end(),
                                    [&](const auto& known) { return known.id == calendar_id; });
    if (found == calendars.end())
      return Error{ErrorCode::invalid_argument, "no calendar \"" + calendar_id + "\""};
    calendar = *found;
  }
  if (!timezone.empty()) calendar.timezone = timezone;
  if (calendar.timezone.empty()) calendar.timezone = config.parameters.timezone;
  return RateSchedule::build(calendar, is_split);
}

class TablesBuilder {
 public:
  TablesBuilder(const SwitchConfig& config, SharedState& state) : config_(config), state_(state) {}

  Result<std::shared_ptr<const Tables>> build(const Tables* previous) {
    tables_->parameters = config_.parameters;
    tables_->name_scope = name_scope();
    tables_->place_rest_s = config_.dns.rest_s;
    if (auto rules = check_fee_rules(config_.parameters.fees); !rules) return rules.error();
    auto free_numbers = FreeNumbers::from_list(config_.parameters.free_numbers);
    if (!free_numbers) return free_numbers.error();
    tables_->free_numbers = std::move(*free_numbers);
    if (auto prefixes = check_route_prefixes(config_.parameters.gateway_route_prefix); !prefixes)
      return prefixes.error();
    auto transforms = NumberTransforms::build(config_.provision.number_transforms);
    if (!transforms) return transforms.error();
    tables_->number_transforms = std::move(*transforms);
    auto areas = MobileAreas::build(config_.provision.mobile_areas);
    if (!areas) return areas.error();
    tables_->mobile_areas = std::move(*areas);
    auto plan = NumberingPlan::build(config_.provision.numbering_plan);
    if (!plan) return plan.error();
    tables_->numbering_plan = std::move(*plan);
    if (auto done = number_groups(); !done) return done.error();
    if (auto done = decks(); !done) return done.error();
    if (auto done = provision_packages(config_, state_.packages); !done) return done.error();
    if (auto done = geofences_.begin(config_.provision.geofence_areas, config_.parameters.geofence);
        !done)
      return Error{done.error().code, "parameter geofence: " + done.error().message};
    if (auto done = voices(); !done) return done.error();
    if (auto done = accounts(); !done) return done.error();
    if (auto done = calendars(); !done) return done.error();
    if (auto done = gateway_groups(); !done) return done.error();
    if (auto done = lrn_resolvers(previous); !done) return done.error();
    if (auto done = customers(); !done) return done.error();
    if (auto done = vendors(); !done) return done.error();
    if (auto done = phones(); !done) return done.error();
    tables_->vendor_lines = std::make_unique<route::VendorLines>(
        tables_->routes, state_.vendor_lines,
        [this](std::string_view gateway) { return groups_of(gateway); });
    tables_->rotation = previous == nullptr
                            ? std::make_unique<RouteRotation>(tables_->routes)
                            : std::make_unique<RouteRotation>(tables_->routes, previous->routes,
                                                              *previous->rotation);
    return std::shared_ptr<const Tables>(std::move(tables_));
  }

 private:
  NameScope name_scope() const {
    if (config_.sip_listen.empty()) return {};
    NameScope scope{false, false, false, false};
    for (const ListenConfig& listen : config_.sip_listen) {
      if (is_websocket(listen.transport)) continue;  // nobody is called from there
      (listen.address.ip.is_ipv6() ? scope.uses_ipv6 : scope.uses_ipv4) = true;
      scope.speaks_tcp |= listen.transport == SipTransport::tcp;
      scope.speaks_tls |= listen.transport == SipTransport::tls;
    }
    return scope;
  }

  Result<void> decks() {
    for (const auto& deck : config_.provision.rate_decks) {
      auto schedule = rate_schedule(config_, deck);
      if (!schedule) return in("rate deck", deck.id, schedule.error());
      if (deck.built) {
        decks_.emplace(deck.id, deck.built->with_schedule(std::move(*schedule)));
        continue;
      }
      RateDeck::Builder builder(deck.id, deck.currency);
      for (const Rate& rate : deck.rates) {
        if (auto added = builder.add(rate); !added) return in("rate deck", deck.id, added.error());
      }
      auto built = builder.build();
      if (!built) return in("rate deck", deck.id, built.error());
      decks_.emplace(deck.id, built->with_schedule(std::move(*schedule)));
    }
    return {};
  }

  /// Accounts with one deck share what it makes of the route prefixes.
  std::shared_ptr<const BillingPrefixes> billing_prefixes(const RateDeck& deck) {
    const RoutePrefixes& prefixes = config_.parameters.gateway_route_prefix;
    if (prefixes == RoutePrefixes{}) return nullptr;
    auto& made = billing_prefixes_[deck.id()];
    if (made == nullptr) made = std::make_shared<const BillingPrefixes>(prefixes, deck);
    return made;
  }

  Result<void> accounts() {
    for (const auto& account : config_.provision.accounts) {
      auto handle = state_.accounts.provision(account_settings(config_, account), account.balance);
      if (!handle) return in("account", account.id, handle.error());
      Payer& payer = payers_[account.id];
      payer.account = *handle;
      payer.account_id = account.id;
      payer.packages = state_.packages.find(account.id);
      payer.currency = account.currency;
      payer.call_level = account.call_level;
      payer.agent_id = account.agent;
      payer.record = account.record;
      auto reminder = sounds_.reminder(account.reminder, config_.parameters.reminder_before_s);
      if (!reminder) return in("account", account.id, reminder.error());
      payer.reminder = std::move(*reminder);
      if (!account.phone_book.empty())
        payer.phone_book = std::make_shared<const PhoneBook>(account.phone_book);
      payer.fees = config_.parameters.fees;
      payer.fees.tax_percent = account.tax_percent;
      if (auto deck = decks_.find(account.rate_deck); deck != decks_.end()) {
        payer.deck = deck->second;
        payer.has_deck = true;
        payer.billing_prefixes = billing_prefixes(payer.deck);
      }
    }
    for (const auto& account : config_.provision.accounts) {
      if (account.bound_numbers.empty()) continue;
      const auto place = static_cast<std::uint32_t>(tables_->bound_payers.size());
      tables_->bound_payers.push_back(payers(account.id));
      for (const std::string& number : account.bound_numbers)
        tables_->bound_numbers.emplace(number, place);
    }
    return {};
  }

  Result<void> calendars() {
    auto zone = TimeZone::load(config_.parameters.timezone);
    if (!zone) return Error{zone.error().code, "parameter timezone: " + zone.error().message};
    calendars_[""] = std::make_shared<Calendar>(*zone);
    for (const CalendarConfig& calendar : config_.provision.calendars) {
      auto own = calendar.timezone.empty() ? *zone : TimeZone::load(calendar.timezone);
      if (!own) return in("calendar", calendar.id, own.error());
      calendars_[calendar.id] = std::make_shared<Calendar>(calendar, std::move(*own));
    }
    return {};
  }

  /// Errors: invalid_argument (no such calendar; a period).
  Result<route::Periods> periods_of(const std::vector<PeriodConfig>& periods,
                                    const std::string& calendar_id) const {
    const auto calendar = calendars_.find(calendar_id);
    if (calendar == calendars_.end())
      return Error{ErrorCode::invalid_argument, "no calendar \"" + calendar_id + "\""};
    return route::Periods::build(periods, calendar->second);
  }

  Result<void> gateway_groups() {
    for (const GatewayGroup& group : config_.provision.gateway_groups) {
      auto periods = periods_of(group.periods, group.calendar);
      if (!periods) return in("gateway group", group.id, periods.error());
      group_hours_[group.id] =
          periods->empty() ? nullptr : std::make_shared<const route::Periods>(std::move(*periods));
    }
    return {};
  }

  Result<void> lrn_resolvers(const Tables* previous) {
    for (const LrnResolverConfig& resolver : config_.provision.lrn_resolvers) {
      auto tls = lrn::open_tls(resolver, config_.folder);
      if (!tls) {
        // A file that went away must not keep other objects from being changed.
        const std::shared_ptr<lrn::ResolverState> kept = unchanged_resolver(resolver, previous);
        if (kept == nullptr) return in("LRN resolver", resolver.id, tls.error());
        tables_->lrn_resolvers.push_back(kept);
        continue;
      }
      tables_->lrn_resolvers.push_back(
          state_.lrn_resolvers.of(lrn::state_id(resolver, *tls), resolver, *tls));
    }
    return {};
  }

  /// That of the tables in force, when it is asked the same way; null: there is none.
  static std::shared_ptr<lrn::ResolverState> unchanged_resolver(const LrnResolverConfig& resolver,
                                                                const Tables* previous) {
    if (previous == nullptr) return nullptr;
    for (const auto& known : previous->lrn_resolvers) {
      if (lrn::state_id(known->config) == lrn::state_id(resolver)) return known;
    }
    return nullptr;
  }

  /// Null: the customer's numbers are not looked up.
  Result<std::shared_ptr<lrn::ResolverState>> lrn_resolver_of(const CustomerGateway& customer) {
    if (!customer.lrn || !customer.lrn->enable) return std::shared_ptr<lrn::ResolverState>();
    for (const auto& resolver : tables_->lrn_resolvers) {
      if (resolver->config.id == customer.lrn->resolver) return resolver;
    }
    return Error{ErrorCode::invalid_argument, "no LRN resolver \"" + customer.lrn->resolver + "\""};
  }

  std::vector<route::GroupShare> groups_of(std::string_view gateway) const {
    std::vector<route::GroupShare> shares;
    for (const GatewayGroup& group : config_.provision.gateway_groups) {
      for (const GroupMember& member : group.members) {
        if (member.gateway == gateway) {
          shares.emplace_back(state_.group_lines.counter(group.id), group.line_limit,
                              member.reserved_lines, group_hours_.at(group.id));
        }
      }
    }
    return shares;
  }

  /// Where the parameters put policies. A position that is not given is the last one once a vendor
  /// asks for the policy.
  RouteSort sort_of_parameters() const {
    const Parameters& p = config_.parameters;
    const auto& vendors = config_.provision.vendor_gateways;
    const auto position = [&](const std::optional<std::int32_t>& given, auto&& asks) {
      return given.value_or(std::any_of(vendors.begin(), vendors.end(), asks) ? 3 : 0);
    };
    const std::int32_t rate_position =
        position(p.rate_sort_position, [](const VendorGateway& v) { return v.least_cost; });
    const std::int32_t quality_position =
        position(p.quality_sort_position, [](const VendorGateway& v) { return v.quality == true; });
    RouteSort sort;
    const auto put = [&](std::int32_t at, RoutePolicy policy) {
      if (at == 0) return;
      RouteSort::Place& place = at == 1   ? sort.before_prefix
                                : at == 2 ? sort.after_prefix
                                          : sort.after_priority;
      place[place[0] == RoutePolicy::none ? 0 : 1] = policy;
    };
    if (p.rate_sort_before_quality) put(rate_position, RoutePolicy::lowest_rate);
    put(quality_position, RoutePolicy::answer_ratio);
    if (!p.rate_sort_before_quality) put(rate_position, RoutePolicy::lowest_rate);
    return sort;
  }

  RouteSort sort_of(const CustomerGateway& customer) const {
    if (customer.sort.empty()) return sort_of_parameters();
    RouteSort sort;
    for (std::size_t i = 0; i < customer.sort.size() && i < sort.after_prefix.size(); ++i)
      sort.after_prefix[i] = customer.sort[i];
    return sort;
  }

  /// what the lists of gateway groups leave to a customer.
  std::vector<bool> denied_vendors(const CustomerGateway& customer) const {
    const bool allows = !customer.vendor_groups_allow.empty();
    const auto& named = allows ? customer.vendor_groups_allow : customer.vendor_groups_deny;
    const bool has_no_servers = customer.redirect_servers == RedirectServers::off;  // I-03
    if (named.empty() && !has_no_servers) return {};
    std::vector<bool> denied;
    for (const VendorGateway& vendor : config_.provision.vendor_gateways) {
      if (has_no_servers && vendor.sip.redirects.to_gateways) {
        denied.push_back(true);
        continue;
      }
      if (named.empty()) {
        denied.push_back(false);
        continue;
      }
      const bool is_named = std::any_of(
          config_.provision.gateway_groups.begin(), config_.provision.gateway_groups.end(),
          [&](const GatewayGroup& group) {
            return std::find(named.begin(), named.end(), group.id) != named.end() &&
                   std::any_of(
                       group.members.begin(), group.members.end(),
                       [&](const GroupMember& member) { return member.gateway == vendor.id; });
          });
      denied.push_back(is_named != allows);
    }
    return denied;
  }

  /// Counted when the vendor says so; else when the parameters or some customer's order need it.
  std::shared_ptr<route::QualityMeter> quality_of(const VendorGateway& vendor) const {
    const Parameters& p = config_.parameters;
    const auto asks = [](const auto& source) {
      return std::any_of(source.sort.begin(), source.sort.end(), [](RoutePolicy policy) {
        return policy == RoutePolicy::answer_ratio || policy == RoutePolicy::talk_time;
      });
    };
    const auto& customers = config_.provision.customer_gateways;
    const auto& phones = config_.provision.phones;
    const bool is_counted =
        vendor.quality.value_or(p.quality_calculate || p.quality_sort_position.value_or(0) != 0 ||
                                std::any_of(customers.begin(), customers.end(), asks) ||
                                std::any_of(phones.begin(), phones.end(), asks));
    if (!is_counted) return nullptr;
    // A window of another shape starts anew.
    return state_.qualities.of(vendor.id + '|' + std::to_string(p.quality_window_s) + '/' +
                                   std::to_string(p.quality_slice_s),
                               p.quality_window_s, p.quality_slice_s);
  }

  route::CallerPool pool(const std::string& id, const std::string& group_id,
                         std::int32_t calls_per_number, bool is_random) const {
    std::vector<std::string> numbers;
    for (const NumberGroup& group : config_.provision.number_groups) {
      if (group.id == group_id) numbers = group.numbers;
    }
    return {id,
            std::move(numbers),
            calls_per_number,
            is_random ? route::PoolRotation::random : route::PoolRotation::poll,
            state_.pool_lines,
            state_.pool_turns};
  }

  route::CallerPool pool_of(const VendorGateway& vendor) const {
    if (!vendor.caller_pool) return {};
    const CallerPoolConfig& wanted = *vendor.caller_pool;
    return pool(vendor.id, wanted.numbers, wanted.calls_per_number, wanted.is_random);
  }

  /// A blank is no character of an id, so that the turns of the kinds of pool stay apart.
  route::CallerPool forward_pool_of(const GatewayConfig& gateway, const char* kind) const {
    if (!gateway.forward_pool) return {};
    return pool(kind + gateway.id, gateway.forward_pool->numbers, 0,
                gateway.forward_pool->is_random.value_or(config_.parameters.forward_pool_random));
  }

  Payer payer(const std::string& account) const {
    Payer result;
    if (const auto found = payers_.find(account); found != payers_.end()) result = found->second;
    return result;
  }

  /// An account with its agent.
  Payers payers(const std::string& account) const {
    Payers both;
    both.payer = payer(account);
    both.agent = payer(both.payer.agent_id);
    return both;
  }

  Result<void> number_groups() {
    for (const NumberGroup& group : config_.provision.number_groups) {
      auto set = NumberSet::build(group.numbers);
      if (!set) return in("number group", group.id, set.error());
      number_sets_.emplace(group.id, std::move(*set));
    }
    return {};
  }

  /// What a gateway says of numbers, with the groups it names and the plan.
  Result<NumberPolicyConfig> number_policy(const GatewayConfig& gateway) const {
    NumberPolicyConfig policy = gateway.numbers;
    policy.plan = tables_->numbering_plan;
    const NumberGroupRules& rules = gateway.number_groups;
    for (const auto& [ids, sets] : {std::pair(&rules.allow_caller, &policy.allow_callers),
                                    std::pair(&rules.deny_caller, &policy.deny_callers),
                                    std::pair(&rules.allow_callee, &policy.allow_callees),
                                    std::pair(&rules.deny_callee, &policy.deny_callees)}) {
      for (const std::string& id : *ids) {
        const auto found = number_sets_.find(id);
        if (found == number_sets_.end())
          return Error{ErrorCode::invalid_argument, "no number group \"" + id + "\""};
        sets->push_back(found->second);
      }
    }
    return policy;
  }

  template <class Side>
  Result<void> number_rules(Side& side) {
    auto caller = RewriteRules::compile(side.config.rewrite_caller);
    if (!caller) return caller.error();
    auto callee = RewriteRules::compile(side.config.rewrite_callee);
    if (!callee) return callee.error();
    auto areas = tables_->mobile_areas.choose(side.config.complete_mobile_areas);
    if (!areas) return areas.error();
    side.mobile_areas = std::move(*areas);
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
      auto numbers = number_policy(gateway);
      if (!numbers) return in("customer gateway", gateway.id, numbers.error());
      source.numbers = std::move(*numbers);
      for (const auto& address : gateway.addresses) {
        if (address.is_name()) continue;  // see Names
        source.addresses.push_back({address.network, address.port.value_or(0)});
      }
      if (auto added = sources.add(std::move(source)); !added)
        return in("customer gateway", gateway.id, added.error());
      Customer customer;
      customer.config = gateway;
      if (auto rules = number_rules(customer); !rules)
        return in("customer gateway", gateway.id, rules.error());
      static_cast<Payers&>(customer) = payers(gateway.account);
      customer.lines = {state_.customer_lines.counter(gateway.id), groups_of(gateway.id)};
      customer.call_rate = {gateway.calls_per_second, gateway.burst};
      customer.rate_meter = state_.customer_rates.of(gateway.id);
      if (!gateway.split.empty()) {
        std::vector<std::int32_t> shares;
        for (const SplitEntry& entry : gateway.split)
          shares.push_back(entry.share);
        customer.split = route::SplitSchedule(shares);
        customer.split_turn = state_.split_turns.of(gateway.id);
      }
      auto periods = periods_of(gateway.periods, gateway.calendar);
      if (!periods) return in("customer gateway", gateway.id, periods.error());
      customer.periods = std::move(*periods);
      customer.sort = sort_of(gateway);
      customer.denied_vendors = denied_vendors(gateway);
      customer.forward_pool = forward_pool_of(gateway, "forward of ");
      auto resolver = lrn_resolver_of(gateway);
      if (!resolver) return in("customer gateway", gateway.id, resolver.error());
      customer.lrn_resolver = std::move(*resolver);
      if (auto heard = sounds_of(gateway, customer); !heard)
        return in("customer gateway", gateway.id, heard.error());
      if (auto heard = hold_tone_of(customer); !heard)
        return in("customer gateway", gateway.id, heard.error());
      if (auto fenced = fence(customer); !fenced)
        return in("customer gateway", gateway.id, fenced.error());
      customer.registers = gateway.registration == GatewayRegistration::dynamic;
      if (customer.registers && gateway.auth) {
        tables_->registrants[gateway.auth->username] = {
            gateway.id, *gateway.auth, false, static_cast<std::uint32_t>(tables_->customers.size()),
            customer.geofence};
      }
      tables_->customers.push_back(std::move(customer));
    }
    tables_->sources = sources.build();
    return {};
  }

  Result<void> vendors() {
    RouteTable::Builder routes;
    for (const auto& gateway : config_.provision.vendor_gateways) {
      Vendor vendor;
      vendor.config = gateway;
      VendorRoute route;
      route.gateway = gateway.id;
      route.prefixes = std::exchange(vendor.config.prefixes, {});
      route.prefix_mode = gateway.prefix_mode;
      route.priority = gateway.priority;
      route.line_limit = gateway.line_limit;
      route.locked = gateway.locked;
      route.allow_customers = gateway.customers_allow;
      route.deny_customers = gateway.customers_deny;
      auto numbers = number_policy(gateway);
      if (!numbers) return in("vendor gateway", gateway.id, numbers.error());
      route.numbers = std::move(*numbers);
      route.protect = gateway.protect;
      if (auto added = routes.add(std::move(route)); !added)
        return in("vendor gateway", gateway.id, added.error());
      if (auto fenced = fence(vendor); !fenced)
        return in("vendor gateway", gateway.id, fenced.error());
      vendor.registers = gateway.registration == GatewayRegistration::dynamic;
      if (vendor.registers && gateway.auth) {
        // A customer of this id is the same device, and stays known as one.
        tables_->registrants.try_emplace(
            gateway.auth->username,
            Registrant{gateway.id, *gateway.auth, false, std::nullopt, vendor.geofence});
      }
      if (gateway.registration == GatewayRegistration::outbound)
        vendor.uplink = state_.uplinks.of(gateway.id);
      if (gateway.addresses.empty() && !vendor.registers) {
        return in("vendor gateway", gateway.id,
                  {ErrorCode::invalid_argument, "no address was given"});
      }
      if (auto rules = number_rules(vendor); !rules)
        return in("vendor gateway", gateway.id, rules.error());
      vendor.payee = payer(gateway.account);
      for (const auto& entry : gateway.addresses) {
        if (entry.is_name()) {
          vendor.has_names = true;
          continue;
        }
        const SocketAddress address{entry.network.address,
                                    entry.port.value_or(default_port(gateway.sip.transport))};
        vendor.addresses.push_back(
            state_.vendor_addresses.of(route::health_id(gateway.id, address), address));
      }
      vendor.call_rate = {gateway.calls_per_second, gateway.burst};
      vendor.rate_meter = state_.vendor_rates.of(gateway.id);
      vendor.quality = quality_of(gateway);
      vendor.caller_pool = pool_of(gateway);
      vendor.forward_pool = forward_pool_of(gateway, "forward to ");
      for (auto [list, prefixes] :
           {std::pair{&gateway.allow_forward_prefixes, &vendor.allow_forwarders},
            {&gateway.deny_forward_prefixes, &vendor.deny_forwarders}}) {
        auto set = PrefixSet::build(*list);
        if (!set) return in("vendor gateway", gateway.id, set.error());
        *prefixes = std::move(*set);
      }
      auto periods = periods_of(gateway.periods, gateway.calendar);
      if (!periods) return in("vendor gateway", gateway.id, periods.error());
      vendor.periods = std::move(*periods);
      if (auto heard = ring_tone_of(vendor); !heard)
        return in("vendor gateway", gateway.id, heard.error());
      if (auto heard = hold_tone_of(vendor); !heard)
        return in("vendor gateway", gateway.id, heard.error());
      tables_->identity_needs.add(vendor.config.sip);
      tables_->has_periods |= !vendor.periods.empty();
      if (gateway.sip.redirects.to_gateways) {
        hasten(vendor.config.sip.timers);
        tables_->redirect_servers.push_back(static_cast<std::uint32_t>(tables_->vendors.size()));
      }
      tables_->vendors.push_back(std::move(vendor));
    }
    std::sort(tables_->redirect_servers.begin(), tables_->redirect_servers.end(),
              [this](std::uint32_t a, std::uint32_t b) {
                const auto key = [this](std::uint32_t i) {
                  const VendorGateway& server = tables_->vendors[i].config;
                  return std::pair(server.priority, std::string_view(server.id));
                };
                return key(a) < key(b);
              });
    tables_->routes = routes.build();
    return {};
  }

  /// A redirect server is there to say something at once (I-03): a call waits for it before anybody
  /// has rung.
  static void hasten(ProgressTimers& timers) noexcept {
    constexpr std::int32_t patience_s = 2;
    if (timers.invite_s == 0) timers.invite_s = patience_s;
    if (timers.trying_s == 0) timers.trying_s = timers.invite_s;
  }

  /// S-01: its media part stands among the networks of a gateway's `sip`.
  template <class Side>
  Result<void> fence(Side& side) {
    auto made = geofences_.of(side.config.geofence);
    if (!made) return made.error();
    side.geofence = std::move(*made);
    Geofences::add_to(side.geofence.get(), side.config.sip.media_sources);
    return {};
  }

  /// M-14: a voice that lacks files is one all the same, and says what it can.
  Result<void> voices() {
    const auto currencies = spoken_currencies(config_);
    for (const SpokenVoiceConfig& voice : config_.provision.voices) {
      auto loaded = SpokenVoice::load(config_, voice, currencies);
      if (!loaded) return in("voice", voice.id, loaded.error());
      for (const std::string& fault : loaded->faults())
        tables_->voice_faults.push_back("voice \"" + voice.id + "\": " + fault);
      voices_[voice.id] = std::make_shared<const SpokenVoice>(std::move(*loaded));
    }
    return {};
  }

  /// What who calls hears of the switch itself (M-14).
  Result<void> sounds_of(const CustomerGateway& gateway, Customer& customer) {
    auto prompts = sounds_.prompts(gateway.prompts);
    if (!prompts) return prompts.error();
    customer.prompts = std::move(*prompts);
    auto reminder = sounds_.reminder(gateway.reminder, config_.parameters.reminder_before_s);
    if (!reminder) return reminder.error();
    customer.reminder = std::move(*reminder);
    const Parameters& parameters = config_.parameters;
    customer.announces = gateway.announce_remaining.value_or(parameters.announce_remaining);
    const std::string& language = gateway.language.empty() ? parameters.language : gateway.language;
    if (!language.empty()) customer.voice = voices_[language];
    return {};
  }

  /// What callers hear before it answers (M-13, T-14).
  Result<void> ring_tone_of(Vendor& vendor) {
    if (vendor.config.ring_tone.empty()) return {};
    auto clip = sounds_.clip(vendor.config.ring_tone);
    if (!clip) return clip.error();
    vendor.ring_tone = std::move(*clip);
    return {};
  }

  /// What others hear while they wait for a transfer that it has ordered (T-05).
  template <class Side>
  Result<void> hold_tone_of(Side& side) {
    if (side.config.hold_tone.empty()) return {};
    auto clip = sounds_.clip(side.config.hold_tone);
    if (!clip) return clip.error();
    side.hold_tone = std::move(*clip);
    return {};
  }

  /// What a phone says of media and where it may be, as gateways have it.
  static void set_media(const PhoneConfig& phone, GatewayConfig& gateway) {
    gateway.media = phone.media;
    gateway.codecs = phone.codecs;
    gateway.geofence = phone.geofence;
    gateway.hold_tone = phone.hold_tone;
    static_cast<DescriptionOptions&>(gateway.sip) = phone;
  }

  /// A phone as a customer: what a customer gateway has of the same settings.
  static CustomerGateway as_customer(const PhoneConfig& phone) {
    CustomerGateway gateway;
    gateway.id = phone_id_prefix + phone.number;
    gateway.account = phone.account;
    gateway.locked = phone.locked == PhoneLock::outgoing || phone.locked == PhoneLock::both;
    gateway.line_limit = phone.line_out;
    gateway.rewrite_callee = phone.rewrite_callee;
    if (phone.max_call_s)
      gateway.max_call_s = MaxCallDuration{*phone.max_call_s, *phone.max_call_s};
    gateway.auth = GatewayAuth{phone.number, phone.password, {}};
    gateway.calls_per_second = phone.calls_per_second;
    gateway.burst = phone.burst;
    gateway.min_profit_hundredths = phone.min_profit_hundredths;
    gateway.max_price_per_s = phone.max_price_per_s;
    gateway.registration = GatewayRegistration::dynamic;
    gateway.sort = phone.sort;
    gateway.vendor_groups_allow = phone.vendor_groups_allow;
    gateway.vendor_groups_deny = phone.vendor_groups_deny;
    gateway.lrn = phone.lrn;
    gateway.redirect_servers = phone.redirect_servers;
    gateway.sip.rel100 = phone.rel100;
    gateway.sip.refer = phone.refer;
    gateway.sip.transfer_keys = phone.transfer_keys;
    gateway.sip.replaces = phone.replaces;
    set_media(phone, gateway);
    gateway.record = phone.record;
    gateway.prompts = phone.prompts;
    gateway.reminder = phone.reminder;
    gateway.announce_remaining = phone.announce_remaining;
    gateway.language = phone.language;
    return gateway;
  }

  /// And as a place where calls end.
  static VendorGateway as_vendor(const PhoneConfig& phone) {
    VendorGateway gateway;
    gateway.id = phone_id_prefix + phone.number;
    gateway.locked = phone.locked == PhoneLock::incoming || phone.locked == PhoneLock::both;
    gateway.line_limit = phone.line_in;
    gateway.rewrite_caller = phone.called_rewrite_caller;
    gateway.rewrite_callee = phone.called_rewrite_callee;
    if (phone.max_call_s)
      gateway.max_call_s = MaxCallDuration{*phone.max_call_s, *phone.max_call_s};
    gateway.registration = GatewayRegistration::dynamic;
    gateway.sip.privacy = PrivacyMode::pass;  // P-12
    gateway.sip.rel100 = phone.rel100;
    gateway.sip.refer = phone.refer;
    gateway.sip.transfer_keys = phone.transfer_keys;
    gateway.sip.replaces = phone.replaces;
    set_media(phone, gateway);
    gateway.record = phone.record;
    gateway.ring_tone = phone.ring_tone;
    return gateway;
  }

  Result<void> phones() {
    Tables& tables = *tables_;
    for (const PhoneConfig& config : config_.provision.phones) {
      const std::vector<route::GroupShare> both = {
          {state_.phone_lines.counter(config.number), config.line_limit, 0}};
      Customer customer;
      customer.config = as_customer(config);
      if (auto rules = number_rules(customer); !rules)
        return in("phone", config.number, rules.error());
      static_cast<Payers&>(customer) = payers(config.account);
      customer.payer.packages = state_.packages.find(config.account, config.number);
      // None is no limit; else the lower one reaches less far.
      if (config.call_level != CallLevel::none) {
        CallLevel& level = customer.payer.call_level;
        level = level == CallLevel::none ? config.call_level : std::min(level, config.call_level);
      }
      const std::string& id = customer.config.id;
      customer.lines = {state_.customer_lines.counter(id), both};
      customer.call_rate = {config.calls_per_second, config.burst};
      customer.rate_meter = state_.customer_rates.of(id);
      customer.sort = sort_of(customer.config);
      customer.denied_vendors = denied_vendors(customer.config);
      auto resolver = lrn_resolver_of(customer.config);
      if (!resolver) return in("phone", config.number, resolver.error());
      customer.lrn_resolver = std::move(*resolver);
      if (auto heard = sounds_of(customer.config, customer); !heard)
        return in("phone", config.number, heard.error());
      customer.registers = true;
      Vendor vendor;
      vendor.config = as_vendor(config);
      auto fenced = fence(customer);
      if (fenced) fenced = fence(vendor);
      if (!fenced) return in("phone", config.number, fenced.error());
      if (auto heard = ring_tone_of(vendor); !heard)
        return in("phone", config.number, heard.error());
      auto heard = hold_tone_of(customer);
      if (heard) heard = hold_tone_of(vendor);
      if (!heard) return in("phone", config.number, heard.error());
      tables.identity_needs.add(vendor.config.sip);
      if (auto rules = number_rules(vendor); !rules)
        return in("phone", config.number, rules.error());
      vendor.lines = {state_.vendor_lines.counter(id), both};
      vendor.rate_meter = state_.vendor_rates.of(id);
      vendor.registers = true;
      vendor.is_phone = true;
      const auto caller = static_cast<std::uint32_t>(tables.customers.size());
      tables.registrants[config.number] = {id, *customer.config.auth, true, caller,
                                           customer.geofence};
      const auto calendar = calendars_.find(config.forward.calendar);
      if (calendar == calendars_.end()) {
        return in("phone", config.number,
                  {ErrorCode::invalid_argument, "no calendar \"" + config.forward.calendar + "\""});
      }
      tables.phones.push_back({config,
                               caller,
                               static_cast<std::uint32_t>(tables.vendors.size()),
                               calendar->second,
                               {state_.forward_lines.counter(config.number), {}},
                               config.pays_when_called ? payers(config.account) : Payers()});
      tables.customers.push_back(std::move(customer));
      tables.vendors.push_back(std::move(vendor));
    }
    for (std::uint32_t i = 0; i < tables.phones.size(); ++i) {
      tables.phone_numbers.emplace(tables.phones[i].config.number, i);
      for (const std::string& did : tables.phones[i].config.dids)
        tables.phone_numbers.emplace(did, i);
    }
    return {};
  }

  const SwitchConfig& config_;
  SharedState& state_;
  Sounds sounds_;
  std::map<std::string, std::shared_ptr<const SpokenVoice>> voices_;  // by id
  Geofences geofences_;
  std::unique_ptr<Tables> tables_ = std::make_unique<Tables>();
  std::map<std::string, RateDeck> decks_;
  std::map<std::string, std::shared_ptr<const BillingPrefixes>> billing_prefixes_;  // by deck
  std::map<std::string, Payer> payers_;
  std::map<std::string, NumberSet> number_sets_;
  std::map<std::string, std::shared_ptr<const Calendar>> calendars_;          // "": the default
  std::map<std::string, std::shared_ptr<const route::Periods>> group_hours_;  // Null: none.
};

}  // namespace

void SharedState::forget_unused() {
  for (route::LineCounters* lines :
       {&customer_lines, &vendor_lines, &group_lines, &pool_lines, &phone_lines, &forward_lines})
    lines->forget_unused();
  for (auto* rates : {&customer_rates, &vendor_rates})
    rates->forget_unused();
  vendor_addresses.forget_unused();
  qualities.forget_unused();
  split_turns.forget_unused();
  pool_turns.forget_unused();
  lrn_resolvers.forget_unused();
  uplinks.forget_unused();
}

std::optional<std::uint32_t> Tables::find_customer(std::string_view id) const noexcept {
  if (id.starts_with(phone_id_prefix)) {
    const std::string_view number = id.substr(std::string_view(phone_id_prefix).size());
    const Phone* const phone = find_phone(number);
    if (phone == nullptr || phone->config.number != number) return std::nullopt;
    return phone->customer;
  }
  const auto end = customers.end() - static_cast<std::ptrdiff_t>(phones.size());
  const auto found = std::find_if(
      customers.begin(), end, [&](const Customer& customer) { return customer.config.id == id; });
  if (found == end) return std::nullopt;
  return static_cast<std::uint32_t>(found - customers.begin());
}

AccountSettings account_settings(const SwitchConfig& config, const AccountConfig& account) {
  AccountSettings settings = account;
  if (account.kind == AccountKind::customer)
    settings.is_balance_verified = config.parameters.verify_customer_balance;
  if (account.kind == AccountKind::agent)
    settings.is_balance_verified = config.parameters.verify_agent_balance;
  for (AccountLimit& limit : settings.limits) {
    if (limit.timezone.empty()) limit.timezone = config.parameters.timezone;
  }
  return settings;
}

const Phone* Tables::find_phone(std::string_view number) const noexcept {
  const auto found = phone_numbers.find(number);
  return found == phone_numbers.end() ? nullptr : &phones[found->second];
}

const Payers* Tables::find_bound(std::string_view number) const {
  if (bound_numbers.empty()) return nullptr;
  const auto found = bound_numbers.find(std::string(number));
  return found == bound_numbers.end() ? nullptr : &bound_payers[found->second];
}

const Registrant* Tables::find_registrant(std::string_view user) const {
  const auto found = registrants.find(std::string(user));
  return found == registrants.end() ? nullptr : &found->second;
}

Result<RateSchedule> rate_schedule(const SwitchConfig& config, const RateDeckConfig& deck) {
  return schedule_of(config, deck.calendar, deck.timezone, deck.split_windows);
}

Result<void> provision_packages(const SwitchConfig& config, PackageBook& book) {
  std::vector<Package> packages;
  for (const PackageConfig& package : config.provision.packages) {
    auto schedule = schedule_of(config, package.calendar, package.timezone, package.split_windows);
    if (!schedule) return in("package", package.id, schedule.error());
    packages.push_back(package);
    packages.back().schedule = std::move(*schedule);
  }
  auto months = schedule_of(config, {}, {}, false);
  if (!months) return months.error();
  std::vector<AccountMonthlyRules> monthly;
  for (const AccountConfig& account : config.provision.accounts) {
    if (!account.monthly.are_none()) monthly.push_back({account.id, account.monthly, *months});
  }
  std::map<std::string_view, std::string_view> payers;  // accounts of phones by number
  for (const PhoneConfig& phone : config.provision.phones) {
    payers.emplace(phone.number, phone.account);
    if (!phone.monthly.are_none())
      monthly.push_back({phone.account, phone.monthly, *months, phone.number});
  }
  std::vector<PackageOrder> orders = config.provision.package_orders;
  for (PackageOrder& order : orders) {
    const auto payer = payers.find(order.phone);
    if (payer != payers.end()) order.account = payer->second;
  }
  return book.provision(std::move(packages), std::move(orders), std::move(monthly));
}

Result<std::shared_ptr<const Tables>> build_tables(const SwitchConfig& config, SharedState& state,
                                                   const Tables* previous) {
  return TablesBuilder(config, state).build(previous);
}

}  // namespace tandem::call
