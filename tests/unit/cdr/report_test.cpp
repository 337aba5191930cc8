#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "cdr/call_facts.hpp"
#include "cdr/call_report_text.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/day_files.hpp"
#include "cdr/report_sums.hpp"
#include "report_oracle.hpp"
#include "store/sqlite.hpp"
#include "support/sanitizers.hpp"
#include "tandem/call_reports.hpp"
#include "temporary_folder.hpp"
#include "unit/cdr/stored_days.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::TemporaryFolder;

namespace {

/// A row as text, by column.
using Row = std::map<std::string, std::string>;

std::vector<Row> rows_of(const CallReport& report) {
  std::vector<Row> rows;
  for (const auto& cells : report.rows) {
    REQUIRE(cells.size() == report.columns.size());
    Row& row = rows.emplace_back();
    for (std::size_t i = 0; i < cells.size(); ++i)
      row[report.columns[i]] = cell_text(cells[i]);
  }
  return rows;
}

/// One thing that is counted, as an oracle sees it: a call, or an attempt of it.
struct Counted {
  const Cdr* call;
  std::string gateway;
  Reason reason;
  bool response, alerted, answered, has_money;
};

bool responded(const Attempt& attempt) { return attempt.sip_status > 100; }

/// Of an answered call the last attempt with a 2xx.
const Attempt* answered_attempt(const Cdr& cdr) {
  const Attempt* found = nullptr;
  for (const Attempt& attempt : cdr.attempts) {
    if (cdr.answered_at_us != 0 && attempt.sip_status >= 200 && attempt.sip_status < 300)
      found = &attempt;
  }
  return found;
}

/// The last attempt that had begun when the call first rang.
const Attempt* alerted_attempt(const Cdr& cdr) {
  const Attempt* found = nullptr;
  for (const Attempt& attempt : cdr.attempts) {
    if (cdr.pdd_ms >= 0 && attempt.started_at_us < cdr.started_at_us + (cdr.pdd_ms + 1) * 1'000)
      found = &attempt;
  }
  return found;
}

std::vector<Counted> calls_of(const std::vector<const Cdr*>& records) {
  std::vector<Counted> all;
  for (const Cdr* cdr : records) {
    const bool any = std::any_of(cdr->attempts.begin(), cdr->attempts.end(), responded);
    const bool answered = cdr->answered_at_us != 0;
    all.push_back({cdr, cdr->customer_gateway.value_or(""), cdr->end_reason,
                   any || cdr->pdd_ms >= 0 || answered, cdr->pdd_ms >= 0, answered, true});
  }
  return all;
}

std::vector<Counted> legs_of_all(const std::vector<const Cdr*>& records, const std::string& only) {
  std::vector<Counted> all;
  for (const Cdr* cdr : records) {
    for (const Attempt& attempt : cdr->attempts) {
      if (!only.empty() && attempt.vendor_gateway != only) continue;
      const bool alerted = &attempt == alerted_attempt(*cdr);
      const bool answered = &attempt == answered_attempt(*cdr);
      all.push_back({cdr, attempt.vendor_gateway, attempt.reason,
                     responded(attempt) || alerted || answered, alerted, answered, answered});
    }
  }
  return all;
}

std::string quotient(std::int64_t sum, std::int64_t count) {
  return count == 0 ? "" : std::to_string(sum / count);
}
std::string two_decimals(std::int64_t hundredths) {
  const std::int64_t rest = hundredths % 100;
  return std::to_string(hundredths / 100) + (rest < 10 ? ".0" : ".") + std::to_string(rest);
}
std::string percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "" : two_decimals(part * 10'000 / whole);
}

/// Begin of a slot as text, by way of its RFC 3339 text.
std::string slot_of(ReportSlot slot, std::int64_t time_us) {
  const std::string text = format_time_us(time_us);
  switch (slot) {
    case ReportSlot::none:
      return "";
    case ReportSlot::month:
      return text.substr(0, 8) + "01T00:00:00Z";
    case ReportSlot::day:
      return text.substr(0, 11) + "00:00:00Z";
    case ReportSlot::hour:
      return text.substr(0, 14) + "00:00Z";
    case ReportSlot::five_minutes:
      break;
  }
  const std::string minute = std::to_string(std::stoi(text.substr(14, 2)) / 5 * 5);
  return text.substr(0, 14) + (minute.size() < 2 ? "0" : "") + minute + ":00Z";
}

/// Rows of the reports of metrics, group by group with a plain loop over everything.
std::vector<Row> metrics_rows(const std::vector<Counted>& all, ReportSlot slot, bool by_gateway,
                              bool by_deck, bool by_area, bool has_share, bool has_reasons) {
  using Key = std::array<std::string, 4>;
  const auto key_of = [&](const Counted& c) {
    return Key{slot_of(slot, c.call->ended_at_us), by_gateway ? c.gateway : "",
               by_deck ? c.call->customer.rate_deck : "",
               by_area ? c.call->customer.rate_prefix : ""};
  };
  std::map<Key, std::vector<Counted>> groups;
  std::int64_t all_talk_ms = 0;
  for (const Counted& c : all) {
    groups[key_of(c)].push_back(c);
    if (c.has_money) all_talk_ms += c.call->talk_time_ms;
  }
  std::vector<Row> rows;
  for (const auto& [key, group] : groups) {
    std::int64_t attempts = 0, answered = 0, responses = 0, connected = 0, effective = 0;
    std::int64_t alerted = 0, pdd_ms = 0, talk_ms = 0, billed_s = 0;
    std::map<Reason, int> reasons;
    std::map<std::string, std::array<std::int64_t, 3>> money;
    for (const Counted& c : group) {
      ++attempts;
      answered += c.answered;
      responses += c.response;
      connected += c.alerted || c.answered;
      effective += c.answered || c.reason == Reason::CalleeBusy || c.reason == Reason::NoAnswer ||
                   c.reason == Reason::CalleeDeclined;
      ++reasons[c.reason];
      if (c.alerted && c.call->pdd_ms >= 0) {
        ++alerted;
        pdd_ms += c.call->pdd_ms;
      }
      if (!c.has_money) continue;
      talk_ms += c.call->talk_time_ms;
      billed_s += c.call->customer.billed_time_s;
      const ChargeFacts& customer = c.call->customer;
      if (!customer.currency.empty()) {
        money[customer.currency][0] += customer.charge.units();
        money[customer.currency][1] += customer.package_charge.units();
      }
      if (c.call->vendor && !c.call->vendor->currency.empty())
        money[c.call->vendor->currency][2] += c.call->vendor->charge.units();
    }
    Row keys_of_row;
    if (slot != ReportSlot::none) keys_of_row["from"] = key[0];
    if (by_gateway) keys_of_row["gateway"] = key[1];
    if (by_deck) keys_of_row["rate_deck"] = key[2];
    if (by_area) keys_of_row["rate_prefix"] = key[3];
    Row row = keys_of_row;
    row["attempts"] = std::to_string(attempts);
    row["answered"] = std::to_string(answered);
    row["asr_percent"] = percent(answered, attempts);
    row["acd_ms"] = quotient(talk_ms, answered);
    row["talk_time_ms"] = std::to_string(talk_ms);
    row["minutes"] = two_decimals(talk_ms / 600);
    row["response_percent"] = percent(responses, attempts);
    row["connected_percent"] = percent(connected, attempts);
    row["ner_percent"] = percent(effective, attempts);
    row["pdd_ms"] = quotient(pdd_ms, alerted);
    row["billed_time_s"] = std::to_string(billed_s);
    if (has_share) row["share_percent"] = percent(talk_ms, all_talk_ms);
    std::string reasons_text;
    for (const auto& [reason, count] : reasons)
      reasons_text += (reasons_text.empty() ? "" : " ") + std::string(reason_facts(reason).name) +
                      ':' + std::to_string(count);
    if (has_reasons) row["reasons"] = reasons_text;
    if (money.empty()) {
      for (const char* name : {"currency", "fee", "package_fee", "vendor_fee", "profit"})
        row[name] = "";
      rows.push_back(row);
    }
    for (const auto& [currency, sums] : money) {
      row["currency"] = currency;
      row["fee"] = Amount::from_units(sums[0]).to_string();
      row["package_fee"] = Amount::from_units(sums[1]).to_string();
      row["vendor_fee"] = Amount::from_units(sums[2]).to_string();
      row["profit"] = Amount::from_units(sums[0] - sums[2]).to_string();
      rows.push_back(row);
      for (auto& [name, value] : row)
        value = keys_of_row.contains(name) ? value : "";
    }
  }
  return rows;
}

struct Days : test::StoredDays {
  using StoredDays::StoredDays;
  [[nodiscard]] std::vector<const Cdr*> wanted(const CdrFilter& filter) const {
    std::vector<const Cdr*> found;
    for (const Cdr& cdr : all) {
      if (test::wants(filter, cdr)) found.push_back(&cdr);
    }
    return found;
  }
  [[nodiscard]] CallReport report(const CallReportRequest& request,
                                  const RateLevel& level = {}) const {
    const SimulatedClock later(test::noon_us + 1'000LL * 86'400'000'000);
    auto made = call_report(folder.path(), request, {}, &later, level);
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
    return *made;
  }
};

void agree(const std::vector<Row>& found, const std::vector<Row>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == expected[i]);
}

constexpr std::array slots = {ReportSlot::none, ReportSlot::five_minutes, ReportSlot::hour,
                              ReportSlot::day, ReportSlot::month};

}  // namespace

