#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/reconciliation.hpp"

using namespace tandem;

namespace {

constexpr std::int64_t s = 1'000'000;
Amount money(std::string_view text) { return Amount::parse(text).value(); }
std::int64_t time_of(const char* text) { return parse_time_us(text).value(); }

InterconnectCall call_of(std::uint64_t id, const char* callee, std::int64_t at_s,
                         std::int64_t billed_s = 60, const char* charge = "0.60") {
  return {id, "1000", callee, at_s * s, billed_s, money(charge)};
}

std::string refusal(const Result<std::vector<InterconnectCall>>& read) {
  return read ? std::string("ok") : read.error().message;
}

}  // namespace

TEST_CASE("Reconciliation: a deviation is of the larger value, and never rounded down to none") {
  CHECK(deviation_hundredths(0, 0) == 0);
  CHECK(deviation_hundredths(98, 100) == 200);
  CHECK(deviation_hundredths(100, 98) == 200);
  CHECK(deviation_hundredths(0, 5) == 10'000);
  CHECK(deviation_hundredths(1'000'000, 1'000'001) == 1);
  CHECK(deviation_hundredths(-5, 5) == 20'000);
  CHECK(deviation_hundredths(INT64_MAX, INT64_MIN) == 20'000);
}

TEST_CASE("Reconciliation: calls are matched once each, and what differs is told (B-27)") {
  const std::vector<InterconnectCall> ours = {call_of(1, "44", 1'000), call_of(2, "44", 1'100),
                                              call_of(3, "49", 1'000, 61), call_of(4, "49", 5'000),
                                              call_of(5, "33", 1'000, 60, "0.61")};
  const std::vector<InterconnectCall> theirs = {call_of(11, "44", 1'102), call_of(12, "44", 1'003),
                                                call_of(13, "49", 1'000, 63),
                                                call_of(14, "33", 1'000), call_of(15, "7", 1'000)};
  ReconcileRules rules;
  rules.charge_tolerance = money("0.005");
  const ReconcileReport report = reconcile(ours, theirs, rules).value();
  CHECK(report.matched == 4);
  CHECK(report.agreeing == 2);
  CHECK(report.missing_there == 1);
  CHECK(report.missing_here == 1);
  CHECK(report.duration_differs == 1);
  CHECK(report.charge_differs == 1);
  REQUIRE(report.rows.size() == 4);
  for (const ReconcileRow& row : report.rows) {
    if (row.kind == ReconcileRow::Kind::missing_there) CHECK(row.ours->record_id == 4);
    if (row.kind == ReconcileRow::Kind::missing_here) CHECK(row.theirs->record_id == 15);
    if (row.kind == ReconcileRow::Kind::duration) {
      CHECK(row.ours->record_id == 3);
      CHECK(row.theirs->record_id == 13);
    }
    if (row.kind == ReconcileRow::Kind::charge) CHECK(row.ours->record_id == 5);
  }
  CHECK(report.ours.charge == money("3.01"));
  CHECK(report.theirs.billed_time_s == 303);
  CHECK_FALSE(report.is_exceeded);
  rules.line_hundredths = 68;  // 2 of 303 seconds are 0.6601 %
  CHECK_FALSE(reconcile(ours, theirs, rules)->is_exceeded);
  rules.line_hundredths = 67;
  CHECK(reconcile(ours, theirs, rules)->is_exceeded);
  rules.rows_max = 1;
  CHECK(reconcile(ours, theirs, rules)->rows.size() == 1);
}

TEST_CASE("Reconciliation: clocks that differ are put right by the offset, the rest is tolerance") {
  const std::vector<InterconnectCall> ours = {call_of(1, "44", 1'000)};
  const std::vector<InterconnectCall> theirs = {call_of(2, "44", 4'610)};
  ReconcileRules rules;
  CHECK(reconcile(ours, theirs, rules)->matched == 0);
  rules.clock_offset_s = 3'600;
  CHECK(reconcile(ours, theirs, rules)->matched == 1);
  rules.time_tolerance_s = 9;
  CHECK(reconcile(ours, theirs, rules)->matched == 0);
  rules.time_tolerance_s = -1;
  CHECK(reconcile(ours, theirs, rules).error().code == ErrorCode::invalid_argument);
  rules.time_tolerance_s = 60;
  rules.clock_offset_s = 100'000;
  CHECK(reconcile(ours, theirs, rules).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("Reconciliation: of random lists with holes exactly the holes are missing") {
  SeededRandom random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<InterconnectCall> ours, theirs;
    std::uint64_t holes_here = 0, holes_there = 0;
    std::int64_t at_s = 1'000;
    for (std::uint64_t id = 1; id <= 100; ++id) {
      at_s += 30 + static_cast<std::int64_t>(random.below(100));  // beyond twice the tolerance
      const char* const callee = random.below(2) == 0 ? "44" : "49";
      const bool is_here = random.below(10) != 0;
      const bool is_there = !is_here || random.below(10) != 0;
      holes_here += is_here ? 0 : 1;
      holes_there += is_there ? 0 : 1;
      if (is_here) ours.push_back(call_of(id, callee, at_s));
      if (is_there)
        theirs.push_back(
            call_of(id, callee, at_s + static_cast<std::int64_t>(random.below(21)) - 10));
    }
    std::reverse(theirs.begin(), theirs.end());
    ReconcileRules rules;
    rules.time_tolerance_s = 10;
    const ReconcileReport report = reconcile(ours, theirs, rules).value();
    REQUIRE(report.missing_here == holes_here);
    REQUIRE(report.missing_there == holes_there);
    REQUIRE(report.agreeing == 100 - holes_here - holes_there);
  }
}

TEST_CASE("Reconciliation: a partner's list is read by its columns, times in its zone") {
  const PartnerLayout layout =
      parse_partner_layout(
          "callee=Called,answered_at=Start,billed_time_s=Secs,charge=Amount,timezone=Europe/Berlin")
          .value();
  const auto calls = read_partner_calls(
                         "Start;called;SECS;Amount;x\r\n"
                         "2026-06-15 14:00:00;+4420;60;0.60;\r\n"
                         "2026-06-15T12:00:00Z;49;12.5;0;\r\n"
                         "1781524800;\"33\";1;1.5;\r\n"
                         "1781524800000;33;1;1.5;\r\n\r\n",
                         layout)
                         .value();
  REQUIRE(calls.size() == 4);
  for (const InterconnectCall& call : calls)
    CHECK(call.answered_at_us == time_of("2026-06-15T12:00:00Z"));
  CHECK(calls[0].callee == "4420");
  CHECK(calls[0].caller.empty());
  CHECK(calls[0].record_id == 2);
  CHECK(calls[1].billed_time_s == 13);
  CHECK(calls[2].charge == money("1.50"));

  const PartnerLayout usual = parse_partner_layout("").value();
  CHECK(refusal(read_partner_calls("", usual)) == "file was empty");
  CHECK(refusal(read_partner_calls("callee,answered_at\n", usual)) ==
        "line 1 has no column \"billed_time_s\"");
  const std::string header = "callee,answered_at,billed_time_s\n";
  CHECK(refusal(read_partner_calls(header + "44,yesterday,1\n", usual)) ==
        "line 2: \"yesterday\" was no time");
  CHECK(refusal(read_partner_calls(header + "44,1,-1\n", usual)) ==
        "line 2: \"-1\" was no number of seconds");
  // A cell may have line ends; an error is one line of a log.
  CHECK(refusal(read_partner_calls(header + "44,\"1\r\n2\",1\n", usual)) ==
        "line 2: \"1??2\" was no time");
  CHECK(refusal(read_partner_calls(header + "44,1,\"\n1 x\ny\"\n", usual)) ==
        "line 2: \"1 x?y\" was no number of seconds");
  CHECK(refusal(read_partner_calls(header + "44,1\n", usual)) == "line 2: row has 2 cells, not 3");
  CHECK(refusal(read_partner_calls("callee\tanswered_at\tbilled_time_s\n44\t1\t1\n", usual)) ==
        "ok");
  CHECK(parse_partner_layout("called=x").error().code == ErrorCode::invalid_argument);
  CHECK(parse_partner_layout("callee=").error().code == ErrorCode::invalid_argument);
  CHECK_FALSE(
      read_partner_calls(header, {"", "callee", "answered_at", "billed_time_s", "", "X/Y"}));
}

TEST_CASE("Reconciliation: totals go from one switch to the other as JSON") {
  const InterconnectTotals totals{10, 8, 480, money("4.80")};
  CHECK(parse_interconnect_totals(to_json(totals)).value() == totals);
  for (const char* text : {"", "[]", "{}", R"({"calls":-1,"answered":0,"billed_time_s":0})",
                           R"({"calls":1,"answered":0,"billed_time_s":0,"charge":1})",
                           R"({"calls":1,"answered":0,"billed_time_s":0,"charge":"x"})"})
    CHECK(parse_interconnect_totals(text).error().code == ErrorCode::invalid_argument);
  const PeerCheck check =
      compare_totals({"v1", true, 0, s}, totals, {10, 8, 480, money("4.90")}, 100);
  CHECK(check.is_exceeded);
  CHECK(check.deviations[3] == 205);
  CHECK_FALSE(compare_totals({"v1", true, 0, s}, totals, totals, 0).is_exceeded);
}

TEST_CASE("Reconciliation: sums of two currencies are not compared (B-27)") {
  const InterconnectTotals dollars{10, 8, 480, money("4.80"), "USD"};
  const InterconnectTotals euros{10, 8, 480, money("4.80"), "EUR"};
  CHECK(parse_interconnect_totals(to_json(dollars)).value() == dollars);
  const PeerCheck check = compare_totals({"v1", true, 0, s}, dollars, euros, 100);
  CHECK(check.failure == "charges were in USD and in EUR");
  CHECK_FALSE(check.is_exceeded);
  CHECK(
      compare_totals({"v1", true, 0, s}, dollars, {10, 8, 480, money("4.80")}, 1).failure.empty());
  CHECK(parse_interconnect_totals(
            R"({"calls":1,"answered":1,"billed_time_s":1,"charge":"1","currency":5})")
            .error()
            .code == ErrorCode::invalid_argument);

  for (const char* currency : {"usd", "US\\nD", "US D", "ABCDEFGHIJKLMNOPQ"})
    CHECK(parse_interconnect_totals(
              R"({"calls":1,"answered":1,"billed_time_s":1,"charge":"1","currency":")" +
              std::string(currency) + "\"}")
              .error()
              .code == ErrorCode::invalid_argument);

  InterconnectCall one{1, "", "44", s, 60, money("1"), "USD"};
  InterconnectCall other{2, "", "45", s, 60, money("1"), "EUR"};
  ReconcileRules rules;
  CHECK(reconcile({one, other}, {}, rules).error().code == ErrorCode::wrong_state);
  CHECK(reconcile({one}, {other}, rules).error().code == ErrorCode::wrong_state);
  other.charge = {};
  CHECK(reconcile({one, other}, {one}, rules)->ours.currency == "USD");
  other.charge = money("2");
  rules.compares_charges = false;
  const auto report = reconcile({one, other}, {one, other}, rules);
  REQUIRE(report.ok());
  CHECK(report->matched == 2);
  CHECK(report->ours.charge.is_zero());
  other.callee = one.callee;
  const auto plain = reconcile({one}, {other}, rules);
  REQUIRE(plain.ok());
  CHECK(plain->matched == 1);
  CHECK(plain->ours.charge.is_zero());
  CHECK(plain->theirs.charge.is_zero());
  CHECK(plain->theirs.currency.empty());
}
