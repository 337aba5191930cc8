// The stages of A-02 that judge a call before a vendor is tried: one sequence for calls and for
// `explain`.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "call/forward.hpp"
#include "call/names.hpp"
#include "call/tables.hpp"
#include "tandem/call.hpp"
#include "tandem/clock.hpp"

namespace tandem::call {

/// A number of at most 32 characters, without heap storage.
class Number {
 public:
  Number() = default;
  explicit Number(std::string_view text) noexcept
      : length_(static_cast<std::uint8_t>(text.copy(text_.data(), 32))) {}
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), length_}; }
  [[nodiscard]] bool empty() const noexcept { return length_ == 0; }

 private:
  std::array<char, 32> text_{};
  std::uint8_t length_ = 0;
};

/// The number in a user part: visual separators `-.()` and spaces are taken out (RFC 3966
/// section 5.1.1). Nothing when what is left is no number of R-01.
std::optional<Number> number_from_user(std::string_view user) noexcept;

/// One stage as the recorder saw it.
struct StageRecord {
  std::string_view name;
  Number caller_before, callee_before, caller_after, callee_after;
  std::string verdict;             ///< "continue" or a reason name.
  std::vector<std::string> rules;  ///< Which settings made it so: "rewrite_callee[0] 00:86".
};

/// What became of the look-up of one number.
struct NumberLookup {
  enum class State : std::uint8_t { unknown, found, failed };
  State state = State::unknown;
  LrnRecord record;

  void settle(const std::optional<LrnRecord>& answer) {
    state = answer ? State::found : State::failed;
    if (answer) record = *answer;
  }
};

/// Where a call's callee is, and who says so.
struct CallLrn {
  enum class Source : std::uint8_t { none, request_uri, cache, resolver, given };
  NumberLookup callee, caller;
  Source source = Source::none;  ///< Of what is known of the callee.
};
const char* lrn_source_name(CallLrn::Source source) noexcept;

class Hindsight;

/// What the stages need or find that nobody asks for once the call is answered: calls talk for
/// long, and by the ten thousand.
struct CallSetup {
  /// What became of the call, when it is over and is routed once more by other tables, whose turns
  /// it takes; else null.
  const Hindsight* hindsight = nullptr;
  std::vector<StageRecord>* recorder = nullptr;
  std::vector<std::string>* fired = nullptr;  ///< Of the recorder: `rules` of the current stage.

  // What arrived.
  std::optional<std::uint32_t>
      asserted_customer;  ///< explain --from ID: identification is taken as done.
  /// User parts of callee and caller, where the customer has them; valid while the first stages
  /// run.
  std::string_view request_user, from_user;
  const InboundCall* arrival = nullptr;  ///< Of a live call; the same.
  Portability portability_in;            ///< Of the Request-URI; the same.

  // What the stages found.
  SourceMatch source_match;
  Number callee_in;        ///< As it came, cut to what is a number.
  Number callee_by_lrn;    ///< Where the callee was ported to; empty: routed as it is.
  bool is_dipped = false;  ///< Routed by what a look-up said: vendors may know.
  std::optional<std::uint64_t> split_call;  ///< Its number among the split calls; may be given.
  bool wants_place = false;  ///< That of another party, by a Replaces that counts (RFC 3891).
  ForwardChoice forward;     ///< The phone that is called is not; these are.
  /// Who sent the call on last, an empty number when it is none; nothing: nobody, as far as is
  /// believed.
  std::optional<Number> forwarder;
  std::unique_ptr<const PolicyAnswer> policy;  ///< Given by the policy hook; null: not asked.
  std::vector<RouteCandidate> candidates;
  /// What was found below the length `descended_below`, also vendors that were candidates before
  /// . Length 0: what was found first, when a policy hook named vendors, else empty.
  std::vector<RouteCandidate> descended;
  std::uint8_t descended_below = 0;

  // What the first second is paid from, given back when this is destroyed or moved from.
  MoneyHold money;
  PackageHold packages;  ///< Gifts of the customer (B-22); of a rehearsal nothing is lent.
  MoneyHold agent_money;
  PackageHold agent_packages;
  LimitHold limits, agent_limits;  ///< Of the accounts of both.

