// Parameters of a query.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "admin/request_bodies.hpp"
#include "base/text.hpp"
#include "http/message.hpp"

namespace tandem::admin {

inline bool read_number(const std::string& text, std::uint64_t low, std::uint64_t high,
                        std::uint64_t& out) {
  const auto number = parse_integer<std::uint64_t>(text);
  if (!number || *number < low || *number > high) return false;
  out = *number;
  return true;
}

/// Reads the parameters of a query, each at most once, with `read`: false when it does not know
/// one, or says why its value is wrong.
template <class Read>
bool read_parameters(const http::Request& request, Complaint& complaint, Read&& read) {
  std::set<std::string> seen;
  for (const auto& [key, value] : request.query) {
    std::string wrong;
    if (!seen.insert(key).second) {
      wrong = "parameter was given twice";
    } else if (!read(key, value, wrong) && wrong.empty()) {
      wrong = "unknown parameter \"" + key + "\"";
    }
    if (wrong.empty()) continue;
    complaint = {400, "invalid_argument", std::move(wrong), "/" + key};
    return false;
  }
  return true;
}

/// `since` and `until`. False: it is neither. `wrong` says why a value is no time.
template <class Query>
bool read_period(const std::string& key, const std::string& value, Query& query,
                 std::string& wrong) {
  if (key != "since" && key != "until") return false;
  auto time = parse_time_us(value);
  if (!time) wrong = time.error().message;
  if (time) (key == "since" ? query.since_us : query.until_us) = *time;
  return true;
}

}  // namespace tandem::admin