TEST_CASE(
    "call_report: metrics by gateway, area and time are those of a plain recomputation (C-10, "
    "C-11)") {
  const Days days(700, 21);
  SeededRandom random(22);
  constexpr int rounds = checked_build::is_sanitized ? 12 : 60;
  for (int round = 0; round < rounds; ++round) {
    CallReportRequest request;
    request.filter = test::some_filter(days.all, random, 8 + random.below(60));
    request.by = test::any_of(random, slots);
    request.is_vendor = random.below(2) == 0;
    const std::string vendor = request.filter.vendor_gateway;
    CdrFilter of_legs = request.filter;  // there the vendor is one of any attempt
    of_legs.vendor_gateway.clear();
    const auto calls = calls_of(days.wanted(request.filter));
    const auto legs = legs_of_all(days.wanted(of_legs), vendor);

    request.kind = CallReportKind::customer_gateways;
    agree(rows_of(days.report(request)),
          metrics_rows(calls, request.by, true, false, false, false, true));
    request.kind = CallReportKind::vendor_gateways;
    agree(rows_of(days.report(request)),
          metrics_rows(legs, request.by, true, false, false, false, true));
    request.kind = CallReportKind::areas;
    agree(rows_of(days.report(request)),
          metrics_rows(calls, request.by, false, true, true, false, false));
    request.kind = CallReportKind::gateway_areas;
    agree(rows_of(days.report(request)), metrics_rows(request.is_vendor ? legs : calls, request.by,
                                                      true, false, true, false, false));
    request.kind = CallReportKind::area_totals;
    agree(rows_of(days.report(request)),
          metrics_rows(calls, request.by, false, false, true, true, false));
    request.kind = CallReportKind::days;
    auto by_hour = metrics_rows(calls, ReportSlot::hour, false, false, false, false, false);
    for (Row& row : by_hour) {
      row["day"] = row["from"].substr(0, 10);
      row["hour"] = std::to_string(std::stoi(row["from"].substr(11, 2)));
      row.erase("from");
    }
    agree(rows_of(days.report(request)), by_hour);
  }
}