  /// The caller as a redirect server wants it (I-03): shown to vendors, who judge by it. Empty: as
  /// it is.
  Number caller_by_server;
  /// The callee as a redirect server wants it, where that is another one (I-03): vendors judge by
  /// it. Empty: as it is.
  Number callee_by_server;
  bool is_led_away = false;  ///< From the phone that was called, to vendors, by a server (I-03).
  /// What redirect servers are to this call (I-03); nothing: as the customer's setting says.
  std::optional<RedirectServers> redirect_servers;
};

/// What packages make of a payer's rate (B-24).
struct PackageTerms {
  PackagePrices prices;  ///< What they ask instead of the tariff, or over it.
  std::shared_ptr<const RateOverlays> overlays;  ///< Over the rate that was found; null: none.
};

/// Everything that is known of a call while the stages judge it. For `explain` and the shadow the
/// same object without a leg.
struct CallContext {
  std::shared_ptr<const Tables> tables;
  std::shared_ptr<const Names> names;  ///< Null: nothing is known of names.
  SharedState* state = nullptr;
  Random* random = nullptr;
  std::int64_t wall_us = 0;     ///< Arrival.
  std::int64_t arrived_us = 0;  ///< Arrival, monotonic.
  /// Not null while the call is judged and until it is answered.
  std::unique_ptr<CallSetup> setup = std::make_unique<CallSetup>();

  SocketAddress source;
  bool is_from_any_page = false;  ///< As InboundCall has it: `source` alone identifies nobody.
  bool is_rehearsal = false;      ///< Takes no line, no money, no turn.
  bool is_authenticated = false;
  bool is_free = false;  ///< B-09: nobody pays.

  // What the stages found.
  Number caller, callee;  ///< For routing.
  Number callee_billing;  ///< The callee without what only steers routing (R-19).
  std::unique_ptr<const Number> callee_priced;  ///< With a billing prefix (R-20), without a route
                                                ///< prefix (B-14); null: as it is billed.
  std::unique_ptr<CallLrn> lrn;                 ///< Null: nobody asked where the numbers are.
  std::optional<std::uint32_t> customer;        ///< Index in Tables::customers.
  const Payers* paid_by = nullptr;   ///< Who pays in place of the customer (B-04); null: none.
  const Rate* rate = nullptr;        ///< Lives as long as `tables`, or as the package terms.
  const Rate* agent_rate = nullptr;  ///< The same, of the customer's agent (B-17).
  std::unique_ptr<PackageTerms> package_terms;  ///< Null: no package has a say.
  std::unique_ptr<PackageTerms> agent_package_terms;
  static constexpr std::uint32_t no_phone = 0xffffffff;
  /// Index in Tables::vendors of a phone that is called, or that sends the call on (T-01).
  std::uint32_t called_phone = no_phone;
  const Forwarding* forwarding =
      nullptr;  ///< How a call of a phone's came to be; null: it dialled.

  route::LineLease customer_line;  ///< Returned when this is destroyed or moved from.

  /// What vendors are chosen by.
  [[nodiscard]] const Number& routing_number() const noexcept {
    return setup->callee_by_lrn.empty() ? callee : setup->callee_by_lrn;
  }
  /// Whom vendors are chosen by, and shown.
  [[nodiscard]] const Number& routing_caller() const noexcept {
    return setup->caller_by_server.empty() ? caller : setup->caller_by_server;
  }
  /// What vendors judge by: what was dialled, or what a redirect server made of it (I-03).
  [[nodiscard]] const Number& wanted_number() const noexcept {
    return setup->callee_by_server.empty() ? callee_billing : setup->callee_by_server;
  }
  /// What the customer pays for. Vendors are owed for `callee_billing`.
  [[nodiscard]] const Number& billing_number() const noexcept {
    return callee_priced == nullptr ? callee_billing : *callee_priced;
  }
  [[nodiscard]] const Customer* customer_entry() const noexcept {
    return customer ? &tables->customers[*customer] : nullptr;
  }
  /// Who pays, as far as it is known by now; null with the customer.
  [[nodiscard]] const Payers* payers() const noexcept {
    return paid_by != nullptr ? paid_by : customer_entry();
  }
  /// Whether packages gave the rate in place of the tariff; `terms` of the same side.
  [[nodiscard]] static bool is_of_package(const Rate* rate, const PackageTerms* terms) noexcept {
    return terms != nullptr && rate == terms->prices.rate.get();
  }
  /// What packages of a side put over its rate (B-24); null: nothing.
  [[nodiscard]] std::shared_ptr<const RateOverlays> overlays_of(const Payer& side) const {
    const Payers* const both = payers();
    if (both == nullptr) return nullptr;
    const auto& terms = &side == &both->agent ? agent_package_terms : package_terms;
    const bool is_of_call = &side == &both->agent || &side == &both->payer;
    return is_of_call && terms != nullptr ? terms->overlays : nullptr;
  }
  /// What a side's charge is judged by, of a call that begins at `begin_us`.
  [[nodiscard]] CallStart call_start(const Payer& side, std::int64_t begin_us) const {
    return side.call_start(begin_us, overlays_of(side));
  }
};

