// The members of a filter by name, for command lines and queries of URLs.
#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "base/text.hpp"
#include "tandem/cdr_query.hpp"

namespace tandem {
namespace {

using Wrong = std::string;  // what is wrong with a value; "" when nothing is

Wrong quoted(std::string_view value, const char* complaint) {
  return '"' + std::string(value) + "\" " + complaint;
}

template <auto Member>
Wrong read_text(CdrFilter& filter, std::string_view value) {
  constexpr std::size_t bytes_max = 1024;
  if (value.size() > bytes_max) return "text was longer than 1024 bytes";
  filter.*Member = value;
  return {};
}

template <auto Member>
Wrong read_time(CdrFilter& filter, std::string_view value) {
  const auto time = parse_time_us(value);
  if (!time) return time.error().message;
  filter.*Member = *time;
  return {};
}

template <auto Member>
Wrong read_flag(CdrFilter& filter, std::string_view value) {
  if (value != "yes" && value != "no") return quoted(value, "was neither yes nor no");
  filter.*Member = value == "yes";
  return {};
}

template <auto Member>
Wrong read_milliseconds(CdrFilter& filter, std::string_view value) {
  const auto number = parse_integer<std::int64_t>(value);
  if (!number || *number < 0) return quoted(value, "was no number of milliseconds");
  filter.*Member = *number;
  return {};
}

Wrong read_reason(CdrFilter& filter, std::string_view value) {
  if (!value.empty() && !reason_from_name(value)) return "no reason " + quoted(value, "is known");
  filter.reason = value;
  return {};
}

Wrong read_status(CdrFilter& filter, std::string_view value) {
  const auto number = parse_integer<int>(value);
  if (!number || *number < 0 || *number > 699) return quoted(value, "was not in 0..699");
  filter.sip_status = *number;
  return {};
}

Wrong read_side(CdrFilter& filter, std::string_view value) {
  for (const ReleaseSide side : {ReleaseSide::caller, ReleaseSide::callee, ReleaseSide::server}) {
    if (value != release_side_name(side)) continue;
    filter.release_side = side;
    return {};
  }
  return quoted(value, "was not one of caller, callee, server");
}

struct Member {
  std::string_view name;
  Wrong (*read)(CdrFilter&, std::string_view);
};

constexpr Member members[] = {
    {"since", read_time<&CdrFilter::since_us>},
    {"until", read_time<&CdrFilter::until_us>},
    {"caller", read_text<&CdrFilter::caller>},
    {"callee", read_text<&CdrFilter::callee>},
    {"caller_in", read_text<&CdrFilter::caller_in>},
    {"caller_billing", read_text<&CdrFilter::caller_billing>},
    {"caller_out", read_text<&CdrFilter::caller_out>},
    {"callee_in", read_text<&CdrFilter::callee_in>},
    {"callee_billing", read_text<&CdrFilter::callee_billing>},
    {"callee_out", read_text<&CdrFilter::callee_out>},
    {"account", read_text<&CdrFilter::account>},
    {"vendor_account", read_text<&CdrFilter::vendor_account>},
    {"agent_account", read_text<&CdrFilter::agent_account>},
    {"customer_gateway", read_text<&CdrFilter::customer_gateway>},
    {"vendor_gateway", read_text<&CdrFilter::vendor_gateway>},
    {"call_id", read_text<&CdrFilter::call_id>},
    {"rate_prefix", read_text<&CdrFilter::rate_prefix>},
    {"reason", read_reason},
    {"sip_status", read_status},
    {"release_side", read_side},
    {"answered", read_flag<&CdrFilter::is_answered>},
    {"free", read_flag<&CdrFilter::is_free>},
    {"talk_min_ms", read_milliseconds<&CdrFilter::talk_min_ms>},
    {"talk_max_ms", read_milliseconds<&CdrFilter::talk_max_ms>},
    {"skip_archived", read_flag<&CdrFilter::skips_archived>},
};

bool is_name(std::string_view given, std::string_view name) {
  return std::equal(given.begin(), given.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == b || (a == '-' && b == '_'); });
}

}  // namespace

Result<bool> set_filter(CdrFilter& filter, std::string_view name, std::string_view value) {
  const auto* const found = std::find_if(std::begin(members), std::end(members),
                                         [name](const Member& m) { return is_name(name, m.name); });
  if (found == std::end(members)) return false;
  Wrong wrong = found->read(filter, value);
  if (!wrong.empty()) return Error{ErrorCode::invalid_argument, std::move(wrong)};
  return true;
}

const std::vector<std::string_view>& cdr_filter_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Member& member : members)
      all.push_back(member.name);
    return all;
  }();
  return names;
}

}  // namespace tandem
