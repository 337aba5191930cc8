// The names of reports and of what can be asked of them.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "base/time_zone.hpp"
#include "cdr/report_slots.hpp"
#include "tandem/call_reports.hpp"

namespace tandem {
namespace {

constexpr std::array<const char*, 13> report_names = {"customer-gateways",
                                                      "vendor-gateways",
                                                      "performance",
                                                      "calls",
                                                      "failures",
                                                      "days",
                                                      "areas",
                                                      "gateway-areas",
                                                      "area-totals",
                                                      "account-statement",
                                                      "phone-statement",
                                                      "area-statement",
                                                      "ghost-calls"};

using Wrong = std::string;  // what is wrong with a value; "" when nothing is

Wrong quoted(std::string_view value, const std::string& complaint) {
  return '"' + std::string(value) + "\" " + complaint;
}

Wrong read_slot(CallReportRequest& request, std::string_view value) {
  for (const ReportSlot slot : {ReportSlot::none, ReportSlot::five_minutes, ReportSlot::hour,
                                ReportSlot::day, ReportSlot::month}) {
    if (value != cdr::report_slot_name(slot)) continue;
    request.by = slot;
    return {};
  }
  return quoted(value, "was not one of none, 5min, hour, day, month");
}

Wrong read_side(CallReportRequest& request, std::string_view value) {
  if (value != "customer" && value != "vendor")
    return quoted(value, "was neither customer nor vendor");
  request.is_vendor = value == "vendor";
  return {};
}

/// Reads an integer of low..high with `set`.
template <class Set>
Wrong read_integer(std::string_view value, std::int64_t low, std::int64_t high, Set&& set) {
  const auto number = parse_integer<std::int64_t>(value);
  if (!number || *number < low || *number > high)
    return quoted(value, "was not in " + std::to_string(low) + ".." + std::to_string(high));
  set(*number);
  return {};
}

template <auto Member, std::int64_t Low, std::int64_t High>
Wrong read_rule(CallReportRequest& request, std::string_view value) {
  return read_integer(value, Low, High,
                      [&](std::int64_t number) { request.ghost.*Member = number; });
}

Wrong read_limit(CallReportRequest& request, std::string_view value) {
  return read_integer(value, 1, 100'000, [&](std::int64_t number) {
    request.limit = static_cast<std::size_t>(number);
  });
}

Wrong read_tiny_fee(CallReportRequest& request, std::string_view value) {
  const auto amount = Amount::parse(value);
  if (!amount) return amount.error().message;
  request.ghost.tiny_fee = *amount;
  return {};
}

Wrong read_timezone(CallReportRequest& request, std::string_view value) {
  if (auto zone = TimeZone::load(value); !zone) return zone.error().message;
  request.timezone = value;
  return {};
}

struct Option {
  std::string_view name;
  Wrong (*read)(CallReportRequest&, std::string_view);
};

constexpr Option report_options[] = {
    {"by", read_slot},
    {"timezone", read_timezone},
    {"side", read_side},
    {"limit", read_limit},
    {"long_s", read_rule<&GhostRules::long_s, 1, 86'400>},
    {"tiny_fee", read_tiny_fee},
    {"calls_min", read_rule<&GhostRules::calls_min, 1, 1'000'000>},
    {"cluster_percent", read_rule<&GhostRules::cluster_percent, 1, 100>},
    {"same_duration_s", read_rule<&GhostRules::same_duration_s, 0, 86'400>},
    {"acd_factor", read_rule<&GhostRules::acd_factor, 2, 1'000>},
};

bool is_name(std::string_view given, std::string_view name) {
  return std::equal(given.begin(), given.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == b || (a == '-' && b == '_'); });
}

}  // namespace

const char* call_report_name(CallReportKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < report_names.size() ? report_names[index] : "";
}

std::optional<CallReportKind> call_report_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < report_names.size(); ++i) {
    if (name == report_names[i]) return static_cast<CallReportKind>(i);
  }
  return std::nullopt;
}

Result<bool> set_report_option(CallReportRequest& request, std::string_view name,
                               std::string_view value) {
  for (const Option& option : report_options) {
    if (!is_name(name, option.name)) continue;
    Wrong wrong = option.read(request, value);
    if (!wrong.empty()) return Error{ErrorCode::invalid_argument, std::move(wrong)};
    return true;
  }
  return set_filter(request.filter, name, value);
}

const std::vector<std::string_view>& call_report_option_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Option& option : report_options)
      all.push_back(option.name);
    return all;
  }();
  return names;
}

}  // namespace tandem
