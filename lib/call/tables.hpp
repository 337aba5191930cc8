// What calls are judged by: one frozen snapshot of all provisioned objects.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/calendar.hpp"
#include "call/geofence.hpp"
#include "call/identity.hpp"
#include "call/phone_book.hpp"
#include "call/sounds.hpp"
#include "call/spoken_voice.hpp"
#include "lrn/resolver_state.hpp"
#include "phone/challenge_rounds.hpp"
#include "phone/registrar.hpp"
#include "phone/ringing.hpp"
#include "phone/suspensions.hpp"
#include "phone/uplink.hpp"
#include "route/by_id.hpp"
#include "route/call_rate.hpp"
#include "route/caller_pool.hpp"
#include "route/health.hpp"
#include "route/lines.hpp"
#include "route/periods.hpp"
#include "route/quality.hpp"
#include "route/split.hpp"
#include "tandem/accounts.hpp"
#include "tandem/audio_clip.hpp"
#include "tandem/billing_prefixes.hpp"
#include "tandem/config.hpp"
#include "tandem/rating.hpp"
#include "tandem/rewrite.hpp"
#include "tandem/route_table.hpp"
#include "tandem/sources.hpp"

namespace tandem::call {

/// State that outlives every snapshot: what calls have taken and may take. Threading: thread-safe.
struct SharedState {
  AccountBook accounts;
  PackageBook packages;
  route::LineCounters customer_lines;
  route::LineCounters vendor_lines;
  route::LineCounters group_lines;
  route::LineCounters pool_lines;     ///< By gateway and number.
  route::LineCounters phone_lines;    ///< By number: calls in and out together (T-16).
  route::LineCounters forward_lines;  ///< By number: calls that it sends on, before their answer.
  route::ById<route::CallRateMeter> customer_rates;
  route::ById<route::CallRateMeter> vendor_rates;
  route::ById<route::AddressHealth> vendor_addresses;  ///< By health_id().
  route::ById<route::QualityMeter> qualities;          ///< By vendor and shape of the window.
  route::ById<route::SplitTurn> split_turns;
  route::ById<route::PoolTurn> pool_turns;
  route::ById<lrn::ResolverState> lrn_resolvers;  ///< By lrn::state_id().
  route::ById<phone::Uplink> uplinks;             ///< By vendor.
  phone::Registrar registrar;                     ///< By Registrant::id.
  phone::Suspensions suspensions;
  phone::ChallengeRounds challenges;  ///< Of who calls and who registers (P-04).
  phone::RingingBoard ringing;        ///< Phones that have a pickup group (T-10).

  /// Forgets what no snapshot and no call holds any more; after a new one is published.
  void forget_unused();
};

/// Who pays for one side of a call, and by which tariff.
struct Payer {
  AccountHandle account;  ///< Empty: nobody.
  std::string account_id;
  std::string currency;
  PackageHandle packages;  ///< Empty: it has none.
  RateDeck deck;           ///< Without rates when the account has no tariff.
  bool has_deck = false;
  std::shared_ptr<const BillingPrefixes> billing_prefixes;  ///< Of `deck` (B-14); null: none.
  CallLevel call_level = CallLevel::none;
  FeeRules fees;                                  ///< The parameters', with the tax of the account.
  std::string agent_id{};                         ///< Account of its agent; "": none (B-17).
  bool record = false;                            ///< M-15.
  std::shared_ptr<const Reminder> reminder{};     ///< M-14; null: none.
  std::shared_ptr<const PhoneBook> phone_book{};  ///< T-15; null: none.

