#include "admin/report_endpoints.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "admin/answers.hpp"
#include "admin/query.hpp"
#include "base/text.hpp"

namespace tandem::admin {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

http::Response missing(const char* parameter) {
  return refused(Complaint{400, "invalid_argument",
                           std::string("missing parameter \"") + parameter + "\"",
                           std::string("/") + parameter});
}

http::Response margin(const Switch& served, const http::Request& request) {
  std::string sell;
  std::vector<std::string> buys;
  std::optional<std::int64_t> at_us;
  Complaint complaint;
  const bool is_read =
      read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
        if (key == "sell") {
          sell = value;
        } else if (key == "buy") {
          buys = split(value);
        } else if (key == "at") {
          auto time = parse_time_us(value);
          if (!time) wrong = time.error().message;
          if (time) at_us = *time;
        } else {
          return false;
        }
        return true;
      });
  if (!is_read) return refused(complaint);
  if (sell.empty()) return missing("sell");
  if (buys.empty()) return missing("buy");
  const auto rows = served.margin_report(sell, buys, at_us);
  return rows ? json_answer(200, to_json(*rows)) : refused(rows.error());
}

http::Response rerate(const Switch& served, const http::Request& request) {
  RerateQuery query;
  Complaint complaint;
  if (!read_rerate_query(request, query, complaint)) return refused(complaint);
  const auto rerater = served.rerate_history(query);
  return rerater ? json_answer(200, to_json(*rerater)) : refused(rerater.error());
}

http::Response ledger_check(const Switch& served, const http::Request& request) {
  Complaint complaint;
  if (!read_parameters(request, complaint, [](const auto&, const auto&, auto&) { return false; }))
    return refused(complaint);
  const auto check = served.check_ledger();
  return check ? json_answer(200, to_json(*check)) : refused(check.error());
}

/// Reports over the records of calls, as JSON or, with `format=csv`, as CSV.
http::Response calls(const Switch& served, const http::Request& request, CallReportKind kind) {
  CallReportRequest asked;
  asked.kind = kind;
  std::string format = "json";
  Complaint complaint;
  const bool is_read =
      read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
        if (key == "format") {
          format = value;
          if (format != "json" && format != "csv")
            wrong = "\"" + value + "\" is neither json nor csv";
          return true;
        }
        const auto set = set_report_option(asked, key, value);
        if (!set) wrong = set.error().message;
        return set && *set;
      });
  if (!is_read) return refused(complaint);
  const auto report = served.call_report(asked);
  if (!report) return refused(report.error());
  if (format == "csv") return {200, "text/csv; charset=utf-8", to_csv(*report), {}};
  return json_answer(200, to_json(*report));
}

}  // namespace

bool read_rerate_query(const http::Request& request, RerateQuery& query, Complaint& complaint) {
  const bool is_read =
      read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
        if (read_period(key, value, query, wrong)) return true;
        if (key == "deck") {
          query.deck = value;
        } else if (key == "account") {
          query.account = value;
        } else if (key == "side") {
          query.is_vendor = value == "vendor";
          if (!query.is_vendor && value != "customer")
            wrong = "\"" + value + "\" is neither customer nor vendor";
        } else if (key == "settled") {
          query.includes_settled = value == "true";
          if (!query.includes_settled && value != "false")
            wrong = "\"" + value + "\" is neither true nor false";
        } else {
          return false;
        }
        return true;
      });
  if (is_read && query.deck.empty())
    complaint = {400, "invalid_argument", "missing parameter \"deck\"", "/deck"};
  return is_read && !query.deck.empty();
}

std::optional<http::Response> answer_report(const Switch& served, const http::Request& request) {
  if (request.path.size() != 4) return std::nullopt;
  const std::string& name = request.path[3];
  const auto report = name == "margin"         ? margin
                      : name == "rerate"       ? rerate
                      : name == "ledger-check" ? ledger_check
                                               : nullptr;
  const auto kind = call_report_from_name(name);
  if (report == nullptr && !kind) return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD")
    return only(request, name == "rerate" ? "GET, HEAD, POST" : "GET, HEAD");
  return report != nullptr ? report(served, request) : calls(served, request, *kind);
}

}  // namespace tandem::admin
