#include "call/recording_name.hpp"

#include <doctest/doctest.h>

using namespace tandem;
using namespace tandem::call;

TEST_CASE("Recording name: the words of a pattern become facts of the call") {
  RecordingFacts facts;
  facts.id = 77;
  facts.at_us = 1'767'225'600'000'000 + 45'296'000'000;  // 2026-01-01 12:34:56
  facts.caller = "1000";
  facts.callee = "442079460000";
  facts.customer = "cust";
  facts.vendor = "v1";
  CHECK(recording_name("{date}/{time}-{caller}-{callee}-{id}", facts) ==
        "20260101/123456-1000-442079460000-77");
  CHECK(recording_name("{customer}.{vendor}", facts) == "cust.v1");
  facts.at_us = 1'709'164'800'000'000;  // a leap day
  CHECK(recording_name("{date}", facts) == "20240229");
  facts.at_us = 951'868'799'000'000;
  CHECK(recording_name("{date}-{time}", facts) == "20000229-235959");
}

TEST_CASE("Recording name: what a peer chose leaves no folder and names no hidden file") {
  RecordingFacts facts;
  facts.caller = "../../etc/passwd";
  CHECK(recording_name("{caller}", facts) == "_._.._etc_passwd");
  facts.caller = "a/b\n\xC3\xA4 c";
  CHECK(recording_name("{caller}", facts) == "a_b____c");
  facts.caller = "";
  CHECK(recording_name("{caller}", facts) == "_");
  const std::string longest(100, '7');
  facts.caller = facts.callee = facts.customer = facts.vendor = longest;
  CHECK(recording_name("{caller}{callee}{customer}{vendor}", facts).size() == 200);
}

TEST_CASE("Recording name: patterns that could leave the folder or mean nothing are refused") {
  for (const char* pattern : {"{date}/{time}-{caller}-{callee}-{id}", "a", "a/b.c", "{id}"})
    CHECK(check_recording_pattern(pattern));
  for (const char* pattern :
       {"", "/a", "a/", "a//b", "../a", ".a", "a/.b", "{", "{}", "{who}", "{date", "a b", "a\\b"})
    CHECK(check_recording_pattern(pattern).error().code == ErrorCode::invalid_argument);
}