  /// What of a number the deck is asked for.
  [[nodiscard]] std::string_view rated(std::string_view number) const noexcept {
    return billing_prefixes == nullptr ? number
                                       : number.substr(billing_prefixes->length_in(number));
  }
  /// What windows are judged by for a call that begins at `wall_us`.
  [[nodiscard]] CallStart call_start(std::int64_t wall_us,
                                     std::shared_ptr<const RateOverlays> overlays = nullptr) const {
    return {wall_us, deck.schedule(), std::move(overlays)};
  }
};

/// Who pays for a call, and the agent of that account, who is charged by its own tariff too (B-17).
struct Payers {
  Payer payer;
  Payer agent;  ///< Without an account: there is none.
};

/// Where calls come from: a customer gateway, or a phone that calls. It pays for them, unless
/// another does (B-04).
struct Customer : Payers {
  CustomerGateway config;  ///< Of a phone: what a gateway like it would have.
  RewriteRules rewrite_caller, rewrite_callee;
  route::GatewayLines lines;
  route::Periods periods;  ///< Line limits and closed hours (R-12).
  route::CallRate call_rate;
  std::shared_ptr<route::CallRateMeter> rate_meter;
  route::SplitSchedule split;  ///< Empty: calls are not split.
  std::shared_ptr<route::SplitTurn> split_turn;
  RouteSort sort;                    ///< Its own policies, or what the parameters say.
  std::vector<bool> denied_vendors;  ///< By vendor; empty: it may use all (R-09).
  std::vector<bool> mobile_areas;    ///< Chosen for the area code (N-04).
  route::CallerPool forward_pool;
  Prompts prompts;                                   ///< M-14.
  std::shared_ptr<const Reminder> reminder;          ///< Null: that of who pays.
  Remaining announces = Remaining::none;             ///< M-14, its own or the parameter's.
  std::shared_ptr<const SpokenVoice> voice;          ///< Likewise; null: nothing is spoken to it.
  std::shared_ptr<const Geofence> geofence;          ///< S-01; null: nothing is checked.
  AudioClip hold_tone;                               ///< T-05; of no sound: none.
  std::shared_ptr<lrn::ResolverState> lrn_resolver;  ///< Null: no look-ups (R-20).
  bool registers = false;  ///< Known by its registration or its credentials (A-03).
};

/// Where calls go: a vendor gateway, or a phone that is called.
struct Vendor {
  VendorGateway config;  ///< Without its prefixes, which `routes` has: decks have millions.
  RewriteRules rewrite_caller, rewrite_callee;
  Payer payee;
  route::GatewayAddresses
      addresses;  ///< Without names not empty; the first usable one is called (R-17).
  route::CallRate call_rate;
  std::shared_ptr<route::CallRateMeter> rate_meter;
  std::shared_ptr<route::QualityMeter> quality;  ///< Null: not counted.
  route::CallerPool caller_pool, forward_pool;
  PrefixSet allow_forwarders, deny_forwarders;  ///< N-06; empty: no such list.
  route::Periods periods;
  AudioClip ring_tone;                       ///< M-13; of no sound: none.
  std::vector<bool> mobile_areas;            ///< As of a customer.
  std::shared_ptr<const Geofence> geofence;  ///< Likewise.
  AudioClip hold_tone;                       ///< Likewise.
  bool registers = false;                    ///< Called where it registered; no `addresses`.
  bool is_phone = false;
  /// Some of its `config.addresses` are names: it is called at the places that `Names` has for it,
  /// and `addresses` is not looked at.
  bool has_names = false;
  route::GatewayLines lines;              ///< Of a phone; those of gateways are in `vendor_lines`.
  std::shared_ptr<phone::Uplink> uplink;  ///< The switch registers there; else null (R-25).
};

/// A phone of this switch.
struct Phone {
  PhoneConfig config;
  std::uint32_t customer = 0;                ///< Index in Tables::customers: the phone as a caller.
  std::uint32_t vendor = 0;                  ///< Index in Tables::vendors: the phone as a callee.
  std::shared_ptr<const Calendar> calendar;  ///< Of the periods of its forwarding.
  route::GatewayLines forward_lines;         ///< Of its parts that are not answered yet.
  Payers when_called;  ///< With `pays_when_called`: who pays for calls to it; else nobody.
};

/// Who may register.
struct Registrant {
  std::string id;  ///< Of the gateway, or phone_id_prefix and the number.
  GatewayAuth auth;
  bool is_phone = false;
  std::optional<std::uint32_t> customer;  ///< Index in Tables::customers; nothing: only called.
  std::shared_ptr<const Geofence> geofence{};  ///< Of where it registers from.
};

/// What of an address the listeners can reach.
struct NameScope {
  bool uses_ipv4 = true, uses_ipv6 = false;
  bool speaks_tcp = true, speaks_tls = false;
};

/// Threading: immutable, but for the turns of `rotation`; any number of threads may use it at once.
/// Calls keep the snapshot they started with.
struct Tables {
  Parameters parameters;
  FreeNumbers free_numbers;
  NumberTransforms number_transforms;
  MobileAreas mobile_areas;
  NumberingPlan numbering_plan;
  SourceTable sources;
  std::vector<Customer> customers;  ///< By the index of `sources`; behind them the phones.
  RouteTable routes;
  std::vector<Vendor> vendors;  ///< By the index of `routes`; behind them the phones.
  std::vector<Phone> phones;
  /// By number and DID; views into `phones`.
  std::unordered_map<std::string_view, std::uint32_t> phone_numbers;
  /// Of accounts that numbers are bound to (B-04), and the numbers with their place in them.
  std::vector<Payers> bound_payers;
  std::unordered_map<std::string, std::uint32_t> bound_numbers;
  std::unordered_map<std::string, Registrant> registrants;  ///< By user name.
  std::unique_ptr<route::VendorLines> vendor_lines;
  std::unique_ptr<RouteRotation> rotation;
  std::vector<std::shared_ptr<lrn::ResolverState>> lrn_resolvers;  ///< As configured.
  IdentityNeeds identity_needs;                                    ///< Of all vendors.
  NameScope name_scope;
  std::vector<std::string> voice_faults;        ///< Sound files that voices lack (M-14), by path.
  std::int32_t place_rest_s = 30;               ///< DnsConfig::rest_s.
  bool has_periods = false;                     ///< Some vendor's settings depend on the time.
  std::vector<std::uint32_t> redirect_servers;  ///< Of `vendors` (I-03), by priority and id.