TEST_CASE(
    "call_report: load, failures and statements are those of a plain recomputation (C-11c, "
    "C-11e, C-12)") {
  const Days days(400, 23);
  SeededRandom random(24);
  const RateLevel level = [](std::string_view deck, std::string_view prefix, std::int64_t at_us) {
    // The third is of a rate that was another one before noon of the second day.
    return deck == "retail"                                                ? CallLevel::domestic
           : deck == "wholesale" && at_us < test::noon_us + 86'400'000'000 ? CallLevel::local
           : prefix == "1" ? CallLevel::international
                           : CallLevel::none;
  };
  for (int round = 0; round < 12; ++round) {
    CallReportRequest request;
    request.filter = test::some_filter(days.all, random, 10 + random.below(60));
    if (round == 0) request.filter = CdrFilter{};
    request.by = test::any_of(random, slots);

    // Load: each second of the period against each call.
    request.kind = CallReportKind::performance;
    const ReportSlot slot = request.by == ReportSlot::none ? ReportSlot::hour : request.by;
    CdrFilter overlapping = request.filter;
    if (overlapping.until_us) *overlapping.until_us += 86'400'000'000;
    std::map<std::string, std::array<std::int64_t, 4>> load;  // mean's sum, max, of both
    std::map<std::int64_t, std::array<std::int64_t, 2>> seconds;
    for (const Cdr* cdr : days.wanted(overlapping)) {
      for (std::int64_t s = cdr->started_at_us / 1'000'000; s <= cdr->ended_at_us / 1'000'000;
           ++s) {
        if (request.filter.since_us && s < *request.filter.since_us / 1'000'000) continue;
        if (request.filter.until_us && s > (*request.filter.until_us - 1) / 1'000'000) continue;
        ++seconds[s][0];
        if (s == cdr->started_at_us / 1'000'000) ++seconds[s][1];
      }
    }
    for (const auto& [second, counts] : seconds) {
      auto& sums = load[slot_of(slot, second * 1'000'000)];
      sums[0] += counts[0];
      sums[1] = std::max(sums[1], counts[0]);
      sums[2] += counts[1];
      sums[3] = std::max(sums[3], counts[1]);
    }
    const auto calls = calls_of(days.wanted(request.filter));
    std::map<std::string, Row> expected;
    for (Row& row : metrics_rows(calls, slot, false, false, false, false, false)) {
      if (row["attempts"].empty()) continue;  // a further currency
      expected[row["from"]] =
          Row{{"from", row["from"]},         {"calls", row["attempts"]},
              {"answered", row["answered"]}, {"asr_percent", row["asr_percent"]},
              {"acd_ms", row["acd_ms"]},     {"pdd_ms", row["pdd_ms"]}};
    }
    for (const auto& [from, sums] : load) {
      Row& row = expected[from];
      if (row.empty())
        row = {{"from", from},      {"calls", "0"}, {"answered", "0"},
               {"asr_percent", ""}, {"acd_ms", ""}, {"pdd_ms", ""}};
    }
    for (auto& [from, row] : expected) {
      const auto& sums = load[from];
      const std::int64_t begin_us = parse_time_us(from).value();
      std::int64_t length_s = 0;
      for (std::int64_t s = begin_us / 1'000'000;
           slot_of(slot, s * 1'000'000) == from && length_s < 32 * 86'400; ++s) {
        if (request.filter.since_us && s < *request.filter.since_us / 1'000'000) continue;
        if (request.filter.until_us && s > (*request.filter.until_us - 1) / 1'000'000) break;
        ++length_s;
      }
      length_s = std::max<std::int64_t>(length_s, 1);
      row["concurrency_mean"] = two_decimals(sums[0] * 100 / length_s);
      row["concurrency_max"] = std::to_string(sums[1]);
      row["cps_mean"] = two_decimals(sums[2] * 100 / length_s);
      row["cps_max"] = std::to_string(sums[3]);
      row["queue_max"] = "";  // no record tells
    }
    std::vector<Row> performance;
    for (const auto& [from, row] : expected)
      performance.push_back(row);
    agree(rows_of(days.report(request)), performance);

    // Failures of both sides.
    for (const bool is_vendor : {false, true}) {
      request.kind = CallReportKind::failures;
      request.is_vendor = is_vendor;
      CdrFilter of_rows = request.filter;
      if (is_vendor) of_rows.vendor_gateway.clear();
      const auto counted =
          is_vendor ? legs_of_all(days.wanted(of_rows), request.filter.vendor_gateway) : calls;
      std::map<std::array<std::string, 3>, std::vector<std::uint64_t>> ids;
      std::map<std::array<std::string, 2>, std::int64_t> totals;
      for (const Counted& c : counted) {
        if (c.answered) continue;
        const std::string from = slot_of(request.by, c.call->ended_at_us);
        ids[{from, c.gateway, reason_facts(c.reason).name}].push_back(c.call->record_id);
        ++totals[{from, c.gateway}];
      }
      std::vector<Row> failures;
      for (auto& [key, records] : ids) {
        std::sort(records.rbegin(), records.rend());
        Row row{{"gateway", key[1]},
                {"reason", key[2]},
                {"count", std::to_string(records.size())},
                {"share_percent",
                 percent(static_cast<std::int64_t>(records.size()), totals[{key[0], key[1]}])}};
        if (request.by != ReportSlot::none) row["from"] = key[0];
        for (std::size_t i = 0; i < std::min<std::size_t>(records.size(), 3); ++i)
          row["samples"] += (i > 0 ? " " : "") + std::to_string(records[i]);
        failures.push_back(std::move(row));
      }
      agree(rows_of(days.report(request)), failures);
    }

    for (const CallReportKind kind :
         {CallReportKind::account_statement, CallReportKind::phone_statement,
          CallReportKind::area_statement}) {
      request.kind = kind;
      const bool is_area = kind == CallReportKind::area_statement;
      const bool is_phone = kind == CallReportKind::phone_statement;
      const char* const whose = is_phone ? "phone" : is_area ? "rate_prefix" : "account";
      std::map<std::array<std::string, 3>, std::map<std::string, std::array<std::int64_t, 5>>> sums;
      for (const Cdr* cdr : days.wanted(request.filter)) {
        if (!is_area && cdr->customer.account.empty()) continue;
        const std::string gateway = cdr->customer_gateway.value_or("");
        if (is_phone && !gateway.starts_with("phone:")) continue;
        auto& of = sums[{slot_of(request.by, cdr->ended_at_us),
                         is_phone  ? gateway.substr(6)
                         : is_area ? cdr->customer.rate_prefix
                                   : cdr->customer.account,
                         cdr->customer.currency}];
        const CallLevel at =
            cdr->call_level != CallLevel::none
                ? cdr->call_level
                : level(cdr->customer.rate_deck, cdr->customer.rate_prefix, cdr->started_at_us);
        for (const std::string& before :
             {std::string(), std::string(at == CallLevel::domestic        ? "domestic_"
                                         : at == CallLevel::local         ? "local_"
                                         : at == CallLevel::internal      ? "internal_"
                                         : at == CallLevel::international ? "international_"
                                                                          : "none_")}) {
          auto& sum = of[before];
          ++sum[0];
          sum[1] += cdr->customer.charge.units();
          sum[2] += cdr->customer.billed_time_s;
          sum[3] += cdr->customer.package_charge.units();
          sum[4] += cdr->customer.package_time_s;
        }
      }
      std::vector<Row> statement;
      for (auto& [key, of] : sums) {
        Row row{{whose, key[1]}, {"currency", key[2]}};
        if (request.by != ReportSlot::none) row["from"] = key[0];
        for (const char* before : {"", "internal_", "local_", "domestic_", "international_"}) {
          const auto& sum = of[before];
          row[before + std::string("calls")] = std::to_string(sum[0]);
          row[before + std::string("fee")] = Amount::from_units(sum[1]).to_string();
          row[before + std::string("billed_time_s")] = std::to_string(sum[2]);
          row[before + std::string("package_fee")] = Amount::from_units(sum[3]).to_string();
          row[before + std::string("package_time_s")] = std::to_string(sum[4]);
        }
        statement.push_back(std::move(row));
      }
      agree(rows_of(days.report(request, level)), statement);
    }
  }
}

