#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cdr/cdr_json.hpp"
#include "sample_cdr.hpp"

using namespace tandem;

TEST_CASE("to_json: the keys, types and money that hosts rely on") {
  Cdr cdr;
  cdr.record_id = 5;
  cdr.call_id = "a\"\\\n\x01\xC3\xA9\xFF";
  cdr.customer.charge = Amount::from_units(60'000'000);
  cdr.attempts.resize(2);
  cdr.attempts[1].sip_status = 503;
  cdr.attempts[1].reason = Reason::VendorFailure;
  auto object = nlohmann::json::parse(to_json(cdr));
  const std::set<std::string> promised = {
      "record_id",      "call_id",        "customer_gateway",
      "vendor_gateway", "account",        "caller_in",
      "caller",         "caller_out",     "callee_in",
      "callee",         "callee_out",     "started_at_us",
      "answered_at_us", "ended_at_us",    "pdd_ms",
      "talk_time_ms",   "billed_time_s",  "charge",
      "rate_prefix",    "vendor_account", "vendor_billed_time_s",
      "vendor_charge",  "currency",       "end_reason",
      "end_code",       "sip_status",     "q850_cause",
      "release_side",   "attempts",       "media"};
  for (const std::string& key : promised)
    CHECK_MESSAGE(object.contains(key), key);
  CHECK(object["call_id"] == "a\"\\\n\x01\xC3\xA9\xEF\xBF\xBD");
  CHECK(object["customer_gateway"].is_null());
  CHECK(object["charge"] == "0.60");
  CHECK(object["vendor_charge"].is_null());
  CHECK(object["release_side"] == "server");
  REQUIRE(object["attempts"].size() == 2);
  CHECK(object["attempts"][1]["reason"] == "VendorFailure");
  CHECK(object["media"]["relayed"] == false);
  cdr.vendor = ChargeFacts{"v1", Amount{}, 0, "", ""};
  CHECK(nlohmann::json::parse(to_json(cdr))["vendor_charge"] == "0.00");
}

TEST_CASE("attempts and media: come back from their JSON") {
  SeededRandom random(4);
  for (std::uint64_t i = 0; i < 50; ++i) {
    Cdr cdr = cdr::test::sample_cdr(i, random);
    cdr.media_caller.cause = static_cast<MediaCause>(i % 13);
    cdr.media_caller.signalled = "10.0.0.1:4000";
    cdr.media_callee.digits = 3;
    cdr.media_callee.packets_unnegotiated = 4;
    cdr.media_callee.reported_lost = 5;
    cdr.media_callee.reported_jitter_us = 6;
    cdr.media_callee.srtp_failures = 7;
    cdr.media_caller.jitter_late = 8;
    cdr.media_caller.jitter_lost = 9;
    cdr.media_caller.jitter_depth_ms = 60;
    cdr.recording = "20260101/one.wav";
    std::string attempts;
    std::string media;
    cdr::append_attempts_json(attempts, cdr.attempts);
    cdr::append_media_json(media, cdr);
    CHECK(cdr::attempts_from_json(attempts).value() == cdr.attempts);
    Cdr read;
    CHECK(cdr::media_from_json(media, read).ok());
    CHECK(read.media_relayed == cdr.media_relayed);
    CHECK(read.recording == cdr.recording);
    CHECK(read.media_caller == cdr.media_caller);
    CHECK(read.media_callee == cdr.media_callee);
    CHECK(read.codecs == cdr.codecs);
  }
  CHECK_FALSE(cdr::attempts_from_json("{").ok());
  CHECK_FALSE(cdr::attempts_from_json("[1]").ok());
  Cdr unused;
  CHECK_FALSE(cdr::media_from_json("[]", unused).ok());
}

TEST_CASE("to_csv_row: as many fields as the header, quoted by RFC 4180") {
  SeededRandom random(5);
  for (std::uint64_t i = 0; i < 50; ++i) {
    Cdr cdr = cdr::test::any_cdr(random);
    cdr.call_id = "a,\"b\"\r\nc";
    const std::string row = to_csv_row(cdr);
    CHECK(row.find("\"a,\"\"b\"\"\r\nc\"") != std::string::npos);
    std::size_t commas = 0;
    bool is_quoted = false;
    for (char c : row) {
      if (c == '"') is_quoted = !is_quoted;
      if (c == ',' && !is_quoted) ++commas;
    }
    CHECK_FALSE(is_quoted);
    const std::string header = csv_header();
    CHECK(commas == static_cast<std::size_t>(std::count(header.begin(), header.end(), ',')));
  }
}

TEST_CASE("to_table: one aligned line a record, no control characters") {
  SeededRandom random(6);
  std::vector<Cdr> cdrs;
  for (std::uint64_t i = 0; i < 5; ++i)
    cdrs.push_back(cdr::test::sample_cdr(i * 1'000'003, random));
  cdrs[2].caller = "\x1B[2J\n";
  cdrs[3].talk_time_ms = 61'005;
  const std::string table = to_table(cdrs);
  CHECK(std::count(table.begin(), table.end(), '\n') == 6);
  CHECK(table.find('\x1B') == std::string::npos);
  CHECK(table.find("61.005") != std::string::npos);
  const std::size_t width = table.find('\n');
  for (std::size_t at = 0; at < table.size(); at += width + 1)
    CHECK(table[at + width] == '\n');
}