  /// Index of a customer by id, phones included; nothing when there is none.
  [[nodiscard]] std::optional<std::uint32_t> find_customer(std::string_view id) const noexcept;
  /// The phone of a number or DID (T-01); null: none.
  [[nodiscard]] const Phone* find_phone(std::string_view number) const noexcept;
  /// Who pays for what a number calls that an account has bound; null: nobody.
  [[nodiscard]] const Payers* find_bound(std::string_view number) const;
  /// The phone that stands at this place of `vendors`.
  [[nodiscard]] const Phone& phone_at(std::uint32_t vendor) const noexcept {
    return phones[vendor + phones.size() - vendors.size()];
  }
  [[nodiscard]] const Registrant* find_registrant(std::string_view user) const;
};

/// What the windows of a deck are judged by: its zone and calendar, else the parameter `timezone`.
/// Errors: invalid_argument.
Result<RateSchedule> rate_schedule(const SwitchConfig& config, const RateDeckConfig& deck);

/// What is sold, ordered and owed by the month (B-18, B-20..B-24). Errors: those of
/// PackageBook::provision(), invalid_argument (names the package).
Result<void> provision_packages(const SwitchConfig& config, PackageBook& book);

/// What an account is provisioned with: its own settings, what the parameters say of its kind
/// (B-28), and their zone for limits that name none.
AccountSettings account_settings(const SwitchConfig& config, const AccountConfig& account);

/// Builds a snapshot and provisions the accounts of `state`; off the call workers, since it may
/// take a second. `previous`: gives the new snapshot its turns; may be null. Errors:
/// invalid_argument (names the object). Then `state` holds what was provisioned before the bad
/// object.
Result<std::shared_ptr<const Tables>> build_tables(const SwitchConfig& config, SharedState& state,
                                                   const Tables* previous);

}  // namespace tandem::call
