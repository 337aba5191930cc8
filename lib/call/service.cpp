#include "call/service.hpp"

#include <string>
#include <utility>
#include <variant>

#include "tandem/values.hpp"

namespace tandem {

namespace {

Error refused(std::string why) { return {ErrorCode::invalid_argument, std::move(why)}; }

Result<void> check_one(const AnswerOrder&) { return {}; }
Result<void> check_one(const StopOrder&) { return {}; }

Result<void> check_one(const PlayOrder& order) {
  if (order.sounds.is_empty()) return refused("sounds has none");
  return {};
}

Result<void> check_one(const CollectOrder& order) {
  if (order.max < 1 || order.max > CollectOrder::keys_max)
    return refused("max " + std::to_string(order.max) + " is outside of 1.." +
                   std::to_string(CollectOrder::keys_max));
  if (order.min > order.max)
    return refused("min " + std::to_string(order.min) + " is more than max " +
                   std::to_string(order.max));
  for (const auto& [name, value] : {std::pair{"first_key_ms", order.first_key_ms},
                                    std::pair{"next_key_ms", order.next_key_ms}}) {
    if (value < 100 || value > 600'000)
      return refused(std::string(name) + ' ' + std::to_string(value) +
                     " is outside of 100..600000");
  }
  const std::size_t bad = order.terminators.find_first_not_of("0123456789*#ABCD");
  if (bad != std::string::npos)
    return refused("terminators \"" + order.terminators + "\" has no key at offset " +
                   std::to_string(bad));
  return {};
}

Result<void> check_one(const BridgeOrder& order) {
  if (!is_number(order.callee)) return refused("callee \"" + order.callee + "\" is no number");
  if (!order.caller.empty() && !is_number(order.caller))
    return refused("caller \"" + order.caller + "\" is no number");
  return {};
}

Result<void> check_one(const HangUpOrder& order) {
  if (order.q850_cause < 1 || order.q850_cause > 127)
    return refused("q850_cause " + std::to_string(order.q850_cause) + " is outside of 1..127");
  return {};
}

}  // namespace

Result<void> check(const ServiceOrder& order) {
  return std::visit([](const auto& one) { return check_one(one); }, order);
}

const char* service_report_name(ServiceReport::What what) noexcept {
  switch (what) {
    case ServiceReport::What::ready:
      return "ready";
    case ServiceReport::What::played:
      return "played";
    case ServiceReport::What::collected:
      return "collected";
    case ServiceReport::What::bridged:
      return "bridged";
    case ServiceReport::What::bridge_failed:
      return "bridge_failed";
  }
  return "";
}

const char* service_reason_name(ServiceReport::Why why) noexcept {
  switch (why) {
    case ServiceReport::Why::none:
      return "";
    case ServiceReport::Why::finished:
      return "finished";
    case ServiceReport::Why::key:
      return "key";
    case ServiceReport::Why::stopped:
      return "stopped";
    case ServiceReport::Why::full:
      return "full";
    case ServiceReport::Why::terminator:
      return "terminator";
    case ServiceReport::Why::first_key:
      return "first_key";
    case ServiceReport::Why::next_key:
      return "next_key";
  }
  return "";
}

}  // namespace tandem
