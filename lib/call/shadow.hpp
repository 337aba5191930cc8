// Routing a call that is over once more, by the tables of a shadow.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "call/hindsight.hpp"
#include "call/stages.hpp"
#include "call/tables.hpp"
#include "tandem/call.hpp"
#include "tandem/clock.hpp"
#include "tandem/config.hpp"
#include "tandem/values.hpp"

namespace tandem::call {

/// What a live call notes for the shadow while its tables choose; indices of its own tables.
struct ShadowNotes {
  std::vector<Hindsight::Met> met;
  std::vector<Hindsight::AnswerRatio> ratios;  ///< Only when they count in the order.
  bool is_of_interest = false;  ///< Rates and routes decided, not what comes before them.
};

/// One side's money.
struct ShadowMoney {
  Amount amount;
  std::string currency;
};

/// A call that is over, as far as a shadow wants to know it. A value without ties to its tables.
struct ShadowCall {
  // As it came.
  std::int64_t arrived_wall_us = 0;
  SocketAddress source;
  bool is_from_any_page = false;  ///< As InboundCall has it.
  std::string caller_user, callee_user;
  std::optional<PolicyAnswer> policy;
  std::optional<std::uint64_t> split_call;
  CallLrn lrn;                      ///< What was known of its numbers (R-20).
  std::optional<Number> forwarder;  ///< Who sent it on (N-06).

  // What became of it.
  struct Vendor {
    std::string id;
    bool was_out_of_reach = false;
    bool has_failed = false;
  };
  struct AnswerRatio {
    std::string id;
    std::optional<std::uint32_t> percent, talk_time_s;
  };
  std::vector<Vendor> met;  ///< In the order in which it met them.
  std::vector<AnswerRatio> ratios;
  std::string customer_gateway;
  std::string rate_prefix, area;
  bool is_rated = false;  ///< The two above say of which rate.
  bool is_answered = false;
  std::int64_t answered_wall_us = 0;  ///< What windows of prices are judged by.
  std::int64_t talk_time_ms = 0;
  std::optional<ShadowMoney> revenue, cost;  ///< Of an answered call; nothing: has no price.

  /// The first vendor that was tried; "": none.
  [[nodiscard]] std::string_view first_vendor() const noexcept;
  /// The vendor that answered; "": none.
  [[nodiscard]] std::string_view carrier() const noexcept;
};

/// What the shadow would have done with it. Views live as long as the router.
struct ShadowDecision {
  Reason reject = Reason::none;   ///< Set: no vendor would have been tried.
  std::string_view first_vendor;  ///< "": none.
  std::string_view carrier;       ///< Of an answered call: who would have got it; "": nobody.
  std::string rate_prefix, area;  ///< Of the customer's rate.
  bool is_rated = false;
  std::optional<ShadowMoney> revenue, cost;  ///< As of the live call, with a carrier.
};

/// Tables that are frozen when the shadow starts, and accounts, lines and turns of their own, so
/// that nothing live is touched: accounts have all the money there can be, lines are free.
/// Threading: one thread at a time.
class ShadowRouter {
 public:
  /// Errors: invalid_argument (the configuration; names the object).
  static Result<std::unique_ptr<ShadowRouter>> create(SwitchConfig config,
                                                      std::unique_ptr<Random> random);
  ShadowDecision route(const ShadowCall& call);

 private:
  explicit ShadowRouter(std::unique_ptr<Random> random) : random_(std::move(random)) {}

  SharedState state_;
  std::shared_ptr<const Tables> tables_;
  std::unordered_map<std::string_view, std::uint32_t> vendors_;  // views into tables_
  const std::unique_ptr<Random> random_;
  Hindsight hindsight_;
};

}  // namespace tandem::call
