#include "tandem/corrections.hpp"

#include <limits>
#include <tuple>

#include "tandem/accounts.hpp"
#include "tandem/rating.hpp"

namespace tandem {
namespace {

Error refused(std::string message) { return {ErrorCode::invalid_argument, std::move(message)}; }

}  // namespace

const char* call_side_name(CallSide side) noexcept {
  switch (side) {
    case CallSide::customer:
      return "customer";
    case CallSide::vendor:
      return "vendor";
    case CallSide::agent:
      return "agent";
  }
  return "";
}

Amount CorrectedSide::difference() const noexcept {
  std::int64_t units = 0;
  if (__builtin_sub_overflow(charge_before.units(), charge.units(), &units)) {
    units = charge_before < charge ? std::numeric_limits<std::int64_t>::min()
                                   : std::numeric_limits<std::int64_t>::max();
  }
  return Amount::from_units(units);
}

Result<void> check_correction(const CorrectionRequest& request) {
  if (request.record_id == 0) return refused("record_id was 0");
  if (request.sides.empty()) return refused("correction named no side of the call");
  for (const auto& [side, change] : request.sides) {
    const std::string name = call_side_name(side);
    if (change == SideChange{}) return refused(name + " had nothing to be changed");
    if (!change.rate_deck.empty() && (change.charge || change.billed_time_s))
      return refused(name + " had both values and a rate_deck");
    if (change.charge && (change.charge->is_negative() || *change.charge > account_amount_max))
      return refused("charge " + change.charge->to_string() + " of the " + name +
                     " was not in 0.." + account_amount_max.to_string());
    if (change.billed_time_s &&
        (*change.billed_time_s < 0 || *change.billed_time_s > rated_time_max_s))
      return refused("billed_time_s " + std::to_string(*change.billed_time_s) + " of the " + name +
                     " was not in 0.." + std::to_string(rated_time_max_s));
  }
  if (request.reason.empty()) return refused("reason was empty");
  for (const auto& [what, text, bytes_max] :
       {std::tuple("reason", &request.reason, correction_text_bytes_max),
        std::tuple("author", &request.author, correction_text_bytes_max),
        std::tuple("idempotency key", &request.idempotency_key, idempotency_key_bytes_max)}) {
    if (text->size() > bytes_max)
      return refused(std::string(what) + " of " + std::to_string(text->size()) +
                     " bytes was longer than " + std::to_string(bytes_max));
  }
  return {};
}

}  // namespace tandem