TEST_CASE("call_report: the worked example of docs/reports.md (C-10)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(25);
  // Three calls of cust-1: answered 61.5 s after ringing at 300 ms; busy; no answer from v1, then
  // busy at v2.
  for (std::uint64_t i = 1; i <= 3; ++i) {
    Cdr cdr = test::sample_cdr(1, random);
    cdr.record_id = i;
    cdr.customer_gateway = "cust-1";
    cdr.customer = {"acme", Amount{}, 0, "44", "USD"};
    cdr.vendor = ChargeFacts{"clearing", Amount{}, 0, "44", "USD"};
    cdr.pdd_ms = i == 1 ? 300 : -1;
    cdr.answered_at_us = i == 1 ? cdr.started_at_us + 1'000'000 : 0;
    cdr.talk_time_ms = i == 1 ? 61'500 : 0;
    cdr.end_reason = i == 1 ? Reason::NormalCallClearing : Reason::CalleeBusy;
    cdr.attempts.resize(1);
    cdr.attempts[0].vendor_gateway = "v1";
    cdr.attempts[0].sip_status = i == 1 ? 200 : i == 2 ? 486 : 0;
    cdr.attempts[0].reason = i == 1   ? Reason::NormalCallClearing
                             : i == 2 ? Reason::CalleeBusy
                                      : Reason::InviteTimeout;
    if (i == 1) {
      cdr.customer.charge = Amount::parse("0.60").value();
      cdr.customer.billed_time_s = 62;
      cdr.vendor->charge = Amount::parse("0.25").value();
    }
    if (i == 3) {
      cdr.attempts.push_back(cdr.attempts[0]);
      cdr.attempts[1].vendor_gateway = "v2";
      cdr.attempts[1].sip_status = 486;
      cdr.attempts[1].reason = Reason::CalleeBusy;
    }
    REQUIRE((*sink)->write(cdr).ok());
  }
  REQUIRE((*sink)->flush().ok());
  CallReportRequest request;
  auto report = call_report(folder.path(), request);
  REQUIRE(report.ok());
  CHECK(report->records_read == 3);
  CHECK(to_csv(*report) ==
        "gateway,attempts,answered,asr_percent,acd_ms,talk_time_ms,minutes,response_percent,"
        "connected_percent,ner_percent,pdd_ms,billed_time_s,reasons,currency,fee,package_fee,"
        "vendor_fee,profit\r\n"
        "cust-1,3,1,33.33,61500,61500,1.02,100.00,33.33,100.00,300,62,"
        "CalleeBusy:2 NormalCallClearing:1,USD,0.60,0.00,0.25,0.35\r\n");
  request.kind = CallReportKind::vendor_gateways;
  report = call_report(folder.path(), request);
  REQUIRE(report.ok());
  CHECK(to_json(*report) ==
        R"([{"gateway":"v1","attempts":3,"answered":1,"asr_percent":"33.33","acd_ms":61500,)"
        R"("talk_time_ms":61500,"minutes":"1.02","response_percent":"66.66",)"
        R"("connected_percent":"33.33","ner_percent":"66.66","pdd_ms":300,"billed_time_s":62,)"
        R"("reasons":"CalleeBusy:1 InviteTimeout:1 NormalCallClearing:1","currency":"USD",)"
        R"("fee":"0.60","package_fee":"0.00","vendor_fee":"0.25","profit":"0.35"},)"
        R"({"gateway":"v2","attempts":1,"answered":0,"asr_percent":"0.00","acd_ms":null,)"
        R"("talk_time_ms":0,"minutes":"0.00","response_percent":"100.00",)"
        R"("connected_percent":"0.00","ner_percent":"100.00","pdd_ms":null,"billed_time_s":0,)"
        R"("reasons":"CalleeBusy:1","currency":null,"fee":null,"package_fee":null,)"
        R"("vendor_fee":null,"profit":null}])");
  request.kind = CallReportKind::calls;
  report = call_report(folder.path(), request);
  REQUIRE(report.ok());
  REQUIRE(report->rows.size() == 3);
  CHECK(cell_text(report->rows[0][0]) == "3");
  CHECK(cell_text(report->rows[0].back()) ==
        "+1 ms v1 0 InviteTimeout after 3999 ms; +1 ms v2 486 CalleeBusy after 3999 ms");
}

