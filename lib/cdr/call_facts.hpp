// What reports know of a call: a narrow view of its record, and of its attempts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/cdr.hpp"
#include "tandem/values.hpp"

namespace tandem::cdr {

/// What became of an attempt. A record does not say of each attempt whether it rang, only when the
/// call first did: that is counted for the attempt which was under way then.
struct LegFacts {
  std::string_view gateway;
  Reason reason = Reason::none;
  bool has_response = false;  ///< The vendor answered with more than 100 (C-10).
  bool has_alerted = false;   ///< Ringing or early media.
  bool is_answered = false;

  [[nodiscard]] bool is_connected() const noexcept { return has_alerted || is_answered; }
  bool operator==(const LegFacts&) const = default;
};

/// Which of a call's members say something of its attempts.
struct LegSource {
  const std::vector<Attempt>* attempts = nullptr;
  std::int64_t started_at_us = 0;
  std::int64_t answered_at_us = 0;
  std::int64_t pdd_ms = -1;
};
/// The facts of all attempts, in their order; their texts are those of the attempts.
std::vector<LegFacts> legs_of(const LegSource& source);

/// The same as the text of one column: "8:vendor-1 7 16;" for each, length and name of the gateway,
/// the flags (1 response, 2 alerted, 4 answered), the reason.
void append_legs(std::string& out, const std::vector<LegFacts>& legs);
/// Reads that text; `legs` borrow from it. False: it is none.
bool read_legs(std::string_view text, std::vector<LegFacts>& legs);

/// As release_side_name() has them; anything else is the server.
ReleaseSide release_side_of(std::string_view name) noexcept;

/// A call as reports see it. Texts and legs live until the next one is read; members that were not
/// asked for are empty.
struct CallFacts {
  std::int64_t record_id = 0;
  std::int64_t ended_at_us = 0;
  std::int64_t started_at_us = 0;
  std::int64_t answered_at_us = 0;
  std::int64_t pdd_ms = -1;
  std::int64_t talk_time_ms = 0;
  std::string_view customer_gateway;  ///< "": unknown source.
  std::string_view vendor_gateway;    ///< "": none was tried.
  std::string_view account;
  std::string_view currency;
  std::string_view rate_deck;
  std::string_view rate_prefix;
  std::string_view callee_region;
  std::string_view vendor_currency;  ///< "": no vendor with an account.
  CallLevel call_level = CallLevel::none;
  std::int64_t billed_time_s = 0;
  std::int64_t fee_units = 0;
  std::int64_t package_fee_units = 0;
  std::int64_t package_time_s = 0;
  std::int64_t vendor_fee_units = 0;
  Reason reason = Reason::none;
  ReleaseSide release_side = ReleaseSide::server;
  std::span<const LegFacts> legs;

  [[nodiscard]] bool is_answered() const noexcept { return answered_at_us != 0; }
};

/// Members of CallFacts beside `record_id` and `ended_at_us`, which are always there.
enum class Fact : std::uint8_t {
  started_at,
  answered_at,
  pdd,
  talk_time,
  customer_gateway,
  vendor_gateway,
  account,
  currency,
  rate_deck,
  rate_prefix,
  callee_region,
  vendor_currency,
  billed_time,
  fee,
  package_fee,
  package_time,
  vendor_fee,
  reason,
  release_side,
  call_level,
  legs,
};
inline constexpr std::size_t fact_count = 21;

/// A set of facts.
class Facts {
 public:
  constexpr Facts() = default;
  template <class... More>
  constexpr Facts(Fact first, More... more) : bits_((bit(first) | ... | bit(more))) {}
  [[nodiscard]] constexpr bool has(Fact fact) const noexcept { return (bits_ & bit(fact)) != 0; }
  constexpr Facts operator|(Facts other) const noexcept {
    Facts both;
    both.bits_ = bits_ | other.bits_;
    return both;
  }

 private:
  static constexpr std::uint32_t bit(Fact fact) noexcept {
    return std::uint32_t{1} << static_cast<unsigned>(fact);
  }
  std::uint32_t bits_ = 0;
};

}  // namespace tandem::cdr