/// What a stage decides.
struct Verdict {
  enum class Kind : std::uint8_t {
    go_on,
    reject,        ///< With `reason`.
    authenticate,  ///< Wait for credentials, then go on with the same stage.
    meet,          ///< Take of `arrival` what is wanted, clear it, then the same.
    look_up,       ///< Wait until the unknown numbers of `lrn` are known, then the same.
    stand_in,      ///< It asks for a place in another call, and is none of its own.
    ask_policy,    ///< Wait for the host's policy hook, then go on with the same stage.
  };
  Kind kind = Kind::go_on;
  Reason reason = Reason::none;

  static Verdict go_on() noexcept { return {}; }
  static Verdict reject(Reason why) noexcept { return {Kind::reject, why}; }
  static Verdict wait(Kind what) noexcept { return {what, Reason::none}; }
};

/// Which questions the call layer can put; without them the stages do not wait.
struct StageAbilities {
  bool can_authenticate = true;
  bool can_look_up = true;
  bool has_policy = false;
  const Leg* inbound = nullptr;  ///< Whose credentials may say who calls (A-03); null: nobody's.
};

/// What a call wants of the relay with that vendor, beside encryption: relay_need() of both, and
/// what its account says; "": nothing (M-01, step 6).
[[nodiscard]] std::string_view relay_need(const CallContext& context,
                                          const VendorGateway& vendor) noexcept;

/// Runs the stages from `next_stage` on until one does not go on; `next_stage` is then that stage,
/// or past the end.
Verdict run_stages(CallContext& context, const StageAbilities& abilities, std::size_t& next_stage);

/// A redirect server leads the call away from the phone that was called (I-03): one that was free
/// as a call to a phone (B-09) is paid for like others from now on, or rejected.
[[nodiscard]] Verdict charge_led_away(CallContext& context);

/// What is behind, or before, the code by which a phone picks calls up (T-10): the number of
/// another one, or "". Nothing: the caller is no phone with a pickup group, or dials something
/// else.
std::optional<std::string_view> pickup_number(const CallContext& context) noexcept;

/// The policy hook has said that the host serves the call (T-17): it goes to nobody else.
[[nodiscard]] inline bool is_for_host(const CallContext& context) noexcept {
  return context.setup->policy != nullptr && context.setup->policy->serve.has_value();
}

/// Whether the callee is a phone of this switch, and not one that is offline and routed like any
/// other number (R-21, T-12).
bool is_for_phone(const CallContext& context);

/// Who pays for a call in place of its customer (B-04): the phone that is called, when it says so;
/// else the phone that the caller, or the transferor of a transfer (T-04), is, or the account that
/// it is bound to, when the gateway goes by that. Null: the customer does.
const Payers* other_payers(const CallContext& context);

/// What a resolver is asked for: the callee without what only steers routing and without the
/// characters that are eaten. May be empty.
Number lrn_question(const CallContext& context) noexcept;
/// Whether the region of the caller is of any use to this call.
bool needs_caller_region(const CallContext& context) noexcept;

/// The rule that would be applied to a number: "rewrite_callee[0] 00:86", its index and text behind
/// the name of the setting; "": none matches.
std::string matching_rule(std::string_view setting, const RewriteRules& rules,
                          const Number& number);

/// Applies rules to a number. False: the result is too long, and the number is as it was.
bool rewrite(const RewriteRules& rules, Number& number, Random& random);
/// Puts the area code before a mobile number whose home is in a chosen area (N-04). False as
/// above.
bool complete_area(const MobileAreas& areas, const std::vector<bool>& chosen, Number& number);

}  // namespace tandem::call