TEST_CASE("call_report: a file of an earlier release gives the same reports (C-11)") {
  const Days days(300, 26);
  CallReportRequest request;
  request.kind = CallReportKind::vendor_gateways;
  const CallReport expected = days.report(request);
  for (const auto& entry : std::filesystem::directory_iterator(days.folder.path())) {
    if (!day_from_name(entry.path().filename().string())) continue;
    auto file = store::Connection::open(entry.path().string());
    REQUIRE(file.ok());
    REQUIRE(file->execute("DROP INDEX cdr_facts; ALTER TABLE cdr DROP COLUMN legs;"
                          "CREATE INDEX cdr_by_end ON cdr(ended_at_us);"
                          "DELETE FROM schema_migrations WHERE component = 'cdr' AND number = 5")
                .ok());
  }
  CHECK(days.report(request) == expected);
  // A sink that opens such a file brings it up to date; what was there before stays without.
  {
    auto sink = make_sqlite_sink(days.folder.path());
    REQUIRE(sink.ok());
    for (const std::uint64_t id : {1, 2, 3})
      REQUIRE((*sink)->write(days.all[id - 1]).ok());
    REQUIRE((*sink)->flush().ok());
  }
  CHECK(days.report(request) == expected);
}

TEST_CASE("call_report: means of the running slot are over what is over of it (C-11c)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(29);
  constexpr std::int64_t second_us = 1'000'000;
  Cdr cdr = test::sample_cdr(0, random);
  cdr.record_id = 1;
  cdr.started_at_us = cdr.answered_at_us = test::noon_us;
  cdr.ended_at_us = test::noon_us + 9 * second_us;  // ten seconds
  REQUIRE((*sink)->write(cdr).ok());
  REQUIRE((*sink)->flush().ok());
  CallReportRequest request;
  request.kind = CallReportKind::performance;
  const auto mean_at = [&](std::int64_t now_us) {
    const SimulatedClock clock(now_us);
    const auto report = call_report(folder.path(), request, {}, &clock);
    REQUIRE(report.ok());
    return rows_of(*report).at(0).at("concurrency_mean");
  };
  CHECK(mean_at(test::noon_us + 19 * second_us) == "0.50");
  CHECK(mean_at(test::noon_us + 999 * second_us) == "0.01");
  CHECK(mean_at(test::noon_us + 7'200 * second_us) == "0.00");
}

TEST_CASE("Groups: are bounded, and those that are there are still found (C-11)") {
  Groups<int> groups;
  for (std::size_t i = 0; i < Groups<int>::groups_max; ++i)
    REQUIRE(groups.at(static_cast<std::int64_t>(i), "part").ok());
  CHECK(groups.at(-1, "part").error().code == ErrorCode::limit);
  CHECK(groups.at(0, "part").ok());
  CHECK(Groups<int>::groups_max <= 100'000);
}

TEST_CASE(
    "call_report: damage, sums and groups beyond their bounds are errors, not figures (C-11)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(27);
  for (std::uint64_t i = 1; i <= 2; ++i) {
    Cdr cdr = test::sample_cdr(1, random);
    cdr.record_id = i;
    cdr.customer.charge = Amount::from_units(INT64_MAX);
    REQUIRE((*sink)->write(cdr).ok());
  }
  REQUIRE((*sink)->flush().ok());
  CallReportRequest request;
  const auto huge = call_report(folder.path(), request);
  REQUIRE_FALSE(huge.ok());
  CHECK(huge.error().code == ErrorCode::limit);
  request.kind = CallReportKind::performance;
  CHECK(call_report(folder.path(), request).ok());
  request.limit = 0;
  CHECK(call_report(folder.path(), request).error().code == ErrorCode::invalid_argument);
  request.limit = 1;
  request.ghost.acd_factor = 1;
  CHECK(call_report(folder.path(), request).error().code == ErrorCode::invalid_argument);
  CHECK(call_report(folder / "absent", CallReportRequest{}).value().rows.empty());
}

TEST_CASE("call_report: ghost calls are found by what they leave behind, honest ones are not") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(28);
  std::uint64_t id = 0;
  const auto call = [&](const std::string& vendor, std::int64_t talk_ms, const char* fee,
                        Reason reason = Reason::NormalCallClearing) {
    Cdr cdr = test::sample_cdr(1, random);
    cdr.record_id = ++id;
    cdr.customer_gateway = "cust-1";
    cdr.vendor_gateway = vendor;
    cdr.answered_at_us = cdr.started_at_us + 1;
    cdr.talk_time_ms = talk_ms;
    cdr.customer.account = "acme";
    cdr.customer.rate_prefix = "44";
    cdr.customer.charge = Amount::parse(fee).value();
    cdr.end_reason = reason;
    cdr.release_side =
        reason == Reason::NormalCallClearing ? ReleaseSide::caller : ReleaseSide::server;
    REQUIRE((*sink)->write(cdr).ok());
  };
  const auto findings = [&] {
    REQUIRE((*sink)->flush().ok());
    CallReportRequest request;
    request.kind = CallReportKind::ghost_calls;
    auto report = call_report(folder.path(), request);
    REQUIRE(report.ok());
    std::set<std::string> found;
    for (const Row& row : rows_of(*report))
      found.insert(row.at("finding") + ' ' + row.at("vendor_gateway") + ' ' + row.at("calls"));
    return found;
  };
  for (int i = 0; i < 200; ++i)
    call("honest", 20'000 + i * 1'000, "0.10");
  CHECK(findings().empty());
  call("honest", 700'000, "0.00");
  for (int i = 0; i < 12; ++i)
    call("clock", 60'000, "0.10");
  for (int i = 0; i < 3; ++i)
    call("clock", 100'000 + i * 1'000, "0.10");
  for (int i = 0; i < 10; ++i)
    call("silent", 100'000 + i * 1'000, "0.10", Reason::NoMedia);
  for (int i = 0; i < 10; ++i)
    call("endless", 590'000 - i * 1'000, "0.10");
  CHECK(findings() == std::set<std::string>{"uncharged_long_calls honest 1",
                                            "same_duration clock 12", "ended_by_switch silent 10",
                                            "abnormal_acd endless 10"});
}

TEST_CASE(
    "legs: what is written of attempts is read back, and nothing else is taken for it (C-10)") {
  SeededRandom random(29);
  for (int round = 0; round < 500; ++round) {
    const Cdr cdr = test::any_cdr(random);
    const auto legs = legs_of({&cdr.attempts, cdr.started_at_us, cdr.answered_at_us, cdr.pdd_ms});
    std::string text;
    append_legs(text, legs);
    std::vector<LegFacts> read;
    REQUIRE(read_legs(text, read));
    CHECK(read == legs);
    if (text.empty()) continue;
    std::vector<LegFacts> damaged;
    CHECK_FALSE(read_legs(std::string_view(text).substr(0, text.size() - 1), damaged));
  }
  std::vector<LegFacts> legs;
  for (const char* wrong : {"x", "1:a", "2:a 1 1;", "99999999999999999999:a 1 1;", "1:a 1 99999;"})
    CHECK_FALSE(read_legs(wrong, legs));
}

TEST_CASE("Report options: names, sides and slots are read, others refused (C-11)") {
  for (int i = 0; i <= static_cast<int>(CallReportKind::ghost_calls); ++i) {
    const auto kind = static_cast<CallReportKind>(i);
    CHECK(call_report_from_name(call_report_name(kind)) == kind);
  }
  CHECK_FALSE(call_report_from_name("nonsense").has_value());
  CallReportRequest request;
  CHECK(set_report_option(request, "by", "5min").value());
  CHECK(request.by == ReportSlot::five_minutes);
  CHECK(set_report_option(request, "tiny-fee", "0.01").value());
  CHECK(request.ghost.tiny_fee == Amount::parse("0.01").value());
  CHECK(set_report_option(request, "account", "acme").value());
  CHECK(request.filter.account == "acme");
  CHECK_FALSE(set_report_option(request, "colour", "red").value());
  CHECK_FALSE(set_report_option(request, "by", "week").ok());
  CHECK_FALSE(set_report_option(request, "acd_factor", "1").ok());
  CHECK(request.ghost.acd_factor == 3);
}
